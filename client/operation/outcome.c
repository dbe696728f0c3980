/** How an operation ended, as its future tells it. */
#include "client/operation/operation.h"
#include "common/wire.h"
#include "google/longrunning/operations.pb-c.h"

#include <string.h>

amdrpc_status_code
amdi_operation_status_of(int32_t code)
{
    // An error that says OK would be taken for none.
    return code > AMDRPC_STATUS_OK && code <= AMDRPC_STATUS_UNAUTHENTICATED
            ? (amdrpc_status_code)code
            : AMDRPC_STATUS_UNKNOWN;
}

const char *
amdi_operation_type_of(const char *type_url)
{
    const char *slash = strrchr(type_url, '/');

    return slash == NULL ? type_url : slash + 1;
}

static void
outcome_fail(struct amdi_operation_outcome *out, const char *message)
{
    *out = (struct amdi_operation_outcome){
            .status = AMDRPC_STATUS_INTERNAL, .message = message};
}

static void
outcome_set_response(struct amdi_operation_outcome *out,
        const ProtobufCMessageDescriptor *type,
        const Google__Protobuf__Any *response, struct amdi_arena *arena)
{
    ProtobufCAllocator allocator = amdi_arena_allocator(arena);

    if (strcmp(amdi_operation_type_of(response->type_url), type->name) != 0) {
        outcome_fail(out,
                "the operation's response is not of the method's "
                "output type");
        return;
    }
    if (amdi_wire_check(type, response->value.data, response->value.len,
                AMDI_WIRE_MAX_DEPTH, NULL) == AMDRPC_OK) {
        out->response = protobuf_c_message_unpack(
                type, &allocator, response->value.len, response->value.data);
    }
    if (out->response == NULL) {
        outcome_fail(out, "the operation's response cannot be read");
    }
}

static void
outcome_set_error(struct amdi_operation_outcome *out,
        const Google__Rpc__Status *error, struct amdi_arena *arena)
{
    out->status = amdi_operation_status_of(error->code);
    out->message =
            amdi_arena_strndup(arena, error->message, strlen(error->message));
}

void
amdi_operation_read_outcome(const Google__Longrunning__Operation *operation,
        const amdrpc_method_desc *method, struct amdi_arena *arena,
        struct amdi_operation_outcome *out)
{
    *out = (struct amdi_operation_outcome){.status = AMDRPC_STATUS_OK};
    switch (operation->result_case) {
    case GOOGLE__LONGRUNNING__OPERATION__RESULT_ERROR:
        outcome_set_error(out, operation->error, arena);
        return;
    case GOOGLE__LONGRUNNING__OPERATION__RESULT_RESPONSE:
        // Of a response stream there is only a count.
        if (method != NULL && method->output != NULL &&
                !amdrpc_method_has_response_stream(method)) {
            outcome_set_response(
                    out, method->output, operation->response, arena);
        }
        return;
    case GOOGLE__LONGRUNNING__OPERATION__RESULT__NOT_SET:
    case _GOOGLE__LONGRUNNING__OPERATION__RESULT__CASE_IS_INT_SIZE:
        break;
    }
    outcome_fail(out, "the operation is done without a result");
}
