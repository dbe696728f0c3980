"""Frames that cost the attacker little: one attack for each kind."""
import struct

import http2
from attacker import Attacker

CALM = 11  # ENHANCE_YOUR_CALM
BLOCK = b"/amdrpc.bench.v1.Bench/Block"
SLEEP = b"/amdrpc.bench.v1.Bench/Sleep"
LONG = b"\x08\xe0\xd4\x03"  # for a minute


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def expect_calm(attacker, what):
    """The server ends the connection, and says why."""
    goaway = attacker.wait_closed()
    expect(goaway is not None and goaway[0] == CALM, f"{what}: {attacker}")
    return f"GOAWAY {goaway[1]!r}"


def flood(daemon, frame, times, before=b"", settings=()):
    with Attacker(daemon, settings) as attacker:
        attacker.send(before)
        attacker.flood(frame, times)
        return expect_calm(attacker, "flood")


def rapid_reset(daemon):
    """CVE-2023-44487: calls that are cancelled as soon as they are made."""
    with Attacker(daemon) as attacker:
        for stream in range(1, 6001, 2):
            if not attacker.send(http2.call(stream, BLOCK, LONG) + http2.rst(stream)):
                break
        return expect_calm(attacker, "rapid reset")


def made_you_reset(daemon):
    """CVE-2025-8671: faults that let the server reset calls that run on."""
    faults = (
        lambda stream: http2.window(stream, 0),
        lambda stream: http2.window(stream, 0x7FFFFFFF) * 2,
        lambda stream: http2.data(stream, b"more"),
    )
    with Attacker(daemon) as attacker:
        for n in range(1000):
            stream = 2 * n + 1
            if not attacker.send(http2.call(stream, BLOCK, LONG) + faults[n % 3](stream)):
                break
        outcome = expect_calm(attacker, "made you reset")
    expect(len(attacker.resets) <= 130, f"{len(attacker.resets)} resets")
    return f"{outcome} after {len(attacker.resets)} resets"


def too_many_streams(daemon):
    """Calls over the limit are refused, and not without end."""
    with Attacker(daemon) as attacker:
        for stream in range(1, 6001, 2):
            if not attacker.send(http2.call(stream, SLEEP, LONG)):
                break
        outcome = expect_calm(attacker, "too many streams")
    refused = sum(1 for code in attacker.resets.values() if code == 7)
    return f"{outcome} after {refused} refused"


def ping_flood(daemon):
    """CVE-2019-9512"""
    return flood(daemon, http2.ping(), 10000)


def settings_flood(daemon):
    """CVE-2019-9515"""
    return flood(daemon, http2.settings((4, 1000)), 10000)


def settings_of_many(daemon):
    return flood(daemon, http2.settings(*[(0xF000, n) for n in range(33)]), 1)


def priority_flood(daemon):
    """CVE-2019-9513, the resource loop"""
    return flood(daemon, http2.frame(http2.PRIORITY, 0, 3, b"\0\0\0\1\x10"), 100000)


def window_update_flood(daemon):
    return flood(daemon, http2.window(0, 1), 100000)


def empty_data_flood(daemon):
    """CVE-2019-9518"""
    call = http2.headers(1, BLOCK)
    return flood(daemon, http2.data(1, b"", 0), 100000, before=call)


def unknown_frame_flood(daemon):
    return flood(daemon, http2.frame(0xFA, 0, 0, b"?"), 100000)


def reset_of_nothing_flood(daemon):
    """RST_STREAM of a call that has ended long ago."""
    before = http2.call(1, SLEEP, b"") + http2.rst(1)
    return flood(daemon, http2.rst(1), 100000, before=before)


def headers_on_ended_stream_flood(daemon):
    """Header blocks that nobody is told of must be decoded all the same."""
    before = http2.call(1, SLEEP, LONG) + http2.rst(1)
    return flood(daemon, http2.headers(1, SLEEP), 100000, before=before)


def data_on_ended_stream_flood(daemon):
    """Bytes that nobody takes give the window back, and come again."""
    with Attacker(daemon) as attacker:
        attacker.send(http2.call(1, SLEEP, LONG) + http2.rst(1))
        attacker.flood(http2.data(1, b"x", 0), 60000)
        return expect_calm(attacker, "DATA")


def answer_flood(daemon):
    """Answers to what was never asked."""
    return flood(daemon, http2.frame(http2.PING, 1, 0, b"answered"), 100000)


def settings_answer_flood(daemon):
    return flood(daemon, http2.frame(http2.SETTINGS, 1, 0), 100000)


def continuation_flood(daemon):
    """CVE-2024-28182"""
    with Attacker(daemon) as attacker:
        attacker.send(http2.frame(http2.HEADERS, 0, 1, http2.fields(SLEEP)))
        attacker.flood(http2.frame(http2.CONTINUATION, 0, 1), 9, chunk=1)
        return expect_calm(attacker, "CONTINUATION")


def goaway_flood(daemon):
    goaway = http2.frame(http2.GOAWAY, 0, 0, struct.pack(">II", 0, 0) + b"x" * 1000)
    return flood(daemon, goaway, 100000, before=http2.call(1, SLEEP, LONG))


ATTACKS = (
    ("rapid reset", rapid_reset),
    ("MadeYouReset", made_you_reset),
    ("streams over the limit", too_many_streams),
    ("CONTINUATION flood", continuation_flood),
    ("PING flood", ping_flood),
    ("SETTINGS flood", settings_flood),
    ("SETTINGS of 33 entries", settings_of_many),
    ("PRIORITY flood", priority_flood),
    ("WINDOW_UPDATE flood", window_update_flood),
    ("empty DATA flood", empty_data_flood),
    ("unknown frame flood", unknown_frame_flood),
    ("RST_STREAM of nothing", reset_of_nothing_flood),
    ("HEADERS after the end", headers_on_ended_stream_flood),
    ("DATA after the end", data_on_ended_stream_flood),
    ("GOAWAY flood", goaway_flood),
    ("PING answers", answer_flood),
    ("SETTINGS answers", settings_answer_flood),
)
