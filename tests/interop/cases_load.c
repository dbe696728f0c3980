/** Cases with many calls, and with more than one channel. */
#include "tests/interop/client.h"

#include <stdlib.h>
#include <string.h>

#define SOAK_CALLS 50
#define CONCURRENT_CALLS 1000u
#define PICK_CALLS 20

static bool
run_rpc_soak(struct interop *in)
{
    bool is_done = true;

    for (int i = 0; i < SOAK_CALLS && is_done; i++) {
        is_done = interop_large_unary(in, in->channel);
    }
    return is_done;
}

static bool
run_channel_soak(struct interop *in)
{
    bool is_done = true;

    for (int i = 0; i < SOAK_CALLS && is_done; i++) {
        amdrpc_channel *channel = NULL;
        amdrpc_err err = amdrpc_channel_create(
                in->target, in->channel_options, &channel);

        is_done = err == AMDRPC_OK
                ? interop_large_unary(in, channel)
                : interop_fail(in, "no channel: %s", amdrpc_err_text(err));
        amdrpc_channel_unref(channel);
    }
    return is_done;
}

/** The connection of all cases before serves on. */
static bool
run_long_lived_channel(struct interop *in)
{
    return interop_large_unary(in, in->channel) &&
            interop_large_unary(in, in->channel);
}

static bool
run_pick_first_unary(struct interop *in)
{
    Grpc__Testing__SimpleRequest request = GRPC__TESTING__SIMPLE_REQUEST__INIT;
    struct interop_answer first = {0};

    request.fill_server_id = true;
    for (int i = 0; i < PICK_CALLS; i++) {
        struct interop_answer answer;

        if (!interop_unary(in, &request, NULL, &answer, NULL) ||
                !interop_check_int(
                        in, "the status", answer.status, AMDRPC_STATUS_OK)) {
            return false;
        }
        if (i == 0) {
            first = answer;
        } else if (strcmp(first.server_id, answer.server_id) != 0) {
            return interop_fail(in, "server \"%s\" and then \"%s\" answered",
                    first.server_id, answer.server_id);
        }
    }
    return first.server_id[0] != '\0' ||
            interop_fail(in, "the server does not say who it is");
}

/* ---- concurrent_large_unary ---- */

/** Starts the calls; returns how many it could. */
static size_t
start_concurrent(struct interop *in, amdrpc_future *futures[], size_t wanted)
{
    Grpc__Testing__SimpleRequest request = GRPC__TESTING__SIMPLE_REQUEST__INIT;
    Grpc__Testing__Payload payload = GRPC__TESTING__PAYLOAD__INIT;
    size_t count = 0;

    payload.body = interop_zeros(INTEROP_LARGE_REQUEST_BYTES);
    request.payload = &payload;
    request.response_size = INTEROP_LARGE_RESPONSE_BYTES;
    for (; count < wanted; count++) {
        amdrpc_err err = grpc_testing_test_service_unary_call_future(
                in->channel, &request, NULL, &futures[count]);

        if (err != AMDRPC_OK) {
            (void)interop_fail(in, "call %zu cannot be started: %s", count,
                    amdrpc_err_text(err));
            break;
        }
    }
    return count;
}

static bool
check_concurrent(struct interop *in, amdrpc_future *future)
{
    amdrpc_err err = amdrpc_future_wait(future, INTEROP_WAIT_MS);
    const Grpc__Testing__SimpleResponse *response = NULL;

    if (err != AMDRPC_OK) {
        return interop_fail(in, "a call did not end: %s", amdrpc_err_text(err));
    }
    if (amdrpc_future_get_status(future) != AMDRPC_STATUS_OK) {
        return interop_fail(in, "a call ended with %s: %s",
                amdrpc_status_name(amdrpc_future_get_status(future)),
                amdrpc_future_get_status_message(future));
    }
    response = grpc_testing_test_service_unary_call_result(future);
    return interop_check_int(in, "the payload's size",
            (int64_t)response->payload->body.len, INTEROP_LARGE_RESPONSE_BYTES);
}

bool
interop_concurrent_large_unary(struct interop *in, size_t ncalls)
{
    amdrpc_future **futures = calloc(ncalls, sizeof(*futures));
    size_t count;
    bool is_done;

    if (futures == NULL) {
        return interop_fail(in, "no memory");
    }
    count = start_concurrent(in, futures, ncalls);
    is_done = count == ncalls;
    for (size_t i = 0; i < count; i++) {
        is_done = is_done && check_concurrent(in, futures[i]);
        amdrpc_future_unref(futures[i]);
    }
    free(futures);
    return is_done;
}

static bool
run_concurrent_large_unary(struct interop *in)
{
    return interop_concurrent_large_unary(in, CONCURRENT_CALLS);
}

const struct interop_case interop_load_cases[] = {
        {"rpc_soak", run_rpc_soak},
        {"channel_soak", run_channel_soak},
        {"long_lived_channel", run_long_lived_channel},
        {"pick_first_unary", run_pick_first_unary},
        {"concurrent_large_unary", run_concurrent_large_unary},
        {NULL, NULL},
};
