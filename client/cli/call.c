/** amdrpc call: calls one method, JSON in and JSON out. */
#include "client/cli/answer.h"
#include "client/cli/command.h"
#include "client/cli/metadata_text.h"
#include "client/cli/method.h"
#include "client/cli/request.h"
#include "client/cli/session.h"
#include "client/program/program.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct call_options {
    struct amdi_connect connect;
    uint64_t timeout_ms;
    struct amdi_texts metadata;
    const char *descriptor_set;
    const char *detach;
    bool compact;
    bool emit_defaults;
    bool no_progress;
    bool raw;
    bool verbose;
};

#define FIELD(name) offsetof(struct call_options, name)

static const struct amdi_option call_rows[] = {
        AMDI_CONNECT_ROWS(struct call_options, connect),
        {"compact", AMDI_OPTION_FLAG, FIELD(compact), NULL,
                "Print each message as one line.", 0, 0},
        {"descriptor-set", AMDI_OPTION_TEXT, FIELD(descriptor_set), "FILE",
                "Read descriptors from here, do not ask the server.", 0, 0},
        {"detach", AMDI_OPTION_TEXT, FIELD(detach), "WHEN",
                "Make it an operation: now, or on-disconnect.", 0, 0},
        {"emit-defaults", AMDI_OPTION_FLAG, FIELD(emit_defaults), NULL,
                "Print fields that hold their default value.", 0, 0},
        {"metadata", AMDI_OPTION_TEXTS, FIELD(metadata), "NAME=VALUE",
                "Send metadata; a -bin VALUE is base64. May be repeated.", 0,
                0},
        {"no-progress", AMDI_OPTION_FLAG, FIELD(no_progress), NULL,
                "Print messages of progress like all others.", 0, 0},
        {"raw", AMDI_OPTION_FLAG, FIELD(raw), NULL,
                "One serialized message in, serialized messages out.", 0, 0},
        {"timeout", AMDI_OPTION_DURATION, FIELD(timeout_ms), "TIME",
                "The call's deadline: 2s, 500ms, 5m.", 1, 99999999000},
        {"verbose", AMDI_OPTION_FLAG, FIELD(verbose), NULL,
                "Print initial and trailing metadata to stderr.", 0, 0},
};

static const struct amdi_command_line call_line = {
        .usage = "amdrpc call [OPTION...] HOST:PORT METHOD [REQUEST]",
        .summary =
                "Calls a method and prints its answer as JSON.\n\n"
                "METHOD is package.Service/Method. REQUEST is JSON, @FILE, or "
                "- for standard\ninput; without it the request is empty, or, "
                "where the method takes a stream,\nread from standard input: "
                "one JSON value after another.",
        .notes =
                "Progress that the messages tell is shown on stderr. Ctrl-C "
                "cancels the call.\n\n"
                "Exit status: 0 when the call's status is OK; 1 usage or "
                "input; 2 the server\ncannot be reached or does not describe "
                "itself; 3 it has no such method;\n4 failure of this process; "
                "64 + the gRPC code of the call's status;\n130 after Ctrl-C.\n",
        .options = call_rows,
        .noptions = sizeof(call_rows) / sizeof(call_rows[0]),
        .operands = {"HOST:PORT", "METHOD", "REQUEST"},
        .min_operands = 2,
        .max_operands = 3,
};

/** One run of the command. */
struct call_run {
    const struct call_options *options;
    const char *source; // of the request; NULL for the default
    struct amdi_session session;
    struct amdi_named_method method;
    amdrpc_metadata *metadata; // owned
    bool has_printed_initial;
    bool has_name; // of the operation that the call became
};

static int
call_set_method(struct call_run *run, const char *text)
{
    int exit_status = amdi_named_method_parse(&run->method, text);

    run->method.codec.is_compact = run->options->compact;
    run->method.codec.emit_defaults = run->options->emit_defaults;
    if (exit_status == AMDI_EXIT_OK && !run->options->raw) {
        exit_status = amdi_named_method_find(
                &run->method, &run->session, run->options->descriptor_set);
    }
    return exit_status;
}

static int
call_set_detach(struct call_run *run)
{
    const char *detach = run->options->detach;

    if (detach == NULL) {
        return AMDI_EXIT_OK;
    }
    if (strcmp(detach, "now") != 0 && strcmp(detach, "on-disconnect") != 0) {
        amdi_program_error(
                "--detach: '%s' is neither now nor on-disconnect", detach);
        return AMDI_EXIT_USAGE;
    }
    amdrpc_err err =
            amdrpc_metadata_add_text(run->metadata, "amdrpc-detach", detach);
    return err == AMDRPC_OK ? AMDI_EXIT_OK : amdi_session_fail(err, "metadata");
}

static int
call_set_metadata(struct call_run *run)
{
    int exit_status = amdi_session_make_metadata(
            &run->session, &run->options->metadata, &run->metadata);

    return exit_status == AMDI_EXIT_OK ? call_set_detach(run) : exit_status;
}

static bool
call_is_detached_now(const struct call_run *run)
{
    return run->options->detach != NULL &&
            strcmp(run->options->detach, "now") == 0;
}

/** The name of an operation is what a call that detaches at once is for. */
static void
call_print_name(struct call_run *run, const amdrpc_metadata *initial)
{
    const amdrpc_metadata_field *name =
            amdrpc_metadata_get(initial, "amdrpc-operation");

    if (run->options->detach == NULL) {
        return;
    }
    if (name == NULL) {
        amdi_program_error("the server did not detach the call");
        return;
    }
    run->has_name = true;
    if (call_is_detached_now(run)) {
        (void)puts(name->value);
    } else {
        (void)fprintf(stderr, "operation: %s\n", name->value);
    }
}

static void
call_print_initial(struct call_run *run, const amdrpc_client_call *call)
{
    const amdrpc_metadata *initial =
            amdrpc_client_call_get_initial_metadata(call);

    if (initial == NULL || run->has_printed_initial) {
        return;
    }
    run->has_printed_initial = true;
    if (run->options->verbose) {
        amdi_metadata_print(initial, "initial", stderr);
    }
    call_print_name(run, initial);
}

// Prints messages until there are no more. The exit status is not the call's.
static int
call_receive(struct call_run *run, amdrpc_client_call *call)
{
    struct amdi_answer answer;
    int exit_status = AMDI_EXIT_OK;

    amdi_answer_init(&answer, &run->method.codec, !run->options->no_progress);
    while (exit_status == AMDI_EXIT_OK) {
        const void *data = NULL;
        size_t len = 0;
        amdrpc_err err = amdrpc_client_call_recv_bytes(call, -1, &data, &len);

        call_print_initial(run, call);
        if (err == AMDRPC_EEND) {
            break;
        }
        if (err != AMDRPC_OK) {
            exit_status = amdi_session_fail(err, "cannot receive");
        } else if (!run->has_name || !call_is_detached_now(run)) {
            exit_status = amdi_answer_print(&answer, data, len);
        }
    }
    amdi_answer_fini(&answer);
    if (exit_status != AMDI_EXIT_OK) {
        amdrpc_client_call_cancel(call);
    } else if (run->options->verbose) {
        amdi_metadata_print(amdrpc_client_call_get_trailing_metadata(call),
                "trailing", stderr);
    }
    return exit_status;
}

static int
call_start(struct call_run *run, amdrpc_client_call **out)
{
    return amdi_session_start_call(&run->session, &run->method.desc,
            run->options->timeout_ms, run->metadata, out);
}

static int
call_with_single(struct call_run *run, struct amdi_request *request)
{
    amdrpc_client_call *call = NULL;
    struct amdi_buf wire;
    int exit_status;

    amdi_buf_init(&wire);
    exit_status = amdi_request_read_single(request, &wire);
    if (exit_status == AMDI_EXIT_OK) {
        exit_status = call_start(run, &call);
    }
    if (exit_status == AMDI_EXIT_OK) {
        amdrpc_err err = amdrpc_client_call_send_bytes(
                call, amdi_buf_peek(&wire), amdi_buf_len(&wire));

        exit_status = err == AMDRPC_OK || err == AMDRPC_ECLOSED
                ? call_receive(run, call)
                : amdi_session_fail(err, "cannot send");
    }
    if (exit_status == AMDI_EXIT_OK) {
        exit_status = amdi_session_judge_call(&run->session, call);
    }
    amdi_session_end_call(&run->session, call);
    amdi_buf_fini(&wire);
    return exit_status;
}

static int
call_with_stream(struct call_run *run, struct amdi_request *request)
{
    amdrpc_client_call *call = NULL;
    int exit_status = call_start(run, &call);

    if (exit_status != AMDI_EXIT_OK) {
        return exit_status;
    }
    exit_status = amdi_request_start(request, call);
    if (exit_status == AMDI_EXIT_OK) {
        int sent;

        exit_status = call_receive(run, call);
        sent = amdi_request_stop(request);
        // What was wrong with the input is why the call was cancelled.
        if (sent != AMDI_EXIT_OK) {
            exit_status = sent;
        }
    }
    if (exit_status == AMDI_EXIT_OK) {
        exit_status = amdi_session_judge_call(&run->session, call);
    }
    amdi_session_end_call(&run->session, call);
    return exit_status;
}

static int
call_make(struct call_run *run)
{
    bool is_stream = amdrpc_method_has_request_stream(&run->method.desc);
    const char *source = run->source;
    struct amdi_request request;
    int exit_status;

    if (source == NULL) {
        source = is_stream ? "-" : "";
    }
    exit_status = amdi_request_open(&request, source, &run->method.codec);
    if (exit_status == AMDI_EXIT_OK) {
        exit_status = is_stream ? call_with_stream(run, &request)
                                : call_with_single(run, &request);
    }
    amdi_request_close(&request);
    return exit_status;
}

int
amdi_command_call(int argc, char **argv)
{
    struct call_options options = {.timeout_ms = 0};
    struct call_run run = {.options = &options};
    struct amdi_operands operands;
    int exit_status;

    if (!amdi_program_parse(
                &call_line, argc, argv, &options, &operands, &exit_status)) {
        return exit_status;
    }
    run.source = operands.count > 2 ? operands.items[2] : NULL;
    exit_status = amdi_session_open(&run.session, &options.connect,
            operands.items[0], options.timeout_ms);
    if (exit_status != AMDI_EXIT_OK) {
        return exit_status;
    }
    exit_status = call_set_method(&run, operands.items[1]);
    if (exit_status == AMDI_EXIT_OK) {
        exit_status = call_set_metadata(&run);
    }
    if (exit_status == AMDI_EXIT_OK) {
        exit_status = call_make(&run);
    }
    amdrpc_metadata_destroy(run.metadata);
    amdi_session_close(&run.session);
    return exit_status;
}
