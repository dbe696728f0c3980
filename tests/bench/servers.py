"""Starts the servers that are compared, and looks at what they use."""
import os
import socket
import struct
import subprocess
import tempfile
import time

START_SECONDS = 15
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
FRAME_DATA, FRAME_HEADERS, FRAME_SETTINGS = 0, 1, 4
END_STREAM, END_HEADERS, ACK = 1, 4, 1


class Server:
    """A process that writes its port to a file. To be used with `with`."""

    def __init__(self, name, make_command):
        self.name = name
        self.dir = tempfile.TemporaryDirectory()
        port_file = os.path.join(self.dir.name, "port")
        self.process = subprocess.Popen(
            make_command(port_file), stdin=subprocess.DEVNULL
        )
        try:
            self.port = self._read_port(port_file)
        except Exception:
            self.__exit__()
            raise

    def _read_port(self, path):
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended: {self.process.returncode}")
            try:
                with open(path, encoding="utf-8") as file:
                    line = file.readline()
                if line.endswith("\n"):
                    return int(line.strip().rpartition(":")[2])
            except FileNotFoundError:
                pass
            time.sleep(0.01)
        raise RuntimeError(f"{self.name} does not listen")

    def cpu_seconds(self):
        """User and system time of all its threads, by the scheduler's count."""
        # The clock of a process, as clock_getcpuclockid(3) makes its number.
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def rss_bytes(self):
        with open(f"/proc/{self.process.pid}/statm", encoding="utf-8") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.kill()
        self.process.wait()
        self.dir.cleanup()


def frame(kind, flags, stream_id, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(
        ">BBI", kind, flags, stream_id
    ) + payload


def literal(name, value):
    """A header field that enters no table (RFC 7541, section 6.2.2)."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


class Connection:
    """An HTTP/2 connection of which only as much is understood as is needed."""

    def __init__(self, port):
        self.port = port
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(10)
        self.stream_id = 1
        self.socket.sendall(PREFACE + frame(FRAME_SETTINGS, 0, 0))
        self._read_until(lambda kind, flags, _: kind == FRAME_SETTINGS and not flags & ACK)
        self.socket.sendall(frame(FRAME_SETTINGS, ACK, 0))

    def _read(self, size):
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise RuntimeError("the server closed the connection")
            data += piece
        return data

    def _read_until(self, is_it):
        """Reads frames until one fits. The kinds of those before it."""
        kinds = []
        while True:
            head = self._read(9)
            kind, flags, stream_id = struct.unpack(">BBI", head[3:])
            self._read(int.from_bytes(head[:3], "big"))
            kinds.append(kind)
            if is_it(kind, flags, stream_id):
                return kinds

    def call(self, path, body):
        """Makes a call; how many seconds its answer took."""
        stream_id = self.stream_id
        self.stream_id += 2
        fields = (
            (b":method", b"POST"), (b":scheme", b"http"), (b":path", path.encode()),
            (b":authority", b"127.0.0.1:%d" % self.port), (b"te", b"trailers"),
            (b"content-type", b"application/grpc"),
        )
        block = b"".join(literal(name, value) for name, value in fields)
        start = time.perf_counter()
        self.socket.sendall(
            frame(FRAME_HEADERS, END_HEADERS, stream_id, block)
            + frame(FRAME_DATA, END_STREAM, stream_id, body)
        )
        kinds = self._read_until(
            lambda kind, flags, id: id == stream_id and kind < 2 and flags & END_STREAM
        )
        if FRAME_DATA not in kinds:
            raise RuntimeError("a call was refused")
        return time.perf_counter() - start

    def close(self):
        self.socket.close()
