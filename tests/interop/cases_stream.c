/** Cases with streams, and their ends before their time. */
#include "tests/interop/client.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const int32_t request_sizes[] = {27182, 8, 1828, 45904};
static const int32_t response_sizes[] = {31415, 9, 2653, 58979};

/* ---- client streaming ---- */

static bool
send_input(struct interop *in, amdrpc_client_call *call, int32_t size,
        bool is_compressed)
{
    Grpc__Testing__StreamingInputCallRequest request =
            GRPC__TESTING__STREAMING_INPUT_CALL_REQUEST__INIT;
    Grpc__Testing__BoolValue expected = GRPC__TESTING__BOOL_VALUE__INIT;
    Grpc__Testing__Payload payload = GRPC__TESTING__PAYLOAD__INIT;
    amdrpc_err err;

    expected.value = is_compressed;
    payload.body = interop_zeros(size);
    request.payload = &payload;
    request.expect_compressed = &expected;
    err = amdrpc_client_call_send(call, &request.base);
    return err == AMDRPC_OK ||
            interop_fail(in, "cannot send: %s", amdrpc_err_text(err));
}

/** Ends the request stream, looks at the answer, and drops the call. */
static bool
finish_input_take(struct interop *in, amdrpc_client_call *call,
        amdrpc_status_code status, int64_t sum)
{
    struct interop_answer answer;
    bool is_done;

    amdrpc_client_call_close_send(call);
    is_done = interop_finish(in, call, &answer) &&
            interop_check_int(in, "the status", answer.status, status) &&
            interop_check_int(in, "the sum", answer.size, sum);
    amdrpc_client_call_unref(call);
    return is_done;
}

static amdrpc_client_call *
start_input(struct interop *in, bool compress)
{
    amdrpc_call_options options = {.compress = compress};

    return interop_start(in, interop_method("StreamingInputCall"), &options);
}

static bool
run_client_streaming(struct interop *in)
{
    amdrpc_client_call *call = start_input(in, /*compress=*/false);
    bool is_sent = call != NULL;

    for (size_t i = 0; i < COUNT(request_sizes) && is_sent; i++) {
        is_sent = send_input(in, call, request_sizes[i], false);
    }
    if (!is_sent) {
        amdrpc_client_call_unref(call);
        return false;
    }
    return finish_input_take(in, call, AMDRPC_STATUS_OK, 74922);
}

/** A server that does not look whether messages are compressed is no test. */
static bool
probe_compressed_input(struct interop *in)
{
    Grpc__Testing__StreamingInputCallRequest request =
            GRPC__TESTING__STREAMING_INPUT_CALL_REQUEST__INIT;
    Grpc__Testing__BoolValue expected = GRPC__TESTING__BOOL_VALUE__INIT;
    amdrpc_client_call *call = start_input(in, /*compress=*/false);
    amdrpc_err err;

    if (call == NULL) {
        return false;
    }
    expected.value = true;
    request.expect_compressed = &expected;
    err = amdrpc_client_call_send(call, &request.base);
    if (err != AMDRPC_OK) {
        amdrpc_client_call_unref(call);
        return interop_fail(in, "cannot send: %s", amdrpc_err_text(err));
    }
    return finish_input_take(in, call, AMDRPC_STATUS_INVALID_ARGUMENT, 0);
}

static bool
run_client_compressed_streaming(struct interop *in)
{
    amdrpc_client_call *call = NULL;
    bool is_sent;

    if (!probe_compressed_input(in)) {
        return false;
    }
    call = start_input(in, /*compress=*/true);
    if (call == NULL) {
        return false;
    }
    is_sent = send_input(in, call, 27182, true);
    amdrpc_client_call_set_compression(call, false);
    if (!is_sent || !send_input(in, call, 45904, false)) {
        amdrpc_client_call_unref(call);
        return false;
    }
    return finish_input_take(in, call, AMDRPC_STATUS_OK, 73086);
}

/* ---- server streaming ---- */

#define MAX_OUTPUTS 4u

/** Asks for a response of each size; @compressed: NULL for as it is. */
static amdrpc_client_call *
start_output(struct interop *in, const int32_t *sizes, size_t count,
        const bool *compressed)
{
    Grpc__Testing__StreamingOutputCallRequest request =
            GRPC__TESTING__STREAMING_OUTPUT_CALL_REQUEST__INIT;
    Grpc__Testing__ResponseParameters parameters[MAX_OUTPUTS];
    Grpc__Testing__BoolValue flags[MAX_OUTPUTS];
    Grpc__Testing__ResponseParameters *list[MAX_OUTPUTS];
    amdrpc_client_call *call = NULL;

    for (size_t i = 0; i < count; i++) {
        grpc__testing__response_parameters__init(&parameters[i]);
        parameters[i].size = sizes[i];
        if (compressed != NULL) {
            grpc__testing__bool_value__init(&flags[i]);
            flags[i].value = compressed[i];
            parameters[i].compressed = &flags[i];
        }
        list[i] = &parameters[i];
    }
    request.n_response_parameters = count;
    request.response_parameters = list;
    call = interop_start(in, interop_method("StreamingOutputCall"), NULL);
    if (call != NULL &&
            amdrpc_client_call_send(call, &request.base) != AMDRPC_OK) {
        (void)interop_fail(in, "cannot send");
        amdrpc_client_call_unref(call);
        return NULL;
    }
    return call;
}

static bool
run_server_streaming(struct interop *in)
{
    amdrpc_client_call *call =
            start_output(in, response_sizes, COUNT(response_sizes), NULL);
    bool is_done = call != NULL;

    for (size_t i = 0; i < COUNT(response_sizes) && is_done; i++) {
        is_done = interop_recv_output(in, call, response_sizes[i]);
    }
    is_done = is_done && interop_expect_end(in, call, AMDRPC_STATUS_OK);
    amdrpc_client_call_unref(call);
    return is_done;
}

static bool
run_server_compressed_streaming(struct interop *in)
{
    static const int32_t sizes[] = {31415, 92653};
    static const bool compressed[] = {true, false};
    amdrpc_client_call *call =
            start_output(in, sizes, COUNT(sizes), compressed);
    bool is_done = call != NULL;

    for (size_t i = 0; i < COUNT(sizes) && is_done; i++) {
        is_done = interop_recv_output(in, call, sizes[i]) &&
                interop_check_int(in, "the compressed flag",
                        amdrpc_client_call_was_compressed(call), compressed[i]);
    }
    is_done = is_done && interop_expect_end(in, call, AMDRPC_STATUS_OK);
    amdrpc_client_call_unref(call);
    return is_done;
}

/* ---- both ---- */

static bool
run_ping_pong(struct interop *in)
{
    amdrpc_client_call *call =
            interop_start(in, interop_method("FullDuplexCall"), NULL);
    bool is_done = call != NULL;

    for (size_t i = 0; i < COUNT(request_sizes) && is_done; i++) {
        is_done = interop_send_output(
                          in, call, response_sizes[i], request_sizes[i]) &&
                interop_recv_output(in, call, response_sizes[i]);
    }
    if (is_done) {
        amdrpc_client_call_close_send(call);
        is_done = interop_expect_end(in, call, AMDRPC_STATUS_OK);
    }
    amdrpc_client_call_unref(call);
    return is_done;
}

static bool
run_empty_stream(struct interop *in)
{
    amdrpc_client_call *call =
            interop_start(in, interop_method("FullDuplexCall"), NULL);
    bool is_done;

    if (call == NULL) {
        return false;
    }
    amdrpc_client_call_close_send(call);
    is_done = interop_expect_end(in, call, AMDRPC_STATUS_OK);
    amdrpc_client_call_unref(call);
    return is_done;
}

/* ---- before their time ---- */

static bool
run_cancel_after_begin(struct interop *in)
{
    amdrpc_client_call *call = start_input(in, /*compress=*/false);
    bool is_done;

    if (call == NULL) {
        return false;
    }
    amdrpc_client_call_cancel(call);
    is_done = interop_expect_end(in, call, AMDRPC_STATUS_CANCELLED);
    amdrpc_client_call_unref(call);
    return is_done;
}

static bool
run_cancel_after_first_response(struct interop *in)
{
    amdrpc_client_call *call =
            interop_start(in, interop_method("FullDuplexCall"), NULL);
    bool is_done = call != NULL &&
            interop_send_output(
                    in, call, response_sizes[0], request_sizes[0]) &&
            interop_recv_output(in, call, response_sizes[0]);

    if (is_done) {
        amdrpc_client_call_cancel(call);
        is_done = interop_expect_end(in, call, AMDRPC_STATUS_CANCELLED);
    }
    amdrpc_client_call_unref(call);
    return is_done;
}

static bool
run_timeout_on_sleeping_server(struct interop *in)
{
    const amdrpc_call_options options = {.timeout_ms = 1};
    Grpc__Testing__StreamingOutputCallRequest request =
            GRPC__TESTING__STREAMING_OUTPUT_CALL_REQUEST__INIT;
    Grpc__Testing__Payload payload = GRPC__TESTING__PAYLOAD__INIT;
    amdrpc_client_call *call =
            interop_start(in, interop_method("FullDuplexCall"), &options);
    amdrpc_err err;
    bool is_done;

    if (call == NULL) {
        return false;
    }
    payload.body = interop_zeros(27182);
    request.payload = &payload;
    err = amdrpc_client_call_send(call, &request.base);
    // The millisecond may have passed already.
    is_done = (err == AMDRPC_OK || err == AMDRPC_ECLOSED ||
                      interop_fail(in, "cannot send")) &&
            interop_expect_end(in, call, AMDRPC_STATUS_DEADLINE_EXCEEDED);
    amdrpc_client_call_unref(call);
    return is_done;
}

const struct interop_case interop_stream_cases[] = {
        {"client_streaming", run_client_streaming},
        {"client_compressed_streaming", run_client_compressed_streaming},
        {"server_streaming", run_server_streaming},
        {"server_compressed_streaming", run_server_compressed_streaming},
        {"ping_pong", run_ping_pong},
        {"empty_stream", run_empty_stream},
        {"cancel_after_begin", run_cancel_after_begin},
        {"cancel_after_first_response", run_cancel_after_first_response},
        {"timeout_on_sleeping_server", run_timeout_on_sleeping_server},
        {NULL, NULL},
};
