/** amdrpc wait: the response of an operation, once it is done. */
#include "client/cli/answer.h"
#include "client/cli/command.h"
#include "client/cli/operations/operations.h"

struct wait_options {
    struct amdi_connect connect;
    uint64_t patience_ms;
    uint64_t timeout_ms;
    struct amdi_show show;
};

#define FIELD(name) offsetof(struct wait_options, name)

static const struct amdi_option wait_rows[] = {
        AMDI_CONNECT_ROWS(struct wait_options, connect),
        {"compact", AMDI_OPTION_FLAG, FIELD(show.compact), NULL,
                "Print the response as one line.", 0, 0},
        {"emit-defaults", AMDI_OPTION_FLAG, FIELD(show.emit_defaults), NULL,
                "Print fields that hold their default value.", 0, 0},
        {"patience", AMDI_OPTION_DURATION, FIELD(patience_ms), "TIME",
                "How long the server may be away; default 5m.", 1, 86400000},
        {"timeout", AMDI_OPTION_DURATION, FIELD(timeout_ms), "TIME",
                "Give up waiting after this time: 2s, 500ms.", 1, 99999999000},
};

static const struct amdi_command_line wait_line = {
        .usage = "amdrpc wait [OPTION...] HOST:PORT NAME",
        .summary = "Waits until an operation is done, and prints its response "
                   "as JSON.",
        .notes = "A server that restarts is waited for. Giving up, or Ctrl-C, "
                 "leaves the operation\nalone. The exit status is as of "
                 "amdrpc call.\n",
        .options = wait_rows,
        .noptions = sizeof(wait_rows) / sizeof(wait_rows[0]),
        .operands = {"HOST:PORT", "NAME"},
        .min_operands = 2,
        .max_operands = 2,
};

static int
wait_print(struct amdi_session *session, const amdrpc_operation *operation,
        const struct amdi_show *show)
{
    struct amdi_codec codec = {.descriptors = session->descriptors,
            .is_compact = show->compact,
            .emit_defaults = show->emit_defaults};
    struct amdi_answer answer;
    int exit_status = amdi_operations_learn(
            session, operation->response_type, &codec.output);

    if (exit_status != AMDI_EXIT_OK) {
        return exit_status;
    }
    codec.input = codec.output; // it is not raw
    amdi_answer_init(&answer, &codec, /*shows_progress=*/false);
    exit_status = amdi_answer_print(
            &answer, operation->response, operation->response_len);
    amdi_answer_fini(&answer);
    return exit_status;
}

static int
wait_print_response(struct amdi_session *session, const char *name,
        const struct amdi_show *show)
{
    const amdrpc_call_options options = {.metadata = session->metadata};
    amdrpc_future *future = NULL;
    amdrpc_err err =
            amdrpc_operation_get(session->channel, name, &options, &future);
    int exit_status = err == AMDRPC_OK ? amdi_session_await(session, future)
                                       : amdi_session_fail(err, "cannot ask");

    if (exit_status == AMDI_EXIT_OK) {
        exit_status =
                wait_print(session, amdrpc_future_get_operation(future), show);
    }
    amdrpc_future_unref(future);
    return exit_status;
}

static int
wait_future(struct amdi_session *session, amdrpc_future *future,
        uint64_t timeout_ms)
{
    int64_t ms = timeout_ms == 0 ? -1 : (int64_t)timeout_ms;

    if (amdrpc_future_wait(future, ms) == AMDRPC_ETIMEDOUT) {
        return amdi_session_judge(session, AMDRPC_STATUS_DEADLINE_EXCEEDED,
                "the operation goes on");
    }
    return amdi_session_await(session, future);
}

int
amdi_operations_wait(struct amdi_session *session, const char *name,
        const struct amdi_show *show, uint64_t patience_ms, uint64_t timeout_ms)
{
    const amdrpc_operation_options options = {.metadata = session->metadata,
            .max_unavailable_ms = (int64_t)patience_ms};
    amdrpc_future *future = NULL;
    amdrpc_err err = amdrpc_future_from_name(
            session->channel, NULL, name, &options, &future);
    int exit_status = err == AMDRPC_OK
            ? wait_future(session, future, timeout_ms)
            : amdi_session_fail(err, "cannot wait");

    amdrpc_future_unref(future);
    return exit_status == AMDI_EXIT_OK
            ? wait_print_response(session, name, show)
            : exit_status;
}

int
amdi_command_wait(int argc, char **argv)
{
    struct wait_options options = {.timeout_ms = 0};
    struct amdi_session session;
    char name[AMDI_OPERATION_NAME_BYTES];
    int exit_status;

    if (!amdi_operations_open(&wait_line, argc, argv, &options,
                &options.connect, &session, name, &exit_status)) {
        return exit_status;
    }
    exit_status = amdi_operations_wait(&session, name, &options.show,
            options.patience_ms, options.timeout_ms);
    amdi_session_close(&session);
    return exit_status;
}
