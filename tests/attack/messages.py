"""Messages that are too much, or broken, and windows that stay shut."""
import gzip

import http2
from attacker import Attacker
from floods import expect
from header_lists import still_serves

ECHO = b"/amdrpc.bench.v1.Bench/Echo"
COUNT = b"/amdrpc.bench.v1.Bench/Count"
HEALTH = b"/grpc.health.v1.Health/Check"
REFLECT = b"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
OK, INVALID, EXHAUSTED, UNIMPLEMENTED, INTERNAL = 0, 3, 8, 12, 13
INITIAL_WINDOW = 4


def claim_of_4_gib(daemon):
    with Attacker(daemon) as attacker:
        for stream in range(1, 200, 2):
            attacker.send(http2.headers(stream, ECHO))
            attacker.send(http2.data(stream, b"\0\xff\xff\xff\xff", 0))
            status = attacker.wait_status(stream)
            expect(status == EXHAUSTED, f"{status}: {attacker}")
        return "100 x RESOURCE_EXHAUSTED at the prefix"


def partial_messages(daemon):
    """Each claims the 4 MiB that are allowed, and sends what the window lets."""
    attackers = [Attacker(daemon) for _ in range(10)]
    for attacker in attackers:
        for stream in range(1, 256, 2):
            attacker.send(http2.headers(stream, ECHO))
            attacker.send(http2.data(stream, b"\0\0\x40\0\0" + b"x" * 500, 0))
        expect(attacker.wait_pong(), f"hung up: {attacker}")
    for attacker in attackers:
        attacker.abort()
    return "1280 at once, dropped with their connections"


def send_large(attacker, stream, path, body, extra=()):
    """A request larger than its window, which is waited for."""
    attacker.send(http2.headers(stream, path, extra=extra))
    window = 65535
    for at in range(0, len(body), 16000):
        piece = body[at : at + 16000]
        while window < len(piece) and attacker.read_some(5):
            window += sum(65535 // 2 for kind, s in attacker.frames if (kind, s) == (8, stream))
            attacker.frames = []
        window -= len(piece)
        attacker.send(http2.data(stream, piece, 0))
    attacker.send(http2.data(stream, b""))


def gzip_bomb(daemon):
    bomb = gzip.compress(b"\0" * 64 * 1024 * 1024)
    with Attacker(daemon) as attacker:
        body = http2.message(bomb, compressed=1)
        send_large(attacker, 1, ECHO, body, extra=[(b"grpc-encoding", b"gzip")])
        status = attacker.wait_status(1)
        expect(status in (EXHAUSTED, UNIMPLEMENTED), f"{status}: {attacker}")
        still_serves(attacker, 3)
        return f"{len(bomb) >> 10} KiB for 64 MiB: status {status}"


def nested(levels):
    """An unknown field that holds itself."""
    inner = b""
    for _ in range(levels):
        inner = b"\x7a" + varint(len(inner)) + inner
    return inner


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


BROKEN = {
    "deep": (ECHO, nested(5000), (OK, INTERNAL, EXHAUSTED)),
    "groups": (ECHO, b"\x0b" * 5000, (INTERNAL, INVALID)),
    "wide": (ECHO, b"\x0a\x00" * 20000, (OK, INTERNAL, EXHAUSTED)),
    "no message": (ECHO, b"\xff\xff\xff", (INTERNAL, INVALID)),
    "cut short": (ECHO, b"\x0a\x7fabc", (INTERNAL, INVALID)),
    "number without end": (ECHO, b"\x08" + b"\x80" * 100, (INTERNAL, INVALID)),
    "health of no UTF-8": (HEALTH, b"\x0a\x02\xff\xfe", (INTERNAL, INVALID)),
    "reflection of no UTF-8": (REFLECT, b"\x1a\x02\xff\xfe", (INTERNAL, INVALID)),
}


def broken_messages(daemon):
    with Attacker(daemon) as attacker:
        for n, (name, (path, body, statuses)) in enumerate(BROKEN.items()):
            stream = 2 * n + 1
            attacker.send(http2.headers(stream, path))
            whole = http2.message(body)
            for at in range(0, len(whole), 16000):
                attacker.send(http2.data(stream, whole[at : at + 16000], 0))
            attacker.send(http2.data(stream, b""))
            status = attacker.wait_status(stream)
            expect(status in statuses, f"{name}: {status}: {attacker}")
        still_serves(attacker, 2 * len(BROKEN) + 1)
    return f"{len(BROKEN)} kinds, each its status"


def zero_window(daemon):
    """Calls with much to say to a client that wants nothing of it."""
    request = b"\x08" + varint(100000) + b"\x10" + varint(1000)
    with Attacker(daemon, settings=[(INITIAL_WINDOW, 0)]) as attacker:
        for stream in range(1, 200, 2):
            attacker.send(http2.call(stream, COUNT, request))
        expect(attacker.wait_pong(), f"hung up: {attacker}")
        expect(not attacker.bodies, "bytes without a window")
    return "100 streams wait, none has sent"


def one_byte_window(daemon):
    """Three messages, a byte at a time."""
    request = b"\x08\x03\x10\x14"
    size = 3 * (5 + 22) + 2 * 2  # of message 0 the number is left out
    with Attacker(daemon, settings=[(INITIAL_WINDOW, 1)]) as attacker:
        attacker.send(http2.call(1, COUNT, request))
        for n in range(1, size + 1):
            attacker.wait("byte", lambda n=n: len(attacker.bodies.get(1, b"")) >= n)
            expect(len(attacker.bodies[1]) == n, f"{len(attacker.bodies[1])} bytes")
            attacker.send(http2.window(1, 1))
        expect(attacker.wait_status(1) == OK, f"{attacker}")
    return f"{size} bytes in {size} frames"


def many_calls(daemon):
    """10,000 calls on one connection, a hundred at a time."""
    with Attacker(daemon) as attacker:
        attacker.send(http2.window(0, 1 << 30))
        for first in range(1, 20001, 200):
            streams = range(first, first + 200, 2)
            attacker.send(b"".join(http2.call(n, ECHO, b"\x0a\x02hi") for n in streams))
            attacker.wait("statuses", lambda s=streams: s[-1] in attacker.statuses
                          and all(n in attacker.statuses for n in s))
            attacker.frames = []
        expect(set(attacker.statuses.values()) == {OK}, "not all are OK")
        expect(len(attacker.statuses) == 10000, f"{len(attacker.statuses)} calls")
    return "10000 x OK"


ATTACKS = (
    ("claim of 4 GiB", claim_of_4_gib),
    ("partial messages", partial_messages),
    ("gzip bomb", gzip_bomb),
    ("broken protobuf", broken_messages),
    ("zero window", zero_window),
    ("1-byte window", one_byte_window),
    ("10,000 calls, 1 connection", many_calls),
)
