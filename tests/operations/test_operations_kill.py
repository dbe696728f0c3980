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
import json
import os
import random
import signal
import subprocess
import sys
import time

import daemons

AMDRPCD, AMDRPC, SUBMITTERS = sys.argv[1:4]
ROUNDS = int(os.environ.get("OPERATIONS_KILL_ROUNDS", "3"))
SEED = int(os.environ.get("OPERATIONS_KILL_SEED", "1"))
COUNT = int(os.environ.get("OPERATIONS_KILL_COUNT", "1500"))
OUTSTANDING = 256
DONE_SECONDS = 600


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


def list_operations(keeper, *arguments):
    out = subprocess.run(
        [AMDRPC, "operations", "--json", "--compact", "--limit", "1000000",
         *arguments, keeper.target],
        stdout=subprocess.PIPE, check=True, text=True,
    ).stdout
    return [json.loads(line) for line in out.splitlines()]


def await_done(keeper):
    end = time.monotonic() + DONE_SECONDS
    while True:
        left = list_operations(keeper, "--filter", "done = false")
        if not left:
            return
        assert time.monotonic() < end, f"{len(left)} operations do not end"
        time.sleep(0.5)


def check(keeper, acknowledged):
    names = {}
    for operation in list_operations(keeper):
        request_id = operation["metadata"]["requestId"]
        assert request_id not in names, f"{request_id} has two operations"
        names[request_id] = operation["name"]
        assert operation.get("done"), f"{operation['name']} is not done"
        assert "response" in operation, operation
    for request_id, name in acknowledged.items():
        assert names.get(request_id) == name, f"{request_id}: {name} is lost"
    assert len(names) == len(acknowledged), "there are more than were asked for"


def main():
    dice = random.Random(SEED)
    acknowledged = {}
    with daemons.Keeper(AMDRPCD, "--module", "bench") as keeper:
        for i in range(ROUNDS):
            after = dice.randint(1, COUNT)
            acknowledged |= submit_and_kill(keeper, f"{i}", after)
            print(f"round {i + 1} of {ROUNDS}: killed after {after}", flush=True)
        await_done(keeper)
        check(keeper, acknowledged)
    print(f"{len(acknowledged)} operations, each there once and done")


main()
