"""grpc.testing.TestService for grpcio: paths and messages, without stubs."""
import os
import sys

sys.path.insert(0, os.environ["INTEROP_PB2_DIR"])
import test_service_pb2 as pb  # pylint: disable=wrong-import-position

SERVICE = "grpc.testing.TestService"
ECHO_INITIAL = "x-grpc-test-echo-initial"
ECHO_TRAILING = "x-grpc-test-echo-trailing-bin"

# The name of each method, the kind of its call, and its messages.
METHODS = {
    "EmptyCall": ("unary_unary", pb.Empty, pb.Empty),
    "UnaryCall": ("unary_unary", pb.SimpleRequest, pb.SimpleResponse),
    "StreamingOutputCall": (
        "unary_stream",
        pb.StreamingOutputCallRequest,
        pb.StreamingOutputCallResponse,
    ),
    "StreamingInputCall": (
        "stream_unary",
        pb.StreamingInputCallRequest,
        pb.StreamingInputCallResponse,
    ),
    "FullDuplexCall": (
        "stream_stream",
        pb.StreamingOutputCallRequest,
        pb.StreamingOutputCallResponse,
    ),
    "UnimplementedCall": ("unary_unary", pb.Empty, pb.Empty),
}


def payload(size):
    return pb.Payload(body=bytes(size))


def stub(channel, name, service=SERVICE):
    """What calls a method."""
    kind, request, response = METHODS[name]
    return getattr(channel, kind)(
        f"/{service}/{name}",
        request_serializer=request.SerializeToString,
        response_deserializer=response.FromString,
    )


def read(path):
    with open(path, "rb") as file:
        return file.read()
