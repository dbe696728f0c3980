"""Programs that crash behind their methods, many at once."""
import os
import pathlib
import queue

import grpc
from daemon import wait_for
from floods import expect

COMMAND = "/amdrpc.command.v1.Command/"
ECHO = "/amdrpc.bench.v1.Bench/Echo"
HI = b"\x0a\x02hi"  # an EchoRequest, and its response
STDIN_HI = b"\x12\x02hi"  # a RunRequest
STDOUT_HI = b"\x1a\x02hi"  # a RunOutput
OK, ABORTED, UNKNOWN = grpc.StatusCode.OK, grpc.StatusCode.ABORTED, grpc.StatusCode.UNKNOWN
SECONDS = 120  # none of them takes as long, on a slow machine under a sanitizer too

CALLS = 25  # of each program, at once; far more than may run
ROUNDS = 3
# In the environment of each process of a program, and of no other run of this.
NAME, VALUE = "AMDRPC_ATTACK", os.getpid()
MARK = f"{NAME}={VALUE}\0".encode()

FLAGS = ["--module", "command"]
SETTINGS = f"""
[command "aborts"]
argv = /bin/sh -c 'sleep 1000 & kill -ABRT $$'
env.{NAME} = {VALUE}
max-running = 4

[command "segfaults"]
argv = /bin/sh -c 'echo before; kill -SEGV $$'
env.{NAME} = {VALUE}
max-running = 4

[command "is_killed"]
argv = /bin/sh -c 'kill -KILL $$'
env.{NAME} = {VALUE}
max-running = 4

[command "takes_memory"]
argv = /bin/dd if=/dev/zero of=/dev/null bs=128M count=1
env.{NAME} = {VALUE}
max-running = 4
max-memory = 64m

[command "goes_on"]
argv = /bin/cat
env.{NAME} = {VALUE}
stdin = stream
"""

# How each of them ends.
ENDS = {
    "aborts": (ABORTED, "aborts was ended by signal 6 (Aborted)"),
    "segfaults": (ABORTED, "segfaults was ended by signal 11 (Segmentation fault)"),
    "is_killed": (ABORTED, "is_killed was ended by signal 9 (Killed)"),
    "takes_memory": (UNKNOWN, "takes_memory ended with exit status 1"),
}


def processes(daemon):
    """What runs for a command, and what the daemon has not waited for."""
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            parent = folder.joinpath("stat").read_text().rpartition(")")[2].split()[1]
            environment = folder.joinpath("environ").read_bytes()
        except OSError:  # gone meanwhile, or another user's
            continue
        if int(parent) == daemon.process.pid or MARK in environment:
            found.append(int(folder.name))
    return found


class Neighbour:
    """A run that began before, and goes on after the others have crashed."""

    def __init__(self, channel):
        self.requests = queue.SimpleQueue()
        self.call = channel.stream_stream(COMMAND + "goes_on")(
            iter(self.requests.get, None), timeout=SECONDS
        )
        self.check()

    def check(self):
        self.requests.put(STDIN_HI)
        output = next(self.call)
        expect(output == STDOUT_HI, str(output))

    def finish(self):
        self.requests.put(None)
        expect(end_of(self.call)[0] == OK, str(self.call))


def end_of(call):
    """Its status and message, once it has brought all else."""
    try:
        for _ in call:
            pass
    except grpc.RpcError:
        pass  # the call knows how it ended
    return call.code(), call.details()


def crash_many(daemon):
    """All over one connection, with good calls and a run that goes on."""
    with grpc.insecure_channel(f"127.0.0.1:{daemon.port}") as channel:
        neighbour = Neighbour(channel)
        expect(processes(daemon), "its process is not seen")
        crashes, good = [], []
        for name in CALLS * list(ENDS):
            crashes.append((name, channel.unary_stream(COMMAND + name)(b"", timeout=SECONDS)))
            good.append(channel.unary_unary(ECHO).future(HI, timeout=SECONDS))
        for name, call in crashes:
            end = end_of(call)
            expect(end == ENDS[name], f"{name}: {end}")
        for call in good:
            expect(call.result() == HI, str(call))
        neighbour.check()
        neighbour.finish()


def worker_abort(daemon):
    """The daemon keeps nothing of them: slot, process or descriptor."""
    fds = daemon.fds()
    for _ in range(ROUNDS):
        crash_many(daemon)
    wait_for("the end of its descriptors", lambda: daemon.fds() <= fds)
    wait_for("the end of its processes", lambda: not processes(daemon))
    return f"{ROUNDS * CALLS * len(ENDS)} programs crashed, nothing left"


ATTACKS = (("worker abort", worker_abort),)
