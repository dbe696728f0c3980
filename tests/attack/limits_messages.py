"""Limits of messages."""
import gzip

import http2
from attacker import Attacker
from daemon import wait_for
from floods import expect
from limits import COUNT, ECHO, EXHAUSTED, OK, Row, served, status_of
from messages import varint

REFLECT = b"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
QUEUED_CALLS = 50


def payload(size):
    return b"\x0a" + varint(size) + b"x" * size


def message_in(daemon):
    """The prefix is enough, the bytes need not come."""
    with Attacker(daemon) as attacker:
        attacker.send(http2.call(1, ECHO, payload(1021)))  # with its tag, 1024
        status_of(attacker, 1, OK)
        attacker.send(http2.headers(3, ECHO) + http2.data(3, b"\0\0\0\4\1", 0))
        return status_of(attacker, 3, EXHAUSTED)


def inflated(daemon):
    small = gzip.compress(payload(100000))
    expect(len(small) < 1024, "not small enough")
    with Attacker(daemon) as attacker:
        attacker.send(http2.headers(1, ECHO, extra=[(b"grpc-encoding", b"gzip")]))
        attacker.send(http2.data(1, http2.message(small, compressed=1)))
        outcome = status_of(attacker, 1, EXHAUSTED)
        served(attacker, 3)
        return f"{len(small)} bytes for 100000: {outcome}"


def message_out(daemon):
    with Attacker(daemon) as attacker:
        attacker.send(http2.call(1, COUNT, b"\x08\x01\x10" + varint(1000)))
        status_of(attacker, 1, OK)
        attacker.send(http2.call(3, COUNT, b"\x08\x01\x10" + varint(2000)))
        return status_of(attacker, 3, EXHAUSTED)


def decoded(daemon):
    with Attacker(daemon) as attacker:
        attacker.send(http2.call(1, ECHO, payload(1000)))
        status_of(attacker, 1, OK)
        attacker.send(http2.call(3, ECHO, payload(5000)))
        return status_of(attacker, 3, EXHAUSTED)


def nesting(daemon):
    """ServerReflectionRequest, and an ExtensionRequest in it."""
    with Attacker(daemon) as attacker:
        attacker.send(http2.call(1, REFLECT, b"\x3a\x00"))
        status_of(attacker, 1, OK)
        attacker.send(http2.call(3, REFLECT, b"\x2a\x02\x10\x01"))
        return status_of(attacker, 3, EXHAUSTED)


def queued(daemon):
    """Much to say to a client that lets none of it through."""
    request = b"\x08" + varint(1000000) + b"\x10" + varint(1000)
    before_kb = daemon.rss_kb()
    with Attacker(daemon, settings=[(4, 0)]) as attacker:
        for n in range(QUEUED_CALLS):
            attacker.send(http2.call(2 * n + 1, COUNT, request))
        expect(attacker.wait_pong(), f"{attacker}")
        wait_for("the memory", lambda: daemon.rss_kb() < before_kb + 32 * 1024)
        expect(not attacker.bodies, "bytes without a window")
        grown_kb = daemon.rss_kb() - before_kb
        attacker.abort()
    return f"{QUEUED_CALLS} calls of 1 GB wait in {max(grown_kb, 0)} KiB"


ROWS = (
    Row("message in", ["--max-recv-message-bytes", "1k"], message_in),
    Row("message in, inflated", ["--max-recv-message-bytes", "1k"], inflated),
    Row("message out", ["--max-send-message-bytes", "1100"], message_out),
    Row("decoded message", ["--max-decoded-bytes", "4k"], decoded),
    Row("nesting", ["--max-nesting", "1"], nesting),
    Row("queued, a call", ["--max-queued-bytes", "1k"], queued),
)
