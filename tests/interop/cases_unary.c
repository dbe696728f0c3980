/** Cases with one message each way. */
#include "tests/interop/client.h"

static bool
run_empty_unary(struct interop *in)
{
    struct interop_answer answer;

    return interop_empty(in, interop_method("EmptyCall"), &answer) &&
            interop_check_int(
                    in, "the status", answer.status, AMDRPC_STATUS_OK) &&
            interop_check_int(
                    in, "having a response", answer.has_response, true);
}

static bool
run_large_unary(struct interop *in)
{
    return interop_large_unary(in, in->channel);
}

/* ---- compression ---- */

/** Calls with a large request; the server is told whether to expect gzip. */
static bool
compressed_request(
        struct interop *in, bool expect, bool compress, amdrpc_status_code want)
{
    Grpc__Testing__SimpleRequest request = GRPC__TESTING__SIMPLE_REQUEST__INIT;
    Grpc__Testing__Payload payload = GRPC__TESTING__PAYLOAD__INIT;
    Grpc__Testing__BoolValue expected = GRPC__TESTING__BOOL_VALUE__INIT;
    amdrpc_call_options options = {.compress = compress};
    struct interop_answer answer;

    expected.value = expect;
    payload.body = interop_zeros(INTEROP_LARGE_REQUEST_BYTES);
    request.expect_compressed = &expected;
    request.payload = &payload;
    request.response_size = INTEROP_LARGE_RESPONSE_BYTES;
    if (!interop_unary(in, &request, &options, &answer, NULL) ||
            !interop_check_int(in, "the status", answer.status, want)) {
        return false;
    }
    return want != AMDRPC_STATUS_OK ||
            interop_check_int(in, "the payload's size", answer.size,
                    INTEROP_LARGE_RESPONSE_BYTES);
}

static bool
run_client_compressed_unary(struct interop *in)
{
    // The first is a probe: a server that does not look cannot be tested.
    return compressed_request(in, /*expect=*/true, /*compress=*/false,
                   AMDRPC_STATUS_INVALID_ARGUMENT) &&
            compressed_request(
                    in, /*expect=*/true, /*compress=*/true, AMDRPC_STATUS_OK) &&
            compressed_request(
                    in, /*expect=*/false, /*compress=*/false, AMDRPC_STATUS_OK);
}

static bool
compressed_response(struct interop *in, bool compress)
{
    Grpc__Testing__SimpleRequest request = GRPC__TESTING__SIMPLE_REQUEST__INIT;
    Grpc__Testing__Payload payload = GRPC__TESTING__PAYLOAD__INIT;
    Grpc__Testing__BoolValue compressed = GRPC__TESTING__BOOL_VALUE__INIT;
    struct interop_answer answer;

    compressed.value = compress;
    payload.body = interop_zeros(INTEROP_LARGE_REQUEST_BYTES);
    request.response_compressed = &compressed;
    request.payload = &payload;
    request.response_size = INTEROP_LARGE_RESPONSE_BYTES;
    return interop_unary(in, &request, NULL, &answer, NULL) &&
            interop_check_int(
                    in, "the status", answer.status, AMDRPC_STATUS_OK) &&
            interop_check_int(in, "the compressed flag", answer.was_compressed,
                    compress) &&
            interop_check_int(in, "the payload's size", answer.size,
                    INTEROP_LARGE_RESPONSE_BYTES);
}

static bool
run_server_compressed_unary(struct interop *in)
{
    return compressed_response(in, true) && compressed_response(in, false);
}

const struct interop_case interop_unary_cases[] = {
        {"empty_unary", run_empty_unary},
        {"large_unary", run_large_unary},
        {"client_compressed_unary", run_client_compressed_unary},
        {"server_compressed_unary", run_server_compressed_unary},
        {NULL, NULL},
};
