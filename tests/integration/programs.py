"""Runs the real programs against the real daemon, for the tests beside it."""
import json
import os
import subprocess
import tempfile
import time

START_SECONDS = 30
END_SECONDS = 60


class Daemon:
    """amdrpcd on a free port; modules as given. To be used with `with`."""

    def __init__(self, program, *arguments):
        self.dir = tempfile.TemporaryDirectory()
        port_file = os.path.join(self.dir.name, "port")
        self.process = subprocess.Popen(
            [program, "--listen", "127.0.0.1:0", "--port-file", port_file]
            + ["--log-level", "warn", *arguments],
            stdin=subprocess.DEVNULL,
        )
        try:
            self.address = "127.0.0.1:" + self._read_port(port_file)
        except Exception:
            self.process.kill()
            self.process.wait()
            self.dir.cleanup()
            raise

    def _read_port(self, path):
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"amdrpcd ended: {self.process.returncode}")
            try:
                with open(path, encoding="utf-8") as file:
                    return file.readline().strip().rpartition(":")[2]
            except FileNotFoundError:
                time.sleep(0.01)
        raise RuntimeError("amdrpcd does not listen")

    def stop(self):
        """Drains it; the exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(END_SECONDS)
        finally:
            self.process.kill()
            self.process.wait()
            self.dir.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()


def read_messages(text):
    """Each JSON value of a text that holds one after the other."""
    decoder = json.JSONDecoder()
    messages = []
    text = text.decode().strip()
    while text:
        message, end = decoder.raw_decode(text)
        messages.append(message)
        text = text[end:].lstrip()
    return messages


class Result:
    """What a program left behind."""

    def __init__(self, status, out, err):
        self.status = status
        self.out = out
        self.err = err

    def __repr__(self):
        return f"status {self.status}\nout {self.out!r}\nerr {self.err!r}"


def run(*command, stdin=b""):
    """Runs a program to its end."""
    done = subprocess.run(
        command, input=stdin, capture_output=True, timeout=END_SECONDS, check=False
    )
    return Result(done.returncode, done.stdout, done.stderr.decode())
