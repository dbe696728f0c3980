"""Power cuts: what the daemon had not yet got onto the disk is gone.

    test_operations_power.py AMDRPCD AMDRPC SUBMITTERS POWERCUT

POWERCUT is the library of tests/store that keeps, beside the data directory,
what of it would survive. In each round the power fails in a random call, with
256 submissions outstanding; the next daemon has what survived. After every
round each operation that was acknowledged in any of them is there, and ends;
no request id has two.

With store-sync=off the same must lose operations: that shows that the test
could fail.

OPERATIONS_POWER_ROUNDS says how many rounds (2), OPERATIONS_POWER_SEED where
the random numbers begin (1), OPERATIONS_POWER_COUNT how many submissions a
round has (1500).
"""
import os
import random
import shutil
import signal
import subprocess
import sys
import threading

import daemons
import records

AMDRPCD, AMDRPC, SUBMITTERS, POWERCUT = sys.argv[1:5]
ROUNDS = int(os.environ.get("OPERATIONS_POWER_ROUNDS", "2"))
SEED = int(os.environ.get("OPERATIONS_POWER_SEED", "1"))
COUNT = int(os.environ.get("OPERATIONS_POWER_COUNT", "1500"))
OUTSTANDING = 256
MAX_CALLS = 5000  # to the files, until the power fails


class Disk:
    """The data directory of a keeper, and what survives of it."""

    def __init__(self, keeper):
        self.keeper = keeper
        self.shadow = os.path.join(keeper.folder.name, "shadow")
        os.mkdir(keeper.data)
        self.set_up(0, 0, 0)

    def set_up(self, after, keep, seed):
        """From the next start on the power fails in that call; 0: never."""
        shutil.rmtree(self.shadow, ignore_errors=True)
        shutil.copytree(self.keeper.data, os.path.join(self.shadow, "data"))
        os.mkdir(os.path.join(self.shadow, "names"))
        for name in os.listdir(self.keeper.data):
            with open(os.path.join(self.shadow, "names", name), "w", encoding="ascii"):
                pass
        self.keeper.environment = {
            "LD_PRELOAD": POWERCUT,
            "POWERCUT_DIR": self.keeper.data,
            "POWERCUT_SHADOW": self.shadow,
            "POWERCUT_AFTER": str(after),
            "POWERCUT_KEEP": str(keep),
            "POWERCUT_SEED": str(seed),
        }

    def lose(self):
        """The directory becomes what survived: the files that had a name."""
        shutil.rmtree(self.keeper.data)
        os.mkdir(self.keeper.data)
        for name in os.listdir(os.path.join(self.shadow, "names")):
            survivor = os.path.join(self.shadow, "data", name)
            if os.path.exists(survivor):
                shutil.copy(survivor, self.keeper.data)


class Submitters:
    """They submit through power cuts; names are what was acknowledged."""

    def __init__(self, target, prefix):
        self.names = {}
        self.process = subprocess.Popen(
            [SUBMITTERS, target, prefix, str(COUNT), str(OUTSTANDING)],
            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
        )
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            request_id, name = line.split()
            self.names[request_id] = name

    def join(self):
        status = self.process.wait()
        self.reader.join()
        self.process.stdout.close()
        return status


def start_with_cut(keeper, disk, dice, keep):
    """The power may fail before the daemon listens: then it starts again."""
    while True:
        disk.set_up(dice.randint(1, MAX_CALLS), keep, dice.randint(1, 1 << 30))
        try:
            keeper.start()
            return
        except daemons.Ended:
            assert keeper.process.returncode == -signal.SIGKILL, "it failed to start"
            disk.lose()


def await_cut(keeper, submitters):
    """If the work is done before, the plug is pulled."""
    while keeper.process.poll() is None:
        try:
            keeper.process.wait(1)
        except subprocess.TimeoutExpired:
            if submitters.process.poll() is not None:
                keeper.process.kill()
    assert keeper.process.returncode == -signal.SIGKILL, keeper.process.returncode


def cut_and_go_on(keeper, disk, dice, number):
    """One round; what was acknowledged before the cut and after it."""
    start_with_cut(keeper, disk, dice, 50 * (number % 2))
    submitters = Submitters(keeper.target, f"{number}")
    await_cut(keeper, submitters)
    disk.lose()
    disk.set_up(0, 0, 0)
    before = len(submitters.names)
    keeper.start()
    assert submitters.join() == 0, "the submitters failed"
    print(f"round {number + 1} of {ROUNDS}: cut after {before}", flush=True)
    return submitters.names


def test_nothing_is_lost():
    dice = random.Random(SEED)
    acknowledged = {}
    keeper = daemons.Keeper(AMDRPCD, "--module", "bench")
    disk = Disk(keeper)
    try:
        for number in range(ROUNDS):
            acknowledged |= cut_and_go_on(keeper, disk, dice, number)
            records.Records(AMDRPC, keeper).check(acknowledged)
            keeper.end()
    finally:
        keeper.stop()
    print(f"{len(acknowledged)} operations, each there once and done")


def test_has_teeth():
    keeper = daemons.Keeper(AMDRPCD, "--module", "bench", "--store-sync", "off")
    disk = Disk(keeper)
    disk.set_up(MAX_CALLS, 0, SEED)
    try:
        keeper.start()
        submitters = Submitters(keeper.target, "0")
        await_cut(keeper, submitters)
        submitters.process.kill()
        submitters.join()
        assert submitters.names, "nothing was acknowledged"
        disk.lose()
        disk.set_up(0, 0, 0)
        keeper.start()
        left = records.Records(AMDRPC, keeper).names()
        nlost = len(submitters.names.keys() - left.keys())
    finally:
        keeper.stop()
    assert nlost > 0, "what was not synced did survive"
    print(f"store-sync=off: {nlost} of {len(submitters.names)} are lost")


test_nothing_is_lost()
test_has_teeth()
