"""The commands about operations, as a user runs them.

    test_operation_commands.py AMDRPCD AMDRPC [unittest arguments]
"""
import json
import os
import signal
import subprocess
import sys
import tempfile
import unittest

import programs

AMDRPCD, AMDRPC = sys.argv[1:3]

ECHO = "amdrpc.bench.v1.Bench/Echo"
COUNT = "amdrpc.bench.v1.Bench/Count"
BLOCK = "amdrpc.bench.v1.Bench/Block"
SLEEP = "amdrpc.bench.v1.Bench/Sleep"
HI = '{"payload": "aGk="}'

# Exit statuses: see amdrpc(1).
USAGE, STATUS, SIGNAL = 1, 64, 128
CANCELLED, INVALID_ARGUMENT, DEADLINE_EXCEEDED, NOT_FOUND = 1, 3, 4, 5
PERMISSION_DENIED, UNAVAILABLE, UNAUTHENTICATED = 7, 14, 16


class OperationTest(unittest.TestCase):
    """One daemon that keeps operations, for all tests."""

    @classmethod
    def setUpClass(cls):
        cls.data = tempfile.TemporaryDirectory()
        cls.daemon = programs.Daemon(
            AMDRPCD, "--module", "bench", "--data-dir", cls.data.name,
            "--drain-timeout", "1s",
        )

    @classmethod
    def tearDownClass(cls):
        cls.daemon.stop()
        cls.data.cleanup()

    def amdrpc(self, command, *arguments):
        return programs.run(AMDRPC, command, self.daemon.address, *arguments)

    def submit(self, *arguments):
        """Submits; the name."""
        result = self.amdrpc("submit", *arguments)
        self.assert_status(result, 0)
        name = result.out.decode().strip()
        self.assertRegex(name, r"^operations/\w+$")
        return name

    def get(self, name):
        result = self.amdrpc("get", name)
        self.assert_status(result, 0)
        return json.loads(result.out)

    def assert_status(self, result, status):
        self.assertEqual(result.status, status, result)


class SubmitTest(OperationTest):
    def test_name_leads_to_the_response(self):
        name = self.submit(ECHO, HI)

        result = self.amdrpc("wait", name)

        self.assert_status(result, 0)
        self.assertEqual(json.loads(result.out), json.loads(HI))

    def test_id_alone_is_a_name(self):
        name = self.submit(ECHO, HI)

        result = self.amdrpc("wait", name.partition("/")[2])

        self.assert_status(result, 0)

    def test_same_request_id_is_the_same_operation(self):
        names = {self.submit(ECHO, HI, "--request-id", "twice") for _ in range(2)}

        self.assertEqual(len(names), 1)

    def test_options_reach_the_server(self):
        name = self.submit(
            ECHO, HI, "--request-id", "mine", "--max-attempts", "3",
            "--start-at", "+1h", "--timeout", "2h", "--priority", "low",
        )

        metadata = self.get(name)["metadata"]

        self.assertEqual(metadata["requestId"], "mine")
        self.assertEqual(metadata["maxAttempts"], 3)
        self.assertEqual(metadata["state"], "QUEUED")
        self.amdrpc("cancel", name)

    def test_wait_and_watch_follow_at_once(self):
        for how in ("--wait", "--watch"):
            result = self.amdrpc("submit", how, ECHO, HI)

            self.assert_status(result, 0)
            self.assertEqual(json.loads(result.out), json.loads(HI))
            self.assertIn("operation: operations/", result.err)

    def test_what_cannot_be_submitted_is_named(self):
        for arguments, text in (
            (("Echo",), "is not a method"),
            ((ECHO, HI, "--priority", "urgent"), "--priority"),
            ((ECHO, HI, "--start-at", "soon"), "--start-at"),
            ((ECHO, HI, "--wait", "--watch"), "--wait and --watch"),
            (("grpc.reflection.v1.ServerReflection/ServerReflectionInfo",),
             "stream of requests"),
        ):
            result = self.amdrpc("submit", *arguments)

            self.assert_status(result, USAGE)
            self.assertIn(text, result.err)

    def test_server_that_is_away_is_unavailable(self):
        result = programs.run(
            AMDRPC, "wait", "unix:/nowhere/socket", "operations/1", "--patience", "10ms"
        )

        self.assert_status(result, STATUS + UNAVAILABLE)


class WatchTest(OperationTest):
    def test_messages_come_as_json(self):
        name = self.submit(COUNT, '{"n": 3, "size": 1}')

        result = self.amdrpc("watch", "--compact", name)

        self.assert_status(result, 0)
        self.assertEqual([json.loads(line).get("i", 0) for line in result.out.splitlines()],
                         [0, 1, 2])

    def test_watch_begins_after_an_event(self):
        name = self.submit(COUNT, '{"n": 3, "size": 1}')
        self.assert_status(self.amdrpc("wait", name), 0)

        result = self.amdrpc("watch", "--compact", "--after", "2", name)

        self.assertEqual(len(result.out.splitlines()), 1)

    def test_wait_for_a_stream_tells_how_many(self):
        name = self.submit(COUNT, '{"n": 3, "size": 1}')

        result = self.amdrpc("wait", name)

        self.assertEqual(json.loads(result.out), {"messages": "3"})

    def test_interrupt_ends_the_watch_and_not_the_operation(self):
        name = self.submit(BLOCK, '{"ms": 60000}')
        watch = subprocess.Popen(
            [AMDRPC, "watch", self.daemon.address, name], stdin=subprocess.DEVNULL
        )
        while self.get(name)["metadata"]["state"] != "RUNNING":
            pass
        watch.send_signal(signal.SIGINT)

        self.assertEqual(watch.wait(programs.END_SECONDS), SIGNAL + signal.SIGINT)
        self.assertNotIn("cancelRequested", self.get(name)["metadata"])
        self.amdrpc("cancel", name)


class EndTest(OperationTest):
    def test_cancelled_operation_ends_so(self):
        name = self.submit(ECHO, HI, "--start-at", "+1h")

        self.assert_status(self.amdrpc("cancel", name), 0)
        for command in ("wait", "watch"):
            result = self.amdrpc(command, name)

            self.assert_status(result, STATUS + CANCELLED)
            self.assertIn("CANCELLED", result.err)

    def test_running_operation_is_cancelled(self):
        name = self.submit(SLEEP, '{"ms": 3600000}')

        self.assert_status(self.amdrpc("cancel", name), 0)

        self.assert_status(self.amdrpc("wait", name), STATUS + CANCELLED)

    def test_waiting_may_be_given_up(self):
        name = self.submit(ECHO, HI, "--start-at", "+1h")

        result = self.amdrpc("wait", name, "--timeout", "10ms")

        self.assert_status(result, STATUS + DEADLINE_EXCEEDED)
        self.assertEqual(self.get(name)["metadata"]["state"], "QUEUED")
        self.amdrpc("cancel", name)

    def test_deleted_operation_is_gone(self):
        name = self.submit(ECHO, HI)
        self.assert_status(self.amdrpc("wait", name), 0)

        self.assert_status(self.amdrpc("delete", name), 0)

        for command in ("get", "wait", "watch", "cancel", "delete"):
            self.assert_status(self.amdrpc(command, name), STATUS + NOT_FOUND)


class ListTest(OperationTest):
    def test_table_has_a_row_for_each(self):
        names = {self.submit(ECHO, HI) for _ in range(3)}

        result = self.amdrpc("operations")

        self.assert_status(result, 0)
        head, *rows = result.out.decode().splitlines()
        self.assertTrue(head.startswith("NAME "), head)
        self.assertLessEqual(names, {row.split()[0] for row in rows})

    def test_json_tells_all(self):
        name = self.submit(ECHO, HI, "--request-id", "listed")
        self.assert_status(self.amdrpc("wait", name), 0)

        result = self.amdrpc(
            "operations", "--json", "--compact", "--state", "succeeded",
            "--filter", 'method = "/amdrpc.bench.v1.Bench/Echo"',
        )

        found = [json.loads(line) for line in result.out.splitlines()]
        self.assertIn(name, [one["name"] for one in found])
        self.assertEqual({one["metadata"]["state"] for one in found}, {"SUCCEEDED"})

    def test_limit_is_kept(self):
        for _ in range(3):
            self.submit(ECHO, HI)

        result = self.amdrpc("operations", "--json", "--compact", "--limit", "2")

        self.assertEqual(len(result.out.splitlines()), 2)

    def test_odd_filter_is_refused(self):
        result = self.amdrpc("operations", "--filter", "color = red")

        self.assert_status(result, STATUS + INVALID_ARGUMENT)
        self.assertEqual(result.out, b"")

    def test_list_still_lists_services(self):
        result = self.amdrpc("list")

        self.assertIn(b"amdrpc.v1.Operations\n", result.out)


class DetachTest(OperationTest):
    def test_now_gives_the_name(self):
        result = self.amdrpc("call", "--detach", "now", ECHO, HI)

        self.assert_status(result, 0)
        name = result.out.decode().strip()
        self.assertEqual(json.loads(self.amdrpc("wait", name).out), json.loads(HI))

    def test_on_disconnect_goes_on_as_usual(self):
        result = self.amdrpc("call", "--detach", "on-disconnect", ECHO, HI)

        self.assert_status(result, 0)
        self.assertEqual(json.loads(result.out), json.loads(HI))
        self.assertRegex(result.err, r"^operation: operations/\w+\n$")

    def test_other_words_are_refused(self):
        result = self.amdrpc("call", "--detach", "later", ECHO, HI)

        self.assert_status(result, USAGE)


class PrincipalTest(unittest.TestCase):
    """Whose operation it is: of alice and bob, by their bearer tokens."""

    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.TemporaryDirectory()
        tokens = os.path.join(cls.dir.name, "tokens")
        with open(tokens, "w", encoding="ascii") as file:
            file.write("s3cret alice\nother bob\n")
        os.chmod(tokens, 0o600)
        cls.daemon = programs.Daemon(
            AMDRPCD, "--module", "bench", "--data-dir", cls.dir.name,
            "--token-file", tokens, "--drain-timeout", "1s",
            "--set", f"allow./{BLOCK}=alice", "--set", "allow./=anonymous",
        )

    @classmethod
    def tearDownClass(cls):
        cls.daemon.stop()
        cls.dir.cleanup()

    def as_caller(self, token, command, *arguments):
        return programs.run(
            AMDRPC, command, self.daemon.address, *arguments,
            *(("--token", token) if token else ()))

    def alice(self, command, *arguments):
        result = self.as_caller("s3cret", command, *arguments)
        self.assertEqual(result.status, 0, result)
        return result.out.decode().strip()

    def test_operation_of_another_is_not_there(self):
        name = self.alice("submit", ECHO, HI, "--start-at", "+1h")
        ended = self.alice("submit", ECHO, HI)
        self.alice("wait", ended)

        for caller in ("other", None):
            for command in ("get", "wait", "watch", "cancel", "delete"):
                for which in (name, ended):
                    result = self.as_caller(caller, command, which)
                    self.assertEqual(result.status, STATUS + NOT_FOUND, (command, result))

        self.assertNotIn("cancelRequested", json.loads(self.alice("get", name))["metadata"])
        self.assertEqual(json.loads(self.alice("wait", ended)), json.loads(HI))
        self.alice("cancel", name)

    def test_list_shows_ones_own(self):
        name = self.alice("submit", ECHO, HI)
        mine = self.as_caller("other", "submit", ECHO, HI).out.decode().strip()

        theirs = self.as_caller("other", "operations").out.decode()

        self.assertIn(mine, theirs)
        self.assertNotIn(name, theirs)
        self.assertNotIn(name, self.as_caller(None, "operations").out.decode())
        self.assertIn(name, self.alice("operations"))

    def test_request_id_is_ones_own(self):
        name = self.alice("submit", ECHO, HI, "--request-id", "same")

        result = self.as_caller("other", "submit", ECHO, HI, "--request-id", "same")

        self.assertEqual(result.status, 0, result)
        self.assertNotEqual(result.out.decode().strip(), name)

    def test_rule_of_the_method_counts_for_submissions(self):
        self.alice("cancel", self.alice("submit", BLOCK, '{"ms": 60000}'))

        result = self.as_caller("other", "submit", BLOCK, '{"ms": 60000}')
        self.assertEqual(result.status, STATUS + PERMISSION_DENIED, result)
        result = self.as_caller(None, "submit", BLOCK, '{"ms": 60000}')
        self.assertEqual(result.status, STATUS + UNAUTHENTICATED, result)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
