"""Limits of operations: how many wait, how much is kept."""
import itertools
import re

import http2
from attacker import Attacker
from daemon import wait_for
from floods import expect
from limits import BLOCK, ECHO, EXHAUSTED, HI, OK, Row, ms, status_of
from messages import varint

SUBMIT = b"/amdrpc.v1.Operations/Submit"
GET = b"/google.longrunning.Operations/GetOperation"
NAME = re.compile(rb"operations/\w{13}")
NOT_FOUND = 5
LARGE = 15000  # bytes; a frame takes them


def field(number, value):
    """A string or message of less than 2 MiB."""
    return bytes([number << 3 | 2]) + varint(len(value)) + value


def submission(path, request, request_id=b""):
    return field(1, path) + field(2, request) + field(3, request_id)


def submit(attacker, stream, path, request, request_id=b""):
    """Makes an operation; its name."""
    attacker.send(http2.call(stream, SUBMIT, submission(path, request, request_id)))
    status_of(attacker, stream, OK)
    return NAME.search(attacker.bodies[stream]).group(0)


def status_of_get(attacker, stream, name):
    attacker.send(http2.call(stream, GET, field(1, name)))
    return attacker.wait_status(stream)


def unfinished(daemon):
    """Two wait or run; a third is refused, unless it is one of them."""
    with Attacker(daemon) as attacker:
        name = submit(attacker, 1, BLOCK, ms(20000), b"first")
        submit(attacker, 3, BLOCK, ms(20000))
        attacker.send(http2.call(5, SUBMIT, submission(ECHO, HI)))
        outcome = status_of(attacker, 5, EXHAUSTED)
        attacker.send(http2.call(7, ECHO, HI, ((b"amdrpc-detach", b"now"),)))
        status_of(attacker, 7, EXHAUSTED)
        again = submit(attacker, 9, BLOCK, ms(20000), b"first")
        expect(again == name, f"{again} is not {name}")
        return outcome


def first_goes(daemon, request, count):
    """Of so many the first is not kept, and the last one is."""
    with Attacker(daemon) as attacker:
        streams = itertools.count(1, 2)
        names = [submit(attacker, next(streams), ECHO, request) for _ in range(count)]
        wait_for(
            "the first to be gone",
            lambda: status_of_get(attacker, next(streams), names[0]) == NOT_FOUND,
        )
        status = status_of_get(attacker, next(streams), names[-1])
        expect(status == OK, f"the last: {status}")
        return f"the first of {count} is gone"


def kept(daemon):
    return first_goes(daemon, HI, 4)


def kept_bytes(daemon):
    return first_goes(daemon, field(1, b"x" * LARGE), 80)


def waiting_bytes(daemon):
    """What waits is not swept: once it fills the store, there is no room."""
    request = ms(20000) + field(15, b"x" * LARGE)  # a field that is not known
    with Attacker(daemon) as attacker:
        for count in range(200):
            stream = 2 * count + 1
            attacker.send(http2.call(stream, SUBMIT, submission(BLOCK, request)))
            if attacker.wait_status(stream) != OK:
                break
        outcome = status_of(attacker, stream, EXHAUSTED)
        expect(count > 10, f"after {count}")
        return f"{outcome} after {count} of {LARGE} bytes"


ROWS = (
    Row("unfinished operations", ["--operation-max-unfinished", "2"], unfinished),
    Row("operations kept", ["--operation-max-kept", "2"], kept),
    Row("bytes of operations", ["--operation-max-kept-bytes", "1m"], kept_bytes),
    Row("bytes of waiting operations", ["--operation-max-kept-bytes", "1m"], waiting_bytes),
)
