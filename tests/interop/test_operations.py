"""Tests operations with grpcio's client, whose messages come by reflection.

    test_operations.py AMDRPCD

REFLECTION_PB2_DIR says where the messages of reflection for Python are.
"""
import sys
import time
import unittest

import grpc
from google.protobuf import empty_pb2, message_factory

from reflection import SECONDS, reflect
from run_interop import Server

AMDRPCD = sys.argv.pop(1)

STANDARD = "google.longrunning."
OWN = "amdrpc.v1."
BENCH = "amdrpc.bench.v1."


class OperationsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(AMDRPCD, "--log-level", "warn", "--module", "bench",
                            "--listen", "127.0.0.1:0")
        cls.channel = grpc.insecure_channel(f"127.0.0.1:{cls.server.port}")
        files = []
        for symbol in (STANDARD + "Operations", OWN + "Operations", BENCH + "Bench"):
            for file in reflect(cls.channel, symbol):
                if file.name not in [other.name for other in files]:
                    files.append(file)
        cls.messages = message_factory.GetMessages(files)

    @classmethod
    def tearDownClass(cls):
        cls.channel.close()
        cls.server.stop()

    def message(self, kind, /, **fields):
        return self.messages[kind](**fields)

    def method(self, path, answer, kind="unary_unary"):
        return getattr(self.channel, kind)(
            path,
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=answer.FromString,
        )

    def call(self, method, answer=None, /, **fields):
        """Calls a method of the standard service."""
        request = self.message(f"{STANDARD}{method}Request", **fields)
        answer = answer or self.messages[STANDARD + "Operation"]
        return self.method(f"/{STANDARD}Operations/{method}", answer)(request, timeout=SECONDS)

    def submit(self, method, request, /, **fields):
        submission = self.message(OWN + "SubmitRequest", method=f"/{BENCH}Bench/{method}",
                                  request=request.SerializeToString(), **fields)
        return self.method(f"/{OWN}Operations/Submit", self.messages[STANDARD + "Operation"])(
            submission, timeout=SECONDS)

    def submit_sleep(self, **fields):
        return self.submit("Sleep", self.message(BENCH + "SleepRequest"), **fields)

    def submit_for_later(self):
        return self.submit_sleep(start_at={"seconds": int(time.time()) + 3600})

    def assert_status(self, code, call, /, *args, **fields):
        with self.assertRaises(grpc.RpcError) as caught:
            call(*args, **fields)
        self.assertEqual(caught.exception.code(), code)

    def test_operation_is_waited_for(self):
        echo = self.message(BENCH + "EchoRequest", payload=b"hello")
        submitted = self.submit("Echo", echo)

        done = self.call("WaitOperation", name=submitted.name)

        self.assertTrue(done.done)
        self.assertEqual(done.WhichOneof("result"), "response")
        response = self.messages[BENCH + "EchoResponse"]()
        response.ParseFromString(done.response.value)
        self.assertEqual(response.payload, b"hello")
        self.assertEqual(self.call("GetOperation", name=submitted.name), done)

    def test_wait_has_a_timeout(self):
        submitted = self.submit_for_later()

        waited = self.call("WaitOperation", name=submitted.name,
                           timeout={"nanos": 1000000})

        self.assertFalse(waited.done)
        self.call("CancelOperation", empty_pb2.Empty, name=submitted.name)

    def test_operation_is_cancelled_and_deleted(self):
        submitted = self.submit_for_later()
        self.assert_status(grpc.StatusCode.FAILED_PRECONDITION, self.call, "DeleteOperation",
                           empty_pb2.Empty, name=submitted.name)

        self.call("CancelOperation", empty_pb2.Empty, name=submitted.name)
        done = self.call("WaitOperation", name=submitted.name)
        self.assertEqual(done.error.code, grpc.StatusCode.CANCELLED.value[0])
        self.call("DeleteOperation", empty_pb2.Empty, name=submitted.name)

        self.assert_status(grpc.StatusCode.NOT_FOUND, self.call, "GetOperation",
                           name=submitted.name)

    def test_pages_are_listed(self):
        names = {self.submit_sleep().name for _ in range(7)}
        seen = set()
        token = ""
        while True:
            page = self.call("ListOperations", self.messages[STANDARD + "ListOperationsResponse"],
                             filter=f'method = "/{BENCH}Bench/Sleep"', page_size=2,
                             page_token=token)
            self.assertLessEqual(len(page.operations), 2)
            seen.update(operation.name for operation in page.operations)
            token = page.next_page_token
            if not token:
                break
        self.assertLessEqual(names, seen)

    def test_metadata_is_an_any(self):
        submitted = self.submit_sleep()

        metadata = self.messages[OWN + "OperationMetadata"]()
        metadata.ParseFromString(submitted.metadata.value)
        self.assertTrue(submitted.metadata.type_url.endswith("/amdrpc.v1.OperationMetadata"))
        self.assertEqual(metadata.method, f"/{BENCH}Bench/Sleep")

    def test_messages_are_watched(self):
        count = self.message(BENCH + "CountRequest", n=20, size=10)
        submitted = self.submit("Count", count)

        watch = self.method(f"/{OWN}Operations/Watch", self.messages[OWN + "WatchResponse"],
                            "unary_stream")
        events = list(watch(self.message(OWN + "WatchRequest", name=submitted.name),
                            timeout=SECONDS))

        kinds = [event.WhichOneof("event") for event in events]
        self.assertEqual(kinds.count("message"), 20)
        self.assertEqual(kinds[-1], "end")
        self.assertTrue(events[-1].end.done)

    def test_call_is_detached(self):
        method = self.method(f"/{BENCH}Bench/Echo", self.messages[BENCH + "EchoResponse"])
        echo = self.message(BENCH + "EchoRequest", payload=b"hello")

        answer, call = method.with_call(echo, timeout=SECONDS,
                                        metadata=(("amdrpc-detach", "on-disconnect"),))

        self.assertEqual(answer.payload, b"hello")
        name = dict(call.initial_metadata())["amdrpc-operation"]
        self.assertTrue(self.call("GetOperation", name=name).done)


if __name__ == "__main__":
    unittest.main()
