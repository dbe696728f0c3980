/** amdrpc.v1.Operations: submit; and what detached calls share with it. */
#include "server/services/operations/submit.h"

#include "amdrpc/v1/operations.amdrpc-server.h"
#include "common/clock.h"
#include "common/metadata.h"
#include "common/wire.h"
#include "server/auth/allow.h"
#include "server/call.h"
#include "server/server.h"
#include "server/services/operations/refuse.h"
#include "server/services/operations/services.h"
#include "server/services/operations/times.h"

#include <string.h>

typedef Amdrpc__V1__SubmitRequest submit_request;

// How far ahead clients may plan: times to come, and times to keep.
#define MAX_AHEAD_US (INT64_C(366) * 24 * 3600 * 1000000)

#define FAULT_BYTES 256u

/* ---- what is kept of a call ---- */

/**
 * Tells whether a field is not kept: it is about this call alone, or a secret
 * that a file is no place for.
 */
static bool
field_is_left_out(const char *name)
{
    return strcmp(name, "amdrpc-detach") == 0 ||
            strcmp(name, "amdrpc-request-id") == 0 ||
            strcmp(name, "authorization") == 0;
}

/** The call's metadata without those; NULL without memory. */
static const amdrpc_metadata *
call_copy_metadata(amdrpc_call *call)
{
    const amdrpc_metadata *metadata = amdrpc_call_get_metadata(call);
    amdrpc_metadata *copy = amdi_arena_alloc(&call->arena, sizeof(*copy));
    amdrpc_err err = AMDRPC_OK;

    if (copy == NULL) {
        return NULL;
    }
    amdi_metadata_init(copy, &call->arena);
    for (size_t i = 0; i < amdrpc_metadata_count(metadata); i++) {
        const amdrpc_metadata_field *field = amdrpc_metadata_at(metadata, i);

        if (err == AMDRPC_OK && !field_is_left_out(field->name)) {
            err = amdi_metadata_add_own(
                    copy, field->name, field->value, field->value_len);
        }
    }
    return err == AMDRPC_OK ? copy : NULL;
}

static void
submit_on_stored(
        void *arg, enum amdi_store_result result, const struct amdi_op *op)
{
    struct amdi_op_submit *submit = arg;

    if (result == AMDI_STORE_OK || result == AMDI_STORE_EXISTS) {
        submit->on_kept(submit, op);
    } else {
        amdi_op_refuse_result(submit->call, result, "");
    }
}

void
amdi_op_submit_start(struct amdi_op_submit *submit)
{
    amdrpc_call *call = submit->call;
    struct amdi_submission *submission = &submit->submission;
    enum amdi_store_result result = AMDI_STORE_NOMEM;

    if (submission->request_id.len > AMDI_OP_REQUEST_ID_MAX_BYTES) {
        amdi_op_refuse_argument(call, "REQUEST_ID_INVALID",
                "request_id: it is longer than %u bytes",
                AMDI_OP_REQUEST_ID_MAX_BYTES);
        return;
    }
    submission->identity = amdrpc_call_get_identity(call);
    submission->peer = amdrpc_call_get_peer(call);
    submission->metadata = call_copy_metadata(call);
    if (submission->metadata != NULL) {
        result = amdi_operations_submit(submit->services->ops,
                amdi_op_call_loop(call), submission, submit_on_stored, submit);
    }
    if (result != AMDI_STORE_OK) {
        amdi_op_refuse_result(call, result, "");
        return;
    }
    amdrpc_call_defer(call);
}

/* ---- the request; each function refuses the call when it returns false ----
 */

static bool
method_may_be_called(amdrpc_call *call, const struct amdi_method *method)
{
    const char *identity = amdrpc_call_get_identity(call);

    if (amdi_allow_has(method->allow, identity)) {
        return true;
    }
    amdi_op_refuse(call,
            &(struct amdi_details){
                    .code = identity[0] == '\0'
                            ? AMDRPC_STATUS_UNAUTHENTICATED
                            : AMDRPC_STATUS_PERMISSION_DENIED,
                    .message = "method: the caller is not among those who may "
                               "call it",
                    .reason = "CALLER_NOT_ALLOWED",
            });
    return false;
}

static bool
submit_read_method(struct amdi_op_submit *submit, const char *path)
{
    struct amdi_op_services *services = submit->services;
    const struct amdi_method *method = amdi_service_table_find(
            &services->server->services, path, strlen(path));

    if (method == NULL || method->invoke == NULL) {
        amdi_op_refuse_argument(submit->call, "METHOD_UNKNOWN",
                "method: \"/package.Service/Method\" of this server is "
                "expected");
        return false;
    }
    // Who has the services for its own data is one of them.
    if (amdrpc_method_has_request_stream(method->desc) ||
            method->user_data == services) {
        amdi_op_refuse_argument(submit->call, "METHOD_UNSUITABLE",
                "method: %s cannot be an operation, since %s",
                method->desc->path,
                method->user_data == services ? "it is about operations"
                                              : "it has a request stream");
        return false;
    }
    submit->submission.method = method;
    return method_may_be_called(submit->call, method);
}

static bool
submit_read_request(
        struct amdi_op_submit *submit, const ProtobufCBinaryData *request)
{
    struct amdi_wire_fault fault = {0};
    char why[FAULT_BYTES];

    if (amdi_wire_check(submit->submission.method->desc->input, request->data,
                request->len, AMDI_WIRE_MAX_DEPTH, &fault) != AMDRPC_OK) {
        amdi_wire_fault_print(&fault, why, sizeof(why));
        amdi_op_refuse_argument(
                submit->call, "REQUEST_UNREADABLE", "request: %s", why);
        return false;
    }
    submit->submission.request =
            (struct amdi_bytes){request->data, request->len};
    return true;
}

static bool
submit_read_priority(struct amdi_op_submit *submit, Amdrpc__V1__Priority value)
{
    switch ((int)value) {
    case AMDRPC__V1__PRIORITY__PRIORITY_UNSPECIFIED:
    case AMDRPC__V1__PRIORITY__PRIORITY_NORMAL:
        submit->submission.priority = AMDI_OP_NORMAL;
        return true;
    case AMDRPC__V1__PRIORITY__PRIORITY_HIGH:
        submit->submission.priority = AMDI_OP_HIGH;
        return true;
    case AMDRPC__V1__PRIORITY__PRIORITY_LOW:
        submit->submission.priority = AMDI_OP_LOW;
        return true;
    default:
        amdi_op_refuse_argument(submit->call, "PRIORITY_INVALID",
                "priority: %d is none", (int)value);
        return false;
    }
}

static bool
submit_read_duration(struct amdi_op_submit *submit, const char *field,
        const Google__Protobuf__Duration *duration, int64_t *out_us)
{
    *out_us = 0;
    if (duration == NULL ||
            (amdi_op_duration_read(duration, out_us) && *out_us > 0 &&
                    *out_us <= MAX_AHEAD_US)) {
        return true;
    }
    amdi_op_refuse_argument(submit->call, "DURATION_INVALID",
            "%s: a duration of more than zero and at most 366 days is expected",
            field);
    return false;
}

static bool
submit_read_start(
        struct amdi_op_submit *submit, const Google__Protobuf__Timestamp *at)
{
    int64_t us = 0;

    if (at == NULL) {
        return true;
    }
    if (!amdi_op_timestamp_read(at, &us) ||
            us > amdi_clock_wall_us() + MAX_AHEAD_US) {
        amdi_op_refuse_argument(submit->call, "TIME_INVALID",
                "start_at: a time within the next 366 days is expected");
        return false;
    }
    submit->submission.start_at_us = us > 0 ? us : 0; // long ago: at once
    return true;
}

static bool
submit_read(struct amdi_op_submit *submit, const submit_request *request)
{
    struct amdi_submission *submission = &submit->submission;

    submission->request_id = (struct amdi_bytes){
            request->request_id, strlen(request->request_id)};
    submission->max_attempts = request->max_attempts;
    return submit_read_method(submit, request->method) &&
            submit_read_request(submit, &request->request) &&
            submit_read_priority(submit, request->priority) &&
            submit_read_duration(submit, "timeout", request->timeout,
                    &submission->timeout_us) &&
            submit_read_duration(
                    submit, "ttl", request->ttl, &submission->retain_us) &&
            submit_read_start(submit, request->start_at);
}

static void
submit_on_kept(struct amdi_op_submit *submit, const struct amdi_op *op)
{
    amdi_op_reply(submit->services, submit->call, op);
}

void
amdi_op_on_submit(
        amdrpc_call *call, const submit_request *request, void *user_data)
{
    struct amdi_op_submit *submit = amdrpc_call_alloc(call, sizeof(*submit));

    if (submit == NULL) {
        amdi_op_refuse_memory(call);
        return;
    }
    *submit = (struct amdi_op_submit){
            .services = user_data, .call = call, .on_kept = submit_on_kept};
    if (submit_read(submit, request)) {
        amdi_op_submit_start(submit);
    }
}
