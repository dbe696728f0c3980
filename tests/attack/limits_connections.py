"""Limits of connections: how many, and how long they may take for what."""
import contextlib
import types

import http2
from attacker import Attacker
from limits import (BLOCK, CANCEL, COUNT, DEADLINE_EXCEEDED, ECHO_INLINE, HI, NO_ERROR, OK, REFUSED,
                    SLEEP, UNAVAILABLE, CALM, ECHO, Row, goaway_of, logged, ms, reset_of, served,
                    status_of)
from daemon import wait_for
from floods import expect
from messages import varint

OTHER_ADDRESS = "127.0.0.3"
NEVER = "1000h"


# ---- how many ----


def closed_at_once(daemon, **kwargs):
    with Attacker(daemon, **kwargs) as attacker:
        attacker.wait_closed()
        expect(not attacker.frames, f"was answered: {attacker}")


def connections(daemon):
    with Attacker(daemon) as first, Attacker(daemon) as second:
        served(first, 1)
        served(second, 1)
        closed_at_once(daemon)
    return logged(daemon, "reason=max_connections")


def connections_of_descriptors(daemon):
    """80 of 100 descriptors, whatever the setting says."""
    held = [Attacker(daemon) for _ in range(80)]
    for attacker in held:
        attacker.wait("SETTINGS", lambda a=attacker: a.settings)
    closed_at_once(daemon)
    for attacker in held:
        attacker.abort()
    return logged(daemon, "reason=max_connections")


def connections_of_address(daemon):
    with Attacker(daemon) as first:
        served(first, 1)
        closed_at_once(daemon)
        with Attacker(daemon, address=OTHER_ADDRESS) as other:
            served(other, 1)
    return logged(daemon, "reason=max_connections_per_address")


def connections_without_limit(daemon):
    """More than the default allows, all served at a time."""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(Attacker(daemon)) for _ in range(300)]
        for attacker in held:
            served(attacker, 1)
        return f"{len(held)} served"


def streams(daemon):
    with Attacker(daemon) as attacker:
        expect(attacker.wait_settings().get(3) == 2, f"told {attacker.settings}")
        for stream in (1, 3, 5):
            attacker.send(http2.call(stream, SLEEP, ms(60000)))
        return reset_of(attacker, 5, REFUSED)


def calls(daemon):
    """Handlers that do not notice that nobody waits for them."""
    with Attacker(daemon) as attacker:
        for stream in range(1, 400, 4):
            attacker.send(http2.call(stream, BLOCK, ms(3000)))
            attacker.send(http2.call(stream + 2, ECHO_INLINE, HI))
            attacker.wait_status(stream + 2)
            attacker.send(http2.rst(stream))
            if attacker.resets:
                break
        expect(set(attacker.resets.values()) == {REFUSED}, f"{attacker}")
        for stream in range(1001, 9001, 2):
            attacker.send(http2.call(stream, ECHO_INLINE, HI))
            if attacker.wait_status(stream) == OK:
                return f"RST_STREAM {REFUSED}, until handlers have ended"
            attacker.read_some(0.05)
    raise AssertionError("no call is served any more")


# ---- how long ----


def preface(daemon):
    with Attacker(daemon, greet=False) as attacker:
        attacker.send(http2.PREFACE[:10])
        attacker.wait_closed()
    return logged(daemon, "no HTTP/2 preface came in time")


def secure(daemon):
    """Its port for TLS, where the attacker speaks none."""
    return types.SimpleNamespace(port=daemon.ports[1], certificates=None)


def handshake(daemon):
    with Attacker(secure(daemon), greet=False) as attacker:
        attacker.wait_closed()
    return logged(daemon, "the TLS handshake was not done in time")


def handshake_in_drain(daemon):
    """Neither a handshake nor a preface that never comes holds a drain up."""
    with Attacker(secure(daemon), greet=False) as slow, Attacker(daemon, greet=False) as plain:
        with Attacker(daemon) as attacker:
            served(attacker, 1)
        daemon.terminate()
        slow.wait_closed()
        plain.wait_closed()
    expect(daemon.process.wait(60) == 0, daemon.log()[-2000:])
    return "drained"


def header_block(daemon):
    """Bytes come all the time, and whole frames too, but no end."""
    with Attacker(daemon) as attacker:
        attacker.send(http2.headers(1, ECHO, flags=0))
        for _ in range(900):
            attacker.send(http2.frame(http2.CONTINUATION, 0, 1, http2.literal(b"a", b"b")))
            attacker.read_some(0.02)
            if attacker.is_closed:
                break
        expect(attacker.is_closed and attacker.goaway is None, f"{attacker}")
    return logged(daemon, "a frame did not come in time")


def body(daemon):
    with Attacker(daemon) as attacker:
        attacker.send(http2.headers(1, ECHO) + http2.data(1, b"\0\0\0\0\5he", 0))
        return status_of(attacker, 1, DEADLINE_EXCEEDED)


def stalled_stream(daemon):
    with Attacker(daemon, settings=[(4, 0)]) as attacker:
        attacker.send(http2.call(1, COUNT, b"\x08\x64\x10\x64"))
        outcome = reset_of(attacker, 1, CANCEL)
        expect(attacker.wait_pong(), "the connection has to stay")
        return outcome


def stalled_connection(daemon):
    request = b"\x08" + varint(1000000) + b"\x10" + varint(16000)
    with Attacker(daemon, settings=[(4, 0x7FFFFFFF)], receive_buffer=4096) as attacker:
        attacker.send(http2.window(0, 0x7FFF0000))
        attacker.send(b"".join(http2.call(n, COUNT, request) for n in range(1, 40, 2)))
        return logged(daemon, "the peer reads nothing")


def idle(daemon):
    with Attacker(daemon) as attacker:
        return goaway_of(attacker, NO_ERROR, "max_idle")


def age(daemon):
    with Attacker(daemon) as attacker:
        attacker.send(http2.call(1, SLEEP, ms(1500)))
        outcome = goaway_of(attacker, NO_ERROR, "max_age")
        return f"{outcome}, the call {status_of(attacker, 1, OK)}"


def age_grace(daemon):
    with Attacker(daemon) as attacker:
        attacker.send(http2.call(1, SLEEP, ms(60000)))
        outcome = status_of(attacker, 1, UNAVAILABLE)
        attacker.wait_closed()
        return outcome


def keepalive(daemon):
    """One answers our PINGs, and one does not."""
    with Attacker(daemon) as alive, Attacker(daemon) as dead:
        alive.answers_pings = True
        while not dead.is_closed:
            alive.read_some(0.02)
            dead.read_some(0.02)
        expect(dead.pings, f"no PING: {dead}")
        alive.wait("PINGs", lambda: len(alive.pings) > 2)
        served(alive, 1)
    return logged(daemon, "the peer did not answer a PING")


def strikes(daemon, request=b""):
    """Three too early, after the first, which is not."""
    with Attacker(daemon) as attacker:
        attacker.send(request + http2.ping() * 4)
        outcome = goaway_of(attacker, CALM, "too_many_pings")
        expect(attacker.pongs == 3, f"{attacker.pongs} answers")
        return outcome


def strikes_with_a_call(daemon):
    return strikes(daemon, http2.call(1, SLEEP, ms(60000)))


SOON = "300ms"
TLS = ["--handshake-timeout", SOON]

ROWS = (
    Row("connections", ["--max-connections", "2"], connections),
    Row("connections and descriptors", ["--max-connections", "10000"], connections_of_descriptors,
        max_fds=100),
    Row("connections of an address", ["--max-connections-per-address", "1"], connections_of_address),
    Row("an address without a limit", ["--max-connections-per-address", "0"],
        connections_without_limit),
    Row("concurrent streams", ["--max-concurrent-streams", "2"], streams),
    Row("running and queued calls", ["--max-calls-per-connection", "3", "--workers", "8"], calls),
    Row("preface", TLS, preface),
    Row("TLS handshake", TLS, handshake, is_tls=True),
    Row("handshake amid a drain", ["--handshake-timeout", "24h", "--drain-timeout", "24h"], handshake_in_drain, is_tls=True),
    Row("header block", ["--header-timeout", SOON, "--max-continuations", "1000"], header_block),
    Row("body", ["--body-timeout", SOON], body),
    Row("slow reader, a call", ["--stall-timeout", SOON], stalled_stream),
    Row("slow reader, a connection", ["--stall-timeout", SOON], stalled_connection),
    Row("idle connection", ["--idle-timeout", SOON], idle),
    Row("age", ["--max-age", SOON], age),
    Row("age, grace", ["--max-age", SOON, "--max-age-grace", SOON], age_grace),
    Row("keepalive", ["--keepalive-interval", SOON, "--keepalive-timeout", SOON], keepalive),
    Row("PINGs in time", ["--min-ping-interval", NEVER], strikes_with_a_call),
    Row("PINGs without calls", ["--min-ping-interval", "1ms"], strikes),
)
