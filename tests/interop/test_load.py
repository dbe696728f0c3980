"""Many and large calls of grpcio against the daemon, also while it drains.

    test_load.py AMDRPCD

Needs the module `bench`; messages are written as bytes. Ends with 77, which
meson calls skipped, where grpcio is not installed.
"""
import sys
import unittest

try:
    import grpc
except ImportError:
    print("skipped: python3-grpcio is not installed")
    sys.exit(77)

from run_interop import Server

DAEMON = sys.argv.pop(1)
SECONDS = 60
MIB = 1024 * 1024
ECHO = "/amdrpc.bench.v1.Bench/Echo"
SLEEP = "/amdrpc.bench.v1.Bench/Sleep"
COUNT = "/amdrpc.bench.v1.Bench/Count"


def varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(body):
    """A message with one field of so many bytes."""
    return b"\x0a" + varint(body) + bytes(body)


class LoadTest(unittest.TestCase):
    def setUp(self):
        self.server = Server(
            DAEMON, "--log-level", "warn", "--module", "bench", "--listen", "127.0.0.1:0"
        )
        self.addCleanup(self.server.stop)
        self.channel = grpc.insecure_channel(
            f"127.0.0.1:{self.server.port}",
            options=[("grpc.max_send_message_length", 64 * MIB)],
        )
        self.addCleanup(self.channel.close)

    def start(self, path, message):
        return self.channel.unary_unary(path).future(message, timeout=SECONDS)

    def test_thousand_calls_at_once_are_answered(self):
        messages = [field(size) for size in range(1, 1001)]
        calls = [self.start(ECHO, message) for message in messages]
        for call, message in zip(calls, messages):
            self.assertEqual(call.result(), message)

    def test_largest_message_passes_and_a_larger_one_does_not(self):
        largest = field(4 * MIB - 5)
        self.assertEqual(len(largest), 4 * MIB)
        self.assertEqual(self.start(ECHO, largest).result(), largest)
        for size in (4 * MIB - 4, 40 * MIB):
            error = self.start(ECHO, field(size)).exception()
            self.assertEqual(error.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
            self.assertIn("max_recv_message_bytes", error.details())
        self.assertEqual(self.start(ECHO, b"").result(), b"")

    def test_answer_above_the_client_limit_ends_only_its_call(self):
        request = b"\x08\x01\x10" + varint(5 * MIB)
        call = self.channel.unary_stream(COUNT)(request, timeout=SECONDS)
        with self.assertRaises(grpc.RpcError) as error:
            next(call)
        self.assertEqual(error.exception.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
        self.assertEqual(self.start(ECHO, b"").result(), b"")

    def test_calls_that_were_accepted_are_finished_by_the_drain(self):
        calls = [self.start(SLEEP, b"\x08" + varint(500)) for _ in range(100)]
        # It comes after them on the connection: they have been accepted.
        self.assertEqual(self.start(ECHO, b"").result(), b"")
        self.assertEqual(self.server.stop(), 0)
        for call in calls:
            self.assertEqual(call.result(), b"")


if __name__ == "__main__":
    unittest.main()
