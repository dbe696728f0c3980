"""What the rows of the limits have in common."""
import dataclasses
import typing

import http2
from attacker import Attacker
from daemon import wait_for
from floods import expect
from messages import varint

ECHO = b"/amdrpc.bench.v1.Bench/Echo"
ECHO_INLINE = b"/amdrpc.bench.v1.Bench/EchoInline"
SLEEP = b"/amdrpc.bench.v1.Bench/Sleep"
BLOCK = b"/amdrpc.bench.v1.Bench/Block"
COUNT = b"/amdrpc.bench.v1.Bench/Count"
HI = b"\x0a\x02hi"

OK, DEADLINE_EXCEEDED, EXHAUSTED, UNAVAILABLE = 0, 4, 8, 14
NO_ERROR, FLOW_CONTROL, FRAME_SIZE, REFUSED, CANCEL, COMPRESSION, CALM = 0, 3, 6, 7, 8, 9, 11


@dataclasses.dataclass
class Row:
    """A limit, small enough to be crossed, and who crosses it.

    `cross` gets the daemon, and returns what was answered.
    """

    name: str
    flags: typing.List[str]
    cross: typing.Callable
    max_fds: typing.Optional[int] = None
    is_tls: bool = False

    def settings(self):
        return [word[2:] for word in self.flags if word.startswith("--")]


def ms(number):
    """The request of Sleep and Block."""
    return b"\x08" + varint(number)


def served(attacker, stream, extra=()):
    """A call is answered: what came before is within the limits."""
    attacker.send(http2.call(stream, ECHO, HI, extra))
    status = attacker.wait_status(stream)
    expect(status == OK, f"stream {stream}: {status}: {attacker}")


def status_of(attacker, stream, status):
    got = attacker.wait_status(stream)
    expect(got == status, f"status {got}, not {status}: {attacker}")
    return f"status {got}"


def reset_of(attacker, stream, code):
    attacker.wait(f"RST_STREAM of {stream}", lambda: stream in attacker.resets)
    got = attacker.resets.get(stream)
    expect(got == code, f"RST_STREAM {got}, not {code}: {attacker}")
    return f"RST_STREAM {got}"


def goaway_of(attacker, code, text):
    attacker.wait("GOAWAY", lambda: attacker.goaway)
    expect(attacker.goaway == (code, text), f"not {code} {text!r}: {attacker}")
    return f"GOAWAY {code} {text!r}"


def logged(daemon, text):
    wait_for(f"{text!r} in the log", lambda: text in daemon.log())
    return f"closed: {text}"


def flood(daemon, frame, text, before=b"", times=1000):
    """So many frames, which the server ends the connection for."""
    with Attacker(daemon) as attacker:
        attacker.send(before)
        attacker.flood(frame, times, chunk=len(frame))
        return goaway_of(attacker, CALM, text)
