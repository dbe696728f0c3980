/**
 * The module with grpc.testing.TestService: any standard interop client can be
 * pointed at a daemon that has loaded it.
 */
#include "tests/interop/service.h"

#include <amdrpc/module.h>

#include <stdio.h>
#include <unistd.h>

#define SERVICE_PATH "/grpc.testing.TestService/"

#define ECHO_INITIAL "x-grpc-test-echo-initial"
#define ECHO_TRAILING "x-grpc-test-echo-trailing-bin"

#define SERVER_ID_BYTES 32u

// Never written to, so that its pages take no memory.
static uint8_t zeros[INTEROP_MAX_SIZE_BYTES];

/* ---- what the methods share ---- */

bool
interop_echo_metadata(amdrpc_call *call)
{
    const amdrpc_metadata *metadata = amdrpc_call_get_metadata(call);
    const amdrpc_metadata_field *initial =
            amdrpc_metadata_get(metadata, ECHO_INITIAL);
    const amdrpc_metadata_field *trailing =
            amdrpc_metadata_get(metadata, ECHO_TRAILING);
    amdrpc_err err = AMDRPC_OK;

    if (initial != NULL) {
        err = amdrpc_call_add_initial_metadata(
                call, initial->name, initial->value, initial->value_len);
    }
    if (err == AMDRPC_OK && trailing != NULL) {
        err = amdrpc_call_add_trailing_metadata(
                call, trailing->name, trailing->value, trailing->value_len);
    }
    if (err != AMDRPC_OK) {
        amdrpc_call_finish(call, amdrpc_status_from_err(err),
                "the metadata cannot be sent back");
    }
    return err == AMDRPC_OK;
}

bool
interop_make_payload(amdrpc_call *call, Grpc__Testing__PayloadType type,
        int32_t size, Grpc__Testing__Payload *payload)
{
    if (type != GRPC__TESTING__PAYLOAD_TYPE__COMPRESSABLE) {
        amdrpc_call_finishf(call, AMDRPC_STATUS_INVALID_ARGUMENT,
                "response_type is %d; it may be COMPRESSABLE", (int)type);
        return false;
    }
    if (size < 0 || size > INTEROP_MAX_SIZE_BYTES) {
        amdrpc_call_finishf(call, AMDRPC_STATUS_INVALID_ARGUMENT,
                "the size is %d; it may be 0 to %d", (int)size,
                INTEROP_MAX_SIZE_BYTES);
        return false;
    }
    payload->body.len = (size_t)size;
    payload->body.data = zeros;
    return true;
}

bool
interop_finish_as_asked(
        amdrpc_call *call, const Grpc__Testing__EchoStatus *status)
{
    if (status == NULL || status->code == 0) {
        return false;
    }
    amdrpc_call_finish(call, (amdrpc_status_code)status->code, status->message);
    return true;
}

bool
interop_check_compressed(
        amdrpc_call *call, const Grpc__Testing__BoolValue *expected)
{
    if (expected == NULL || !expected->value ||
            amdrpc_call_was_compressed(call)) {
        return true;
    }
    amdrpc_call_finish(call, AMDRPC_STATUS_INVALID_ARGUMENT,
            "the message should have come compressed");
    return false;
}

/* ---- methods without streams ---- */

static void
on_empty(
        amdrpc_call *call, const Grpc__Testing__Empty *request, void *user_data)
{
    Grpc__Testing__Empty response = GRPC__TESTING__EMPTY__INIT;

    (void)request;   // empty
    (void)user_data; // none
    if (interop_echo_metadata(call)) {
        amdrpc_call_reply(call, &response.base);
    }
}

static void
on_unary(amdrpc_call *call, const Grpc__Testing__SimpleRequest *request,
        void *user_data)
{
    Grpc__Testing__SimpleResponse response =
            GRPC__TESTING__SIMPLE_RESPONSE__INIT;
    Grpc__Testing__Payload payload = GRPC__TESTING__PAYLOAD__INIT;
    char server_id[SERVER_ID_BYTES];

    (void)user_data; // none
    if (!interop_echo_metadata(call) ||
            !interop_check_compressed(call, request->expect_compressed) ||
            interop_finish_as_asked(call, request->response_status) ||
            !interop_make_payload(call, request->response_type,
                    request->response_size, &payload)) {
        return;
    }
    response.payload = &payload;
    if (request->fill_server_id) {
        (void)snprintf(
                server_id, sizeof(server_id), "amdrpc-%d", (int)getpid());
        response.server_id = server_id;
    }
    if (request->response_compressed != NULL) {
        amdrpc_call_set_compression(call, request->response_compressed->value);
    }
    amdrpc_call_reply(call, &response.base);
}

/* ---- StreamingInputCall ---- */

/** Adds up the messages. False: the call has been ended. */
static bool
input_add_up(amdrpc_call *call, int32_t *sum)
{
    const ProtobufCMessage *message = NULL;
    amdrpc_err err = amdrpc_call_recv(call, &message);

    for (; err == AMDRPC_OK; err = amdrpc_call_recv(call, &message)) {
        const Grpc__Testing__StreamingInputCallRequest *request =
                (const Grpc__Testing__StreamingInputCallRequest *)message;

        if (!interop_check_compressed(call, request->expect_compressed)) {
            return false;
        }
        if (request->payload != NULL) {
            *sum += (int32_t)request->payload->body.len;
        }
    }
    if (err != AMDRPC_EEND) {
        amdrpc_call_finish(
                call, amdrpc_status_from_err(err), amdrpc_err_text(err));
        return false;
    }
    return true;
}

static void
on_streaming_input(amdrpc_call *call, void *user_data)
{
    Grpc__Testing__StreamingInputCallResponse response =
            GRPC__TESTING__STREAMING_INPUT_CALL_RESPONSE__INIT;

    (void)user_data; // none
    if (interop_echo_metadata(call) &&
            input_add_up(call, &response.aggregated_payload_size)) {
        amdrpc_call_reply(call, &response.base);
    }
}

/* ---- the module ---- */

static const grpc_testing_test_service_handlers handlers = {
        .empty_call = on_empty,
        .unary_call = on_unary,
        .cacheable_unary_call = on_unary,
        .streaming_output_call = interop_on_streaming_output,
        .streaming_input_call = on_streaming_input,
        .full_duplex_call = interop_on_full_duplex,
        .half_duplex_call = interop_on_half_duplex,
};

/** Lets methods that wait without a thread run on the loop. */
static amdrpc_err
set_inline(amdrpc_server *server)
{
    static const amdrpc_policy on_loop = {.dispatch = AMDRPC_DISPATCH_INLINE};
    static const char *const paths[] = {SERVICE_PATH "StreamingOutputCall",
            SERVICE_PATH "FullDuplexCall", SERVICE_PATH "HalfDuplexCall"};
    amdrpc_err err = AMDRPC_OK;

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]) && err == AMDRPC_OK;
            i++) {
        err = amdrpc_server_set_policy(server, paths[i], &on_loop);
    }
    return err;
}

static amdrpc_err
service_start(amdrpc_server *server, amdrpc_module_host *host, void **state)
{
    amdrpc_err err = grpc_testing_test_service_register(
            server, &handlers, /*user_data=*/NULL);

    (void)host;  // it has no settings
    (void)state; // and keeps nothing
    return err == AMDRPC_OK ? set_inline(server) : err;
}

const amdrpc_module_desc amdrpc_module = {
        .abi = AMDRPC_MODULE_ABI,
        .name = "testservice",
        .start = service_start,
};
