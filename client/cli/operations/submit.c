/** amdrpc submit: a call that has a name, to come back to. */
#include "client/cli/command.h"
#include "client/cli/method.h"
#include "client/cli/operations/operations.h"
#include "client/cli/operations/start_at.h"
#include "client/cli/request.h"

#include <stdio.h>
#include <string.h>

// A submission is retried with the same id; somebody waits for it, though.
#define SUBMIT_PATIENCE_MS 10000

struct submit_options {
    struct amdi_connect connect;
    const char *descriptor_set;
    uint64_t max_attempts;
    struct amdi_texts metadata;
    uint64_t patience_ms;
    const char *priority;
    const char *request_id;
    const char *start_at;
    uint64_t timeout_ms;
    uint64_t ttl_ms;
    bool wait;
    bool watch;
    struct amdi_show show;
};

#define FIELD(name) offsetof(struct submit_options, name)

static const struct amdi_option submit_rows[] = {
        AMDI_CONNECT_ROWS(struct submit_options, connect),
        {"compact", AMDI_OPTION_FLAG, FIELD(show.compact), NULL,
                "Print each message as one line.", 0, 0},
        {"descriptor-set", AMDI_OPTION_TEXT, FIELD(descriptor_set), "FILE",
                "Read descriptors from here, do not ask the server.", 0, 0},
        {"emit-defaults", AMDI_OPTION_FLAG, FIELD(show.emit_defaults), NULL,
                "Print fields that hold their default value.", 0, 0},
        {"max-attempts", AMDI_OPTION_NUMBER, FIELD(max_attempts), "N",
                "How often to try; default: as the method's policy.", 1, 1000},
        {"metadata", AMDI_OPTION_TEXTS, FIELD(metadata), "NAME=VALUE",
                "Send metadata; a -bin VALUE is base64. May be repeated.", 0,
                0},
        {"no-progress", AMDI_OPTION_FLAG, FIELD(show.no_progress), NULL,
                "With --watch: show no progress.", 0, 0},
        {"patience", AMDI_OPTION_DURATION, FIELD(patience_ms), "TIME",
                "How long the server may be away; default 10s, 5m later.", 1,
                86400000},
        {"priority", AMDI_OPTION_TEXT, FIELD(priority), "CLASS",
                "high, normal or low.", 0, 0},
        {"request-id", AMDI_OPTION_TEXT, FIELD(request_id), "ID",
                "The same id is the same operation; default: a new one.", 0, 0},
        {"start-at", AMDI_OPTION_TEXT, FIELD(start_at), "TIME",
                "Not before: 2030-01-31T08:00:00Z, or +10m from now.", 0, 0},
        {"timeout", AMDI_OPTION_DURATION, FIELD(timeout_ms), "TIME",
                "When the server gives up executing it: 2s, 5m, 12h.", 1,
                99999999000},
        {"ttl", AMDI_OPTION_DURATION, FIELD(ttl_ms), "TIME",
                "How long the server keeps it after its end.", 1, 99999999000},
        {"wait", AMDI_OPTION_FLAG, FIELD(wait), NULL,
                "Then wait, as amdrpc wait does.", 0, 0},
        {"watch", AMDI_OPTION_FLAG, FIELD(watch), NULL,
                "Then follow it, as amdrpc watch does.", 0, 0},
};

static const struct amdi_command_line submit_line = {
        .usage = "amdrpc submit [OPTION...] HOST:PORT METHOD [REQUEST]",
        .summary =
                "Lets the server execute a method as an operation, and prints "
                "its name.\n\n"
                "METHOD is package.Service/Method, without a request stream. "
                "REQUEST is JSON,\n@FILE, or - for standard input; without it "
                "the request is empty.",
        .notes = "The operation goes on when this program ends, and when the "
                 "server restarts. Come\nback with amdrpc wait, watch, get or "
                 "cancel. Exit status as of amdrpc call.\n",
        .options = submit_rows,
        .noptions = sizeof(submit_rows) / sizeof(submit_rows[0]),
        .operands = {"HOST:PORT", "METHOD", "REQUEST"},
        .min_operands = 2,
        .max_operands = 3,
};

/** One run of the command. */
struct submit_run {
    const struct submit_options *options;
    const char *source; // of the request
    struct amdi_session session;
    struct amdi_named_method method;
    amdrpc_metadata *metadata; // owned
    amdrpc_operation_options submission;
    struct amdi_buf request;
    amdrpc_future *future; // owned
};

static int
submit_set_priority(struct submit_run *run)
{
    static const struct {
        const char *name;
        amdrpc_operation_priority priority;
    } classes[] = {
            {"high", AMDRPC_OPERATION_HIGH},
            {"low", AMDRPC_OPERATION_LOW},
            {"normal", AMDRPC_OPERATION_NORMAL},
    };
    const char *name = run->options->priority;

    if (name == NULL) {
        return AMDI_EXIT_OK;
    }
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        if (strcmp(classes[i].name, name) == 0) {
            run->submission.priority = classes[i].priority;
            return AMDI_EXIT_OK;
        }
    }
    amdi_program_error("--priority: '%s' is not high, normal or low", name);
    return AMDI_EXIT_USAGE;
}

static int
submit_set_options(struct submit_run *run)
{
    const struct submit_options *options = run->options;

    run->submission = (amdrpc_operation_options){
            .max_unavailable_ms = options->patience_ms == 0
                    ? SUBMIT_PATIENCE_MS
                    : (int64_t)options->patience_ms,
            .request_id = options->request_id,
            .timeout_ms = (int64_t)options->timeout_ms,
            .ttl_ms = (int64_t)options->ttl_ms,
            .max_attempts = (uint32_t)options->max_attempts,
            .no_wait = true,
    };
    if (options->wait && options->watch) {
        amdi_program_error("--wait and --watch do not go together");
        return AMDI_EXIT_USAGE;
    }
    if (options->start_at != NULL &&
            !amdi_start_at_parse(
                    options->start_at, &run->submission.start_at_ms)) {
        amdi_program_error("--start-at: '%s' is not a time: "
                           "2030-01-31T08:00:00Z or +10m",
                options->start_at);
        return AMDI_EXIT_USAGE;
    }
    return submit_set_priority(run);
}

static int
submit_find_method(struct submit_run *run, const char *text)
{
    int exit_status = amdi_named_method_parse(&run->method, text);

    if (exit_status == AMDI_EXIT_OK) {
        exit_status = amdi_named_method_find(
                &run->method, &run->session, run->options->descriptor_set);
    }
    if (exit_status == AMDI_EXIT_OK &&
            amdrpc_method_has_request_stream(&run->method.desc)) {
        amdi_program_error("%s takes a stream of requests: it cannot be an "
                           "operation",
                run->method.path + 1);
        exit_status = AMDI_EXIT_USAGE;
    }
    return exit_status;
}

static int
submit_read_request(struct submit_run *run)
{
    struct amdi_request request;
    int exit_status =
            amdi_request_open(&request, run->source, &run->method.codec);

    if (exit_status == AMDI_EXIT_OK) {
        exit_status = amdi_request_read_single(&request, &run->request);
    }
    amdi_request_close(&request);
    return exit_status;
}

static int
submit_send(struct submit_run *run)
{
    run->submission.metadata = run->metadata;
    amdrpc_err err = amdrpc_operation_submit_bytes(run->session.channel,
            &run->method.desc, amdi_buf_peek(&run->request),
            amdi_buf_len(&run->request), &run->submission, &run->future);

    return err == AMDRPC_OK ? amdi_session_await(&run->session, run->future)
                            : amdi_session_fail(err, "cannot submit");
}

/** Tells the name, where it is not in the way of what follows. */
static int
submit_follow(struct submit_run *run)
{
    const struct submit_options *options = run->options;
    const char *name = amdrpc_future_get_operation_name(run->future);

    if (!options->wait && !options->watch) {
        (void)puts(name);
        return AMDI_EXIT_OK;
    }
    (void)fprintf(stderr, "operation: %s\n", name);
    return options->wait
            ? amdi_operations_wait(&run->session, name, &options->show,
                      options->patience_ms, /*timeout_ms=*/0)
            : amdi_operations_watch(&run->session, name, &options->show,
                      options->patience_ms, /*after=*/0);
}

static int
submit_make(struct submit_run *run, const char *method)
{
    int exit_status = submit_find_method(run, method);

    if (exit_status == AMDI_EXIT_OK) {
        exit_status = submit_read_request(run);
    }
    if (exit_status == AMDI_EXIT_OK) {
        exit_status = amdi_session_make_metadata(
                &run->session, &run->options->metadata, &run->metadata);
    }
    if (exit_status == AMDI_EXIT_OK) {
        exit_status = submit_send(run);
    }
    return exit_status == AMDI_EXIT_OK ? submit_follow(run) : exit_status;
}

int
amdi_command_submit(int argc, char **argv)
{
    struct submit_options options = {.timeout_ms = 0};
    struct submit_run run = {.options = &options};
    struct amdi_operands operands;
    int exit_status;

    if (!amdi_program_parse(
                &submit_line, argc, argv, &options, &operands, &exit_status)) {
        return exit_status;
    }
    run.source = operands.count > 2 ? operands.items[2] : "";
    exit_status = submit_set_options(&run);
    if (exit_status == AMDI_EXIT_OK) {
        exit_status = amdi_session_open(&run.session, &options.connect,
                operands.items[0], /*timeout_ms=*/0);
    }
    if (exit_status != AMDI_EXIT_OK) {
        return exit_status;
    }
    amdi_buf_init(&run.request);
    exit_status = submit_make(&run, operands.items[1]);
    amdi_buf_fini(&run.request);
    amdrpc_future_unref(run.future);
    amdrpc_metadata_destroy(run.metadata);
    amdi_session_close(&run.session);
    return exit_status;
}
