/** amdrpc watch: follows an operation, through restarts of the server. */
#include "client/cli/answer.h"
#include "client/cli/command.h"
#include "client/cli/operations/operations.h"

#include <stdio.h>
#include <string.h>

struct watch_options {
    struct amdi_connect connect;
    uint64_t after;
    uint64_t patience_ms;
    struct amdi_show show;
};

#define FIELD(name) offsetof(struct watch_options, name)

static const struct amdi_option watch_rows[] = {
        {"after", AMDI_OPTION_NUMBER, FIELD(after), "N",
                "Begin after the event of this number.", 0, UINT64_MAX},
        AMDI_CONNECT_ROWS(struct watch_options, connect),
        {"compact", AMDI_OPTION_FLAG, FIELD(show.compact), NULL,
                "Print each message as one line.", 0, 0},
        {"emit-defaults", AMDI_OPTION_FLAG, FIELD(show.emit_defaults), NULL,
                "Print fields that hold their default value.", 0, 0},
        {"no-progress", AMDI_OPTION_FLAG, FIELD(show.no_progress), NULL,
                "Show no progress; print its messages like all others.", 0, 0},
        {"patience", AMDI_OPTION_DURATION, FIELD(patience_ms), "TIME",
                "How long the server may be away; default 5m.", 1, 86400000},
};

static const struct amdi_command_line watch_line = {
        .usage = "amdrpc watch [OPTION...] HOST:PORT NAME",
        .summary = "Follows an operation: its messages as JSON, its progress "
                   "on stderr, until it\nis done.",
        .notes = "A lost connection, or a server that restarts, is not seen: "
                 "what comes next is\nwhat follows. Ctrl-C leaves the "
                 "operation alone. The exit status is as of\namdrpc call.\n",
        .options = watch_rows,
        .noptions = sizeof(watch_rows) / sizeof(watch_rows[0]),
        .operands = {"HOST:PORT", "NAME"},
        .min_operands = 2,
        .max_operands = 2,
};

/** One watch. */
struct watch_run {
    struct amdi_session *session;
    struct amdi_codec codec; // of the type that the last message had
    struct amdi_answer answer;
    bool is_done;
};

static int
watch_print(struct watch_run *run, const amdrpc_watch_event *event)
{
    int exit_status = amdi_operations_learn(
            run->session, event->type, &run->codec.output);

    run->codec.input = run->codec.output; // it is not raw
    return exit_status == AMDI_EXIT_OK
            ? amdi_answer_print(&run->answer, event->data, event->len)
            : exit_status;
}

static void
watch_show_progress(struct watch_run *run, const amdrpc_watch_event *event)
{
    struct amdi_progress progress = {.is_count = true,
            .bytes_done = event->done,
            .bytes_total = event->total};

    (void)snprintf(progress.path, sizeof(progress.path), "%s", event->text);
    amdi_answer_show_progress(&run->answer, &progress);
}

static int
watch_take_end(struct watch_run *run, const amdrpc_watch_event *event)
{
    run->is_done = true;
    if (event->status != AMDRPC_STATUS_OK) {
        amdi_progress_view_clear(&run->answer.view);
        return amdi_session_judge(run->session, event->status, event->text);
    }
    // Of a response stream the end is only a count.
    return strcmp(event->type, "amdrpc.v1.StreamEnd") == 0
            ? AMDI_EXIT_OK
            : watch_print(run, event);
}

static int
watch_take(struct watch_run *run, const amdrpc_watch_event *event)
{
    switch (event->kind) {
    case AMDRPC_WATCH_MESSAGE:
        return watch_print(run, event);
    case AMDRPC_WATCH_PROGRESS:
        watch_show_progress(run, event);
        return AMDI_EXIT_OK;
    case AMDRPC_WATCH_RETRY:
        amdi_progress_view_clear(&run->answer.view);
        amdi_program_error(
                "attempt %u failed: %s", event->attempt, event->text);
        return AMDI_EXIT_OK;
    case AMDRPC_WATCH_END:
        break;
    }
    return watch_take_end(run, event);
}

static int
watch_follow(struct watch_run *run, amdrpc_watch *watch)
{
    int exit_status = AMDI_EXIT_OK;

    while (exit_status == AMDI_EXIT_OK && !run->is_done) {
        const amdrpc_watch_event *event = NULL;
        amdrpc_err err = amdrpc_watch_next(watch, -1, &event);

        if (err == AMDRPC_EEND) {
            amdi_progress_view_clear(&run->answer.view);
            return amdi_session_judge(run->session,
                    amdrpc_watch_get_status(watch),
                    amdrpc_watch_get_status_message(watch));
        }
        exit_status = err == AMDRPC_OK ? watch_take(run, event)
                                       : amdi_session_fail(err, "cannot watch");
    }
    return exit_status;
}

static void
watch_on_interrupt(void *watch)
{
    amdrpc_watch_cancel(watch);
}

int
amdi_operations_watch(struct amdi_session *session, const char *name,
        const struct amdi_show *show, uint64_t patience_ms, uint64_t after)
{
    const amdrpc_operation_options options = {.metadata = session->metadata,
            .max_unavailable_ms = (int64_t)patience_ms};
    struct watch_run run = {.session = session,
            .codec = {.descriptors = session->descriptors,
                    .is_compact = show->compact,
                    .emit_defaults = show->emit_defaults}};
    amdrpc_watch *watch = NULL;
    amdrpc_err err = amdrpc_watch_open(
            session->channel, NULL, name, after, &options, &watch);

    if (err != AMDRPC_OK) {
        return amdi_session_fail(err, "cannot watch");
    }
    amdi_interrupt_watch(&session->interrupt, watch_on_interrupt, watch);
    amdi_answer_init(&run.answer, &run.codec, !show->no_progress);
    run.answer.view.never_goes_back = true;
    int exit_status = watch_follow(&run, watch);
    amdi_answer_fini(&run.answer);
    amdi_interrupt_watch(&session->interrupt, NULL, NULL);
    amdrpc_watch_close(watch);
    return exit_status;
}

int
amdi_command_watch(int argc, char **argv)
{
    struct watch_options options = {.after = 0};
    struct amdi_session session;
    char name[AMDI_OPERATION_NAME_BYTES];
    int exit_status;

    if (!amdi_operations_open(&watch_line, argc, argv, &options,
                &options.connect, &session, name, &exit_status)) {
        return exit_status;
    }
    exit_status = amdi_operations_watch(
            &session, name, &options.show, options.patience_ms, options.after);
    amdi_session_close(&session);
    return exit_status;
}
