"""Limits of HTTP/2: header lists, windows, and frames that cost us."""
import select

import http2
from attacker import Attacker
from floods import expect
from header_lists import blocks
from limits import (BLOCK, CALM, COMPRESSION, ECHO, ECHO_INLINE, EXHAUSTED, FLOW_CONTROL,
                    FRAME_SIZE, HI, NO_ERROR, OK, SLEEP, Row, flood, goaway_of, ms, reset_of,
                    served, status_of)

TABLE_SIZE, WINDOW_SIZE, LIST_SIZE = 1, 4, 6  # SETTINGS
REFLECT = b"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"


# ---- header lists ----


def advised_list(daemon):
    """What clients are told is less than what is taken."""
    with Attacker(daemon) as attacker:
        told = attacker.wait_settings().get(LIST_SIZE)
        expect(told == 2048, f"told {told}")
        served(attacker, 1, [(b"a", b"b" * 4000)])
        return f"SETTINGS {told}, 4000 served"


def header_list(daemon):
    with Attacker(daemon) as attacker:
        served(attacker, 1, [(b"a", b"b" * 1000)])
        attacker.send(http2.call(3, ECHO, HI, [(b"a", b"b" * 1000), (b"c", b"d" * 1000)]))
        return status_of(attacker, 3, EXHAUSTED)


def header_field(daemon):
    with Attacker(daemon) as attacker:
        served(attacker, 1, [(b"a", b"b" * 99)])
        attacker.send(http2.call(3, ECHO, HI, [(b"a", b"b" * 100)]))
        return status_of(attacker, 3, EXHAUSTED)


def header_fields(daemon):
    """Six fields that each request has, and more."""
    with Attacker(daemon) as attacker:
        served(attacker, 1, [(b"a", b"b")] * 4)
        attacker.send(http2.call(3, ECHO, HI, [(b"a", b"b")] * 5))
        return status_of(attacker, 3, EXHAUSTED)


def in_frames(stream, count):
    """A request whose header block goes on in so many CONTINUATION frames."""
    out = http2.frame(http2.HEADERS, http2.END_STREAM, stream, http2.fields(ECHO))
    for n in range(count):
        flags = http2.END_HEADERS if n == count - 1 else 0
        out += http2.frame(http2.CONTINUATION, flags, stream, http2.literal(b"a", b"b"))
    return out


def continuations(daemon):
    with Attacker(daemon) as attacker:
        attacker.send(in_frames(1, 2))
        attacker.wait_status(1)
        attacker.send(in_frames(3, 3))
        return goaway_of(attacker, CALM, "a header block in too many frames")


def table(daemon):
    """128 bytes, and an encoder that keeps to them, and then does not."""
    to_128, to_4096 = b"\x3f\x61", b"\x3f\xe1\x1f"
    with Attacker(daemon) as attacker:
        expect(attacker.wait_settings().get(TABLE_SIZE) == 128, f"told {attacker.settings}")
        attacker.send(blocks(1, to_128 + http2.fields(ECHO)))
        expect(attacker.wait_status(1) is not None, f"{attacker}")
        attacker.send(blocks(3, to_4096 + http2.fields(ECHO)))
        attacker.wait_closed()
        expect(attacker.goaway and attacker.goaway[0] == COMPRESSION, f"{attacker}")
        return f"GOAWAY {COMPRESSION}"


# ---- windows ----


def stream_window(daemon):
    with Attacker(daemon) as attacker:
        expect(attacker.wait_settings().get(WINDOW_SIZE) == 1024, f"told {attacker.settings}")
        attacker.send(http2.headers(1, ECHO) + http2.data(1, http2.message(b"x" * 1019), 0))
        attacker.send(http2.headers(3, ECHO) + http2.data(3, http2.message(b"x" * 1020), 0))
        outcome = reset_of(attacker, 3, FLOW_CONTROL)
        expect(1 not in attacker.resets, f"{attacker}")
        return outcome


def connection_window(daemon):
    """A handler whose answers nobody takes, so it takes no more requests."""
    many = http2.message(b"\x3a\x00") * 2000
    with Attacker(daemon, settings=[(WINDOW_SIZE, 0)]) as attacker:
        attacker.send(http2.headers(1, REFLECT))
        for _ in range(400):
            if not attacker.send(http2.data(1, many, 0)):
                break
        return goaway_of(attacker, FLOW_CONTROL, "DATA beyond the connection's window")


# ---- frames ----


def settings_entries(daemon):
    with Attacker(daemon) as attacker:
        attacker.send(http2.settings(*[(0xF000, n) for n in range(4)]))
        served(attacker, 1)
        attacker.send(http2.settings(*[(0xF000, n) for n in range(5)]))
        return goaway_of(attacker, CALM, "too many settings")


def settings_frames(daemon):
    return flood(daemon, http2.settings((4, 1000)), "too many SETTINGS")


def pings(daemon):
    """As often as the strikes allow."""
    with Attacker(daemon) as attacker:
        attacker.send(http2.call(1, SLEEP, ms(60000)))
        for _ in range(1000):
            attacker.send(http2.ping())
            attacker.read_some(5)
            if attacker.goaway or attacker.is_closed:
                break
            attacker.read_some(0.01)
        expect(attacker.pongs >= 5, f"{attacker.pongs} answers")
        return goaway_of(attacker, CALM, "too_many_pings")


def resets(daemon):
    before = http2.call(1, SLEEP) + http2.rst(1)
    return flood(daemon, http2.rst(1), "too many resets", before=before)


def early_resets(daemon):
    """Half of the calls, and then one more."""
    with Attacker(daemon) as attacker:
        for stream in range(1, 40, 4):
            served(attacker, stream)
            attacker.send(http2.call(stream + 2, SLEEP, ms(60000)) + http2.rst(stream + 2))
        served(attacker, 41)
        for stream in range(43, 80, 2):
            attacker.send(http2.call(stream, SLEEP, ms(60000)) + http2.rst(stream))
        return goaway_of(attacker, CALM, "too many early resets")


def faults(daemon):
    with Attacker(daemon) as attacker:
        for stream in range(1, 2000, 2):
            if not attacker.send(http2.call(stream, BLOCK, ms(0)) + http2.window(stream, 0)):
                break
        return goaway_of(attacker, CALM, "too many faults on streams")


def stray_frames(daemon):
    """A connection for each kind."""
    call = http2.call(1, SLEEP, ms(60000))
    ended = call + http2.rst(1)
    strays = (
        (http2.frame(0xFA, 0, 0, b"?"), "too many unknown frames", b""),
        (http2.frame(http2.PING, 1, 0, b"answered"), "too many answers to PINGs", b""),
        (http2.frame(http2.SETTINGS, 1, 0), "too many answers to SETTINGS", b""),
        (http2.frame(http2.GOAWAY, 0, 0, bytes(8)), "too many GOAWAYs", call),
        (http2.data(1, b"x", 0), "too much DATA after the end", ended),
        (http2.headers(1, SLEEP), "too many HEADERS after the end", ended),
    )
    for frame, text, before in strays:
        outcome = flood(daemon, frame, text, before)
    return outcome


def frame_size(daemon):
    """The largest one, of a kind that is not known, and then one byte more."""
    with Attacker(daemon) as attacker:
        attacker.send(http2.frame(0xFA, 0, 0, bytes(16384)))
        served(attacker, 1)
        attacker.send(http2.frame(0xFA, 0, 0, bytes(16385)))
        return goaway_of(attacker, FRAME_SIZE, "a frame is over 16384 bytes")


def empty_frames(daemon):
    with Attacker(daemon) as attacker:
        empty = http2.data(1, b"", 0) * 4
        whole = http2.message(HI)
        attacker.send(http2.headers(1, ECHO) + empty + http2.data(1, whole[:5], 0) + empty)
        attacker.send(http2.data(1, whole[5:]))
        status_of(attacker, 1, OK)
        attacker.send(http2.headers(3, ECHO) + http2.data(3, b"", 0) * 5)
        return goaway_of(attacker, CALM, "too many empty frames")


def priorities(daemon):
    """As many for each call, and for none."""
    priority = http2.frame(http2.PRIORITY, 0, 3, b"\0\0\0\1\x10")
    with Attacker(daemon) as attacker:
        served(attacker, 1)
        attacker.send(priority * 4)
        expect(attacker.wait_pong(), f"{attacker}")
        attacker.send(priority)
        return goaway_of(attacker, CALM, "too many PRIORITYs")


def window_updates(daemon):
    """Five at first, two for each call, and two for each frame of DATA."""
    with Attacker(daemon) as attacker:
        served(attacker, 1)
        attacker.send(http2.window(0, 1) * 9)
        expect(attacker.wait_pong(), f"{attacker}")
        attacker.send(http2.window(0, 1))
        return goaway_of(attacker, CALM, "too many WINDOW_UPDATEs")


def frames_of_a_turn(daemon):
    """What is left for other turns is not lost."""
    with Attacker(daemon) as attacker:
        numbers = range(1, 400, 2)
        attacker.send(b"".join(http2.call(n, ECHO_INLINE, HI) for n in numbers))
        attacker.wait("statuses", lambda: len(attacker.statuses) == len(numbers))
        expect(set(attacker.statuses.values()) == {OK}, f"{attacker}")
        return f"{len(numbers)} x OK, in as many turns"


# ---- what waits to be sent ----


def can_send(attacker):
    return bool(select.select([], [attacker.socket], [], 1)[1])


def queued_of_connection(daemon):
    """Answers that nobody reads: then no more is asked for."""
    with Attacker(daemon, receive_buffer=4096) as attacker:
        attacker.socket.setblocking(False)
        whole = http2.END_STREAM | http2.END_HEADERS
        waiting = b""
        stream = 1
        while waiting or can_send(attacker):
            if not waiting:
                expect(stream < 2000000, "it reads without end")
                streams = range(stream, stream + 200, 2)
                waiting = b"".join(http2.headers(n, b"/no/Method", whole) for n in streams)
                stream += 200
            if not can_send(attacker):
                break
            waiting = waiting[attacker.socket.send(waiting):]
        attacker.socket.setblocking(True)
        expect(attacker.goaway is None and not attacker.is_closed, f"{attacker}")
        before = attacker.statuses.copy()
        attacker.wait("answers", lambda: len(attacker.statuses) > 100)
        expect(not before and set(attacker.resets.values()) <= {NO_ERROR}, f"{attacker}")
        return f"not read after {stream // 2} calls; then answered"


QUICK_PINGS = ["--min-ping-interval", "1ms", "--ping-burst", "5", "--ping-rate", "1"]

ROWS = (
    Row("header list, advised", ["--advised-header-list-bytes", "2k"], advised_list),
    Row("header list", ["--max-header-list-bytes", "2k"], header_list),
    Row("header field", ["--max-header-field-bytes", "100"], header_field),
    Row("header fields", ["--max-header-fields", "10"], header_fields),
    Row("CONTINUATION", ["--max-continuations", "2"], continuations),
    Row("HPACK table", ["--header-table-bytes", "128"], table),
    Row("stream window", ["--stream-window-bytes", "1k"], stream_window),
    Row("connection window", ["--connection-window-bytes", "64k", "--stream-window-bytes", "128k",
                              "--max-queued-bytes", "1k"], connection_window),
    Row("SETTINGS entries", ["--max-settings", "4"], settings_entries),
    Row("SETTINGS frames", ["--settings-burst", "3", "--settings-rate", "1"], settings_frames),
    Row("PINGs", QUICK_PINGS, pings),
    Row("resets", ["--reset-burst", "5", "--reset-rate", "1"], resets),
    Row("early resets", ["--early-reset-streams", "20"], early_resets),
    Row("faults", ["--fault-burst", "5", "--fault-rate", "1"], faults),
    Row("stray frames", ["--stray-burst", "5", "--stray-rate", "1"], stray_frames),
    Row("frame size", [], frame_size),
    Row("empty frames", ["--max-empty-frames", "4"], empty_frames),
    Row("PRIORITY", ["--priorities-per-stream", "2"], priorities),
    Row("WINDOW_UPDATE", ["--window-updates-per-frame", "1"], window_updates),
    Row("frames of a turn", ["--frames-per-turn", "1", "--max-concurrent-streams", "1000"],
        frames_of_a_turn),
    Row("queued, a connection", ["--max-connection-queued-bytes", "1k",
                                 "--max-concurrent-streams", "1000"], queued_of_connection),
)
