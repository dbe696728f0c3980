"""grpc.testing.TestService on grpcio, for our client to meet.

    py_server.py --port-file FILE [--cert_file FILE --key_file FILE]

Serves on a free port of 127.0.0.1, which it writes to the file, until it is
killed.
"""
import argparse
import concurrent.futures
import os
import time

import grpc

import py_service as service
from py_service import pb


def echo_metadata(context):
    metadata = dict(context.invocation_metadata())
    if service.ECHO_INITIAL in metadata:
        value = metadata[service.ECHO_INITIAL]
        context.send_initial_metadata([(service.ECHO_INITIAL, value)])
    if service.ECHO_TRAILING in metadata:
        value = metadata[service.ECHO_TRAILING]
        context.set_trailing_metadata([(service.ECHO_TRAILING, value)])


def end_as_asked(request, context):
    """Raises when the request asks for a status."""
    if request.HasField("response_status"):
        codes = {code.value[0]: code for code in grpc.StatusCode}
        status = request.response_status
        context.abort(codes[status.code], status.message)


def on_empty(_request, context):
    echo_metadata(context)
    return pb.Empty()


def on_unary(request, context):
    if request.response_compressed.value:
        context.set_compression(grpc.Compression.Gzip)
    echo_metadata(context)
    end_as_asked(request, context)
    response = pb.SimpleResponse(payload=service.payload(request.response_size))
    if request.fill_server_id:
        response.server_id = "python"
    return response


def play(request, context):
    """A response for each of the request's parameters."""
    for parameters in request.response_parameters:
        time.sleep(parameters.interval_us / 1e6)
        if not parameters.compressed.value:
            context.disable_next_message_compression()
        yield pb.StreamingOutputCallResponse(payload=service.payload(parameters.size))


def on_streaming_output(request, context):
    context.set_compression(grpc.Compression.Gzip)
    echo_metadata(context)
    yield from play(request, context)


def on_streaming_input(requests, context):
    echo_metadata(context)
    total = sum(len(request.payload.body) for request in requests)
    return pb.StreamingInputCallResponse(aggregated_payload_size=total)


def on_full_duplex(requests, context):
    echo_metadata(context)
    for request in requests:
        end_as_asked(request, context)
        yield from play(request, context)


HANDLERS = {
    "EmptyCall": on_empty,
    "UnaryCall": on_unary,
    "StreamingOutputCall": on_streaming_output,
    "StreamingInputCall": on_streaming_input,
    "FullDuplexCall": on_full_duplex,
}


def make_handler(name):
    kind, request, response = service.METHODS[name]
    make = getattr(grpc, f"{kind}_rpc_method_handler")
    return make(
        HANDLERS[name],
        request_deserializer=request.FromString,
        response_serializer=response.SerializeToString,
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port-file", required=True)
    parser.add_argument("--cert_file")
    parser.add_argument("--key_file")
    options = parser.parse_args()

    server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=8))
    handlers = {name: make_handler(name) for name in HANDLERS}
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(service.SERVICE, handlers)]
    )
    if options.cert_file:
        pair = (service.read(options.key_file), service.read(options.cert_file))
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    # The name appears once the file is whole.
    with open(options.port_file + ".new", "w", encoding="ascii") as file:
        file.write(f"{port}\n")
    os.rename(options.port_file + ".new", options.port_file)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
