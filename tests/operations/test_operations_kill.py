"""kill -9 of the daemon at random moments, under many submitters.

    test_operations_kill.py AMDRPCD AMDRPC SUBMITTERS

In each round 256 submissions are always outstanding, and the daemon is killed
after a random number of acknowledgements and started again. In the end every
operation that was acknowledged is there, under the name that was told, and
done; and no request id has two operations.

OPERATIONS_KILL_ROUNDS says how many rounds (3), OPERATIONS_KILL_SEED where the
random numbers begin (1), OPERATIONS_KILL_COUNT how many submissions a round
has (1500).
"""
import os
import random
import signal
import subprocess
import sys

import daemons
import records

AMDRPCD, AMDRPC, SUBMITTERS = sys.argv[1:4]
ROUNDS = int(os.environ.get("OPERATIONS_KILL_ROUNDS", "3"))
SEED = int(os.environ.get("OPERATIONS_KILL_SEED", "1"))
COUNT = int(os.environ.get("OPERATIONS_KILL_COUNT", "1500"))
OUTSTANDING = 256


def submit_and_kill(keeper, prefix, after):
    """One round; what was acknowledged: names by request id."""
    submitters = subprocess.Popen(
        [SUBMITTERS, keeper.target, prefix, str(COUNT), str(OUTSTANDING)],
        stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
    )
    names = {}
    with submitters:
        for line in submitters.stdout:
            request_id, name = line.split()
            assert request_id not in names, f"{request_id} was acknowledged twice"
            names[request_id] = name
            if len(names) == after:
                keeper.restart(signal.SIGKILL)
    assert submitters.returncode == 0, "the submitters failed"
    assert len(names) == COUNT, f"{len(names)} of {COUNT} were acknowledged"
    return names


def main():
    dice = random.Random(SEED)
    acknowledged = {}
    with daemons.Keeper(AMDRPCD, "--module", "bench") as keeper:
        for i in range(ROUNDS):
            after = dice.randint(1, COUNT)
            acknowledged |= submit_and_kill(keeper, f"{i}", after)
            print(f"round {i + 1} of {ROUNDS}: killed after {after}", flush=True)
        names = records.Records(AMDRPC, keeper).check(acknowledged)
        assert len(names) == len(acknowledged), "there are more than were asked for"
    print(f"{len(acknowledged)} operations, each there once and done")


main()
