/**
 * Calls with the metadata amdrpc-detach: they become operations.
 *
 *     now            the answer is the operation's name; its messages are left
 *                    to who comes back for them
 *     on-disconnect  the name comes first; the call goes on as if it ran here,
 *                    but follows the operation, which its end does not touch
 */
#include "common/metadata.h"
#include "server/call.h"
#include "server/service.h"
#include "server/services/operations/follow.h"
#include "server/services/operations/message.h"
#include "server/services/operations/refuse.h"
#include "server/services/operations/services.h"
#include "server/services/operations/submit.h"
#include "server/store/id.h"

#include <string.h>

#define DETACH_FIELD "amdrpc-detach"
#define REQUEST_ID_FIELD "amdrpc-request-id"
#define NAME_FIELD "amdrpc-operation"

// As many details as fit trailers beside the rest.
#define MAX_DETAILS_BYTES 4096u

struct detached {
    struct amdi_op_submit submit; // first
    struct amdi_follow follow;
    bool is_now;
};

static const amdrpc_method_desc *
follow_method(const struct amdi_follow *follow)
{
    return follow->call->method->desc;
}

/* ---- the answer, as the method's own ---- */

/** Sends one message of the method, which the store has as an Any. */
static amdrpc_err
detached_send(struct amdi_follow *follow, struct amdi_bytes data)
{
    ProtobufCAllocator allocator = amdi_arena_allocator(&follow->scratch);
    Google__Protobuf__Any *any = NULL;
    ProtobufCMessage *msg = NULL;

    amdi_arena_reset(&follow->scratch);
    any = amdi_op_answer_create(data, &follow->scratch);
    if (any == NULL) {
        return AMDRPC_ENOMEM;
    }
    msg = protobuf_c_message_unpack(follow_method(follow)->output, &allocator,
            any->value.len, any->value.data);
    return msg == NULL ? AMDRPC_ENOMEM : amdrpc_call_send(follow->call, msg);
}

static amdrpc_err
detached_on_event(struct amdi_follow *follow, const struct amdi_event *event)
{
    return event->kind == AMDI_EVENT_MESSAGE
            ? detached_send(follow, event->data)
            : AMDRPC_OK;
}

/** Ends the call as the operation has. */
static void
detached_finish(struct amdi_follow *follow, const struct amdi_op *op)
{
    amdrpc_call *call = follow->call;
    Google__Rpc__Status *status = amdi_op_status_create(op, &call->arena);

    amdi_follow_end(follow);
    if (status == NULL) {
        amdi_op_refuse_memory(call);
        return;
    }
    if (status->n_details > 0 && op->status.len <= MAX_DETAILS_BYTES) {
        amdi_call_add_own_trailing(
                call, AMDI_DETAILS_FIELD, op->status.data, op->status.len);
    }
    amdrpc_call_finish(call, (amdrpc_status_code)op->code, status->message);
}

static bool
detached_on_end(struct amdi_follow *follow, const struct amdi_op *op)
{
    amdrpc_err err = AMDRPC_OK;

    if (op->code == AMDRPC_STATUS_OK &&
            !amdrpc_method_has_response_stream(follow_method(follow))) {
        err = detached_send(follow, op->result);
    }
    if (err == AMDRPC_OK) {
        detached_finish(follow, op);
    } else {
        amdi_follow_end(follow);
        amdrpc_call_finish(follow->call, amdrpc_status_from_err(err),
                amdrpc_err_text(err));
    }
    return true;
}

static bool
detached_on_begin(struct amdi_follow *follow, const struct amdi_op *op)
{
    (void)follow;
    (void)op;
    return true;
}

static void
detached_on_drain(struct amdi_follow *follow)
{
    amdi_follow_end(follow);
    amdi_op_refuse_drain(follow->call);
}

/* ---- the call ---- */

/** The whole answer of a call that is over: a message without content. */
static void
detached_reply_now(amdrpc_call *call)
{
    const amdrpc_method_desc *desc = call->method->desc;
    ProtobufCMessage *msg = NULL;

    if (amdrpc_method_has_response_stream(desc)) {
        amdrpc_call_finish(call, AMDRPC_STATUS_OK, NULL);
        return;
    }
    msg = amdrpc_call_alloc(call, desc->output->sizeof_message);
    if (msg == NULL) {
        amdi_op_refuse_memory(call);
        return;
    }
    desc->output->message_init(msg);
    amdrpc_call_reply(call, msg);
}

static void
detached_on_kept(struct amdi_op_submit *submit, const struct amdi_op *op)
{
    static const struct amdi_follow_ops ops = {
            .on_begin = detached_on_begin,
            .on_event = detached_on_event,
            .on_end = detached_on_end,
            .on_drain = detached_on_drain,
    };
    struct detached *detached =
            AMDI_CONTAINER_OF(submit, struct detached, submit);
    amdrpc_call *call = submit->call;
    char name[AMDI_OP_NAME_BYTES];

    amdi_op_name_format(op->id, name);
    if (amdrpc_call_add_initial_metadata(
                call, NAME_FIELD, name, strlen(name)) != AMDRPC_OK) {
        amdi_op_refuse_memory(call);
    } else if (detached->is_now) {
        detached_reply_now(call);
    } else {
        amdrpc_call_send_initial_metadata(call);
        detached->follow = (struct amdi_follow){.services = submit->services,
                .ops = &ops,
                .call = call,
                .id = op->id};
        amdi_follow_start(&detached->follow);
    }
}

/** Packs the request again; unknown fields are among it. False: no memory. */
static bool
detached_pack(struct detached *detached, const ProtobufCMessage *request)
{
    size_t len = protobuf_c_message_get_packed_size(request);
    uint8_t *data = amdrpc_call_alloc(detached->submit.call, len + 1);

    if (data == NULL) {
        return false;
    }
    (void)protobuf_c_message_pack(request, data); // as long as it was measured
    detached->submit.submission.request = (struct amdi_bytes){data, len};
    return true;
}

static struct amdi_bytes
call_get_request_id(const amdrpc_call *call)
{
    const amdrpc_metadata_field *field = amdrpc_metadata_get(
            amdrpc_call_get_metadata(call), REQUEST_ID_FIELD);

    return field == NULL ? (struct amdi_bytes){0}
                         : (struct amdi_bytes){field->value, field->value_len};
}

void
amdi_op_on_detached(const void *method, amdrpc_call *call,
        const ProtobufCMessage *request, void *user_data)
{
    const amdrpc_metadata_field *how =
            amdrpc_metadata_get(amdrpc_call_get_metadata(call), DETACH_FIELD);
    struct detached *detached = amdrpc_call_alloc(call, sizeof(*detached));

    if (detached == NULL) {
        amdi_op_refuse_memory(call);
        return;
    }
    *detached = (struct detached){
            .submit.services = user_data,
            .submit.call = call,
            .submit.on_kept = detached_on_kept,
            .submit.submission.method = method,
            .submit.submission.request_id = call_get_request_id(call),
            .submit.submission.priority = AMDI_OP_NORMAL,
            .is_now = how != NULL && strcmp(how->value, "now") == 0,
    };
    if (!detached_pack(detached, request)) {
        amdi_op_refuse_memory(call);
        return;
    }
    amdi_op_submit_start(&detached->submit);
}
