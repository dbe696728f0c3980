"""Connections without end."""
import os
import socket

import http2
from attacker import ADDRESS, Attacker
from daemon import wait_for
from floods import expect
from header_lists import still_serves

ECHO = b"/amdrpc.bench.v1.Bench/Echo"
SLEEP = b"/amdrpc.bench.v1.Bench/Sleep"
MAX_FDS = 64

# A hundred thousand when time does not matter.
CONNECTIONS = int(os.environ.get("ATTACK_CONNECTIONS", "5000"))


def connect(port):
    """Without waiting, and without a word."""
    connection = socket.socket()
    connection.setblocking(False)
    connection.bind((ADDRESS, 0))
    connection.connect_ex(("127.0.0.1", port))
    return connection


def open_and_abort(daemon):
    """Half of them say something first, which the server then cannot answer."""
    fds = daemon.fds()
    for n in range(CONNECTIONS):
        attacker = Attacker(daemon, greet=n % 2 == 0)
        if n % 4 == 0:
            attacker.send(http2.call(1, SLEEP, b"\x08\xe0\xd4\x03"))
        attacker.abort()
    wait_for("the end of the connections", lambda: daemon.fds() <= fds)
    with Attacker(daemon) as attacker:
        still_serves(attacker, 1)
    return f"{CONNECTIONS} aborted, none left"


def out_of_descriptors(daemon):
    """CVE-2023-4785: more connections than there are descriptors for."""
    for _ in range(5):
        held = [connect(daemon.port) for _ in range(3 * MAX_FDS)]
        wait_for("as many as can be", lambda: daemon.fds() >= MAX_FDS - 16)
        before = daemon.cpu_seconds()
        # A loop that spins would use up all of this while.
        with Attacker(daemon, greet=False) as attacker:
            attacker.read_some(0.3)
        spent = daemon.cpu_seconds() - before
        expect(spent < 0.25, f"{spent:.2f} s of CPU while full")
        for connection in held:
            connection.close()
        wait_for("room", lambda: daemon.fds() < MAX_FDS - 16)
    with Attacker(daemon) as attacker:
        still_serves(attacker, 1)
    return f"5 x {3 * MAX_FDS} for {MAX_FDS} descriptors, then served"


def too_many_of_one_address(daemon):
    held = [connect(daemon.port) for _ in range(600)]
    wait_for("the limit", lambda: "max_connections_per_address" in daemon.log())
    fds = daemon.fds()
    expect(fds < 400, f"{fds} descriptors")
    for connection in held:
        connection.close()
    wait_for("room", lambda: daemon.fds() < 100)
    return f"600 connections, {fds} descriptors"


ATTACKS = (
    ("one address", too_many_of_one_address),
    (f"{CONNECTIONS} opened and aborted", open_and_abort),
)
DESCRIPTOR_ATTACKS = (("out of descriptors", out_of_descriptors),)
