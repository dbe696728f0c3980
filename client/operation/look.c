/** Looks at operations: get and list; and what needs one call: cancel, delete.
 */
#include "client/operation/look.h"

#include "amdrpc/v1/operations.pb-c.h"
#include "client/operation/operation.h"
#include "common/alloc.h"
#include "common/future.h"
#include "common/wire.h"
#include "google/longrunning/operations.amdrpc.h"

#include <string.h>

#define MS_PER_S 1000
#define NS_PER_MS 1000000

#define METHOD(name)                        \
    (&google_longrunning_operations_service \
                    .methods[GOOGLE_LONGRUNNING_OPERATIONS_##name])

/* ---- from messages to structs ---- */

int64_t
amdi_operation_read_time(const Google__Protobuf__Timestamp *time)
{
    return time == NULL ? 0
                        : time->seconds * MS_PER_S + time->nanos / NS_PER_MS;
}

static const Amdrpc__V1__OperationMetadata *
metadata_unpack(const Google__Protobuf__Any *any, struct amdi_arena *arena)
{
    const ProtobufCMessageDescriptor *type =
            &amdrpc__v1__operation_metadata__descriptor;
    ProtobufCAllocator allocator = amdi_arena_allocator(arena);

    if (any == NULL ||
            strcmp(amdi_operation_type_of(any->type_url), type->name) != 0 ||
            amdi_wire_check(type, any->value.data, any->value.len,
                    AMDI_WIRE_MAX_DEPTH, NULL) != AMDRPC_OK) {
        return NULL;
    }
    return amdrpc__v1__operation_metadata__unpack(
            &allocator, any->value.len, any->value.data);
}

static void
operation_set_metadata(
        amdrpc_operation *out, const Amdrpc__V1__OperationMetadata *metadata)
{
    out->method = metadata->method;
    out->request_id = metadata->request_id;
    out->state = (amdrpc_operation_state)metadata->state;
    out->is_cancel_requested = metadata->cancel_requested;
    out->queue_position = metadata->queue_position;
    if (metadata->progress != NULL) {
        out->progress_done = metadata->progress->done;
        out->progress_total = metadata->progress->total;
        out->progress_note = metadata->progress->note;
    }
    out->attempt = metadata->attempt;
    out->max_attempts = metadata->max_attempts;
    out->first_seq = metadata->first_seq;
    out->last_seq = metadata->last_seq;
    out->nmessages = metadata->messages;
    out->create_at_ms = amdi_operation_read_time(metadata->create_time);
    out->expected_start_at_ms =
            amdi_operation_read_time(metadata->expected_start_time);
    out->start_at_ms = amdi_operation_read_time(metadata->start_time);
    out->end_at_ms = amdi_operation_read_time(metadata->end_time);
    out->expire_at_ms = amdi_operation_read_time(metadata->expire_time);
    out->deadline_at_ms = amdi_operation_read_time(metadata->deadline);
}

static void
operation_set_result(
        amdrpc_operation *out, const Google__Longrunning__Operation *operation)
{
    out->status = AMDRPC_STATUS_OK;
    if (operation->result_case ==
            GOOGLE__LONGRUNNING__OPERATION__RESULT_ERROR) {
        out->status = amdi_operation_status_of(operation->error->code);
        out->status_message = operation->error->message;
    } else if (operation->result_case ==
            GOOGLE__LONGRUNNING__OPERATION__RESULT_RESPONSE) {
        out->response_type =
                amdi_operation_type_of(operation->response->type_url);
        out->response = operation->response->value.data;
        out->response_len = operation->response->value.len;
    }
}

void
amdi_operation_read(const Google__Longrunning__Operation *operation,
        struct amdi_arena *arena, amdrpc_operation *out)
{
    const Amdrpc__V1__OperationMetadata *metadata =
            metadata_unpack(operation->metadata, arena);

    *out = (amdrpc_operation){
            .name = operation->name,
            .method = "",
            .request_id = "",
            .progress_note = "",
            .is_done = operation->done,
            .status = AMDRPC_STATUS_UNKNOWN,
            .status_message = "",
            .response_type = "",
    };
    if (metadata != NULL) {
        operation_set_metadata(out, metadata);
    }
    if (operation->done) {
        operation_set_result(out, operation);
    }
}

/* ---- a call whose answer is read ---- */

/** A future that completes after that of a call. */
struct look {
    amdrpc_future *call;  // owned
    amdrpc_future *outer; // owned until it is complete
    struct amdi_arena arena;
    amdrpc_operation operation;
    amdrpc_operation_page page;
};

static void
look_on_cancel(void *arg)
{
    amdrpc_future_cancel(((struct look *)arg)->call);
}

static void
look_destroy(void *arg)
{
    struct look *look = arg;

    amdrpc_future_unref(look->call);
    amdi_arena_fini(&look->arena);
    amdi_free(look);
}

static bool
look_read_page(struct look *look,
        const Google__Longrunning__ListOperationsResponse *list)
{
    amdrpc_operation *operations = amdi_arena_alloc(
            &look->arena, (list->n_operations + 1) * sizeof(*operations));

    if (operations == NULL) {
        return false;
    }
    for (size_t i = 0; i < list->n_operations; i++) {
        amdi_operation_read(list->operations[i], &look->arena, &operations[i]);
    }
    look->page = (amdrpc_operation_page){
            .operations = operations,
            .noperations = list->n_operations,
            .next_page_token = list->next_page_token,
    };
    return true;
}

/** Reads the answer; NULL when there is no memory. */
static void *
look_read(struct look *look, const ProtobufCMessage *message)
{
    if (message->descriptor == &google__longrunning__operation__descriptor) {
        amdi_operation_read((const Google__Longrunning__Operation *)message,
                &look->arena, &look->operation);
        return &look->operation;
    }
    return look_read_page(look,
                   (const Google__Longrunning__ListOperationsResponse *)message)
            ? &look->page
            : NULL;
}

static void
look_on_answer(amdrpc_future *call, void *arg)
{
    struct look *look = arg;
    amdrpc_future *outer = look->outer;
    const ProtobufCMessage *message = amdrpc_future_get_message(call);
    struct amdi_future_result result = {
            .status = amdrpc_future_get_status(call),
            .status_message = amdrpc_future_get_status_message(call),
            .destroy = look_destroy,
            .arg = look,
    };

    if (message != NULL) {
        result.pointer = look_read(look, message);
        if (result.pointer == NULL) {
            result.status = amdrpc_status_from_err(AMDRPC_ENOMEM);
            result.status_message = amdrpc_err_text(AMDRPC_ENOMEM);
        }
    }
    (void)amdi_future_complete_take(outer, &result); // nobody else does
    amdrpc_future_unref(outer);
}

/** Makes a call whose answer look_read reads. */
static amdrpc_err
look_start(amdrpc_channel *channel, const amdrpc_method_desc *method,
        const ProtobufCMessage *request, const amdrpc_call_options *options,
        amdrpc_future **out)
{
    struct look *look = amdi_zalloc(sizeof(*look));
    const struct amdi_future_work work = {
            .cancel = look_on_cancel, .arg = look};

    if (look == NULL) {
        return AMDRPC_ENOMEM;
    }
    amdi_arena_init(&look->arena, /*max_bytes=*/0);
    amdrpc_err err = amdi_future_create(&work, &look->outer);
    if (err == AMDRPC_OK) {
        err = amdrpc_channel_call(
                channel, method, request, options, &look->call);
    }
    if (err == AMDRPC_OK) {
        amdrpc_future *outer = amdrpc_future_ref(look->outer);

        err = amdrpc_future_then(look->call, look_on_answer, look);
        if (err == AMDRPC_OK) {
            *out = outer;
            return AMDRPC_OK;
        }
        amdrpc_future_unref(outer);
        amdrpc_future_cancel(look->call);
    }
    amdrpc_future_unref(look->outer);
    look_destroy(look);
    return err;
}

/* ---- the functions ---- */

amdrpc_err
amdrpc_operation_get(amdrpc_channel *channel, const char *name,
        const amdrpc_call_options *options, amdrpc_future **out)
{
    Google__Longrunning__GetOperationRequest request =
            GOOGLE__LONGRUNNING__GET_OPERATION_REQUEST__INIT;

    request.name = (char *)(uintptr_t)name;
    return look_start(
            channel, METHOD(GET_OPERATION), &request.base, options, out);
}

amdrpc_err
amdrpc_operation_list(amdrpc_channel *channel,
        const amdrpc_operation_query *query, const amdrpc_call_options *options,
        amdrpc_future **out)
{
    Google__Longrunning__ListOperationsRequest request =
            GOOGLE__LONGRUNNING__LIST_OPERATIONS_REQUEST__INIT;

    if (query != NULL) {
        if (query->page_size > INT32_MAX) {
            return AMDRPC_EINVAL;
        }
        if (query->filter != NULL) {
            request.filter = (char *)(uintptr_t)query->filter;
        }
        if (query->page_token != NULL) {
            request.page_token = (char *)(uintptr_t)query->page_token;
        }
        request.page_size = (int32_t)query->page_size;
    }
    return look_start(
            channel, METHOD(LIST_OPERATIONS), &request.base, options, out);
}

amdrpc_err
amdrpc_operation_cancel(amdrpc_channel *channel, const char *name,
        const amdrpc_call_options *options, amdrpc_future **out)
{
    Google__Longrunning__CancelOperationRequest request =
            GOOGLE__LONGRUNNING__CANCEL_OPERATION_REQUEST__INIT;

    request.name = (char *)(uintptr_t)name;
    return amdrpc_channel_call(
            channel, METHOD(CANCEL_OPERATION), &request.base, options, out);
}

amdrpc_err
amdrpc_operation_delete(amdrpc_channel *channel, const char *name,
        const amdrpc_call_options *options, amdrpc_future **out)
{
    Google__Longrunning__DeleteOperationRequest request =
            GOOGLE__LONGRUNNING__DELETE_OPERATION_REQUEST__INIT;

    request.name = (char *)(uintptr_t)name;
    return amdrpc_channel_call(
            channel, METHOD(DELETE_OPERATION), &request.base, options, out);
}

const amdrpc_operation *
amdrpc_future_get_operation(amdrpc_future *future)
{
    return amdrpc_future_get_pointer(future);
}

const amdrpc_operation_page *
amdrpc_future_get_operations(amdrpc_future *future)
{
    return amdrpc_future_get_pointer(future);
}
