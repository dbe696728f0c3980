"""What operators do while calls run, and handlers that do not come to an end."""
import ssl
import subprocess

import http2
from attacker import SECONDS, Attacker
from daemon import wait_for
from floods import BLOCK, SLEEP, expect
from header_lists import still_serves
from messages import varint

COUNT = b"/amdrpc.bench.v1.Bench/Count"
OK, DEADLINE_EXCEEDED = 0, 4
RUNNING = 50
RELOADS = 5

STUCK = 8
STUCK_MS = 1500
STUCK_SETTINGS = """
[method "/amdrpc.bench.v1.Bench/Block"]
watchdog = 100ms
"""

READERS = 8
READER_KB = 1024  # outbox, windows and sockets of a reader that stands still


def ms(number):
    return b"\x08" + varint(number)


def served_certificate(daemon):
    return ssl.get_server_certificate(("127.0.0.1", daemon.port))


def reload_once(daemon):
    """New connections are shown the new certificate; what runs, runs on."""
    before = served_certificate(daemon)
    with Attacker(daemon) as attacker:
        streams = range(1, 2 * RUNNING, 2)
        for stream in streams:
            attacker.send(http2.call(stream, SLEEP, ms(100)))
        expect(attacker.wait_pong(), "no calls")
        daemon.certificates.renew()
        daemon.reload()
        wait_for("the new certificate", lambda: served_certificate(daemon) != before)
        attacker.wait("statuses", lambda: len(attacker.statuses) == RUNNING)
        expect(set(attacker.statuses.values()) == {0}, str(attacker))


def reload_under_load(daemon):
    for _ in range(RELOADS):
        reload_once(daemon)
    return f"{RELOADS} certificates, {RELOADS * RUNNING} running calls finished"


def double_start(daemon):
    """The second one says why it ends, and does the first no harm."""
    address = f"127.0.0.1:{daemon.port}"
    second = subprocess.run(
        [daemon.program, "--listen", address],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    expect(second.returncode == 1, f"status {second.returncode}")
    expect(f"listen {address}: address already in use" in second.stderr, second.stderr)
    with Attacker(daemon) as attacker:
        still_serves(attacker, 1)
    return second.stderr.strip().rpartition(": ")[2]


def stuck_workers(daemon):
    """More handlers that hold their worker than there were workers: more come."""
    with Attacker(daemon) as attacker:
        for stream in range(1, 2 * STUCK, 2):
            attacker.send(http2.call(stream, BLOCK, ms(STUCK_MS)))
        wait_for("the watchdog", lambda: "handler-slow" in daemon.log())
        attacker.wait("statuses", lambda: len(attacker.statuses) == STUCK, 3 * SECONDS)
        expect(set(attacker.statuses.values()) == {0}, str(attacker))
    reports = daemon.log().count("handler-slow")
    return f"{STUCK} for {STUCK_MS} ms, {reports} reported"


def slow_consumers(daemon):
    """Each asks for 64 MB, and takes a window's worth of it."""
    before_kb = daemon.rss_kb()
    with Attacker(daemon) as attacker:
        for stream in range(1, 2 * READERS, 2):
            attacker.send(http2.window(0, 65535))
            attacker.send(http2.call(stream, COUNT, ms(4000) + b"\x10" + varint(16000)))
        streams = attacker.bodies
        full = lambda: sum(map(len, streams.values())) >= READERS * 65535
        attacker.wait("full windows", full)
        grown_kb = daemon.rss_kb() - before_kb
        limit_kb = READERS * READER_KB * (3 if daemon.is_sanitized() else 1)
        expect(grown_kb < limit_kb, f"{grown_kb} kB for {READERS} readers")
        with Attacker(daemon) as other:
            still_serves(other, 1)
    return f"{READERS} that stand still hold {max(grown_kb, 0)} kB"


def clock_jumps(daemon):
    """Deadlines and limits go by another clock than the one on the wall."""
    days = {line[:10] for line in daemon.log().splitlines()}
    expect(len(days) > 1, f"the clock does not jump: {days}")
    with Attacker(daemon) as attacker, Attacker(daemon, greet=False) as silent:
        attacker.send(http2.call(1, SLEEP, ms(300), extra=[(b"grpc-timeout", b"1H")]))
        attacker.send(http2.call(3, SLEEP, ms(60000), extra=[(b"grpc-timeout", b"300m")]))
        attacker.wait("statuses", lambda: len(attacker.statuses) == 2)
        expect(attacker.statuses == {1: OK, 3: DEADLINE_EXCEEDED}, str(attacker))
        silent.wait_closed()
    return "deadlines and limits hold"


TLS_ATTACKS = (("TLS: reload under load", reload_under_load),)
ATTACKS = (
    ("double start", double_start),
    ("slow consumers", slow_consumers),
)
CLOCK_FLAGS = ["--handshake-timeout", "300ms", "--log-level", "debug"]
CLOCK_ATTACKS = (("wall clock jumps", clock_jumps),)
STUCK_ATTACKS = (("stuck workers", stuck_workers),)
