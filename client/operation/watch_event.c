/** An event of an operation, as the public struct. */
#include "client/operation/watch_event.h"

#include "client/operation/look.h"
#include "client/operation/operation.h"
#include "common/wire.h"

#include <string.h>

/** Reads a message or response as the method's type, if that is known. */
static amdrpc_err
event_set_message(amdrpc_watch_event *event, const Google__Protobuf__Any *any,
        const amdrpc_method_desc *method, struct amdi_arena *arena)
{
    const ProtobufCMessageDescriptor *type =
            method == NULL ? NULL : method->output;
    ProtobufCAllocator allocator = amdi_arena_allocator(arena);

    event->type = amdi_operation_type_of(any->type_url);
    event->data = any->value.data;
    event->len = any->value.len;
    if (type == NULL || strcmp(event->type, type->name) != 0) {
        return AMDRPC_OK; // the end of a stream is of another type
    }
    if (amdi_wire_check(type, event->data, event->len, AMDI_WIRE_MAX_DEPTH,
                NULL) != AMDRPC_OK) {
        return AMDRPC_EPROTO;
    }
    event->message = protobuf_c_message_unpack(
            type, &allocator, event->len, event->data);
    return event->message == NULL ? AMDRPC_ENOMEM : AMDRPC_OK;
}

static amdrpc_err
event_set_end(amdrpc_watch_event *event,
        const Google__Longrunning__Operation *operation,
        const amdrpc_method_desc *method, struct amdi_arena *arena)
{
    event->kind = AMDRPC_WATCH_END;
    event->status = AMDRPC_STATUS_OK;
    if (operation->result_case ==
            GOOGLE__LONGRUNNING__OPERATION__RESULT_ERROR) {
        event->status = amdi_operation_status_of(operation->error->code);
        event->text = operation->error->message;
    } else if (operation->result_case ==
            GOOGLE__LONGRUNNING__OPERATION__RESULT_RESPONSE) {
        return event_set_message(event, operation->response, method, arena);
    }
    return AMDRPC_OK;
}

amdrpc_err
amdi_watch_event_read(const Amdrpc__V1__WatchResponse *response,
        const amdrpc_method_desc *method, struct amdi_arena *arena,
        amdrpc_watch_event *event)
{
    *event = (amdrpc_watch_event){
            .seq = response->seq,
            .attempt = response->attempt,
            .at_ms = amdi_operation_read_time(response->time),
            .type = "",
            .text = "",
    };
    switch (response->event_case) {
    case AMDRPC__V1__WATCH_RESPONSE__EVENT_MESSAGE:
        event->kind = AMDRPC_WATCH_MESSAGE;
        return event_set_message(event, response->message, method, arena);
    case AMDRPC__V1__WATCH_RESPONSE__EVENT_PROGRESS:
        event->kind = AMDRPC_WATCH_PROGRESS;
        event->done = response->progress->done;
        event->total = response->progress->total;
        event->text = response->progress->note;
        return AMDRPC_OK;
    case AMDRPC__V1__WATCH_RESPONSE__EVENT_RETRY:
        event->kind = AMDRPC_WATCH_RETRY;
        event->text = response->retry->reason;
        return AMDRPC_OK;
    case AMDRPC__V1__WATCH_RESPONSE__EVENT_END:
        return event_set_end(event, response->end, method, arena);
    case AMDRPC__V1__WATCH_RESPONSE__EVENT__NOT_SET:
    case _AMDRPC__V1__WATCH_RESPONSE__EVENT__CASE_IS_INT_SIZE:
        break;
    }
    return AMDRPC_EUNSUPPORTED; // of a newer server: passed over
}
