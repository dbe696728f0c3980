"""amdrpc watch follows a DigestTree through three restarts of the daemon.

    test_operations_watch.py AMDRPCD AMDRPC

The bar never goes back, and the digests are those of sha256sum, each once.
"""
import hashlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import tempfile
import threading

import daemons

AMDRPCD, AMDRPC = sys.argv[1:3]
NFILES = 60
FILE_BYTES = 24 * 1024 * 1024  # with holes: they are read, and take no room
BAR = re.compile(r"\r *(\d+) %")
METHOD = "amdrpc.checksum.v1.Checksum/DigestTree"


def make_tree(root):
    """Files with holes; their digests by path."""
    digests = {}
    hole = bytes(FILE_BYTES - 8)
    for i in range(NFILES):
        begin = f"{i:08}".encode()
        path = os.path.join(root, f"{i % 7}", f"file-{i}")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(begin)
            file.truncate(FILE_BYTES)
        digests[os.path.relpath(path, root)] = hashlib.sha256(begin + hole).hexdigest()
    return digests


class Terminal:
    """Where the bar is shown: a pseudo terminal, read to its end."""

    def __init__(self):
        self.master, self.slave = pty.openpty()
        self.text = b""
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self):
        while True:
            try:
                some = os.read(self.master, 65536)
            except OSError:  # nobody has the other side any more
                return
            if not some:
                return
            self.text += some

    def finish(self):
        os.close(self.slave)
        self.thread.join()
        os.close(self.master)
        return self.text.decode()


def watch(keeper, name, restarts):
    """Follows it; what was printed on stdout, and on the terminal.

    restarts: after so many digests the daemon is ended by that signal.
    """
    terminal = Terminal()
    watcher = subprocess.Popen(
        [AMDRPC, "watch", "--compact", keeper.target, name],
        stdout=subprocess.PIPE, stderr=terminal.slave, stdin=subprocess.DEVNULL,
        text=True,
    )
    messages = []
    with watcher:
        for line in watcher.stdout:
            messages.append(json.loads(line))
            if len(messages) in restarts:
                keeper.restart(restarts[len(messages)])
    return watcher.returncode, messages, terminal.finish()


def check(messages, bar, expected):
    digests = {}
    for message in messages:
        result = message["result"]
        assert result["path"] not in digests, f"{result['path']} came twice"
        digests[result["path"]] = result["hex"]
    found = {path.split("/tree/")[-1]: value for path, value in digests.items()}
    assert found == expected, "the digests are not those of sha256sum"
    percents = [int(percent) for percent in BAR.findall(bar)]
    assert percents, f"no bar was shown: {bar!r}"
    assert percents == sorted(percents), f"the bar went back: {percents}"


def main():
    with tempfile.TemporaryDirectory() as folder:
        root = os.path.join(folder, "tree")
        os.mkdir(root)
        expected = make_tree(root)
        keeper = daemons.Keeper(
            AMDRPCD, "--module", "checksum", "--set", "checksum.root=" + root,
            "--drain-timeout", "100ms",
        )
        with keeper:
            name = subprocess.run(
                [AMDRPC, "submit", keeper.target, METHOD, json.dumps({"path": root})],
                stdout=subprocess.PIPE, check=True, text=True,
            ).stdout.strip()
            restarts = {
                NFILES // 6: signal.SIGTERM,
                NFILES // 3: signal.SIGKILL,
                NFILES // 2: signal.SIGTERM,
            }
            status, messages, bar = watch(keeper, name, restarts)
        assert status == 0, f"amdrpc watch ended with {status}: {bar}"
        check(messages, bar, expected)
    print(f"{len(expected)} digests, each once, through {len(restarts)} restarts")


main()
