"""An HTTP/2 server that misbehaves, or makes use of its rights.

    http2_server.py --test_case NAME --port-file FILE [--cert_file FILE --key_file FILE]

Plays the server's part of one of gRPC's negative HTTP/2 cases, on a free port
of 127.0.0.1 that it writes to the file. Every request is taken for a UnaryCall
with the standard large messages. SIGTERM ends it; its exit status tells
whether the client did what the case wants of it.
"""
import argparse
import os
import pathlib
import signal
import socket
import ssl
import struct
import sys
import threading

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "support"))

import http2
from py_service import payload, pb

SECONDS = 30
RESPONSE_BYTES = 314159
MAX_FRAME_BYTES = 16384
NO_ERROR = 0
MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE = 3, 4
WINDOW_BYTES = 1 << 30

RESPONSE = http2.message(
    pb.SimpleResponse(payload=payload(RESPONSE_BYTES)).SerializeToString()
)


class Connection:
    """One client's connection, on a thread of its own."""

    def __init__(self, accepted, case):
        self.socket = accepted
        self.case = case
        self.partial = b""
        self.window = 65535
        self.stream_window = 65535  # that a new stream has
        self.windows = {}  # of the streams with an answer under way
        self.open = set()  # streams whose answer has not ended
        self.complete = []  # streams whose request has, not yet answered
        self.settings_acks = 0
        self.pings = 0  # without an answer

    def send(self, data):
        self.socket.sendall(data)

    def read_exactly(self, size):
        while len(self.partial) < size:
            data = self.socket.recv(1 << 16)
            if not data:
                raise EOFError
            self.partial += data
        data, self.partial = self.partial[:size], self.partial[size:]
        return data

    def read_frame(self):
        head = self.read_exactly(9)
        kind, flags, stream = struct.unpack(">BBI", head[3:])
        self.take(kind, flags, stream, self.read_exactly(int.from_bytes(head[:3], "big")))

    def take(self, kind, flags, stream, body):
        if kind == http2.HEADERS:
            self.open.add(stream)
            self.windows[stream] = self.stream_window
            self.case.on_request(self, stream)
        elif kind == http2.SETTINGS:
            self.take_settings(flags, body)
        elif kind == http2.WINDOW_UPDATE:
            self.take_window(stream, struct.unpack(">I", body)[0])
        elif kind == http2.PING and flags & 1:
            self.pings -= 1
        elif kind == http2.PING:
            self.send(http2.frame(http2.PING, 1, 0, body))
        elif kind == http2.RST_STREAM:
            self.open.discard(stream)
        if kind in (http2.HEADERS, http2.DATA) and flags & http2.END_STREAM:
            self.complete.append(stream)

    def take_settings(self, flags, body):
        if flags & 1:
            self.settings_acks += 1
            return
        for name, value in struct.iter_unpack(">HI", body):
            if name == INITIAL_WINDOW_SIZE:
                self.stream_window = value
        self.send(http2.frame(http2.SETTINGS, 1, 0))

    def take_window(self, stream, size):
        if stream == 0:
            self.window += size
        elif stream in self.windows:
            self.windows[stream] += size

    def send_headers(self, stream):
        fields = ((b":status", b"200"), (b"content-type", b"application/grpc"))
        block = b"".join(http2.literal(name, value) for name, value in fields)
        self.send(http2.frame(http2.HEADERS, http2.END_HEADERS, stream, block))

    def send_body(self, stream, body):
        """As fast as the windows allow."""
        while body and stream in self.open:
            size = min(len(body), MAX_FRAME_BYTES, self.window, self.windows[stream])
            if size == 0:
                self.read_frame()
                continue
            self.send(http2.data(stream, body[:size], flags=0))
            self.window -= size
            self.windows[stream] -= size
            body = body[size:]

    def send_trailers(self, stream):
        flags = http2.END_HEADERS | http2.END_STREAM
        self.end(stream, http2.frame(http2.HEADERS, flags, stream, http2.literal(b"grpc-status", b"0")))

    def send_ping(self):
        self.pings += 1
        self.send(http2.ping())

    def reset(self, stream):
        self.end(stream, http2.rst(stream, NO_ERROR))

    def end(self, stream, last_frame):
        self.open.discard(stream)
        self.send(last_frame)

    def serve(self):
        self.read_exactly(len(http2.PREFACE))
        self.send(http2.settings((INITIAL_WINDOW_SIZE, WINDOW_BYTES)) + http2.window(0, WINDOW_BYTES))
        while True:
            while not self.complete:
                self.read_frame()
            self.case.answer(self, self.complete.pop(0))

    def run(self):
        try:
            self.serve()
        except (EOFError, OSError):
            pass  # the client has gone
        self.case.on_lost(self)
        self.socket.close()


class Case:
    """Answers in good order; what is special stands in the classes below."""

    requests = 1  # that must come in all

    def __init__(self):
        self.mutex = threading.Lock()
        self.seen = []  # connection and stream of each request
        self.faults = []

    def on_request(self, connection, stream):
        with self.mutex:
            self.seen.append((connection, stream))

    def answer(self, connection, stream):
        connection.send_headers(stream)
        connection.send_body(stream, RESPONSE)
        connection.send_trailers(stream)

    def on_lost(self, connection):
        """The connection is gone."""

    def check(self):
        """Looks at the end whether the client did its part."""
        if len(self.seen) != self.requests:
            self.faults.append(f"{len(self.seen)} requests instead of {self.requests}")


class Goaway(Case):
    """The first request is answered, the second has to go elsewhere."""

    requests = 2

    def answer(self, connection, stream):
        if connection is self.seen[0][0]:
            connection.send(http2.frame(http2.GOAWAY, 0, 0, struct.pack(">II", stream, NO_ERROR)))
        super().answer(connection, stream)

    def check(self):
        super().check()
        if len({connection for connection, _ in self.seen}) != len(self.seen):
            self.faults.append("a request came after the GOAWAY")


class RstAfterHeader(Case):
    def answer(self, connection, stream):
        connection.send_headers(stream)
        connection.reset(stream)


class RstDuringData(Case):
    def answer(self, connection, stream):
        connection.send_headers(stream)
        connection.send_body(stream, RESPONSE[: len(RESPONSE) // 2])
        connection.reset(stream)


class RstAfterData(Case):
    def answer(self, connection, stream):
        connection.send_headers(stream)
        connection.send_body(stream, RESPONSE)
        connection.reset(stream)


class Ping(Case):
    """PINGs between all parts of the answer, whose end waits for theirs: after
    it the client may close before it has seen another."""

    def answer(self, connection, stream):
        connection.send_ping()
        connection.send_headers(stream)
        connection.send_ping()
        connection.send_body(stream, RESPONSE)
        connection.send_ping()
        while connection.pings > 0:
            connection.read_frame()
        connection.send_trailers(stream)

    def on_lost(self, connection):
        if connection.pings:
            self.faults.append(f"{connection.pings} PINGs without an answer")


class MaxStreams(Case):
    """While the first call is going on, the limit becomes one stream."""

    requests = 11

    def on_request(self, connection, stream):
        super().on_request(connection, stream)
        # The greeting's SETTINGS are the first to be acknowledged.
        if connection.settings_acks > 1 and len(connection.open) > 1:
            self.faults.append(f"streams {sorted(connection.open)} at once")

    def answer(self, connection, stream):
        if len(self.seen) == 1:
            connection.send(http2.settings((MAX_CONCURRENT_STREAMS, 1)))
            while connection.settings_acks < 2:
                connection.read_frame()
        super().answer(connection, stream)


CASES = {
    "goaway": Goaway,
    "rst_after_header": RstAfterHeader,
    "rst_during_data": RstDuringData,
    "rst_after_data": RstAfterData,
    "ping": Ping,
    "max_streams": MaxStreams,
}


class Server:
    def __init__(self, case, tls):
        self.case = case
        self.tls = tls
        self.threads = []
        self.listening = socket.create_server(("127.0.0.1", 0))

    def serve(self, accepted):
        try:
            accepted.settimeout(SECONDS)
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls:
                accepted = self.tls.wrap_socket(accepted, server_side=True)
        except OSError as error:
            self.case.faults.append(f"no handshake: {error}")
            return
        Connection(accepted, self.case).run()

    def accept(self):
        while True:
            accepted, _ = self.listening.accept()
            thread = threading.Thread(target=self.serve, args=(accepted,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def finish(self):
        """Waits for what the client did last; returns what was wrong."""
        for thread in self.threads:
            thread.join(SECONDS)
        self.case.check()
        return self.case.faults


def make_tls(options):
    if not options.cert_file:
        return None
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(options.cert_file, options.key_file)
    tls.set_alpn_protocols(["h2"])
    return tls


def write_port(path, port):
    with open(path + ".new", "w", encoding="ascii") as file:
        file.write(f"{port}\n")
    os.rename(path + ".new", path)


def parse_options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--test_case", required=True, choices=CASES)
    parser.add_argument("--port-file", required=True)
    parser.add_argument("--cert_file")
    parser.add_argument("--key_file")
    return parser.parse_args()


def main():
    options = parse_options()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # for all threads
    server = Server(CASES[options.test_case](), make_tls(options))
    threading.Thread(target=server.accept, daemon=True).start()
    write_port(options.port_file, server.listening.getsockname()[1])
    signal.sigwait({signal.SIGTERM})
    faults = server.finish()
    for fault in faults:
        print(f"{options.test_case}: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
