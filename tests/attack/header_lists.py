"""Header lists that are too much, or strange."""
import http2
from attacker import Attacker
from floods import expect

ECHO = b"/amdrpc.bench.v1.Bench/Echo"
RESOURCE_EXHAUSTED = 8
COMPRESSION_ERROR = 9
MAX_FRAME = 16384


def blocks(stream, block):
    """A header block in as many frames as it needs, with END_STREAM."""
    pieces = [block[at : at + MAX_FRAME] for at in range(0, len(block), MAX_FRAME)]
    out = b""
    for n, piece in enumerate(pieces):
        kind = http2.CONTINUATION if n else http2.HEADERS
        flags = (http2.END_HEADERS if n == len(pieces) - 1 else 0) | (0 if n else http2.END_STREAM)
        out += http2.frame(kind, flags, stream, piece)
    return out


def still_serves(attacker, stream):
    """The connection is as good as it was."""
    attacker.send(http2.call(stream, ECHO, b"\x0a\x02hi"))
    expect(attacker.wait_status(stream) == 0, f"the call afterwards: {attacker}")


def hpack_bomb(daemon):
    """CVE-2026-49975: a byte on the wire that stands for four thousand."""
    bomb = http2.fields(ECHO) + http2.literal(b"a", b"b" * 3900, kind=0x40) + b"\xbe" * 120000
    with Attacker(daemon) as attacker:
        for stream in range(1, 40, 2):
            attacker.send(blocks(stream, bomb))
            status = attacker.wait_status(stream)
            expect(status in (RESOURCE_EXHAUSTED, None), f"{status}: {attacker}")
        still_serves(attacker, 41)
        return f"20 x status {status}, then served"


def large_list(daemon, size):
    """Fields of 1000 bytes that make up a list of that size."""
    extra = [(b"x-%d" % n, b"v" * 1000) for n in range(size // 1024)]
    with Attacker(daemon) as attacker:
        attacker.send(blocks(1, http2.fields(ECHO, extra)))
        status = attacker.wait_status(1)
        expect(status in (RESOURCE_EXHAUSTED, None), f"{status}: {attacker}")
        still_serves(attacker, 3)
        return f"status {status}, then served"


def list_of_63k(daemon):
    return large_list(daemon, 63 * 1024)


def many_fields(daemon):
    with Attacker(daemon) as attacker:
        attacker.send(blocks(1, http2.fields(ECHO, [(b"a", b"b")] * 200)))
        status = attacker.wait_status(1)
        expect(status in (RESOURCE_EXHAUSTED, None), f"{status}: {attacker}")
        still_serves(attacker, 3)
        return f"status {status}, then served"


def odd_headers(daemon):
    """CVE-2023-1428: legal but strange fields, then more than 8 KB."""
    odd = b"".join(
        http2.literal(name, value)
        for name, value in (
            (b":method", b"POST"),
            (b":scheme", b"strange"),
            (b":path", ECHO),
            (b":authority", b""),
            (b"te", b"x"),
            (b"content-type", b"application/grpc"),
            (b"grpc-accept-encoding", b",,;"),
            (b"x-long", b"y" * 9000),
        )
    )
    with Attacker(daemon) as attacker:
        attacker.send(blocks(1, odd))
        status = attacker.wait_status(1)
        expect(status != 0, f"{status}: {attacker}")
        still_serves(attacker, 3)
        return f"status {status}, then served"


# What no decoder may take, nor take long about (CVE-2023-33953).
BROKEN = {
    "a number without end": b"\x7f" + b"\x80" * 16000,
    "a number of 2^63": b"\x7f" + b"\xff" * 9 + b"\x7f",
    "a name of 2 GiB": b"\x00\x7f" + b"\xff" * 4 + b"\x07abc",
    "an index of nothing": b"\xff\xff\x03",
    "index 0": b"\x80",
    "Huffman's end of string": b"\x00\x84\xff\xff\xff\xff\x00",
    "Huffman's padding of zeros": b"\x00\x81\x00\x00",
    "a table larger than agreed": b"\x3f\xff\xff\xff\x07",
    "a table resized amid fields": b"\x83\x3f\xe1\x1f",
    "a string cut short": b"\x00\x05abc",
}


def broken_blocks(daemon):
    for name, block in BROKEN.items():
        with Attacker(daemon) as attacker:
            attacker.send(blocks(1, block))
            goaway = attacker.wait_closed()
            expect(goaway is not None and goaway[0] == COMPRESSION_ERROR, f"{name}: {attacker}")
    return f"{len(BROKEN)} forms, each COMPRESSION_ERROR"


def costly_blocks(daemon):
    """What is legal, and does nothing but work: answered, or refused."""
    resizes = b"\x20\x3f\xe1\x1f" * 4000
    padded = b"\x00\x01a" + http2.hpack_int(12000, 7, first=0x80) + b"\x00" * 12000
    before = daemon.cpu_seconds()
    for block in (resizes + http2.fields(ECHO), http2.fields(ECHO) + padded):
        for _ in range(20):
            with Attacker(daemon) as attacker:
                attacker.send(blocks(1, block))
                attacker.wait("answer", lambda: 1 in attacker.statuses or attacker.resets)
    spent = daemon.cpu_seconds() - before
    expect(spent < 5, f"{spent} s of CPU")
    return "40 blocks answered or refused"


ATTACKS = (
    ("HPACK bomb", hpack_bomb),
    ("HPACK strings and numbers", broken_blocks),
    ("HPACK work for nothing", costly_blocks),
    ("odd headers, then over 8 KB", odd_headers),
    ("63 KiB header list", list_of_63k),
    ("200 header fields", many_fields),
)
