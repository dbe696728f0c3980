/** What the cases of the interop client share. */
#include "tests/interop/client.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static uint8_t zeros[INTEROP_LARGE_RESPONSE_BYTES];

bool
interop_fail(struct interop *in, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(in->why, sizeof(in->why), format, args); // may be cut
    va_end(args);
    return false;
}

bool
interop_check_int(
        struct interop *in, const char *what, int64_t got, int64_t wanted)
{
    return got == wanted ||
            interop_fail(in, "%s is %" PRId64 " instead of %" PRId64, what, got,
                    wanted);
}

ProtobufCBinaryData
interop_zeros(int32_t size)
{
    return (ProtobufCBinaryData){.len = (size_t)size, .data = zeros};
}

/* ---- calls ---- */

const amdrpc_method_desc *
interop_method(const char *name)
{
    const amdrpc_service_desc *service = &grpc_testing_test_service_service;

    for (size_t i = 0; i < service->nmethods; i++) {
        if (strcmp(service->methods[i].name, name) == 0) {
            return &service->methods[i];
        }
    }
    return NULL;
}

amdrpc_client_call *
interop_start(struct interop *in, const amdrpc_method_desc *method,
        const amdrpc_call_options *options)
{
    amdrpc_client_call *call = NULL;
    amdrpc_err err =
            amdrpc_channel_start_call(in->channel, method, options, &call);

    if (err != AMDRPC_OK) {
        (void)interop_fail(in, "%s cannot be started: %s", method->name,
                amdrpc_err_text(err));
    }
    return call;
}

/** Keeps what cases look at. */
static void
answer_take_response(
        struct interop_answer *answer, const ProtobufCMessage *message)
{
    answer->has_response = true;
    if (message->descriptor ==
            &grpc__testing__streaming_input_call_response__descriptor) {
        answer->size =
                ((const Grpc__Testing__StreamingInputCallResponse *)message)
                        ->aggregated_payload_size;
    } else if (message->descriptor ==
            &grpc__testing__simple_response__descriptor) {
        const Grpc__Testing__SimpleResponse *response =
                (const Grpc__Testing__SimpleResponse *)message;

        answer->size = response->payload == NULL
                ? 0
                : (int64_t)response->payload->body.len;
        (void)snprintf(answer->server_id, sizeof(answer->server_id), "%s",
                response->server_id); // may be cut
    }
}

bool
interop_send(struct interop *in, amdrpc_client_call *call,
        const ProtobufCMessage *request)
{
    amdrpc_err err = amdrpc_client_call_send(call, request);

    return err == AMDRPC_OK || err == AMDRPC_ECLOSED ||
            interop_fail(in, "cannot send: %s", amdrpc_err_text(err));
}

bool
interop_finish(struct interop *in, amdrpc_client_call *call,
        struct interop_answer *out)
{
    const ProtobufCMessage *message = NULL;
    amdrpc_err err = amdrpc_client_call_recv(call, INTEROP_WAIT_MS, &message);

    *out = (struct interop_answer){0};
    if (err == AMDRPC_OK) {
        answer_take_response(out, message);
        out->was_compressed = amdrpc_client_call_was_compressed(call);
        err = amdrpc_client_call_recv(call, INTEROP_WAIT_MS, &message);
    }
    if (err != AMDRPC_EEND) {
        return interop_fail(in, "the call did not end: %s",
                err == AMDRPC_OK ? "a second response" : amdrpc_err_text(err));
    }
    out->status = amdrpc_client_call_get_status(call);
    (void)snprintf(out->message, sizeof(out->message), "%s",
            amdrpc_client_call_get_status_message(call)); // may be cut
    return true;
}

bool
interop_empty(struct interop *in, const amdrpc_method_desc *method,
        struct interop_answer *out)
{
    Grpc__Testing__Empty request = GRPC__TESTING__EMPTY__INIT;
    amdrpc_client_call *call = interop_start(in, method, NULL);
    bool is_done;

    if (call == NULL) {
        return false;
    }
    is_done = interop_send(in, call, &request.base) &&
            interop_finish(in, call, out);
    amdrpc_client_call_unref(call);
    return is_done;
}

bool
interop_unary(struct interop *in, const Grpc__Testing__SimpleRequest *request,
        const amdrpc_call_options *options, struct interop_answer *out,
        amdrpc_client_call **out_call)
{
    amdrpc_client_call *call =
            interop_start(in, interop_method("UnaryCall"), options);
    bool is_done;

    if (call == NULL) {
        return false;
    }
    is_done = interop_send(in, call, &request->base) &&
            interop_finish(in, call, out);
    if (is_done && out_call != NULL) {
        *out_call = call;
    } else {
        amdrpc_client_call_unref(call);
    }
    return is_done;
}

bool
interop_large_unary(struct interop *in, amdrpc_channel *channel)
{
    Grpc__Testing__SimpleRequest request = GRPC__TESTING__SIMPLE_REQUEST__INIT;
    Grpc__Testing__Payload payload = GRPC__TESTING__PAYLOAD__INIT;
    struct interop_answer answer;
    amdrpc_channel *own = in->channel;
    bool is_done;

    payload.body = interop_zeros(INTEROP_LARGE_REQUEST_BYTES);
    request.payload = &payload;
    request.response_size = INTEROP_LARGE_RESPONSE_BYTES;
    in->channel = channel;
    is_done = interop_unary(in, &request, NULL, &answer, NULL);
    in->channel = own;
    return is_done &&
            interop_check_int(
                    in, "the status", answer.status, AMDRPC_STATUS_OK) &&
            interop_check_int(in, "the payload's size", answer.size,
                    INTEROP_LARGE_RESPONSE_BYTES);
}

/* ---- streams ---- */

bool
interop_expect_end(
        struct interop *in, amdrpc_client_call *call, amdrpc_status_code status)
{
    const ProtobufCMessage *message = NULL;
    amdrpc_err err = amdrpc_client_call_recv(call, INTEROP_WAIT_MS, &message);

    if (err != AMDRPC_EEND) {
        return interop_fail(in, "the stream did not end: %s",
                err == AMDRPC_OK ? "another response" : amdrpc_err_text(err));
    }
    return interop_check_int(
            in, "the status", amdrpc_client_call_get_status(call), status);
}

bool
interop_send_output(struct interop *in, amdrpc_client_call *call, int32_t size,
        int32_t payload_size)
{
    Grpc__Testing__StreamingOutputCallRequest request =
            GRPC__TESTING__STREAMING_OUTPUT_CALL_REQUEST__INIT;
    Grpc__Testing__ResponseParameters parameters =
            GRPC__TESTING__RESPONSE_PARAMETERS__INIT;
    Grpc__Testing__ResponseParameters *list[] = {&parameters};
    Grpc__Testing__Payload payload = GRPC__TESTING__PAYLOAD__INIT;
    amdrpc_err err;

    parameters.size = size;
    payload.body = interop_zeros(payload_size);
    request.n_response_parameters = 1;
    request.response_parameters = list;
    request.payload = &payload;
    err = amdrpc_client_call_send(call, &request.base);
    return err == AMDRPC_OK ||
            interop_fail(in, "cannot send: %s", amdrpc_err_text(err));
}

bool
interop_recv_output(struct interop *in, amdrpc_client_call *call, int32_t size)
{
    const ProtobufCMessage *message = NULL;
    amdrpc_err err = amdrpc_client_call_recv(call, INTEROP_WAIT_MS, &message);
    const Grpc__Testing__StreamingOutputCallResponse *response =
            (const Grpc__Testing__StreamingOutputCallResponse *)message;

    if (err != AMDRPC_OK) {
        return interop_fail(in, "no response of %d bytes: %s, status %s: %s",
                (int)size, amdrpc_err_text(err),
                amdrpc_status_name(amdrpc_client_call_get_status(call)),
                amdrpc_client_call_get_status_message(call));
    }
    return interop_check_int(in, "the payload's size",
            response->payload == NULL ? 0
                                      : (int64_t)response->payload->body.len,
            size);
}
