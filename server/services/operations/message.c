/** Operations and their events as clients see them. */
#include "server/services/operations/message.h"

#include <amdrpc/status.h>

#include "google/protobuf/any.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "server/store/id.h"

#include <stdio.h>
#include <string.h>

#define TYPE_URL_PREFIX "type.googleapis.com/"

#define US_PER_S 1000000
#define NS_PER_US 1000

typedef Amdrpc__V1__OperationMetadata metadata_message;

#define STATE(name) AMDRPC__V1__OPERATION_METADATA__STATE__##name

/* ---- pieces ---- */

static char *
text_create(struct amdi_bytes bytes, struct amdi_arena *arena)
{
    return amdi_arena_strndup(
            arena, bytes.len == 0 ? "" : bytes.data, bytes.len);
}

/** A message that was kept serialized. */
static void *
message_unpack(const ProtobufCMessageDescriptor *desc, struct amdi_bytes bytes,
        struct amdi_arena *arena)
{
    ProtobufCAllocator allocator = amdi_arena_allocator(arena);

    return protobuf_c_message_unpack(desc, &allocator, bytes.len, bytes.data);
}

/** A point in time; @out stays NULL when there is none. False: no memory. */
static bool
time_create(int64_t at_us, struct amdi_arena *arena,
        Google__Protobuf__Timestamp **out)
{
    Google__Protobuf__Timestamp *time = NULL;

    if (at_us == 0) {
        return true;
    }
    time = amdi_arena_alloc(arena, sizeof(*time));
    if (time == NULL) {
        return false;
    }
    google__protobuf__timestamp__init(time);
    time->seconds = at_us / US_PER_S;
    time->nanos = (int32_t)(at_us % US_PER_S) * NS_PER_US;
    *out = time;
    return true;
}

/** Any message as an Any. */
static Google__Protobuf__Any *
any_create(const ProtobufCMessage *msg, const char *type_url,
        struct amdi_arena *arena)
{
    Google__Protobuf__Any *any = amdi_arena_alloc(arena, sizeof(*any));
    size_t len = protobuf_c_message_get_packed_size(msg);
    uint8_t *data = amdi_arena_alloc(arena, len + 1); // of an empty one too

    if (any == NULL || data == NULL) {
        return NULL;
    }
    google__protobuf__any__init(any);
    any->type_url = (char *)type_url; // protobuf-c has no const
    any->value.len = protobuf_c_message_pack(msg, data);
    any->value.data = data;
    return any;
}

/* ---- the metadata ---- */

static Amdrpc__V1__OperationMetadata__State
op_state(const struct amdi_op *op)
{
    switch (op->state) {
    case AMDI_OP_QUEUED:
        return STATE(QUEUED);
    case AMDI_OP_RUNNING:
        return STATE(RUNNING);
    case AMDI_OP_DONE:
        break;
    }
    if (op->code == AMDRPC_STATUS_OK) {
        return STATE(SUCCEEDED);
    }
    return op->code == AMDRPC_STATUS_CANCELLED ? STATE(CANCELLED)
                                               : STATE(FAILED);
}

static bool
metadata_set_times(metadata_message *metadata, const struct amdi_op *op,
        const struct amdi_op_estimate *estimate, struct amdi_arena *arena)
{
    bool is_done = op->state == AMDI_OP_DONE;

    return time_create(op->created_at_us, arena, &metadata->create_time) &&
            time_create(op->started_at_us, arena, &metadata->start_time) &&
            time_create(
                    is_done ? op->done_at_us : 0, arena, &metadata->end_time) &&
            time_create(is_done ? op->expire_at_us : 0, arena,
                    &metadata->expire_time) &&
            time_create(op->deadline_at_us, arena, &metadata->deadline) &&
            time_create(estimate == NULL ? 0 : estimate->expected_start_us,
                    arena, &metadata->expected_start_time);
}

static bool
metadata_set_texts(metadata_message *metadata, const struct amdi_op *op,
        struct amdi_arena *arena)
{
    metadata->method = text_create(op->method, arena);
    metadata->request_id = text_create(op->request_id, arena);
    if (op->progress.len > 0) {
        metadata->progress = message_unpack(
                &amdrpc__v1__progress__descriptor, op->progress, arena);
        if (metadata->progress == NULL) {
            return false;
        }
    }
    return metadata->method != NULL && metadata->request_id != NULL;
}

static Google__Protobuf__Any *
metadata_create(const struct amdi_op *op,
        const struct amdi_op_estimate *estimate, struct amdi_arena *arena)
{
    metadata_message metadata = AMDRPC__V1__OPERATION_METADATA__INIT;

    if (!metadata_set_texts(&metadata, op, arena) ||
            !metadata_set_times(&metadata, op, estimate, arena)) {
        return NULL;
    }
    metadata.state = op_state(op);
    metadata.queue_position = estimate == NULL ? 0 : estimate->position;
    metadata.attempt = op->attempt;
    metadata.max_attempts = op->max_attempts;
    metadata.first_seq = op->last_seq == 0 ? 0 : op->first_seq;
    metadata.last_seq = op->last_seq;
    metadata.cancel_requested = op->is_cancelled;
    metadata.messages = op->nmessages;
    return any_create(&metadata.base,
            TYPE_URL_PREFIX "amdrpc.v1.OperationMetadata", arena);
}

/* ---- the result ---- */

/** Says why the store ended an operation. */
static const char *
op_end_text(const struct amdi_op *op)
{
    switch (op->code) {
    case AMDRPC_STATUS_CANCELLED:
        return "the operation was cancelled";
    case AMDRPC_STATUS_DEADLINE_EXCEEDED:
        return "the operation's deadline passed";
    case AMDRPC_STATUS_ABORTED:
        return "the operation's last attempt failed, or its server ended";
    default:
        return "the operation ended without a status";
    }
}

Google__Rpc__Status *
amdi_op_status_create(const struct amdi_op *op, struct amdi_arena *arena)
{
    Google__Rpc__Status *status = NULL;

    if (op->status.len > 0) {
        return message_unpack(
                &google__rpc__status__descriptor, op->status, arena);
    }
    status = amdi_arena_alloc(arena, sizeof(*status));
    if (status != NULL) {
        google__rpc__status__init(status);
        status->code = op->code;
        if (op->code != AMDRPC_STATUS_OK) {
            status->message = (char *)op_end_text(op);
        }
    }
    return status;
}

Google__Protobuf__Any *
amdi_op_answer_create(struct amdi_bytes data, struct amdi_arena *arena)
{
    return message_unpack(&google__protobuf__any__descriptor, data, arena);
}

/** Sets what exactly those have that are done: an error or a response. */
static bool
operation_set_result(Google__Longrunning__Operation *out,
        const struct amdi_op *op, struct amdi_arena *arena)
{
    if (op->state != AMDI_OP_DONE) {
        return true;
    }
    out->done = true;
    if (op->code == AMDRPC_STATUS_OK) {
        out->result_case = GOOGLE__LONGRUNNING__OPERATION__RESULT_RESPONSE;
        out->response = amdi_op_answer_create(op->result, arena);
        return out->response != NULL;
    }
    out->result_case = GOOGLE__LONGRUNNING__OPERATION__RESULT_ERROR;
    out->error = amdi_op_status_create(op, arena);
    return out->error != NULL;
}

Google__Longrunning__Operation *
amdi_op_message_create(const struct amdi_op *op,
        const struct amdi_op_estimate *estimate, struct amdi_arena *arena)
{
    Google__Longrunning__Operation *out = amdi_arena_alloc(arena, sizeof(*out));

    if (out == NULL) {
        return NULL;
    }
    google__longrunning__operation__init(out);
    out->name = amdi_arena_alloc(arena, AMDI_OP_NAME_BYTES);
    if (out->name == NULL || !operation_set_result(out, op, arena)) {
        return NULL;
    }
    amdi_op_name_format(op->id, out->name);
    out->metadata = metadata_create(op, estimate, arena);
    return out->metadata == NULL ? NULL : out;
}

/* ---- events ---- */

static Amdrpc__V1__Retry *
retry_create(struct amdi_bytes why, struct amdi_arena *arena)
{
    Amdrpc__V1__Retry *retry = amdi_arena_alloc(arena, sizeof(*retry));

    if (retry == NULL) {
        return NULL;
    }
    amdrpc__v1__retry__init(retry);
    retry->reason = text_create(why, arena);
    return retry->reason == NULL ? NULL : retry;
}

/** Sets what happened; false without memory. */
static bool
response_set_event(Amdrpc__V1__WatchResponse *out,
        const struct amdi_event *event, struct amdi_arena *arena)
{
    switch (event->kind) {
    case AMDI_EVENT_MESSAGE:
        out->event_case = AMDRPC__V1__WATCH_RESPONSE__EVENT_MESSAGE;
        out->message = amdi_op_answer_create(event->data, arena);
        return out->message != NULL;
    case AMDI_EVENT_PROGRESS:
        out->event_case = AMDRPC__V1__WATCH_RESPONSE__EVENT_PROGRESS;
        out->progress = message_unpack(
                &amdrpc__v1__progress__descriptor, event->data, arena);
        return out->progress != NULL;
    case AMDI_EVENT_RETRY:
        out->event_case = AMDRPC__V1__WATCH_RESPONSE__EVENT_RETRY;
        out->retry = retry_create(event->data, arena);
        return out->retry != NULL;
    case AMDI_EVENT_END:
        break;
    }
    return true;
}

Amdrpc__V1__WatchResponse *
amdi_op_event_create(const struct amdi_event *event, struct amdi_arena *arena)
{
    Amdrpc__V1__WatchResponse *out = amdi_arena_alloc(arena, sizeof(*out));

    if (out == NULL) {
        return NULL;
    }
    amdrpc__v1__watch_response__init(out);
    out->seq = event->seq;
    out->attempt = event->attempt;
    return time_create(event->at_us, arena, &out->time) &&
                    response_set_event(out, event, arena)
            ? out
            : NULL;
}
