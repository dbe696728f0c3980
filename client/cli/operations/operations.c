/** What the commands about operations share. */
#include "client/cli/operations/operations.h"

#include "amdrpc/v1/operations.amdrpc.h"
#include "common/alloc.h"
#include "common/buf.h"
#include "common/json/json.h"

#include <stdio.h>
#include <string.h>

/** Takes a name as people write it: "operations/ID", or the ID. */
static int
name_parse(const char *text, char *out)
{
    bool is_id = strchr(text, '/') == NULL;
    int len = snprintf(out, AMDI_OPERATION_NAME_BYTES, "%s%s",
            is_id ? "operations/" : "", text);

    if (text[0] == '\0' || len >= AMDI_OPERATION_NAME_BYTES) {
        amdi_program_error("'%s' is not an operation: operations/ID", text);
        return AMDI_EXIT_USAGE;
    }
    return AMDI_EXIT_OK;
}

bool
amdi_operations_open(const struct amdi_command_line *line, int argc,
        char **argv, void *out_options, const struct amdi_connect *connect,
        struct amdi_session *session, char *out_name, int *out_exit)
{
    struct amdi_operands operands;

    if (!amdi_program_parse(
                line, argc, argv, out_options, &operands, out_exit)) {
        return false;
    }
    *out_exit = name_parse(operands.items[1], out_name);
    if (*out_exit == AMDI_EXIT_OK) {
        *out_exit = amdi_session_open(
                session, connect, operands.items[0], /*timeout_ms=*/0);
    }
    return *out_exit == AMDI_EXIT_OK;
}

// What every server of operations has is compiled in.
static int
operations_learn_own(struct amdi_session *session)
{
    const amdrpc_service_desc *service = &amdrpc_v1_operations_service;
    struct amdi_error error;
    amdrpc_err err = amdi_descriptors_add_set(session->descriptors,
            service->descriptor_set, service->descriptor_set_len, &error);

    if (err == AMDRPC_OK) {
        err = amdi_descriptors_link(session->descriptors, &error);
    }
    return err == AMDRPC_OK ? AMDI_EXIT_OK : amdi_session_fail(err, error.text);
}

static bool
operations_know(struct amdi_session *session, const char *type,
        const struct amdi_message **out)
{
    *out = amdi_descriptors_find_message(session->descriptors, type);
    return *out != NULL;
}

int
amdi_operations_learn(struct amdi_session *session, const char *type,
        const struct amdi_message **out)
{
    int exit_status;

    if (operations_know(session, type, out)) {
        return AMDI_EXIT_OK;
    }
    exit_status = operations_learn_own(session);
    if (exit_status != AMDI_EXIT_OK || operations_know(session, type, out)) {
        return exit_status;
    }
    exit_status = amdi_session_discover(session, type);
    if (exit_status == AMDI_EXIT_OK && !operations_know(session, type, out)) {
        amdi_program_error(
                "%s does not tell what %s is", session->target, type);
        return AMDI_EXIT_UNKNOWN;
    }
    return exit_status;
}

/** Learns what an Any holds, so that it can be written. */
static int
operations_learn_any(
        struct amdi_session *session, const Google__Protobuf__Any *any)
{
    const struct amdi_message *message = NULL;
    const char *slash = any == NULL ? NULL : strrchr(any->type_url, '/');

    return slash == NULL ? AMDI_EXIT_OK
                         : amdi_operations_learn(session, slash + 1, &message);
}

static int
operations_learn_parts(struct amdi_session *session,
        const Google__Longrunning__Operation *operation)
{
    int exit_status = operations_learn_any(session, operation->metadata);

    if (exit_status == AMDI_EXIT_OK &&
            operation->result_case ==
                    GOOGLE__LONGRUNNING__OPERATION__RESULT_RESPONSE) {
        exit_status = operations_learn_any(session, operation->response);
    }
    if (operation->result_case !=
            GOOGLE__LONGRUNNING__OPERATION__RESULT_ERROR) {
        return exit_status;
    }
    for (size_t i = 0;
            i < operation->error->n_details && exit_status == AMDI_EXIT_OK;
            i++) {
        exit_status =
                operations_learn_any(session, operation->error->details[i]);
    }
    return exit_status;
}

static int
operations_write(struct amdi_session *session, const struct amdi_message *type,
        const void *data, size_t len, const struct amdi_show *show)
{
    const struct amdi_json_options options = {
            .pretty = !show->compact, .emit_defaults = show->emit_defaults};
    struct amdi_error error;
    struct amdi_buf text;
    int exit_status = AMDI_EXIT_OK;

    amdi_buf_init(&text);
    if (amdi_json_write(session->descriptors, type, data, len, &options, &text,
                &error) != AMDRPC_OK) {
        amdi_program_error("the operation cannot be shown: %s", error.text);
        exit_status = AMDI_EXIT_FAILED;
    } else {
        (void)fwrite(amdi_buf_peek(&text), 1, amdi_buf_len(&text), stdout);
        (void)putchar('\n');
    }
    amdi_buf_fini(&text);
    return exit_status;
}

int
amdi_operations_print(struct amdi_session *session,
        const Google__Longrunning__Operation *operation,
        const struct amdi_show *show)
{
    const struct amdi_message *type = NULL;
    int exit_status = operations_learn_parts(session, operation);

    if (exit_status == AMDI_EXIT_OK) {
        exit_status = amdi_operations_learn(
                session, operation->base.descriptor->name, &type);
    }
    if (exit_status != AMDI_EXIT_OK) {
        return exit_status;
    }
    size_t len = google__longrunning__operation__get_packed_size(operation);
    uint8_t *data = amdi_alloc(len + 1);
    if (data == NULL) {
        return amdi_session_fail(AMDRPC_ENOMEM, "the operation");
    }
    // As long as it was measured.
    (void)google__longrunning__operation__pack(operation, data);
    exit_status = operations_write(session, type, data, len, show);
    amdi_free(data);
    return exit_status;
}
