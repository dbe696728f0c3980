"""amdrpc and amdrpc-bench, as a user runs them.

    test_programs.py AMDRPCD AMDRPC AMDRPC-BENCH PROTO-ROOT [unittest arguments]
"""
import base64
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

import programs
from programs import read_messages

AMDRPCD, AMDRPC, BENCH, PROTO_ROOT = sys.argv[1:5]

BENCH_SERVICE = "amdrpc.bench.v1.Bench"
CHECKSUM_SERVICE = "amdrpc.checksum.v1.Checksum"
REFLECTION = "grpc.reflection.v1.ServerReflection/ServerReflectionInfo"

# Exit statuses: see amdrpc(1).
USAGE, CONNECT, UNKNOWN, STATUS, SIGNAL = 1, 2, 3, 64, 128
DEADLINE_EXCEEDED, NOT_FOUND = 4, 5


class ProgramTest(unittest.TestCase):
    """One daemon for all tests, with some files to digest."""

    @classmethod
    def setUpClass(cls):
        cls.tree = tempfile.TemporaryDirectory()
        for name, content in (("a", b"alpha"), ("b", b"b" * 3_000_000)):
            with open(os.path.join(cls.tree.name, name), "wb") as file:
                file.write(content)
        cls.daemon = programs.Daemon(
            AMDRPCD, "--module", "bench", "--module", "checksum",
            "--set", "checksum.root=" + cls.tree.name,
        )

    @classmethod
    def tearDownClass(cls):
        status = cls.daemon.stop()
        cls.tree.cleanup()
        if status != 0:
            raise AssertionError(f"amdrpcd ended with {status}")

    def call(self, method, *arguments, stdin=b""):
        return programs.run(
            AMDRPC, "call", self.daemon.address, method, *arguments, stdin=stdin
        )

    def assert_status(self, result, status):
        self.assertEqual(result.status, status, result)


class CallTest(ProgramTest):
    def test_health_check_needs_no_request(self):
        result = self.call("grpc.health.v1.Health/Check")

        self.assert_status(result, 0)
        self.assertEqual(read_messages(result.out), [{"status": "SERVING"}])
        self.assertEqual(result.err, "")

    def test_every_spelling_of_a_method_is_taken(self):
        for name in ("/{}/Echo", "{}/Echo", "{}.Echo"):
            result = self.call(name.format(BENCH_SERVICE), '{"payload": "aGk="}')

            self.assert_status(result, 0)
            self.assertEqual(read_messages(result.out), [{"payload": "aGk="}])

    def test_request_comes_from_a_file_or_standard_input(self):
        request = b'{"payload": "aGk="}\n'
        with tempfile.NamedTemporaryFile() as file:
            file.write(request)
            file.flush()
            results = [
                self.call(BENCH_SERVICE + "/Echo", "@" + file.name),
                self.call(BENCH_SERVICE + "/Echo", "-", stdin=request),
            ]

        for result in results:
            self.assertEqual(read_messages(result.out), [{"payload": "aGk="}])

    def test_stream_of_responses_is_one_line_each_when_compact(self):
        result = self.call(BENCH_SERVICE + "/Count", "--compact", '{"n": 3, "size": 1}')

        self.assert_status(result, 0)
        self.assertEqual(len(result.out.splitlines()), 3)
        self.assertEqual(json.loads(result.out.splitlines()[2]), {"i": 2, "payload": "AA=="})

    def test_defaults_are_shown_on_request(self):
        result = self.call(
            BENCH_SERVICE + "/Count", "--compact", "--emit-defaults", '{"n": 1}'
        )

        self.assertEqual(json.loads(result.out), {"i": 0, "payload": ""})

    def test_both_sides_may_be_streams(self):
        result = self.call(
            REFLECTION, stdin=b'{"listServices": "*"} {"fileContainingSymbol": "x.y"}'
        )

        self.assert_status(result, 0)
        services, error = read_messages(result.out)
        names = [one["name"] for one in services["listServicesResponse"]["service"]]
        self.assertIn(BENCH_SERVICE, names)
        self.assertEqual(error["errorResponse"]["errorCode"], NOT_FOUND)

    def test_stream_of_requests_has_one_response(self):
        chunks = [b"alpha", b"beta" * 1000]
        messages = [{"chunk": base64.b64encode(one).decode()} for one in chunks]
        result = self.call(
            CHECKSUM_SERVICE + "/DigestUpload",
            stdin="\n".join(map(json.dumps, messages)).encode(),
        )

        self.assert_status(result, 0)
        (answer,) = read_messages(result.out)
        self.assertEqual(answer["hex"], hashlib.sha256(b"".join(chunks)).hexdigest())

    def test_tree_is_digested_with_progress(self):
        result = self.call(
            CHECKSUM_SERVICE + "/DigestTree", json.dumps({"path": self.tree.name})
        )

        self.assert_status(result, 0)
        digests = {
            os.path.basename(one["result"]["path"]): one["result"]["hex"]
            for one in read_messages(result.out)
        }
        self.assertEqual(digests["a"], hashlib.sha256(b"alpha").hexdigest())
        self.assertEqual(set(digests), {"a", "b"})
        self.assertIn("progress: ", result.err)

    def test_progress_is_printed_like_messages_on_request(self):
        result = self.call(
            CHECKSUM_SERVICE + "/DigestTree", "--no-progress",
            json.dumps({"path": self.tree.name}),
        )

        self.assert_status(result, 0)
        self.assertEqual(result.err, "")
        self.assertTrue(any("progress" in one for one in read_messages(result.out)))

    def test_raw_messages_pass_as_they_are(self):
        request = b"\x0a\x03abc"  # payload = "abc"
        result = self.call(BENCH_SERVICE + "/Echo", "--raw", "-", stdin=request)

        self.assert_status(result, 0)
        self.assertEqual(result.out, request)

    def test_descriptors_may_come_from_a_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "set")
            subprocess.run(
                ["protoc", "-I" + PROTO_ROOT, "--include_imports",
                 "--descriptor_set_out=" + path, "amdrpc/bench/v1/bench.proto"],
                check=True,
            )
            result = self.call(
                BENCH_SERVICE + "/Echo", "--descriptor-set", path, '{"payload": "aGk="}'
            )

        self.assert_status(result, 0)
        self.assertEqual(read_messages(result.out), [{"payload": "aGk="}])

    def test_metadata_is_taken(self):
        result = self.call(
            BENCH_SERVICE + "/Echo", "--verbose", "--metadata", "a=b",
            "--metadata", "c-bin=AAH/", '{}',
        )

        self.assert_status(result, 0)


class FailureTest(ProgramTest):
    def test_status_gives_the_exit_status_and_the_line(self):
        path = os.path.join(self.tree.name, "missing")
        result = self.call(CHECKSUM_SERVICE + "/DigestFile", json.dumps({"path": path}))

        self.assert_status(result, STATUS + NOT_FOUND)
        self.assertRegex(result.err, r"^amdrpc: NOT_FOUND: .*missing.*\n$")

    def test_deadline_ends_the_call(self):
        result = self.call(BENCH_SERVICE + "/Sleep", "--timeout", "200ms", '{"ms": 60000}')

        self.assert_status(result, STATUS + DEADLINE_EXCEEDED)
        self.assertRegex(result.err, r"^amdrpc: DEADLINE_EXCEEDED")

    def test_wrong_request_is_named(self):
        for request, words in (
            ('{"payload": 5}', "payload"),
            ('{"nope": 1}', "nope"),
            ("{", "JSON|json|end"),
            ("{} {}", "one message"),
        ):
            result = self.call(BENCH_SERVICE + "/Echo", request)

            self.assert_status(result, USAGE)
            self.assertRegex(result.err, r"^amdrpc: .*(" + words + r").*\n$")

    def test_wrong_message_of_a_stream_is_named(self):
        result = self.call(REFLECTION, stdin=b'{"listServices": "*"} {"nope": 1}')

        self.assert_status(result, USAGE)
        self.assertRegex(result.err, r"^amdrpc: standard input, message 2: .*nope")

    def test_unknown_names_are_named(self):
        for method, words in (
            ("a.b.Nope/Echo", "a.b.Nope"),
            (BENCH_SERVICE + "/Nope", "Nope"),
        ):
            result = self.call(method, "{}")

            self.assert_status(result, UNKNOWN)
            self.assertRegex(result.err, r"^amdrpc: .*" + words)

    def test_wrong_command_lines_are_named(self):
        for arguments, words in (
            ([], "COMMAND is missing"),
            (["nope"], "unknown command 'nope'"),
            (["call"], "HOST:PORT is missing"),
            (["call", "h:1"], "METHOD is missing"),
            (["call", "--nope"], "unknown option '--nope'"),
            (["call", "h:1", "Echo"], "'Echo' is not a method"),
            (["call", "h", "a/B"], "'h' is not a server"),
            (["call", "h:1", "a/B", "--metadata", "A B=c", "--raw"], "'A B=c' cannot be sent"),
            (["call", "h:1", "a/B", "--timeout", "x"], "'x' is not a time"),
            (["call", "h:1", "a/B", "--raw", "@/nope"], "cannot open /nope"),
        ):
            result = programs.run(AMDRPC, *arguments)

            self.assert_status(result, USAGE)
            self.assertIn(words, result.err)
            self.assertEqual(result.err.count("\n"), 1, result)

    def test_server_that_is_not_there_is_named(self):
        with socket.socket() as bound:  # and not listening
            bound.bind(("127.0.0.1", 0))
            address = "127.0.0.1:%d" % bound.getsockname()[1]
            result = programs.run(AMDRPC, "call", address, "a.B/C")

        self.assert_status(result, CONNECT)
        self.assertRegex(
            result.err, f"^amdrpc: cannot ask {address} .*: connection refused\n$"
        )

    def test_lost_reader_ends_quietly(self):
        with subprocess.Popen(
            [AMDRPC, "call", self.daemon.address, BENCH_SERVICE + "/Count",
             "--compact", '{"n": 100000000}'],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        ) as process:
            process.stdout.readline()
            process.stdout.close()
            err = process.stderr.read()
            status = process.wait(programs.END_SECONDS)

        self.assertEqual(status, SIGNAL + signal.SIGPIPE)
        self.assertEqual(err, b"")


class InterruptTest(unittest.TestCase):
    def test_ctrl_c_cancels_the_call_on_the_server(self):
        with programs.Daemon(
            AMDRPCD, "--module", "bench", "--drain-timeout", "1h"
        ) as daemon:
            process = subprocess.Popen(
                [AMDRPC, "call", daemon.address, BENCH_SERVICE + "/Count",
                 "--compact", '{"n": 4000000000}'],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )
            process.stdout.readline()  # the call is going on
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=programs.END_SECONDS)

            self.assertEqual(process.returncode, SIGNAL + signal.SIGINT)
            # A call that still ran would keep the drain waiting for an hour.
            self.assertEqual(daemon.stop(), 0)


class DescribeTest(ProgramTest):
    def test_services_are_listed(self):
        result = programs.run(AMDRPC, "list", self.daemon.address)

        self.assert_status(result, 0)
        names = result.out.decode().split()
        self.assertEqual(names, sorted(names))
        self.assertTrue({BENCH_SERVICE, "grpc.health.v1.Health"} <= set(names))

    def test_methods_are_listed(self):
        result = programs.run(AMDRPC, "list", self.daemon.address, BENCH_SERVICE)

        self.assertIn((BENCH_SERVICE + "/EchoInline").encode(), result.out.split())

    def test_symbols_are_described(self):
        for symbol, words in (
            (BENCH_SERVICE, "service Bench {"),
            (BENCH_SERVICE + "/Count", "returns (stream amdrpc.bench.v1.CountResponse);"),
            (BENCH_SERVICE + ".Count", "message CountRequest {\n  uint32 n = 1;"),
            ("amdrpc.bench.v1.EchoRequest", "bytes payload = 1;"),
            ("amdrpc.checksum.v1.DigestTreeResponse", "oneof event {"),
        ):
            result = programs.run(AMDRPC, "describe", self.daemon.address, symbol)

            self.assert_status(result, 0)
            self.assertIn(words, result.out.decode())

    def test_method_is_described_with_its_policy(self):
        method = BENCH_SERVICE + "/Block"

        result = programs.run(AMDRPC, "describe", self.daemon.address, method)

        self.assert_status(result, 0)
        self.assertIn(f"// /{method}: pool default, priority normal", result.out.decode())
        self.assertNotIn("/EchoInline: ", result.out.decode())

    def test_everything_is_described_without_a_symbol(self):
        result = programs.run(AMDRPC, "describe", self.daemon.address)

        self.assert_status(result, 0)
        self.assertIn("service Bench {", result.out.decode())
        self.assertIn("service Health {", result.out.decode())

    def test_unknown_symbol_is_named(self):
        for command in ("list", "describe"):
            result = programs.run(AMDRPC, command, self.daemon.address, "no.Such")

            self.assert_status(result, UNKNOWN)
            self.assertIn("no.Such", result.err)

    def test_help_and_version_are_printed(self):
        for program, arguments in (
            (AMDRPC, ["--help"]),
            (AMDRPC, ["call", "--help"]),
            (AMDRPC, ["list", "--help"]),
            (AMDRPC, ["describe", "--help"]),
            (BENCH, ["--help"]),
            (BENCH, ["starvation", "--help"]),
        ):
            result = programs.run(program, *arguments)

            self.assert_status(result, 0)
            self.assertTrue(result.out.startswith(b"Usage: "), result)
        for program in (AMDRPC, BENCH):
            result = programs.run(program, "--version")

            self.assertRegex(result.out.decode(), r"^amdrpc[-a-z]* \d+\.\d+")


class BenchTest(ProgramTest):
    def bench(self, *arguments):
        return programs.run(
            BENCH, "--duration", "200ms", "--warmup", "50ms", "--json", "-",
            "--server-pid", str(self.daemon.process.pid), self.daemon.address, *arguments,
        )

    def assert_all_ok(self, result):
        self.assert_status(result, 0)
        report = json.loads(result.out)
        self.assertGreater(report["calls"], 0)
        self.assertEqual(list(report["status"]), ["OK"])
        self.assertGreater(report["server_rss_bytes"], 0)
        return report

    def test_every_method_answers(self):
        for arguments in (
            ["--method", "echo", "--payload", "1000"],
            ["--method", "echo-inline", "--threads", "2", "--connections", "2"],
            ["--method", "sleep", "--ms", "1"],
            ["--method", "block", "--ms", "1"],
            ["--method", "burn", "--us", "10"],
            ["--path", "/grpc.health.v1.Health/Check"],
        ):
            with self.subTest(arguments):
                self.assert_all_ok(self.bench("--inflight", "4", *arguments))

    def test_messages_of_streams_are_counted(self):
        report = self.assert_all_ok(self.bench("--method", "count", "--n", "50"))

        self.assertGreater(report["messages"], report["calls"])

    def test_table_is_for_people(self):
        result = programs.run(BENCH, "--duration", "100ms", "--warmup", "0", self.daemon.address)

        self.assert_status(result, 0)
        self.assertRegex(result.out.decode(), r"calls +\d+ /s")

    def test_deadline_of_calls_is_counted(self):
        result = self.bench("--method", "sleep", "--ms", "60000", "--timeout", "50ms")

        self.assert_status(result, CONNECT)
        self.assertIn("no call ended OK", result.err)
        self.assertIn("DEADLINE_EXCEEDED", json.loads(result.out)["status"])

    def test_wrong_command_lines_are_named(self):
        for arguments, words in (
            ([], "HOST:PORT is missing"),
            (["--method", "nope", "h:1"], "unknown 'nope'"),
            (["--body", "f", "h:1"], "--body is only for --path"),
            (["--path", "Nope", "h:1"], "'Nope' is not /package.Service/Method"),
            (["--path", "/a/b", "--body", "/nope", "h:1"], "cannot open /nope"),
            (["--connections", "5000", "h:1"], "--connections: more than"),
            (["--server-pid", "2147483647", "h:1"], "no such process"),
            (["h"], "'h' is not a server"),
            (["starvation", "x"], "unexpected argument 'x'"),
            (["starvation", "--server", "/nope"], "/nope did not start"),
        ):
            result = programs.run(BENCH, *arguments)

            self.assertIn(result.status, (USAGE, 4), result)
            self.assertIn(words, result.err)

    def scenario(self, name):
        """The rows of a scenario's short form, which judges answers, not times."""
        result = programs.run(
            BENCH, name, "--server", AMDRPCD, "--short", "--json", "-"
        )

        self.assert_status(result, 0)
        report = json.loads(result.out)
        self.assertTrue(report["is_met"])
        return report["rows"]

    def test_waiting_calls_starve_only_the_synchronous_server(self):
        for row in self.scenario("starvation"):
            if row["dispatch"] == "sync":
                self.assertEqual(row["echo_ok"], 0)
            else:
                self.assertEqual(row["echo_ok"], row["echo_calls"])

    def test_greedy_caller_leaves_the_others_their_answers(self):
        rows = {row["callers"]: row for row in self.scenario("fairness")}

        self.assertEqual(rows["the nine, beside it"]["not_ok"], 0)
        self.assertGreater(rows["the greedy one"]["offered_per_s"], 1000)

    def test_overloaded_server_answers_or_refuses_every_call(self):
        """How many it refuses is up to the machine; none is left to its deadline."""
        for row in self.scenario("overload"):
            self.assertGreater(row["goodput_per_s"], 0)
            self.assertEqual(row["refused"], row["with_pushback"])
            self.assertEqual(row["otherwise_ended"], 0)

    def test_tables_of_scenarios_are_for_people(self):
        result = programs.run(BENCH, "fairness", "--server", AMDRPCD, "--short")

        self.assert_status(result, 0)
        self.assertRegex(result.out.decode(), r"the nine lost -?\d+\.\d %")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[5:]])
