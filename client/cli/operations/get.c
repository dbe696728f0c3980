/** amdrpc get, cancel and delete: one call about one operation. */
#include "client/cli/command.h"
#include "client/cli/operations/operations.h"
#include "google/longrunning/operations.amdrpc.h"

struct name_options {
    struct amdi_connect connect;
    uint64_t timeout_ms;
    struct amdi_show show;
};

#define FIELD(name) offsetof(struct name_options, name)

#define ROW_TIMEOUT                                                 \
    {                                                               \
        "timeout", AMDI_OPTION_DURATION, FIELD(timeout_ms), "TIME", \
                "Give up after this time: 2s, 500ms.", 1, 86400000  \
    }

static const struct amdi_option get_rows[] = {
        AMDI_CONNECT_ROWS(struct name_options, connect),
        {"compact", AMDI_OPTION_FLAG, FIELD(show.compact), NULL,
                "Print it as one line.", 0, 0},
        {"emit-defaults", AMDI_OPTION_FLAG, FIELD(show.emit_defaults), NULL,
                "Print fields that hold their default value.", 0, 0},
        ROW_TIMEOUT,
};

static const struct amdi_option plain_rows[] = {
        AMDI_CONNECT_ROWS(struct name_options, connect),
        ROW_TIMEOUT,
};

static const struct amdi_command_line get_line = {
        .usage = "amdrpc get [OPTION...] HOST:PORT NAME",
        .summary = "Prints what the server knows of an operation, as JSON.",
        .options = get_rows,
        .noptions = sizeof(get_rows) / sizeof(get_rows[0]),
        .operands = {"HOST:PORT", "NAME"},
        .min_operands = 2,
        .max_operands = 2,
};

static const struct amdi_command_line cancel_line = {
        .usage = "amdrpc cancel [OPTION...] HOST:PORT NAME",
        .summary = "Asks an operation to stop.",
        .notes = "It ends as soon as its method heeds that; amdrpc wait tells "
                 "how.\n",
        .options = plain_rows,
        .noptions = sizeof(plain_rows) / sizeof(plain_rows[0]),
        .operands = {"HOST:PORT", "NAME"},
        .min_operands = 2,
        .max_operands = 2,
};

static const struct amdi_command_line delete_line = {
        .usage = "amdrpc delete [OPTION...] HOST:PORT NAME",
        .summary = "Lets the server forget an operation.",
        .options = plain_rows,
        .noptions = sizeof(plain_rows) / sizeof(plain_rows[0]),
        .operands = {"HOST:PORT", "NAME"},
        .min_operands = 2,
        .max_operands = 2,
};

/** Makes the call; @out: returned owned. */
typedef amdrpc_err ask_fn(amdrpc_channel *channel, const char *name,
        const amdrpc_call_options *options, amdrpc_future **out);

// The whole message, as it came.
static amdrpc_err
operation_get(amdrpc_channel *channel, const char *name,
        const amdrpc_call_options *options, amdrpc_future **out)
{
    Google__Longrunning__GetOperationRequest request =
            GOOGLE__LONGRUNNING__GET_OPERATION_REQUEST__INIT;

    request.name = (char *)(uintptr_t)name;
    return amdrpc_channel_call(channel,
            &google_longrunning_operations_service
                     .methods[GOOGLE_LONGRUNNING_OPERATIONS_GET_OPERATION],
            &request.base, options, out);
}

static int
name_ask(struct amdi_session *session, const struct name_options *options,
        const char *name, ask_fn *ask, amdrpc_future **out)
{
    const amdrpc_call_options call = {.metadata = session->metadata,
            .timeout_ms = (int64_t)options->timeout_ms};
    amdrpc_err err = ask(session->channel, name, &call, out);

    return err == AMDRPC_OK ? amdi_session_await(session, *out)
                            : amdi_session_fail(err, "cannot ask");
}

static int
name_run(int argc, char **argv, const struct amdi_command_line *line,
        ask_fn *ask)
{
    struct name_options options = {.timeout_ms = 0};
    struct amdi_session session;
    char name[AMDI_OPERATION_NAME_BYTES];
    amdrpc_future *future = NULL;
    int exit_status;

    if (!amdi_operations_open(line, argc, argv, &options, &options.connect,
                &session, name, &exit_status)) {
        return exit_status;
    }
    exit_status = name_ask(&session, &options, name, ask, &future);
    if (exit_status == AMDI_EXIT_OK && ask == operation_get) {
        exit_status = amdi_operations_print(&session,
                (const Google__Longrunning__Operation *)
                        amdrpc_future_get_message(future),
                &options.show);
    }
    amdrpc_future_unref(future);
    amdi_session_close(&session);
    return exit_status;
}

int
amdi_command_get(int argc, char **argv)
{
    return name_run(argc, argv, &get_line, operation_get);
}

int
amdi_command_cancel(int argc, char **argv)
{
    return name_run(argc, argv, &cancel_line, amdrpc_operation_cancel);
}

int
amdi_command_delete(int argc, char **argv)
{
    return name_run(argc, argv, &delete_line, amdrpc_operation_delete);
}
