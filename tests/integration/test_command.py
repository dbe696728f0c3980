"""The command module: programs of the settings file as methods.

    test_command.py AMDRPCD AMDRPC [unittest arguments]
"""
import base64
import contextlib
import hashlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import unittest

import command_programs
import programs
from command_programs import (
    SECONDS, Answer, is_alive, read_pid, request, wait_until)
from programs import read_messages

AMDRPCD, AMDRPC = sys.argv[1:3]

SERVICE = "amdrpc.command.v1.Command"
CATALOG = "amdrpc.command.v1.Catalog/ListCommands"

# Statuses of gRPC.
CANCELLED, UNKNOWN, INVALID_ARGUMENT, DEADLINE_EXCEEDED = 1, 2, 3, 4
RESOURCE_EXHAUSTED, FAILED_PRECONDITION, ABORTED = 8, 9, 10


class CommandTest(unittest.TestCase):
    """One daemon for all tests, with all commands."""

    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.TemporaryDirectory()
        config = command_programs.make_folder(cls.dir.name)
        os.environ["SECRET"] = "ours"
        cls.daemon = programs.Daemon(AMDRPCD, "--config", config, "--module", "command")

    @classmethod
    def tearDownClass(cls):
        status = cls.daemon.stop()
        cls.dir.cleanup()
        if status != 0:
            raise AssertionError(f"amdrpcd ended with {status}")

    def setUp(self):
        # For what a program leaves behind for its test.
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def run_command(self, name, *arguments, stdin=b""):
        return Answer(programs.run(
            AMDRPC, "call", "--compact", "--no-progress", self.daemon.address,
            f"{SERVICE}/{name}", *arguments, stdin=stdin,
        ))

    def start(self, name, *arguments):
        """A call that goes on."""
        process = subprocess.Popen(
            [AMDRPC, "call", "--compact", self.daemon.address, f"{SERVICE}/{name}", *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
        )
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        process.kill()
        process.communicate()

    def assert_status(self, answer, status):
        self.assertEqual(answer.status, status, answer)

    def assert_refused(self, answer, words):
        self.assert_status(answer, INVALID_ARGUMENT)
        self.assertIn(words, answer.err)
        self.assertEqual(answer.messages, [])


class DescriptionTest(CommandTest):
    def test_commands_are_methods_like_others(self):
        result = programs.run(AMDRPC, "describe", self.daemon.address, SERVICE)

        self.assertEqual(result.status, 0, result)
        self.assertIn(b"rpc echo(amdrpc.command.v1.RunRequest) returns "
                      b"(stream amdrpc.command.v1.RunOutput);", result.out)
        self.assertIn(b"rpc cat(stream amdrpc.command.v1.RunRequest)", result.out)

    def test_catalog_tells_parameters(self):
        result = programs.run(AMDRPC, "call", self.daemon.address, CATALOG)

        (answer,) = read_messages(result.out)
        commands = {one["name"]: one for one in answer["commands"]}
        self.assertEqual(commands["echo"], {
            "name": "echo",
            "method": f"/{SERVICE}/echo",
            "description": "Prints its arguments, one a line",
            "parameters": [
                {"name": "text", "type": "string", "isRequired": True},
                {"name": "more", "type": "string", "fallback": "a  b"},
            ],
        })
        self.assertEqual(commands["cat"]["stdin"], "INPUT_STREAM")
        self.assertEqual(commands["types"]["parameters"][2]["type"], "enum(a,b,long one)")
        self.assertEqual(commands["types"]["parameters"][3]["pattern"], "[a-z]+[0-9]")
        self.assertIs(commands["progress"]["reportsProgress"], True)


class ArgumentTest(CommandTest):
    def test_each_word_is_one_argument(self):
        answer = self.run_command("echo", request(text="a word", more="-x y"))

        self.assert_status(answer, 0)
        self.assertEqual(
            answer.stdout.decode().splitlines(),
            ["[first]", "[a word]", "[x=-x y]", "[{text}]", "[{text}]", "[]"],
        )
        self.assertEqual(answer.stderr, b"")
        self.assertEqual(answer.exit.get("code", 0), 0)

    def test_nothing_that_a_value_holds_is_interpreted(self):
        for text in ("$(id)", "`id`", "; id", "a' 'b", '"', "{more}", "a\\ b", "*", "| cat", "&"):
            with self.subTest(text):
                answer = self.run_command("echo", request(text=text))

                self.assert_status(answer, 0)
                lines = answer.stdout.decode().splitlines()
                self.assertEqual(len(lines), 6, lines)
                self.assertEqual(lines[1:3], [f"[{text}]", "[x=a  b]"])

    def test_value_is_refused_with_the_name_of_its_parameter(self):
        for name, parameters, words in (
            ("echo", {}, "text: is missing"),
            ("echo", {"text": "a", "other": "b"}, "other: there is no such parameter"),
            ("echo", {"text": "-rf"}, 'text: begins with "-"'),
            ("echo", {"text": "a\nb"}, "text: a control character"),
            ("echo", {"text": "x" * 41}, "text: not 0 to 40 bytes long"),
            ("types", {"number": "13"}, "number: not a whole number from -3 to 12"),
            ("types", {"number": "1e1"}, "number: not a whole number"),
            ("types", {"number": "99999999999999999999"}, "number: not a whole number"),
            ("types", {"choice": "a,b"}, "choice: not one of enum(a,b,long one)"),
            ("types", {"choice": ""}, "choice: not one of"),
            ("types", {"code": "ab1 "}, "code: does not match the pattern [a-z]+[0-9]"),
            ("types", {"path": "/etc/passwd"}, "path: the path is not below"),
            ("types", {"path": self.dir.name}, "path: the path is not below"),
            ("types", {"path": self.dir.name + "/../x"}, 'no part of it is ".."'),
            ("types", {"path": ""}, "path: a path is not empty"),
        ):
            with self.subTest(words):
                self.assert_refused(self.run_command(name, request(**parameters)), words)

    def test_values_of_all_types_are_taken(self):
        path = self.dir.name + "/a b/..c"
        answer = self.run_command(
            "types", request(path=path, number="-3", choice="long one", code="z9"))

        self.assert_status(answer, 0)
        self.assertEqual(answer.stdout.decode(), f"[{path}]\n[-3]\n[long one]\n[z9]\n")
        answer = self.run_command("types")
        self.assertEqual(
            answer.stdout.decode(), f"[{self.dir.name}/x]\n[7]\n[b]\n[ab1]\n")


class InputTest(CommandTest):
    def test_request_is_the_programs_input(self):
        data = os.urandom(300_000)

        answer = self.run_command("sum", "-", stdin=request(stdin=data).encode())

        self.assert_status(answer, 0)
        self.assertEqual(answer.stdout.split()[0].decode(), hashlib.sha256(data).hexdigest())

    def test_stream_is_the_programs_input(self):
        pieces = [os.urandom(200_000) for _ in range(20)] + [b""]

        answer = self.run_command(
            "cat", stdin="\n".join(request(stdin=one) for one in pieces).encode())

        self.assert_status(answer, 0)
        self.assertEqual(answer.stdout, b"".join(pieces))

    def test_program_need_not_read_its_input(self):
        piece = request(stdin=b"x" * 200_000).encode()

        answer = self.run_command("head", stdin=piece * 10)

        self.assert_status(answer, 0)
        self.assertEqual(answer.stdout, b"xxx")

    def test_program_without_input_refuses_some(self):
        answer = self.run_command("echo", request(stdin=b"x", text="a"))

        self.assert_refused(answer, "stdin: the program reads none")

    def test_stream_without_a_message_is_refused(self):
        self.assert_refused(self.run_command("cat", stdin=b""), "the stream has no message")

    def test_only_the_first_message_has_parameters(self):
        answer = self.run_command("cat", stdin=b'{"stdin": "eA=="} {"parameters": {"a": "b"}}')

        self.assert_status(answer, INVALID_ARGUMENT)
        self.assertIn("only the first message has parameters", answer.err)

    def test_input_has_a_limit(self):
        answer = self.run_command("short_input", stdin=request(stdin=b"x" * 8).encode() * 2)

        self.assert_status(answer, RESOURCE_EXHAUSTED)
        self.assertEqual(answer.exit["cause"], "CAUSE_MAX_INPUT")


class OutputTest(CommandTest):
    def test_exit_status_is_the_result(self):
        answer = self.run_command("sh_exit", request(code="3"))

        self.assert_status(answer, UNKNOWN)
        self.assertEqual((answer.stdout, answer.stderr), (b"out\n", b"err\n"))
        self.assertEqual(answer.exit["code"], 3)
        self.assertIn("sh_exit ended with exit status 3", answer.err)
        self.assertEqual(answer.messages[-1]["exit"], answer.exit)

    def test_failure_has_details_for_programs(self):
        result = programs.run(
            AMDRPC, "call", "--verbose", self.daemon.address, f"{SERVICE}/sh_exit",
            request(code="42"))

        found = re.search(r"grpc-status-details-bin=(\S+)", result.err)
        self.assertIsNotNone(found, result)
        details = base64.b64decode(found[1] + "==")
        for text in (b"EXIT_STATUS", b"amdrpc.command", b"sh_exit", b"42"):
            self.assertIn(text, details)

    def test_signal_is_told(self):
        answer = self.run_command("signal")

        self.assert_status(answer, ABORTED)
        self.assertEqual(answer.exit["signal"], signal.SIGSEGV)
        self.assertIn("was ended by signal 11", answer.err)

    def test_large_output_is_complete(self):
        answer = self.run_command("much")

        self.assert_status(answer, 0)
        with open(os.path.join(self.dir.name, "random"), "rb") as file:
            self.assertEqual(answer.stdout, file.read())

    def test_output_of_a_client_that_reads_late_is_complete(self):
        process = self.start("much")
        first = process.stdout.read(100_000)
        # Others are served while this one waits.
        self.assert_status(self.run_command("sh_exit", request(code="0")), 0)
        out, err = process.communicate(timeout=SECONDS)

        self.assertEqual(process.returncode, 0, err)
        answer = Answer(programs.Result(0, first + out, ""))
        self.assertEqual(len(answer.stdout), 8_000_000)

    def test_output_has_a_limit(self):
        answer = self.run_command("flood")

        self.assert_status(answer, RESOURCE_EXHAUSTED)
        self.assertEqual(len(answer.stdout), 100_000)
        self.assertEqual(answer.exit["cause"], "CAUSE_MAX_OUTPUT")

    def test_lines_of_progress_are_told(self):
        answer = self.run_command("progress")

        self.assert_status(answer, 0)
        self.assertEqual(answer.progress[-1], {"done": "4", "total": "4"})
        self.assertIn(b"starting\nstep 1 of 4\n", answer.stderr)
        self.assertEqual(answer.stdout, b"result\n")

    def test_progress_may_have_a_fixed_total(self):
        answer = self.run_command("percent")

        self.assert_status(answer, 0)
        self.assertEqual(answer.progress[-1], {"done": "100", "total": "100"})


class SurroundingsTest(CommandTest):
    def test_program_gets_nothing_but_what_is_declared(self):
        answer = self.run_command("facts")

        self.assert_status(answer, 0)
        lines = answer.stdout.decode().splitlines()
        variables = {line.split("=")[0] for line in lines[:lines.index(f"cwd={self.dir.name}")]}
        # The shell adds its own.
        self.assertEqual(variables - {"PWD", "SHLVL", "_", "OLDPWD"}, {"GREETING", "PATH"})
        self.assertIn("GREETING=good morning", lines)
        self.assertIn("PATH=/usr/local/bin:/usr/bin:/bin", lines)
        self.assertIn("stdin=/dev/null", lines)
        self.assertIn("limit=20 core=0", lines)
        self.assertIn("leader", lines)
        (fds,) = [line for line in lines if line.startswith("fds=")]
        # 10 is the script itself, which the shell keeps open.
        self.assertEqual(set(fds[4:].split()) - {"10"}, {"0", "1", "2"})
        facts = " ".join(" ".join(lines).split())
        self.assertIn("SigBlk: 0000000000000000 SigIgn: 0000000000000000", facts)
        self.assertIn("NoNewPrivs: 1", facts)

    def test_memory_has_a_limit(self):
        answer = self.run_command("memory")

        self.assert_status(answer, UNKNOWN)
        self.assertIn(b"MemoryError", answer.stderr)

    def test_files_have_a_limit(self):
        path = os.path.join(self.folder, "file")

        answer = self.run_command("file", request(path=path))

        self.assertNotEqual(answer.status, 0)
        self.assertLessEqual(os.path.getsize(path), 10_240)

    def test_program_that_is_gone_is_told(self):
        path = os.path.join(self.dir.name, "gone.sh")
        self.assertEqual(self.run_command("gone").stdout, b"here\n")
        os.rename(path, path + ".away")

        answer = self.run_command("gone")

        os.rename(path + ".away", path)
        self.assert_status(answer, FAILED_PRECONDITION)
        self.assertIn(f"{path} cannot be started: program: No such file", answer.err)
        self.assertEqual(answer.messages, [])

    def test_file_that_is_no_program_is_told(self):
        answer = self.run_command("no_format")

        self.assert_status(answer, FAILED_PRECONDITION)
        self.assertIn("Exec format error", answer.err)


class EndTest(CommandTest):
    def family(self):
        """The processes of family.sh, once all of them run."""
        return [read_pid(self.folder, name) for name in ("leader", "grandchild")]

    def assert_ends(self, pids):
        wait_until(lambda: not any(map(is_alive, pids)))

    def test_cancel_ends_the_whole_family(self):
        process = self.start("family", request(folder=self.folder))
        pids = self.family()
        self.assertTrue(all(map(is_alive, pids)))

        process.send_signal(signal.SIGINT)

        self.assert_ends(pids)

    def test_lost_client_ends_the_whole_family(self):
        process = self.start("family", request(folder=self.folder))
        pids = self.family()

        process.kill()

        self.assert_ends(pids)

    def test_deadline_ends_the_whole_family(self):
        answer = self.run_command("family", "--timeout", "500ms", request(folder=self.folder))

        self.assert_status(answer, DEADLINE_EXCEEDED)
        # It may have been over before the family was complete.
        for name in ("leader", "grandchild"):
            if os.path.exists(os.path.join(self.folder, name)):
                self.assert_ends([read_pid(self.folder, name)])

    def test_timeout_ends_the_whole_family_and_is_told(self):
        answer = self.run_command("timeout", request(folder=self.folder))

        self.assert_status(answer, DEADLINE_EXCEEDED)
        self.assertIn("longer than its timeout", answer.err)
        self.assertEqual(answer.exit["cause"], "CAUSE_TIMEOUT")
        self.assertEqual(answer.exit["signal"], signal.SIGKILL)

    def test_program_may_tidy_up(self):
        process = self.start("gentle", request(folder=self.folder))
        pid = read_pid(self.folder, "leader")

        process.send_signal(signal.SIGINT)

        wait_until(lambda: os.path.exists(os.path.join(self.folder, "tidied")))
        self.assert_ends([pid])

    def test_what_a_program_leaves_behind_ends_with_it(self):
        answer = self.run_command("orphan", request(folder=self.folder))

        self.assert_status(answer, 0)
        self.assertEqual(answer.stdout, b"done\n")
        self.assert_ends([read_pid(self.folder, "grandchild")])

    def test_runs_wait_for_each_other_and_too_many_are_refused(self):
        first = self.start("one", request(folder=self.folder))
        pids = self.family()
        second_folder = os.path.join(self.folder, "second")
        os.mkdir(second_folder)
        third_folder = os.path.join(self.folder, "third")
        os.mkdir(third_folder)
        waiting = []

        def third_is_refused():
            # The second one waits as soon as a third one is refused, unless the
            # third one came first and had its place.
            if not waiting or waiting[-1].poll() is not None:
                waiting.append(self.start("one", request(folder=second_folder)))
            answer = self.run_command("one", "--timeout", "200ms", request(folder=third_folder))
            return answer.status == RESOURCE_EXHAUSTED and "too many runs" in answer.err

        wait_until(third_is_refused)
        self.assertEqual(os.listdir(second_folder), [])

        first.send_signal(signal.SIGINT)

        self.assert_ends(pids)
        next_pid = read_pid(second_folder, "leader")
        waiting[-1].send_signal(signal.SIGINT)
        self.assert_ends([next_pid])
        self.assertEqual(os.listdir(third_folder), [])

    def test_run_that_waits_can_be_cancelled(self):
        first = self.start("one", request(folder=self.folder))
        pids = self.family()

        answer = self.run_command("one", "--timeout", "300ms", request(folder=self.folder))

        self.assert_status(answer, DEADLINE_EXCEEDED)
        first.send_signal(signal.SIGINT)
        self.assert_ends(pids)


class DaemonTest(unittest.TestCase):
    """Daemons of their own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    @contextlib.contextmanager
    def serving(self, name):
        """A daemon and a call of one command that runs."""
        config = command_programs.make_folder(self.folder)
        with programs.Daemon(AMDRPCD, "--config", config, "--module", "command",
                             "--drain-timeout", "100ms") as daemon:
            call = subprocess.Popen(
                [AMDRPC, "call", daemon.address, f"{SERVICE}/{name}",
                 request(folder=self.folder)],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                yield daemon
            finally:
                call.kill()
                call.wait()

    def test_killed_daemon_takes_its_programs_along(self):
        with self.serving("gentle") as daemon:
            pid = read_pid(self.folder, "leader")

            daemon.process.kill()

            wait_until(lambda: not is_alive(pid))

    def test_stop_ends_programs_in_good_order(self):
        with self.serving("gentle") as daemon:
            pid = read_pid(self.folder, "leader")

            self.assertEqual(daemon.stop(), 0)

            self.assertFalse(is_alive(pid))
            self.assertTrue(os.path.exists(os.path.join(self.folder, "tidied"))
                            or not os.path.exists(self.folder))

    def refuse(self, *settings):
        result = programs.run(
            AMDRPCD, "--listen", "127.0.0.1:0", "--module", "command",
            *[part for one in settings for part in ("--set", 'command "x".' + one)])
        self.assertEqual(result.status, 1, result)
        return result.err

    def test_bad_settings_are_told(self):
        good = "argv=/bin/echo {a}"
        for settings, words in (
            (["stdin=none"], '[command "x"]: argv is missing'),
            (["argv=echo"], "the program is an absolute path"),
            (["argv={a}"], "the program is an absolute path"),
            (["argv=/nonexistent/x"], "/nonexistent/x is no program that can be run"),
            (["argv=/etc/passwd"], "/etc/passwd is no program that can be run"),
            (["argv=/bin/echo 'x"], "a single quote is not closed"),
            ([good], "{a}: there is no param.a"),
            (["argv=/bin/echo", "param.a=string"], "param.a: argv has no {a}"),
            (["argv=/bin/echo {a:-x}", "param.a=string"], 'a: begins with "-"'),
            ([good, "param.a=text"], '"text" is not string, path, int or enum(a,b)'),
            ([good, "param.a.max=3"], "param.a has to stand before it"),
            ([good, "param.a=string", "param.a.pattern=("], 'pattern "(": '),
            ([good, "param.a=string", "param.a.size=3"], 'a parameter has no setting "size"'),
            ([good, "colour=red"], "colour: a command has no such setting"),
            ([good, "timeout=5"], 'timeout: "5" is not from 1ms to 168h'),
            ([good, "progress=step"], "has no group"),
            ([good, "stdin=file"], '"file" is not none, request or stream'),
            ([good, "directory=/nonexistent"], "is not the absolute path of a folder"),
            ([good, "env.A B=c"], "is not a name of letters"),
        ):
            with self.subTest(words):
                err = self.refuse(*settings)
                self.assertIn(words, err)
                self.assertIn('[command "x"]', err)
        result = programs.run(AMDRPCD, "--listen", "127.0.0.1:0", "--module", "command",
                              "--set", 'command "a-b".argv=/bin/echo')
        self.assertIn('"a-b" is not a command\'s name', result.err)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
