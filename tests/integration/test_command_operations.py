"""Commands as operations: kept, watched, cancelled, and run again.

    test_command_operations.py AMDRPCD AMDRPC [unittest arguments]
"""
import json
import os
import subprocess
import sys
import tempfile
import unittest

import command_programs
import programs
from command_programs import STATUS, Answer, is_alive, read_pid, request, wait_until

AMDRPCD, AMDRPC = sys.argv[1:3]

SERVICE = "amdrpc.command.v1.Command"
CANCELLED, ABORTED = 1, 10


class CommandOperationTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.config = command_programs.make_folder(self.folder)

    def daemon(self):
        daemon = programs.Daemon(
            AMDRPCD, "--config", self.config, "--module", "command",
            "--data-dir", self.folder, "--drain-timeout", "100ms",
            "--operation-backoff", "10ms")
        self.addCleanup(daemon.stop)
        return daemon

    def amdrpc(self, daemon, command, *arguments):
        return programs.run(AMDRPC, command, daemon.address, *arguments)

    def submit(self, daemon, name, *arguments):
        result = self.amdrpc(daemon, "submit", f"{SERVICE}/{name}", *arguments)
        self.assertEqual(result.status, 0, result)
        return result.out.decode().strip()

    def attempt(self, daemon, name):
        result = self.amdrpc(daemon, "get", name)
        self.assertEqual(result.status, 0, result)
        return json.loads(result.out)["metadata"].get("attempt", 0)

    def family(self):
        """The processes of family.sh, once all of them run."""
        return [read_pid(self.folder, name) for name in ("leader", "grandchild")]

    def assert_ends(self, pids):
        wait_until(lambda: not any(map(is_alive, pids)))

    def test_output_is_watched(self):
        daemon = self.daemon()
        name = self.submit(daemon, "sh_exit", request(code="0"))

        result = self.amdrpc(daemon, "watch", "--compact", name)

        self.assertEqual(result.status, 0, result)
        answer = Answer(result)
        self.assertEqual((answer.stdout, answer.stderr), (b"out\n", b"err\n"))
        self.assertEqual(answer.exit.get("code", 0), 0)

    def test_cancel_ends_the_whole_family(self):
        daemon = self.daemon()
        name = self.submit(daemon, "family", request(folder=self.folder))
        pids = self.family()

        self.assertEqual(self.amdrpc(daemon, "cancel", name).status, 0)

        result = self.amdrpc(daemon, "wait", name)
        self.assertEqual(result.status, STATUS + CANCELLED, result)
        self.assert_ends(pids)

    def test_cancelled_program_that_tidies_up_is_cancelled(self):
        daemon = self.daemon()
        name = self.submit(daemon, "gentle", request(folder=self.folder))
        pid = read_pid(self.folder, "leader")

        self.assertEqual(self.amdrpc(daemon, "cancel", name).status, 0)

        # It exits with 0, as if nothing had been.
        result = self.amdrpc(daemon, "wait", name)
        self.assertEqual(result.status, STATUS + CANCELLED, result)
        self.assertTrue(os.path.exists(os.path.join(self.folder, "tidied")))
        self.assert_ends([pid])

    def restart(self, daemon, is_killed):
        """Another daemon, after this one's end."""
        if is_killed:
            daemon.process.kill()
            daemon.process.wait()
        else:
            self.assertEqual(daemon.stop(), 0)
        return self.daemon()

    def check_runs_again(self, command, files, is_killed):
        """The next daemon has a second attempt, with its own processes."""
        first = self.daemon()
        name = self.submit(first, command, request(folder=self.folder))
        pids = [read_pid(self.folder, file) for file in files]
        self.assertEqual(self.attempt(first, name), 1)

        second = self.restart(first, is_killed)
        self.assert_ends(pids)
        wait_until(lambda: read_pid(self.folder, files[-1]) != pids[-1])

        self.assertEqual(self.attempt(second, name), 2)
        self.assertEqual(self.amdrpc(second, "cancel", name).status, 0)
        self.assertEqual(self.amdrpc(second, "wait", name).status, STATUS + CANCELLED)

    def test_daemon_after_a_stopped_one_runs_it_again(self):
        self.check_runs_again("family", ("grandchild", "leader"), is_killed=False)

    def test_daemon_after_a_killed_one_runs_it_again(self):
        self.check_runs_again("gentle", ("leader",), is_killed=True)

    def test_killed_daemon_fails_what_is_run_once(self):
        first = self.daemon()
        name = self.submit(
            first, "gentle", request(folder=self.folder), "--max-attempts", "1")
        pid = read_pid(self.folder, "leader")

        second = self.restart(first, is_killed=True)

        result = self.amdrpc(second, "wait", name)
        self.assertEqual(result.status, STATUS + ABORTED, result)
        self.assert_ends([pid])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
