"""Crosses every limit that a peer may come to, one daemon for each.

    test_limits.py AMDRPCD ROOT

Prints a table: the limit, the settings that made it small, the answer. What
docs/limits.md says of settings and tests is compared with it.
"""
import pathlib
import re
import sys
import unittest

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "support"))

import limits_connections
import limits_frames
import limits_messages
import limits_operations
import limits_tls
from certificates import Certificates
from daemon import Daemon

ROOT = pathlib.Path(sys.argv.pop(2))
AMDRPCD = sys.argv.pop(1)
THREADS = ["--loops", "1", "--workers", "2"]

ROWS = (
    *limits_connections.ROWS,
    *limits_frames.ROWS,
    *limits_messages.ROWS,
    *limits_operations.ROWS,
    *limits_tls.ROWS,
)


class LimitsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.certificates = Certificates()
        cls.addClassCleanup(cls.certificates.cleanup)

    def start(self, row):
        flags = [*THREADS, *row.flags]
        if row.is_tls:
            flags += ["--listen", "127.0.0.1:0 tls", *self.certificates.flags()]
        daemon = Daemon(AMDRPCD, *flags, max_fds=row.max_fds)
        self.addCleanup(daemon.cleanup)
        return daemon

    def cross(self, row):
        daemon = self.start(row)
        outcome = row.cross(daemon)
        self.assertEqual(daemon.stop(), 0, daemon.log()[-2000:])
        print(f"{row.name:<28} {' '.join(row.flags)[:58]:<58}  {outcome}", flush=True)

    def test_each_limit_is_enforced(self):
        for row in ROWS:
            with self.subTest(row.name):
                self.cross(row)

    def test_names_are_there_once(self):
        names = [row.name for row in ROWS]
        self.assertEqual(len(names), len(set(names)))


class ManualTest(unittest.TestCase):
    """docs/limits.md has a line for each limit: what, settings, values, test."""

    def setUp(self):
        text = (ROOT / "docs/limits.md").read_text(encoding="utf-8")
        self.lines = [
            [cell.strip() for cell in line.strip("|").split("|")]
            for line in text.splitlines()
            if line.startswith("| ") and "---" not in line and not line.startswith("| limit")
        ]
        self.settings = set(re.findall(r"^\| `([a-z-]+)`", (ROOT / "docs/config.md").read_text(
            encoding="utf-8"), re.MULTILINE))

    def test_each_crossing_is_told(self):
        told = [name for line in self.lines for name in re.findall(r"\*([^*]+)\*", line[-1])]
        self.assertEqual(sorted(told), sorted(row.name for row in ROWS))

    def test_settings_exist_and_are_crossed(self):
        rows = {row.name: row for row in ROWS}
        for line in self.lines:
            told = set(re.findall(r"`([a-z-]+)`", line[1]))
            crossed = {
                setting
                for name in re.findall(r"\*([^*]+)\*", line[-1])
                for setting in rows[name].settings()
            }
            self.assertLessEqual(told, self.settings, line)
            if "*" in line[-1]:
                self.assertLessEqual(told, crossed, line)

    def test_what_has_no_setting_has_a_reason(self):
        for line in self.lines:
            if not re.search(r"`[a-z-]+`", line[1]):
                self.assertRegex(line[1], "^fixed: .", line)

    def test_other_tests_exist(self):
        for line in self.lines:
            for path in re.findall(r"`(tests/[^`]+)`", line[-1]):
                self.assertTrue((ROOT / path).exists(), path)


if __name__ == "__main__":
    print(f"{'limit':<28} {'settings':<58}  answer", flush=True)
    # Of versions of TLS that are out of date: to offer them is the point.
    unittest.main(verbosity=0, warnings="ignore")
