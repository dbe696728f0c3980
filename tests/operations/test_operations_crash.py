"""Handlers that take the process with them, under somebody who restarts it.

    test_operations_crash.py AMDRPCD AMDRPC MODULE

MODULE is faulty_module.c: its payload says which attempts abort.
"""
import base64
import json
import resource
import signal
import subprocess
import sys
import time
import unittest

import daemons

AMDRPCD, AMDRPC, MODULE = sys.argv[1:4]
del sys.argv[1:4]

SECONDS = 120
ECHO = "amdrpc.bench.v1.Bench/Echo"
ABORTED, UNAVAILABLE = 64 + 10, 64 + 14  # amdrpc's exit statuses for them
DEATH = -signal.SIGABRT
ALWAYS = 255
NEIGHBOURS = 8


def request(aborts=0, hangs=0):
    payload = base64.b64encode(bytes([aborts, hangs])).decode()
    return json.dumps({"payload": payload})


class Crash(unittest.TestCase):
    def setUp(self):
        self.keeper = daemons.Keeper(
            AMDRPCD, "--module", MODULE, "--operation-max-attempts", "4")
        self.addCleanup(self.keeper.stop)
        self.keeper.start()
        self.deaths = []

    def supervise(self):
        """What a supervisor does all the time."""
        status = self.keeper.process.poll()
        if status is not None:
            self.deaths.append(status)
            self.keeper.start()

    def amdrpc(self, *arguments):
        """Runs it to its end, and the daemon again whenever that dies."""
        client = subprocess.Popen(
            [AMDRPC, *arguments], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(client.communicate)
        self.addCleanup(client.kill)
        end = time.monotonic() + SECONDS
        while client.poll() is None:
            self.assertLess(time.monotonic(), end, arguments)
            self.supervise()
            time.sleep(0.01)
        out, err = client.communicate()
        return subprocess.CompletedProcess(arguments, client.returncode, out, err)

    def submit(self, *options, **attempts):
        result = self.amdrpc(
            "submit", "--patience", f"{SECONDS}s", *options,
            self.keeper.target, ECHO, request(**attempts))
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout.strip()

    def submit_running(self):
        """One whose first attempt can only end with the process."""
        name = self.submit(hangs=1)
        while self.attempt(name) == 0:
            time.sleep(0.01)
        return name

    def attempt(self, name):
        result = self.amdrpc("get", self.keeper.target, name)
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout)["metadata"].get("attempt", 0)

    def wait(self, name):
        return self.amdrpc("wait", self.keeper.target, name)

    def assert_ends_well(self, name, attempt):
        """With the answer of that attempt."""
        result = self.wait(name)
        self.assertEqual(result.returncode, 0, result.stderr)
        payload = base64.b64decode(json.loads(result.stdout)["payload"])
        self.assertEqual(payload, bytes([attempt]))

    def assert_aborted(self, name, attempt):
        result = self.wait(name)
        self.assertEqual(result.returncode, ABORTED, result)
        self.assertIn(
            "the operation's last attempt failed, or its server ended", result.stderr)
        self.assertEqual(self.attempt(name), attempt)

    def test_operation_is_run_again(self):
        name = self.submit(aborts=1)

        self.assert_ends_well(name, attempt=2)
        self.assertEqual(self.deaths, [DEATH])

    def test_poison_pill_is_not_run_for_ever(self):
        neighbours = [self.submit_running() for _ in range(NEIGHBOURS)]

        pill = self.submit("--max-attempts", "3", aborts=ALWAYS)

        self.assert_aborted(pill, attempt=3)
        self.assertEqual(self.deaths, [DEATH] * 3)
        for name in neighbours:
            self.assertEqual(self.wait(name).returncode, 0)
        # It is over for the next process, too.
        self.keeper.restart()
        self.assert_aborted(pill, attempt=3)
        self.assertEqual(len(self.deaths), 3)

    def test_setting_says_how_often(self):
        self.assert_aborted(self.submit(aborts=ALWAYS), attempt=4)
        self.assertEqual(self.deaths, [DEATH] * 4)

    def test_what_runs_beside_is_run_again(self):
        neighbour = self.submit_running()

        pill = self.submit("--max-attempts", "1", aborts=ALWAYS)

        self.assert_ends_well(neighbour, attempt=2)
        self.assert_aborted(pill, attempt=1)
        self.assertEqual(self.deaths, [DEATH])

    def test_plain_call_is_lost(self):
        result = self.amdrpc("call", self.keeper.target, ECHO, request(aborts=ALWAYS))

        self.assertEqual(result.returncode, UNAVAILABLE, result)
        while not self.deaths:  # its client may know before its parent does
            self.supervise()
            time.sleep(0.01)
        self.assertEqual(self.deaths, [DEATH])
        result = self.amdrpc("call", self.keeper.target, ECHO, request())
        self.assertEqual(result.returncode, 0, result.stderr)


# Nobody wants the core files of what is meant to die.
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
unittest.main(verbosity=2)
