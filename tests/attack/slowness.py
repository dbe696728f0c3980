"""Clients that take their time; the daemon's limits are LIMIT_MS."""
import time

import http2
from attacker import Attacker
from floods import expect
from messages import varint

ECHO = b"/amdrpc.bench.v1.Bench/Echo"
COUNT = b"/amdrpc.bench.v1.Bench/Count"
LIMIT_MS = 400
FLAGS = [
    word
    for name in ("handshake", "header", "body", "stall")
    for word in (f"--{name}-timeout", f"{LIMIT_MS}ms")
]
IDLE_FLAGS = ["--idle-timeout", f"{LIMIT_MS}ms"]
LONGEST = 10  # seconds, on a slow machine


def timed(attacker, what, is_done):
    """Waits for the limit to be noticed; says how long that took."""
    started = time.monotonic()
    attacker.wait(what, is_done)
    seconds = time.monotonic() - started
    expect(LIMIT_MS / 2000 < seconds < LONGEST, f"{what} after {seconds:.2f} s")
    return f"{what} after {seconds * 1000:.0f} ms"


def closed(attacker):
    return timed(attacker, "closed", lambda: attacker.is_closed)


def slow_preface(daemon):
    with Attacker(daemon, greet=False) as silent, Attacker(daemon, greet=False) as slow:
        slow.send(http2.PREFACE[:10])
        outcome = closed(silent)
        slow.wait_closed()
        return outcome


def slow_settings(daemon):
    with Attacker(daemon, greet=False) as attacker:
        attacker.send(http2.PREFACE)
        return closed(attacker)


def slow_header(daemon):
    """A HEADERS frame that comes byte by byte, and one without its end."""
    with Attacker(daemon) as attacker:
        attacker.send(http2.headers(1, ECHO)[:40])
        outcome = closed(attacker)
    with Attacker(daemon) as attacker:
        attacker.send(http2.headers(1, ECHO, flags=0))
        attacker.wait_closed()
    return outcome


def slow_trickle(daemon):
    """Bytes come all the time, but the frame does not end."""
    wire = http2.headers(1, ECHO, extra=[(b"a", b"b" * 10000)])
    with Attacker(daemon) as attacker:
        started = time.monotonic()
        at = 0
        while not attacker.is_closed and at < len(wire) - 1:
            attacker.send(wire[at : at + 1])
            attacker.read_some(0.005)
            at += 1
        seconds = time.monotonic() - started
        expect(attacker.is_closed and seconds < LONGEST, f"{seconds:.2f} s, {at} bytes")
        return f"closed after {seconds * 1000:.0f} ms and {at} bytes"


def slow_body(daemon):
    with Attacker(daemon) as attacker:
        attacker.send(http2.headers(1, ECHO) + http2.data(1, b"\0\0\0\0\5he", 0))
        return timed(attacker, "status", lambda: 1 in attacker.statuses or 1 in attacker.resets)


def window_never_opens(daemon):
    """The connection is fine; the stream is never let go on."""
    with Attacker(daemon, settings=[(4, 0)]) as attacker:
        attacker.send(http2.call(1, COUNT, b"\x08\x64\x10\x64"))
        return timed(attacker, "stream ended", lambda: 1 in attacker.resets or 1 in attacker.statuses)


def never_reading(daemon):
    """Windows wide open, and nothing is read from the socket."""
    request = b"\x08" + varint(1000000) + b"\x10" + varint(16000)
    settings = [(4, 0x7FFFFFFF)]
    with Attacker(daemon, settings=settings, receive_buffer=4096) as attacker:
        attacker.send(http2.window(0, 0x7FFF0000))
        attacker.wait_pong()  # it has been accepted, and counts
        attacker.send(b"".join(http2.call(n, COUNT, request) for n in range(1, 40, 2)))
        fds = daemon.fds()
        started = time.monotonic()
        deadline = started + LONGEST
        # Its socket is closed while nobody reads.
        while daemon.fds() >= fds and time.monotonic() < deadline:
            time.sleep(0.01)
        expect(daemon.fds() < fds, "still open")
        return f"closed after {(time.monotonic() - started) * 1000:.0f} ms"


def idle(daemon):
    with Attacker(daemon) as attacker:
        outcome = timed(attacker, "GOAWAY", lambda: attacker.goaway)
        return f"{outcome} {attacker.goaway[1]!r}"


ATTACKS = (
    ("slow preface", slow_preface),
    ("slow SETTINGS", slow_settings),
    ("slow header", slow_header),
    ("slow header, byte by byte", slow_trickle),
    ("slow body", slow_body),
    ("window never opens", window_never_opens),
    ("never-reading client", never_reading),
)
IDLE_ATTACKS = (("idle connection", idle),)
