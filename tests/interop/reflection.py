"""Asks a server by grpcio for the files that describe its services.

REFLECTION_PB2_DIR says where the messages of reflection for Python are.
"""
import os
import sys

from google.protobuf import descriptor_pb2

sys.path.insert(0, os.environ["REFLECTION_PB2_DIR"])
import reflection_pb2  # pylint: disable=import-error,wrong-import-position

SECONDS = 30  # no call takes as long, on a slow machine under a sanitizer too

REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"


def reflect(channel, symbol):
    """The files that describe a symbol, each after those that it needs."""
    ask = channel.stream_stream(
        REFLECTION,
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    files = {}

    def fetch(**what):
        request = reflection_pb2.ServerReflectionRequest(**what)
        (answer,) = ask(iter([request]), timeout=SECONDS)
        for data in answer.file_descriptor_response.file_descriptor_proto:
            file = descriptor_pb2.FileDescriptorProto.FromString(data)
            for name in file.dependency:
                if name not in files:
                    fetch(file_by_filename=name)
            files.setdefault(file.name, file)

    fetch(file_containing_symbol=symbol)
    return list(files.values())
