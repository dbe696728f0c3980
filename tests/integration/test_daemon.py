"""Tests amdrpcd as a process: its settings, files, signals and exit statuses.

    test_daemon.py AMDRPCD
"""
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

try:
    import grpc
except ImportError:
    grpc = None

AMDRPCD = sys.argv.pop(1)
SECONDS = 30  # no step takes as long, on a slow machine under a sanitizer too


def run(*args, **environment):
    """Runs a daemon that is not expected to serve."""
    return subprocess.run(
        [AMDRPCD, *args],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        env={**os.environ, **environment},
    )


def varint(number):
    """As protobuf writes a number."""
    groups = []
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(groups + [number])


class Daemon:
    """A daemon that serves, on ports of its own."""

    def __init__(self, folder, *args, **environment):
        self.port_file = os.path.join(folder, "port")
        self.process = subprocess.Popen(
            [AMDRPCD, "--listen", "127.0.0.1:0", "--port-file", self.port_file, *args],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        deadline = time.monotonic() + SECONDS
        while not os.path.exists(self.port_file):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(self.process.communicate()[1])
            time.sleep(0.01)
        with open(self.port_file, encoding="ascii") as file:
            self.ports = [int(line) for line in file]

    def wait_for_log(self, pattern):
        """Reads log lines until one matches; returns its first group."""
        for line in self.process.stderr:
            match = re.search(pattern, line)
            if match:
                return match.group(1)
        raise RuntimeError(f"no log line matches {pattern}")

    def stop(self, number=signal.SIGTERM):
        """Sends a signal and returns the exit status and what was logged."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self):
        log = self.process.communicate(timeout=SECONDS)[1]
        return self.process.returncode, log

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


class Serving(unittest.TestCase):
    """A folder for each test, and daemons that do not outlive it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def start(self, *args, **environment):
        daemon = Daemon(self.folder, *args, **environment)
        self.addCleanup(daemon.kill)
        return daemon


class DaemonTest(Serving):
    def assert_refused(self, result, status, sentence):
        """One line that contains the sentence, and the exit status."""
        self.assertEqual(result.returncode, status, result.stderr)
        lines = [line for line in result.stderr.splitlines() if line.startswith("amdrpcd:")]
        self.assertEqual(len(lines), 1, result.stderr)
        self.assertIn(sentence, lines[0])

    # ---- starting ----

    def test_version_and_help_are_printed(self):
        self.assertRegex(run("--version").stdout, r"^amdrpcd \d+\.\d+\.\d+\n$")
        self.assertIn("--drain-timeout TIME", run("--help").stdout)

    def test_bad_flag_is_a_usage_error(self):
        self.assert_refused(run("--nonsense", "1"), 2, "--nonsense: no such flag")

    def test_fewer_workers_at_most_than_at_first_is_refused(self):
        result = run("--workers", "4", "--max-workers", "3")
        self.assert_refused(result, 1, "max-workers: 3 is less than workers: 4")

    def test_bad_variable_is_a_usage_error(self):
        result = run(AMDRPC_WORKERS="many")
        self.assert_refused(result, 2, 'AMDRPC_WORKERS: "many" is not a number')

    def test_weak_cipher_is_a_usage_error(self):
        result = run("--tls-ciphers", "ECDHE+AESGCM:AES128-SHA")
        self.assert_refused(result, 2, "--tls-ciphers: AES128-SHA is not ECDHE")

    def test_metrics_are_served_grouped_by_name(self):
        daemon = self.start("--module", "bench", "--metrics-listen", "127.0.0.1:0")
        port = daemon.wait_for_log(r"metrics-listening .*port=(\d+)")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            self.assertIn("version=0.0.4", answer.headers["Content-Type"])
            lines = answer.read().decode().splitlines()
        seen = []  # a name that comes back after another is not one group
        for line in lines:
            name = re.match(r"(?:# (?:HELP|TYPE) )?(\w+?)(?:_bucket|_sum|_count)?[ {]", line).group(1)
            if not seen or seen[-1] != name:
                self.assertNotIn(name, seen)
                seen.append(name)
        self.assertIn("amdrpc_workers_busy", seen)
        self.assertIn('amdrpc_queued_calls{grpc_method="/amdrpc.bench.v1.Bench/Echo"} 0', lines)
        with self.assertRaises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/")
        self.assertEqual(error.exception.code, 404)

    def test_metrics_port_in_use_is_told(self):
        with contextlib.closing(socket.socket()) as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            result = run("--listen", "127.0.0.1:0", "--metrics-listen", address)
            self.assert_refused(result, 1, f"metrics-listen {address}: address")

    def test_port_in_use_is_told(self):
        with contextlib.closing(socket.socket()) as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            result = run("--listen", address)
        self.assert_refused(result, 1, f"listen {address}: address already in use")

    def test_bad_address_is_told(self):
        self.assert_refused(run("--listen", "nowhere"), 1, "listen nowhere: ")

    def test_port_file_that_cannot_be_written_is_told(self):
        path = os.path.join(self.folder, "none", "port")
        result = run("--listen", "127.0.0.1:0", "--port-file", path)
        self.assert_refused(result, 1, f"port-file {path}: No such file or directory")

    def test_data_dir_that_is_a_file_is_told(self):
        result = run("--listen", "127.0.0.1:0", "--data-dir", AMDRPCD)
        self.assert_refused(result, 1, f"data-dir {AMDRPCD}: ")

    # ---- modules ----

    def test_unknown_module_is_told(self):
        self.assert_refused(run("--module", "nonsense"), 1, "there is no nonsense.so in ")

    def test_file_that_is_no_module_is_told(self):
        path = os.path.join(self.folder, "text.so")
        with open(path, "w", encoding="ascii") as file:
            file.write("no module\n")
        self.assert_refused(run("--module", path), 1, f'module "{path}": ')

    def test_module_loaded_twice_is_told(self):
        result = run("--module", "bench", "--module", "bench")
        self.assert_refused(result, 1, 'module "bench": exists already')

    def test_module_says_what_is_wrong_with_its_settings(self):
        result = run("--module", "checksum", "--set", "checksum.root=/nonexistent")
        self.assert_refused(result, 1, "root /nonexistent: No such file or directory")
        result = run("--module", "checksum", "--set", "checksum.rot=/")
        self.assert_refused(result, 1, 'module "checksum" has no setting "rot"')
        result = run("--module", "checksum", "--set", 'checksum "a".root=/')
        self.assert_refused(result, 1, 'module "checksum" has no setting ""a".root"')

    # ---- serving ----

    def test_port_file_lives_as_long_as_the_daemon(self):
        daemon = self.start("--listen", "127.0.0.1:0")
        self.assertEqual(len(daemon.ports), 2)
        for port in daemon.ports:
            socket.create_connection(("127.0.0.1", port), SECONDS).close()
        status, log = daemon.stop()
        self.assertEqual(status, 0, log)
        self.assertFalse(os.path.exists(daemon.port_file))
        self.assertEqual(os.listdir(self.folder), [])

    def test_settings_come_from_a_file(self):
        path = os.path.join(self.folder, "conf")
        with open(path, "w", encoding="ascii") as file:
            file.write("module = checksum\nlog-format = json\n\n")
            file.write(f"[checksum]\nroot = {self.folder}\n")
        status, log = self.start(AMDRPC_CONFIG=path).stop(signal.SIGINT)
        self.assertEqual(status, 0, log)
        self.assertIn('"id":"module-loaded","text":"name=checksum"', log)

    def test_hangup_is_survived(self):
        daemon = self.start()
        daemon.process.send_signal(signal.SIGHUP)
        status, log = daemon.stop()
        self.assertEqual(status, 0, log)
        self.assertIn("failures=0", log)

    def test_systemd_is_notified(self):
        path = os.path.join(self.folder, "notify")
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as notify:
            notify.bind(path)
            notify.settimeout(SECONDS)
            daemon = self.start(NOTIFY_SOCKET=path)
            self.assertEqual(notify.recv(64), b"READY=1")
            status, log = daemon.stop()
            self.assertEqual(notify.recv(64), b"STOPPING=1")
        self.assertEqual(status, 0, log)


@unittest.skipIf(grpc is None, "python3-grpcio is not installed")
class DrainTest(Serving):
    """What SIGTERM means to calls. Messages are written as bytes here."""

    COUNT = "/amdrpc.bench.v1.Bench/Count"
    WATCH = "/grpc.health.v1.Health/Watch"
    REFLECT = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"

    def setUp(self):
        super().setUp()
        self.daemon = self.start("--module", "bench", "--drain-timeout", f"{SECONDS}s")
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.daemon.ports[0]}")
        self.addCleanup(self.channel.close)
        # The first message tells that the server is at work on the connection.
        self.watch = self.channel.unary_stream(self.WATCH)(b"", timeout=SECONDS)
        self.assertEqual(next(self.watch), b"\x08\x01")

    def count(self, n):
        """A stream of n messages of 1000 bytes, of which the first is here."""
        call = self.channel.unary_stream(self.COUNT)(
            b"\x08" + varint(n) + b"\x10" + varint(1000), timeout=SECONDS
        )
        next(call)
        return call

    def test_running_call_is_finished(self):
        call = self.count(10000)
        self.daemon.process.send_signal(signal.SIGTERM)
        self.assertEqual(sum(1 for message in call), 9999)
        status, log = self.daemon.wait()
        self.assertEqual(status, 0, log)

    def test_endless_calls_do_not_hold_the_drain(self):
        requests = iter(lambda: time.sleep(SECONDS), None)
        reflection = self.channel.stream_stream(self.REFLECT)(requests, timeout=SECONDS)
        started = time.monotonic()
        status, log = self.daemon.stop()
        self.assertEqual(status, 0, log)
        self.assertLess(time.monotonic() - started, SECONDS / 2)
        self.assertEqual(next(self.watch), b"\x08\x02")
        with self.assertRaises(grpc.RpcError) as error:
            next(self.watch)
        self.assertEqual(error.exception.code(), grpc.StatusCode.UNAVAILABLE)
        reflection.cancel()

    def test_second_signal_does_not_wait(self):
        endless = self.count(1000000000)  # cancelled once unused
        self.daemon.process.send_signal(signal.SIGTERM)
        self.assertEqual(next(self.watch), b"\x08\x02")  # it drains
        status, log = self.daemon.stop()
        self.assertEqual(status, 1, log)
        self.assertIn("drain-cut-short", log)
        endless.cancel()


@unittest.skipIf(grpc is None, "python3-grpcio is not installed")
class CompressTest(Serving):
    """Whether responses are compressed, by the bytes that the daemon wrote."""

    ECHO = "/amdrpc.bench.v1.Bench/Echo"
    NBYTES = 100000

    def written_for_echo(self, *args):
        daemon = self.start("--module", "bench", "--metrics-listen", "127.0.0.1:0", *args)
        port = daemon.wait_for_log(r"metrics-listening .*port=(\d+)")
        message = b"\x0a" + varint(self.NBYTES) + bytes(self.NBYTES)
        with grpc.insecure_channel(f"127.0.0.1:{daemon.ports[0]}") as channel:
            answer = channel.unary_unary(self.ECHO)(message, timeout=SECONDS)
        self.assertEqual(answer, message)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as metrics:
            text = metrics.read().decode()
        return int(re.search(r"^amdrpc_written_bytes_total (\d+)$", text, re.M).group(1))

    def test_responses_are_plain_unless_asked(self):
        self.assertGreater(self.written_for_echo(), self.NBYTES)

    def test_responses_are_compressed_on_wish(self):
        self.assertLess(self.written_for_echo("--compress", "on"), self.NBYTES // 10)


if __name__ == "__main__":
    unittest.main()
