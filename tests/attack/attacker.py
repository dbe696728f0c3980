"""A client that can break any rule: one connection, frames as they are."""
import re
import select
import socket
import ssl
import struct
import time

import http2

# Its own address, so that what it opens is not counted against good clients.
ADDRESS = "127.0.0.2"
SECONDS = 10  # no answer takes as long, on a slow machine under a sanitizer too

# How an encoder without a table writes "grpc-status" and its number: the name
# gets shorter by Huffman's code, the digits do not.
STATUS = re.compile(rb"\x88\x9a\xca\xc8\xb2\x12\x34\xda\x8f[\x01\x02](\d+)")


class Timeout(Exception):
    """What was waited for did not come."""


class Attacker:
    """What the server said stands in its fields, as far as it was read."""

    def __init__(self, daemon, settings=(), greet=True, receive_buffer=0, address=ADDRESS):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.bind((address, 0))
        self.socket.settimeout(SECONDS)
        self.socket.connect(("127.0.0.1", daemon.port))
        if daemon.certificates:
            context = daemon.certificates.context()
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self.partial = b""
        self.is_closed = False
        self.goaway = None  # code and text
        self.resets = {}  # stream: code
        self.statuses = {}  # stream: grpc-status
        self.bodies = {}  # stream: bytes
        self.frames = []  # kind and stream of each
        self.pongs = 0
        self.settings_acks = 0
        self.settings = {}  # the server's
        self.windows = {}  # stream: sum of its WINDOW_UPDATEs
        self.pings = []  # the server's
        self.answers_pings = False
        if greet:
            # No table, so that a status can be found in a header block.
            self.send(http2.PREFACE + http2.settings((1, 0), *settings))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def abort(self):
        """Ends the connection by a TCP reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send(self, data):
        """Sends as much as the server takes; false when it has hung up."""
        try:
            self.socket.sendall(data)
            return True
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            return False

    def flood(self, data, times, chunk=64 * 1024):
        """Sends the same bytes again and again, until the server hangs up."""
        repeat = max(1, chunk // len(data))
        for _ in range(0, times, repeat):
            if not self.send(data * repeat):
                return

    # ---- listening ----

    def take(self, kind, flags, stream, payload):
        self.frames.append((kind, stream))
        if kind == http2.HEADERS:
            status = STATUS.search(payload)
            if status:
                self.statuses[stream] = int(status.group(1))
        elif kind == http2.DATA:
            self.bodies[stream] = self.bodies.get(stream, b"") + payload
        elif kind == http2.RST_STREAM:
            self.resets[stream] = struct.unpack(">I", payload)[0]
        elif kind == http2.GOAWAY:
            self.goaway = (struct.unpack(">I", payload[4:8])[0], payload[8:].decode())
        elif kind == http2.PING and flags & 1:
            self.pongs += 1
        elif kind == http2.PING:
            self.pings.append(payload)
            if self.answers_pings:
                self.send(http2.frame(http2.PING, 1, 0, payload))
        elif kind == http2.WINDOW_UPDATE:
            self.windows[stream] = self.windows.get(stream, 0) + struct.unpack(">I", payload)[0]
        elif kind == http2.SETTINGS and flags & 1:
            self.settings_acks += 1
        elif kind == http2.SETTINGS:
            self.settings.update(struct.iter_unpack(">HI", payload))

    def take_all(self, data):
        self.partial += data
        while len(self.partial) >= 9:
            size = int.from_bytes(self.partial[:3], "big")
            if len(self.partial) < 9 + size:
                return
            kind, flags, stream = struct.unpack(">BBI", self.partial[3:9])
            payload = self.partial[9 : 9 + size]
            self.partial = self.partial[9 + size :]
            self.take(kind, flags, stream, payload)

    def is_readable(self, seconds):
        # TLS may have taken in more than was asked for.
        if isinstance(self.socket, ssl.SSLSocket) and self.socket.pending():
            return True
        return bool(select.select([self.socket], [], [], seconds)[0])

    def read_some(self, seconds):
        """Reads what comes next; false when nothing came in time."""
        if self.is_closed or not self.is_readable(seconds):
            return False
        try:
            data = self.socket.recv(1 << 16)
        except (ConnectionResetError, ssl.SSLEOFError):
            data = b""
        self.is_closed = not data
        self.take_all(data)
        return True

    def wait(self, what, is_done, seconds=SECONDS):
        """Reads until is_done() or the connection is closed."""
        deadline = time.monotonic() + seconds
        while not is_done() and not self.is_closed:
            left = deadline - time.monotonic()
            if left <= 0 or not self.read_some(left):
                if not is_done() and not self.is_closed:
                    raise Timeout(f"no {what} in {seconds} s; {self}")
        return is_done()

    def wait_closed(self):
        """Waits for the end, and returns why the server ended it."""
        self.wait("end of the connection", lambda: self.is_closed)
        return self.goaway

    def wait_status(self, stream):
        """Returns the status of a call, or None when it was reset."""
        self.wait(
            f"status of stream {stream}",
            lambda: stream in self.statuses or stream in self.resets,
        )
        return self.statuses.get(stream)

    def wait_settings(self):
        """The server's settings, which it then knows to be known."""
        self.wait("SETTINGS", lambda: self.settings)
        self.send(http2.frame(http2.SETTINGS, 1, 0))
        return self.settings

    def wait_pong(self):
        """Everything sent before has been dealt with."""
        pongs = self.pongs
        self.send(http2.ping())
        return self.wait("answer to a PING", lambda: self.pongs > pongs)

    def __str__(self):
        return (
            f"goaway={self.goaway} resets={len(self.resets)} statuses={self.statuses} "
            f"closed={self.is_closed} frames={self.frames[-5:]}"
        )
