"""The daemon under attack, and the good client beside it."""
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import time

SECONDS = 30
HERE = pathlib.Path(__file__).parent


class Daemon:
    """A daemon with the bench module on a port of its own, and its client."""

    def __init__(self, program, *args, max_fds=None, certificates=None, preload=None):
        self.program = program
        self.certificates = certificates  # with them it listens for TLS
        self.folder = tempfile.TemporaryDirectory()
        port_file = os.path.join(self.folder.name, "port")
        self.log_path = os.path.join(self.folder.name, "log")
        # A small quarantine, so that a sanitizer leaves memory measurable.
        environment = dict(os.environ)
        environment["ASAN_OPTIONS"] = environment.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=8"
        if preload:
            environment["LD_PRELOAD"] = preload
        command = [program, "--port-file", port_file, "--module", "bench"]
        if certificates:
            command += ["--listen", "127.0.0.1:0 tls", *certificates.flags()]
        else:
            command += ["--listen", "127.0.0.1:0"]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [*command, *args],
                stderr=log,
                env=environment,
                preexec_fn=(lambda: self.limit_fds(max_fds)) if max_fds else None,
            )
        wait_for("the daemon", lambda: os.path.exists(port_file) or self.process.poll() is not None)
        if self.process.poll() is not None:
            raise RuntimeError(self.log())
        self.ports = [int(line) for line in pathlib.Path(port_file).read_text(encoding="ascii").split()]
        self.port = self.ports[0]
        self.client = None

    @staticmethod
    def limit_fds(count):
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))

    def start_client(self, *others):
        """A good client, of other daemons too."""
        ports = [self.port, *(other.port for other in others)]
        target = "ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports)
        ca = [self.certificates.ca] if self.certificates else []
        self.client = subprocess.Popen(
            [sys.executable, str(HERE / "good_client.py"), target, *ca],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        wait_for("the first good call", lambda: self.ask_client()["calls"] > 0)

    def ask_client(self):
        """What the good client saw since it was last asked."""
        self.client.stdin.write("\n")
        self.client.stdin.flush()
        return json.loads(self.client.stdout.readline())

    def rss_kb(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        return 0

    def cpu_seconds(self):
        parts = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")

    def fds(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def is_sanitized(self):
        return "libasan" in pathlib.Path(f"/proc/{self.process.pid}/maps").read_text()

    def is_alive(self):
        return self.process.poll() is None

    def log(self):
        return pathlib.Path(self.log_path).read_text(errors="replace")

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def stop(self):
        """Ends everything; returns the daemon's exit status."""
        if self.client is not None:
            self.client.communicate(timeout=SECONDS)
        if self.is_alive():
            self.terminate()
        try:
            status = self.process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        return status

    def cleanup(self):
        if self.client is not None and self.client.poll() is None:
            self.client.kill()
            self.client.communicate()
        if self.is_alive():
            self.process.kill()
            self.process.wait()
        self.folder.cleanup()


def wait_for(what, is_done, seconds=SECONDS):
    """Looks every few milliseconds until a condition holds."""
    deadline = time.monotonic() + seconds
    while not is_done():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come in {seconds} s")
        time.sleep(0.005)
