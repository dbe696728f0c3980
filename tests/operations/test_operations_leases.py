"""Leases of a daemon, changed behind its back as another process would.

    test_operations_leases.py AMDRPCD AMDRPC

No hint tells the daemon of it: it must find out when it renews its leases.
"""
import json
import os
import sqlite3
import subprocess
import sys
import time
import unittest

import daemons

AMDRPCD, AMDRPC = sys.argv[1:3]
del sys.argv[1:3]

SECONDS = 60
CANCELLED = 64 + 1  # amdrpc's exit status for it
SLEEP = "amdrpc.bench.v1.Bench/Sleep"
FOR_EVER_MS = 3600 * 1000


class Leases(unittest.TestCase):
    def setUp(self):
        self.keeper = daemons.Keeper(
            AMDRPCD, "--module", "bench", "--operation-lease", "600ms")
        self.addCleanup(self.keeper.stop)
        self.keeper.start()
        self.database = sqlite3.connect(
            os.path.join(self.keeper.data, "operations.db"), timeout=SECONDS,
            isolation_level=None)
        self.addCleanup(self.database.close)

    def amdrpc(self, *arguments):
        return subprocess.run(
            [AMDRPC, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=SECONDS, check=False)

    def submit(self, milliseconds):
        result = self.amdrpc(
            "submit", self.keeper.target, SLEEP, json.dumps({"ms": milliseconds}))
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout.strip()

    def await_row(self, condition):
        end = time.monotonic() + SECONDS
        query = f"SELECT count(*) FROM op WHERE {condition}"
        while self.database.execute(query).fetchone()[0] == 0:
            self.assertLess(time.monotonic(), end, condition)
            time.sleep(0.01)

    def test_cancel_arrives_without_a_hint(self):
        name = self.submit(FOR_EVER_MS)
        self.await_row("state = 1")

        self.database.execute("UPDATE op SET cancel = 1")

        result = self.amdrpc("wait", self.keeper.target, name)
        self.assertEqual(result.returncode, CANCELLED, result.stderr)

    def test_lost_lease_writes_no_result(self):
        name = self.submit(300)
        self.await_row("state = 1")

        # Another executor has it, and dies.
        until = int((time.time() + 1) * 1e6)
        changed = self.database.execute(
            "UPDATE op SET attempt = 2, owner = 'other', ready_at = ?,"
            " lease_until = ? WHERE state = 1", (until, until)).rowcount

        self.assertEqual(changed, 1, "it has ended too soon")
        result = self.amdrpc("wait", self.keeper.target, name)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(
            self.database.execute("SELECT attempt FROM op").fetchall(), [(3,)])
        self.assertEqual(
            self.database.execute(
                "SELECT attempt FROM op_event WHERE kind = 3").fetchall(), [(3,)])


unittest.main(verbosity=2)
