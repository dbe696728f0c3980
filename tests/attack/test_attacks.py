"""Attacks a running daemon while a well-behaved client goes on calling.

    test_attacks.py AMDRPCD [WALL_CLOCK]

Prints a table. Each row must hold: the attack ends as it must, the daemon
lives, the good client's calls all succeed, memory does not stay taken. The
times of the good client are told, not judged.
"""
import os
import pathlib
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "support"))

import connections
import floods
import header_lists
import http2
import lifecycle
import messages
import slowness
import tls
from attacker import Attacker
from certificates import Certificates
from daemon import Daemon, wait_for

try:
    import grpc  # what the good client needs

    import crashes
except ImportError:
    grpc = None

AMDRPCD = sys.argv.pop(1)
# A library that makes the wall clock jump; not where there are sanitizers.
WALL_CLOCK = os.path.abspath(sys.argv.pop(1)) if sys.argv[1:2] and sys.argv[1].endswith(".so") else None

# What one attack may leave taken: allocators keep some of what was used.
MAX_GROWTH_KB = 32 * 1024
MAX_SANITIZED_GROWTH_KB = 96 * 1024

HEAD = f"{'attack':<28} {'good calls':>10} {'p99 ms':>7} {'RSS before':>10} {'after KB':>9}  outcome"


def print_row(name, good, before_kb, after_kb, outcome):
    print(
        f"{name:<28} {good['calls']:>10} {good['p99_ms']:>7.1f} {before_kb:>10} {after_kb:>9}  {outcome}",
        flush=True,
    )


def over_tls(attacks):
    """The same, named for the table."""
    return [(f"TLS: {name}", function) for name, function in attacks]


@unittest.skipIf(grpc is None, "python3-grpcio is not installed")
class AttackTest(unittest.TestCase):
    def start(self, *args, **options):
        daemon = Daemon(AMDRPCD, *args, **options)
        self.addCleanup(daemon.cleanup)
        daemon.start_client()
        return daemon

    def assert_memory_is_back(self, daemon, before_kb):
        limit = MAX_SANITIZED_GROWTH_KB if daemon.is_sanitized() else MAX_GROWTH_KB
        wait_for("the memory", lambda: daemon.rss_kb() < before_kb + limit, seconds=10)

    def attack(self, daemon, name, function):
        daemon.ask_client()
        before_kb = daemon.rss_kb()
        outcome = function(daemon)
        wait_for("good calls", lambda: self.keep(daemon)["calls"] >= 10)
        good, self.good = self.good, None
        self.assertTrue(daemon.is_alive(), daemon.log()[-2000:])
        self.assertEqual(good["failures"], [])
        self.assert_memory_is_back(daemon, before_kb)
        print_row(name, good, before_kb, daemon.rss_kb(), outcome)

    good = None

    def keep(self, daemon):
        """Adds up what the good client saw."""
        new = daemon.ask_client()
        old = self.good or {"calls": 0, "failures": [], "p99_ms": 0}
        self.good = {
            "calls": old["calls"] + new["calls"],
            "failures": old["failures"] + new["failures"],
            "p99_ms": max(old["p99_ms"], new["p99_ms"]),
        }
        return self.good

    def attack_all(self, daemon, attacks):
        for name, function in attacks:
            with self.subTest(name):
                self.attack(daemon, name, function)
        self.assertEqual(daemon.stop(), 0, daemon.log()[-2000:])

    def test_frames(self):
        self.attack_all(self.start(), floods.ATTACKS)

    def test_header_lists(self):
        self.attack_all(self.start(), header_lists.ATTACKS)

    def test_messages(self):
        self.attack_all(self.start(), messages.ATTACKS)

    def test_slowness(self):
        self.attack_all(self.start(*slowness.FLAGS), slowness.ATTACKS)

    def test_idleness(self):
        self.attack_all(self.start(*slowness.IDLE_FLAGS), slowness.IDLE_ATTACKS)

    def test_connections(self):
        self.attack_all(self.start(), connections.ATTACKS)

    def test_descriptors(self):
        daemon = self.start(max_fds=connections.MAX_FDS)
        self.attack_all(daemon, connections.DESCRIPTOR_ATTACKS)

    def start_tls(self, *args):
        certificates = Certificates()
        self.addCleanup(certificates.cleanup)
        return self.start(*args, certificates=certificates)

    def test_tls(self):
        self.attack_all(self.start_tls(*tls.FLAGS), tls.ATTACKS)

    def test_frames_over_tls(self):
        self.attack_all(self.start_tls(), over_tls(floods.ATTACKS))

    def test_header_lists_over_tls(self):
        self.attack_all(self.start_tls(), over_tls(header_lists.ATTACKS))

    def test_messages_over_tls(self):
        self.attack_all(self.start_tls(), over_tls(messages.ATTACKS))

    def test_slowness_over_tls(self):
        self.attack_all(self.start_tls(*slowness.FLAGS), over_tls(slowness.ATTACKS))

    def test_lifecycle(self):
        self.attack_all(self.start(), lifecycle.ATTACKS)

    def test_reload_under_load(self):
        self.attack_all(self.start_tls(), lifecycle.TLS_ATTACKS)

    def start_with(self, settings, *args):
        """With a file of settings, which is read once."""
        with tempfile.NamedTemporaryFile("w", suffix=".ini") as file:
            file.write(settings)
            file.flush()
            return self.start("--config", file.name, *args)

    def test_stuck_workers(self):
        daemon = self.start_with(lifecycle.STUCK_SETTINGS)
        self.attack_all(daemon, lifecycle.STUCK_ATTACKS)

    def test_worker_abort(self):
        daemon = self.start_with(crashes.SETTINGS, *crashes.FLAGS)
        self.attack_all(daemon, crashes.ATTACKS)

    @unittest.skipIf(WALL_CLOCK is None, "there is no clock to preload")
    def test_clock_jumps(self):
        daemon = self.start(*lifecycle.CLOCK_FLAGS, preload=WALL_CLOCK)
        self.attack_all(daemon, lifecycle.CLOCK_ATTACKS)

    def test_drain_under_load(self):
        self.drain_under_load("drain under load")

    def test_drain_under_load_over_tls(self):
        certificates = Certificates()
        self.addCleanup(certificates.cleanup)
        self.drain_under_load("TLS: drain under load", certificates)

    def drain_under_load(self, name, certificates=None):
        """One of two daemons goes: no call fails, and what runs is finished."""
        stays = Daemon(AMDRPCD, certificates=certificates)
        self.addCleanup(stays.cleanup)
        goes = Daemon(AMDRPCD, certificates=certificates)
        self.addCleanup(goes.cleanup)
        goes.start_client(stays)
        before_kb = goes.rss_kb()
        with Attacker(goes) as attacker:
            streams = range(1, 100, 2)
            for stream in streams:
                attacker.send(http2.call(stream, floods.SLEEP, b"\x08\xc8\x01"))
            self.assertTrue(attacker.wait_pong())
            goes.terminate()
            attacker.wait("statuses", lambda: len(attacker.statuses) == len(streams))
            self.assertEqual(set(attacker.statuses.values()), {0}, str(attacker))
        self.assertEqual(goes.process.wait(30), 0, goes.log()[-2000:])
        wait_for("good calls", lambda: self.keep(goes)["calls"] >= 10)
        self.assertEqual(self.good["failures"], [])
        print_row(name, self.good, before_kb, 0, f"{len(streams)} running calls finished")
        self.assertEqual(goes.stop(), 0)


if __name__ == "__main__":
    print(HEAD, flush=True)
    started = time.monotonic()
    program = unittest.main(exit=False, verbosity=0)
    print(f"in {time.monotonic() - started:.0f} s")
    sys.exit(0 if program.result.wasSuccessful() else 1)
