"""The standard interop cases on grpcio, for our server to meet.

    py_client.py --server_host HOST --server_port PORT [--ca_file FILE]
                 [--test_case NAME]...

What grpcio does not let its user see or say, such as whether a message came
compressed, is left to the other peers.
"""
import argparse
import queue
import sys

import grpc

import py_service as service
from py_service import pb

LARGE_REQUEST = 271828
LARGE_RESPONSE = 314159
REQUEST_SIZES = (27182, 8, 1828, 45904)
RESPONSE_SIZES = (31415, 9, 2653, 58979)
STATUS_TEXT = "test status message"
SPECIAL_TEXT = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"
SECONDS = 120


def check(got, wanted, what):
    if got != wanted:
        raise AssertionError(f"{what} is {got!r} instead of {wanted!r}")


def check_fails(code, action):
    """Returns the error, which must have that code."""
    try:
        action()
    except grpc.RpcError as error:
        check(error.code(), code, "the status")
        return error
    raise AssertionError(f"the call succeeded instead of {code}")


def large_request(**fields):
    return pb.SimpleRequest(
        response_size=LARGE_RESPONSE, payload=service.payload(LARGE_REQUEST), **fields
    )


def output_request(size, payload_size, **fields):
    return pb.StreamingOutputCallRequest(
        response_parameters=[pb.ResponseParameters(size=size)],
        payload=service.payload(payload_size),
        **fields,
    )


class Pipe:
    """Requests of a stream, one at a time."""

    def __init__(self, call, timeout=SECONDS):
        self.requests = queue.SimpleQueue()
        self.call = call(iter(self.requests.get, None), timeout=timeout)

    def send(self, request):
        self.requests.put(request)

    def close(self):
        self.requests.put(None)


def empty_unary(channel):
    service.stub(channel, "EmptyCall")(pb.Empty(), timeout=SECONDS)


def large_unary(channel):
    response = service.stub(channel, "UnaryCall")(large_request(), timeout=SECONDS)
    check(len(response.payload.body), LARGE_RESPONSE, "the payload's size")


def client_compressed_unary(channel):
    call = service.stub(channel, "UnaryCall")
    expecting = large_request(expect_compressed=pb.BoolValue(value=True))
    check_fails(
        grpc.StatusCode.INVALID_ARGUMENT, lambda: call(expecting, timeout=SECONDS)
    )
    response = call(expecting, timeout=SECONDS, compression=grpc.Compression.Gzip)
    check(len(response.payload.body), LARGE_RESPONSE, "the payload's size")


def server_compressed_unary(channel):
    for compressed in (True, False):
        request = large_request(response_compressed=pb.BoolValue(value=compressed))
        response = service.stub(channel, "UnaryCall")(request, timeout=SECONDS)
        check(len(response.payload.body), LARGE_RESPONSE, "the payload's size")


def client_streaming(channel):
    requests = (
        pb.StreamingInputCallRequest(payload=service.payload(size))
        for size in REQUEST_SIZES
    )
    response = service.stub(channel, "StreamingInputCall")(requests, timeout=SECONDS)
    check(response.aggregated_payload_size, 74922, "the sum")


def read_sizes(channel, request):
    call = service.stub(channel, "StreamingOutputCall")(request, timeout=SECONDS)
    return [len(response.payload.body) for response in call]


def server_streaming(channel):
    parameters = [pb.ResponseParameters(size=size) for size in RESPONSE_SIZES]
    request = pb.StreamingOutputCallRequest(response_parameters=parameters)
    check(read_sizes(channel, request), list(RESPONSE_SIZES), "the sizes")


def server_compressed_streaming(channel):
    parameters = [
        pb.ResponseParameters(size=31415, compressed=pb.BoolValue(value=True)),
        pb.ResponseParameters(size=92653, compressed=pb.BoolValue(value=False)),
    ]
    request = pb.StreamingOutputCallRequest(response_parameters=parameters)
    check(read_sizes(channel, request), [31415, 92653], "the sizes")


def ping_pong(channel):
    pipe = Pipe(service.stub(channel, "FullDuplexCall"))
    for request_size, response_size in zip(REQUEST_SIZES, RESPONSE_SIZES):
        pipe.send(output_request(response_size, request_size))
        check(len(next(pipe.call).payload.body), response_size, "the payload's size")
    pipe.close()
    check(list(pipe.call), [], "what follows")


def empty_stream(channel):
    call = service.stub(channel, "FullDuplexCall")(iter(()), timeout=SECONDS)
    check(list(call), [], "what comes")


def cancel_after_begin(channel):
    pipe = Pipe(service.stub(channel, "StreamingInputCall").future)
    pipe.call.cancel()
    check(pipe.call.cancelled(), True, "being cancelled")
    check(pipe.call.code(), grpc.StatusCode.CANCELLED, "the status")
    pipe.close()


def cancel_after_first_response(channel):
    pipe = Pipe(service.stub(channel, "FullDuplexCall"))
    pipe.send(output_request(RESPONSE_SIZES[0], REQUEST_SIZES[0]))
    check(len(next(pipe.call).payload.body), RESPONSE_SIZES[0], "the payload's size")
    pipe.call.cancel()
    check_fails(grpc.StatusCode.CANCELLED, lambda: next(pipe.call))
    pipe.close()


def timeout_on_sleeping_server(channel):
    pipe = Pipe(service.stub(channel, "FullDuplexCall"), timeout=0.001)
    pipe.send(pb.StreamingOutputCallRequest(payload=service.payload(27182)))
    check_fails(grpc.StatusCode.DEADLINE_EXCEEDED, lambda: next(pipe.call))
    pipe.close()


def check_echoes(call):
    initial = dict(call.initial_metadata())
    trailing = dict(call.trailing_metadata())
    check(initial.get(service.ECHO_INITIAL), "test_initial_metadata_value", "the echo")
    check(trailing.get(service.ECHO_TRAILING), b"\xab\xab\xab", "the echo")


def custom_metadata(channel):
    metadata = [
        (service.ECHO_INITIAL, "test_initial_metadata_value"),
        (service.ECHO_TRAILING, b"\xab\xab\xab"),
    ]
    _, call = service.stub(channel, "UnaryCall").with_call(
        large_request(), timeout=SECONDS, metadata=metadata
    )
    check_echoes(call)
    requests = iter([output_request(LARGE_RESPONSE, LARGE_REQUEST)])
    call = service.stub(channel, "FullDuplexCall")(
        requests, timeout=SECONDS, metadata=metadata
    )
    check(len(list(call)), 1, "the number of responses")
    check_echoes(call)


def check_status_unary(channel, text):
    request = pb.SimpleRequest(response_status=pb.EchoStatus(code=2, message=text))
    call = service.stub(channel, "UnaryCall")
    error = check_fails(grpc.StatusCode.UNKNOWN, lambda: call(request, timeout=SECONDS))
    check(error.details(), text, "the status message")


def status_code_and_message(channel):
    check_status_unary(channel, STATUS_TEXT)
    status = pb.EchoStatus(code=2, message=STATUS_TEXT)
    requests = iter([pb.StreamingOutputCallRequest(response_status=status)])
    call = service.stub(channel, "FullDuplexCall")(requests, timeout=SECONDS)
    error = check_fails(grpc.StatusCode.UNKNOWN, lambda: next(call))
    check(error.details(), STATUS_TEXT, "the status message")


def special_status_message(channel):
    check_status_unary(channel, SPECIAL_TEXT)


def unimplemented_method(channel):
    call = service.stub(channel, "UnimplementedCall")
    check_fails(grpc.StatusCode.UNIMPLEMENTED, lambda: call(pb.Empty(), timeout=SECONDS))


def unimplemented_service(channel):
    call = service.stub(
        channel, "UnimplementedCall", service="grpc.testing.UnimplementedService"
    )
    check_fails(grpc.StatusCode.UNIMPLEMENTED, lambda: call(pb.Empty(), timeout=SECONDS))


CASES = [
    empty_unary,
    large_unary,
    client_compressed_unary,
    server_compressed_unary,
    client_streaming,
    server_streaming,
    server_compressed_streaming,
    ping_pong,
    empty_stream,
    cancel_after_begin,
    cancel_after_first_response,
    timeout_on_sleeping_server,
    custom_metadata,
    status_code_and_message,
    special_status_message,
    unimplemented_method,
    unimplemented_service,
]


def run(case, channel):
    """Prints how the case went; returns whether it passed."""
    try:
        case(channel)
    except (AssertionError, grpc.RpcError, StopIteration) as wrong:
        print(f"{case.__name__}: failed: {' '.join(repr(wrong).split())}", flush=True)
        return False
    print(f"{case.__name__}: passed", flush=True)
    return True


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server_host", default="127.0.0.1")
    parser.add_argument("--server_port", required=True)
    parser.add_argument("--ca_file")
    parser.add_argument("--test_case", action="append", default=[])
    options = parser.parse_args()

    target = f"{options.server_host}:{options.server_port}"
    if options.ca_file:
        credentials = grpc.ssl_channel_credentials(service.read(options.ca_file))
        channel = grpc.secure_channel(target, credentials)
    else:
        channel = grpc.insecure_channel(target)
    chosen = [
        case
        for case in CASES
        if not options.test_case or case.__name__ in options.test_case
    ]
    with channel:
        results = [run(case, channel) for case in chosen]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
