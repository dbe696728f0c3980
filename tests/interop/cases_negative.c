/**
 * gRPC's negative HTTP/2 cases: how the client copes with a server that plays
 * the case of the same name (http2_server.py). Run when asked for only.
 */
#include "tests/interop/client.h"

#define MAX_STREAMS_CALLS 10u

/** The server says GOAWAY during the first; the second must not notice. */
static bool
run_goaway(struct interop *in)
{
    return interop_large_unary(in, in->channel) &&
            interop_large_unary(in, in->channel);
}

static bool
run_ping(struct interop *in)
{
    return interop_large_unary(in, in->channel);
}

/** The first call lets the server tell its limit to the others. */
static bool
run_max_streams(struct interop *in)
{
    return interop_large_unary(in, in->channel) &&
            interop_concurrent_large_unary(in, MAX_STREAMS_CALLS);
}

/** The stream is reset before its status: the call must not succeed. */
static bool
run_reset(struct interop *in)
{
    Grpc__Testing__SimpleRequest request = GRPC__TESTING__SIMPLE_REQUEST__INIT;
    Grpc__Testing__Payload payload = GRPC__TESTING__PAYLOAD__INIT;
    struct interop_answer answer;

    payload.body = interop_zeros(INTEROP_LARGE_REQUEST_BYTES);
    request.payload = &payload;
    request.response_size = INTEROP_LARGE_RESPONSE_BYTES;
    return interop_unary(in, &request, NULL, &answer, NULL) &&
            (answer.status != AMDRPC_STATUS_OK ||
                    interop_fail(in, "a call that was reset is OK"));
}

const struct interop_case interop_negative_cases[] = {
        {"goaway", run_goaway},
        {"rst_after_header", run_reset},
        {"rst_during_data", run_reset},
        {"rst_after_data", run_reset},
        {"ping", run_ping},
        {"max_streams", run_max_streams},
        {NULL, NULL},
};
