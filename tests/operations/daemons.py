"""A daemon that keeps operations, to be stopped, killed and started again."""
import os
import signal
import subprocess
import tempfile
import time

START_SECONDS = 60
END_SECONDS = 120


class Ended(RuntimeError):
    """It did while it should have begun to listen."""


class Keeper:
    """amdrpcd on a Unix socket, with a data directory. To be used with `with`.

    Its folder may be added to before it is started. What is put into its
    environment counts from the next start on.
    """

    def __init__(self, program, *arguments):
        self.program = program
        self.arguments = arguments
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, "socket")
        self.target = "unix:" + self.path
        self.data = os.path.join(self.folder.name, "data")
        self.environment = {}
        self.process = None

    def start(self):
        port_file = os.path.join(self.folder.name, "port")
        if os.path.exists(port_file):
            os.unlink(port_file)
        self.process = subprocess.Popen(
            [self.program, "--listen", self.target, "--port-file", port_file,
             "--data-dir", self.data, "--log-level", "warn", *self.arguments],
            stdin=subprocess.DEVNULL,
            env={**os.environ, **self.environment},
        )
        end = time.monotonic() + START_SECONDS
        while not os.path.exists(port_file):
            if self.process.poll() is not None:
                raise Ended(f"amdrpcd ended: {self.process.returncode}")
            if time.monotonic() > end:
                raise RuntimeError("amdrpcd does not listen")
            time.sleep(0.01)

    def end(self, number=signal.SIGTERM):
        """Ends it by a signal; the exit status."""
        self.process.send_signal(number)
        return self.process.wait(END_SECONDS)

    def restart(self, number=signal.SIGTERM):
        self.end(number)
        self.start()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self.stop()

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.folder.cleanup()
