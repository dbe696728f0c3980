"""The programs that the tests of commands make methods of, and who runs them."""
import base64
import json
import os
import time

from programs import read_messages

STATUS = 64  # before a status in the exit status: see amdrpc(1)
SECONDS = 60  # no step takes as long, on a slow machine under a sanitizer too

# DIR is replaced by the folder in which all of this lies.
SETTINGS = r"""
max-queued-bytes = 4k

[command "echo"]
description = Prints its arguments, one a line
argv = DIR/arguments.sh first {text} "x={more:a  b}" '{text}' "\{text}" ''
param.text = string
param.text.max = 40
param.more = string
param.more.dash = allowed

[command "types"]
argv = DIR/arguments.sh {path:DIR/x} {number:7} {choice:b} {code:ab1}
param.path = path
param.path.below = DIR
param.number = int
param.number.min = -3
param.number.max = 12
param.choice = enum(a,b,long one)
param.code = string
param.code.pattern = [a-z]+[0-9]

[command "sum"]
argv = /usr/bin/sha256sum
stdin = request

[command "cat"]
argv = /bin/cat
stdin = stream
max-input = 64m

[command "head"]
argv = /usr/bin/head -c 3
stdin = stream

[command "short_input"]
argv = /bin/cat
stdin = stream
max-input = 10

[command "sh_exit"]
argv = /bin/sh -c 'echo out; echo err >&2; exit "$1"' sh {code}
param.code = int

[command "signal"]
argv = /bin/sh -c 'kill -SEGV $$'

[command "facts"]
argv = DIR/facts.sh
env.GREETING = good morning
directory = DIR
max-open-files = 20

[command "family"]
argv = DIR/family.sh {folder}
param.folder = path
kill-after = 300ms

[command "gentle"]
argv = DIR/gentle.sh {folder}
param.folder = path
kill-after = 60s

[command "timeout"]
argv = DIR/family.sh {folder}
param.folder = path
timeout = 300ms
kill-after = 300ms

[command "orphan"]
argv = DIR/orphan.sh {folder}
param.folder = path

[command "flood"]
argv = /usr/bin/yes
max-output = 100000

[command "much"]
argv = /usr/bin/head -c 8000000 DIR/random

[command "memory"]
argv = /usr/bin/python3 -c 'x = bytearray(400000000)'
max-memory = 300m

[command "file"]
argv = /bin/dd if=/dev/zero of={path} bs=1000 count=100
param.path = path
max-file = 10k

[command "progress"]
argv = DIR/progress.sh
progress = ^step ([0-9]+) of ([0-9]+)$

[command "percent"]
argv = /bin/sh -c 'printf "10%%\r50.5%%\r"; echo 100%'
progress = ^([0-9.]+)%
progress-from = stdout
progress-total = 100

[command "gone"]
argv = DIR/gone.sh

[command "no_format"]
argv = DIR/no_format

[command "one"]
argv = DIR/family.sh {folder}
param.folder = path
kill-after = 300ms
max-running = 1
max-queued = 1
"""

SCRIPTS = {
    "arguments.sh": 'for word in "$@"; do printf "[%s]\\n" "$word"; done',
    # Its own environment and descriptors, and what it may not inherit.
    "facts.sh": """
env | sort
echo "cwd=$(pwd)"
echo -n "fds="; ls -x /proc/$$/fd
echo "stdin=$(readlink /proc/$$/fd/0)"
echo "limit=$(ulimit -n) core=$(ulimit -c)"
read pid name state parent group session rest < /proc/$$/stat
[ "$$" = "$group" ] && [ "$$" = "$session" ] && echo leader
grep -E '^(SigBlk|SigIgn|NoNewPrivs)' /proc/self/status
""",
    # Children and grandchildren that do not want to end.
    "family.sh": """
trap '' TERM
(trap '' TERM; sh -c 'trap "" TERM; echo $$ > "$1/grandchild"; exec sleep 1000' sh "$1") &
while [ ! -s "$1/grandchild" ]; do sleep 0.01; done
echo $$ > "$1/leader"
echo ready
while :; do sleep 1000; done
""",
    "gentle.sh": """
trap 'echo tidied > "$1/tidied"; exit 0' TERM
echo $$ > "$1/leader"
echo ready
while :; do sleep 0.05; done
""",
    "orphan.sh": """
sh -c 'echo $$ > "$1/grandchild"; exec sleep 1000' sh "$1" &
while [ ! -s "$1/grandchild" ]; do sleep 0.01; done
echo done
""",
    "progress.sh": """
echo "starting" >&2
for i in 1 2 3 4; do echo "step $i of 4" >&2; done
echo "result"
""",
    "gone.sh": "echo here",
}


def make_folder(folder):
    """Writes programs and the settings for them; returns the settings' path."""
    for name, text in SCRIPTS.items():
        path = os.path.join(folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n" + text)
        os.chmod(path, 0o755)
    with open(os.path.join(folder, "random"), "wb") as file:
        file.write(os.urandom(8_000_000))
    with open(os.path.join(folder, "no_format"), "wb") as file:
        file.write(b"\x00\x01\x02")
    os.chmod(os.path.join(folder, "no_format"), 0o755)
    settings = os.path.join(folder, "settings")
    with open(settings, "w", encoding="utf-8") as file:
        file.write(SETTINGS.replace("DIR", folder))
    return settings


class Answer:
    """What a call of a command brought."""

    def __init__(self, result):
        self.status = result.status - STATUS if result.status else 0
        self.err = result.err
        self.messages = read_messages(result.out)
        self.stdout = self._join("stdout")
        self.stderr = self._join("stderr")
        self.progress = [one["progress"] for one in self.messages if "progress" in one]
        self.exit = next((one["exit"] for one in self.messages if "exit" in one), None)

    def _join(self, name):
        return b"".join(base64.b64decode(one.get(name, "")) for one in self.messages)

    def __repr__(self):
        return f"status {self.status}, {self.err!r}, {self.messages!r:.2000}"


def request(stdin=None, **parameters):
    message = {"parameters": parameters}
    if stdin is not None:
        message["stdin"] = base64.b64encode(stdin).decode()
    return json.dumps(message)


def is_alive(pid):
    """Whether a process runs; a zombie, whose parent is to blame, does not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition):
    end = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("it does not come true")
        time.sleep(0.01)


def read_pid(*path):
    """The number in a file, once it is there."""
    name = os.path.join(*path)
    wait_until(lambda: os.path.exists(name) and os.path.getsize(name) > 0)
    with open(name, encoding="utf-8") as file:
        return int(file.read())
