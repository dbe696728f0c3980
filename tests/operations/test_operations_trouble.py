"""A data directory that cannot be used, and disks that fail.

    test_operations_trouble.py AMDRPCD AMDRPC POWERCUT

POWERCUT is the library of tests/store that lets calls to the disk fail.
"""
import errno
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest

import daemons
import records

AMDRPCD, AMDRPC, POWERCUT = sys.argv[1:4]
del sys.argv[1:4]

SECONDS = 60
NOBODY = 65534
UNAVAILABLE = 64 + 14  # amdrpc's exit status for it
ECHO = "amdrpc.bench.v1.Bench/Echo"
MAX_SUBMISSIONS = 400  # until the disk fails


class Start(unittest.TestCase):
    """One line on stderr names the place and says what to do; status 1."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.data = os.path.join(folder.name, "data")
        self.file = os.path.join(self.data, "operations.db")

    def make_store(self):
        with daemons.Keeper(AMDRPCD) as keeper:
            keeper.end()
            shutil.copytree(keeper.data, self.data)

    def expect_refusal(self, *words, data=None, user=None, **environment):
        keywords = {} if user is None else {"user": user, "extra_groups": []}
        result = subprocess.run(
            [AMDRPCD, "--listen", "127.0.0.1:0", "--log-level", "error",
             "--data-dir", data or self.data],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=SECONDS, check=False, env={**os.environ, **environment},
            **keywords,
        )
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertRegex(result.stderr, r"\Aamdrpcd: [^\n]+\n\Z")
        for word in words:
            self.assertIn(word, result.stderr)

    def test_folder_of_the_directory_is_missing(self):
        path = os.path.join(self.folder, "none", "data")
        self.expect_refusal(path, "No such file or directory", data=path)

    def test_directory_is_a_file(self):
        with open(self.data, "w", encoding="ascii"):
            pass
        self.expect_refusal(self.data, "not a directory")

    def refuse_nobody(self, *words):
        """As a user without rights, which root must become first."""
        if os.geteuid() != 0:
            self.expect_refusal(*words)
            return
        os.chmod(self.folder, 0o755)
        try:
            subprocess.run([AMDRPCD, "--version"], user=NOBODY, check=True,
                           stdout=subprocess.DEVNULL)
        except (OSError, subprocess.CalledProcessError):
            self.skipTest("the program cannot be run by others")
        self.expect_refusal(*words, user=NOBODY)

    def test_directory_is_read_only(self):
        os.mkdir(self.data)
        os.chmod(self.data, 0o555)
        self.refuse_nobody(
            self.data, "Permission denied", "must be able to write there")

    def test_file_is_read_only(self):
        self.make_store()
        os.chmod(self.data, 0o777)
        os.chmod(self.file, 0o444)
        os.chmod(os.path.join(self.data, "operations.lock"), 0o666)
        self.refuse_nobody(self.file, "must be able to write there")

    def test_file_is_damaged(self):
        self.make_store()
        for name in os.listdir(self.data):
            if name.startswith("operations.db-"):
                os.unlink(os.path.join(self.data, name))
        with open(self.file, "wb") as file:
            file.write(b"This is no database. " * 1000)
        self.expect_refusal(self.file, "is damaged or is no store", "put a copy")

    def test_file_is_of_another_program(self):
        os.mkdir(self.data)
        database = sqlite3.connect(self.file)
        database.execute("CREATE TABLE cake (size)")
        database.close()
        self.expect_refusal(self.file, "another program", "use another directory")

    def test_file_is_of_a_newer_version(self):
        self.make_store()
        database = sqlite3.connect(self.file)
        database.execute("PRAGMA user_version = 99")
        database.close()
        self.expect_refusal(self.file, "schema 99", "start that version again")

    def test_directory_is_in_use(self):
        with daemons.Keeper(AMDRPCD) as keeper:
            self.expect_refusal(
                keeper.data, "in use by another server", "stop that one",
                data=keeper.data)

    def test_disk_is_full(self):
        os.mkdir(self.data)
        self.expect_refusal(
            self.file, "disk is full", "make room",
            LD_PRELOAD=POWERCUT, POWERCUT_DIR=self.data,
            POWERCUT_FAIL=f"write:{errno.ENOSPC}:1")

    def test_disk_is_broken(self):
        os.mkdir(self.data)
        self.expect_refusal(
            self.file, "disk I/O error",
            LD_PRELOAD=POWERCUT, POWERCUT_DIR=self.data,
            POWERCUT_FAIL=f"sync:{errno.EIO}:2")


class Failure(unittest.TestCase):
    """The disk fails while the daemon runs."""

    def setUp(self):
        self.keeper = daemons.Keeper(AMDRPCD, "--module", "bench")
        self.addCleanup(self.keeper.stop)
        os.mkdir(self.keeper.data)

    def amdrpc(self, *arguments):
        return subprocess.run(
            [AMDRPC, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=SECONDS, check=False)

    def submit(self, request_id):
        return self.amdrpc(
            "submit", "--patience", "1ms", "--request-id", request_id,
            self.keeper.target, ECHO, '{"payload": "AAAA"}')

    def submit_until_failure(self):
        """What was acknowledged, and the request id of what was not."""
        acknowledged = {}
        for number in range(MAX_SUBMISSIONS):
            result = self.submit(f"{number}")
            if result.returncode != 0:
                self.assertEqual(result.returncode, UNAVAILABLE, result.stderr)
                return acknowledged, f"{number}"
            acknowledged[f"{number}"] = result.stdout.strip()
        self.fail("the disk did not fail")
        return None

    def expect_harmless(self, failure):
        self.keeper.environment = {
            "LD_PRELOAD": POWERCUT,
            "POWERCUT_DIR": self.keeper.data,
            "POWERCUT_FAIL": failure,
        }
        self.keeper.start()
        acknowledged, failed = self.submit_until_failure()
        self.assertTrue(acknowledged)

        # Nothing is taken in, while all the rest goes on.
        again = self.submit(failed)
        self.assertEqual(again.returncode, UNAVAILABLE, again.stderr)
        self.assertIn("cannot write", again.stderr)
        call = self.amdrpc("call", self.keeper.target, ECHO, '{"payload": "AAAA"}')
        self.assertEqual(call.returncode, 0, call.stderr)
        name = next(iter(acknowledged.values()))
        got = self.amdrpc("get", self.keeper.target, name)
        self.assertIn(name, got.stdout, got.stderr)

        # Started again, it has what was acknowledged, and takes the other in.
        self.keeper.end()
        self.keeper.environment = {}
        self.keeper.start()
        again = self.submit(failed)
        self.assertEqual(again.returncode, 0, again.stderr)
        acknowledged[failed] = again.stdout.strip()
        names = records.Records(AMDRPC, self.keeper).check(acknowledged)
        self.assertEqual(len(names), len(acknowledged))

    def test_disk_gets_full(self):
        self.expect_harmless(f"write:{errno.ENOSPC}:300")

    def test_disk_breaks(self):
        self.expect_harmless(f"write:{errno.EIO}:333")

    def test_sync_fails(self):
        self.expect_harmless(f"sync:{errno.EIO}:30")


unittest.main(verbosity=2)
