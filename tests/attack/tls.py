"""What is done to a TLS listener before there is any HTTP/2."""
import os
import socket
import struct
import subprocess

import http2
from attacker import ADDRESS, SECONDS, Attacker
from connections import connect
from daemon import wait_for
from floods import expect
from header_lists import still_serves

LIMIT_MS = 400
FLAGS = ["--handshake-timeout", f"{LIMIT_MS}ms"]
HANDSHAKES = int(os.environ.get("ATTACK_HANDSHAKES", "300"))
STUCK = 200

HANDSHAKE, APPLICATION_DATA = 22, 23
CLIENT_HELLO = 1


def record(kind, payload, claimed=None):
    return struct.pack(">BHH", kind, 0x0303, claimed or len(payload)) + payload


def hello(claimed):
    """The head of a ClientHello that claims so many bytes."""
    return struct.pack(">B", CLIENT_HELLO) + struct.pack(">I", claimed)[1:] + b"\x03\x03"


def bare(daemon):
    """A TCP connection, without TLS."""
    connection = socket.create_connection(
        ("127.0.0.1", daemon.port), timeout=SECONDS, source_address=(ADDRESS, 0)
    )
    return connection


def drain(connection):
    """Reads to the end; a reset is one too. Fails when none comes."""
    size = 0
    try:
        while data := connection.recv(1 << 16):
            size += len(data)
    except ConnectionResetError:
        pass
    return size


def send_all(connection, data):
    try:
        connection.sendall(data)
    except (BrokenPipeError, ConnectionResetError):
        pass  # it has heard enough


def expect_refusal(daemon, wire, most=64):
    """The daemon hangs up, with an alert at most, and serves on."""
    with bare(daemon) as connection:
        send_all(connection, wire)
        size = drain(connection)
    expect(size <= most, f"{size} bytes in answer")
    with Attacker(daemon) as attacker:
        still_serves(attacker, 1)
    return f"closed after {size} bytes"


def handshake_flood(daemon):
    """Whole handshakes, which cost the server a signature each."""
    fds = daemon.fds()
    before = daemon.cpu_seconds()
    for _ in range(HANDSHAKES):
        Attacker(daemon, greet=False).abort()
    wait_for("the end of the connections", lambda: daemon.fds() <= fds)
    spent = (daemon.cpu_seconds() - before) / HANDSHAKES
    return f"{HANDSHAKES} aborted, {spent * 1e6:.0f} us of CPU each"


def stuck_handshakes(daemon):
    """Some say nothing, some half a ClientHello."""
    fds = daemon.fds()
    held = [connect(daemon.port) for _ in range(STUCK)]
    wait_for("the connections", lambda: daemon.fds() >= fds + STUCK)
    for connection in held[::2]:
        connection.setblocking(True)
        send_all(connection, record(HANDSHAKE, hello(500), claimed=506))
    wait_for("the limit", lambda: daemon.fds() <= fds)
    for connection in held:
        connection.close()
    return f"{STUCK} closed"


def plaintext(daemon):
    return expect_refusal(daemon, http2.PREFACE + http2.settings() + http2.call(1, b"/a.B/C"))


def garbage(daemon):
    return expect_refusal(daemon, os.urandom(1 << 16))


def huge_client_hello(daemon):
    """A handshake message of 16 MiB, in many records."""
    first = hello(0xFFFFFF) + bytes(1 << 13)
    return expect_refusal(daemon, record(HANDSHAKE, first) + record(HANDSHAKE, bytes(1 << 14)) * 256)


def long_record(daemon):
    """A record above the limit of 2^14 bytes."""
    return expect_refusal(daemon, record(HANDSHAKE, hello(100) + bytes(60000)))


def damaged_records(daemon):
    """After the handshake: a record that was not encrypted by its keys."""
    attacker = Attacker(daemon)
    connection = socket.socket(fileno=attacker.socket.detach())
    with connection:
        connection.settimeout(SECONDS)
        send_all(connection, record(APPLICATION_DATA, os.urandom(1000)))
        drain(connection)
    return "closed"


def truncated_records(daemon):
    """After the handshake: half a record, and no more."""
    fds = daemon.fds()
    attacker = Attacker(daemon)
    connection = socket.socket(fileno=attacker.socket.detach())
    with connection:
        connection.settimeout(SECONDS)
        send_all(connection, record(APPLICATION_DATA, bytes(10), claimed=1000))
        connection.shutdown(socket.SHUT_WR)
        drain(connection)
    wait_for("the end of the connection", lambda: daemon.fds() <= fds)
    return "closed"


def renegotiation(daemon):
    """CVE-2011-1473: TLS 1.2 lets a client ask for handshake after handshake."""
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{daemon.port}", "-tls1_2", "-alpn", "h2"],
        input=b"R\n" * 20,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    said = (done.stdout + done.stderr).decode(errors="replace")
    expect("RENEGOTIATING" in said, said[-500:])
    expect("no renegotiation" in said, said[-500:])
    return "no renegotiation"


ATTACKS = (
    ("TLS: handshake flood", handshake_flood),
    ("TLS: stuck handshakes", stuck_handshakes),
    ("TLS: plaintext", plaintext),
    ("TLS: garbage", garbage),
    ("TLS: huge ClientHello", huge_client_hello),
    ("TLS: record too long", long_record),
    ("TLS: damaged records", damaged_records),
    ("TLS: truncated records", truncated_records),
    ("TLS: renegotiation", renegotiation),
)
