/** amdrpc call: calls one method, JSON in and JSON out. */
#include "client/cli/answer.h"
#include "client/cli/command.h"
#include "client/cli/metadata_text.h"
#include "client/cli/method_name.h"
#include "client/cli/request.h"
#include "client/cli/session.h"
#include "client/program/program.h"

#include <stddef.h>
#include <stdio.h>

struct call_options {
    struct amdi_connect connect;
    uint64_t timeout_ms;
    struct amdi_texts metadata;
    const char *descriptor_set;
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
    struct amdi_method_name name;
    char path[2 * AMDI_METHOD_NAME_BYTES + 2];
    amdrpc_method_desc method;
    struct amdi_codec codec;
    amdrpc_metadata *metadata; // owned
    bool has_printed_initial;
};

// Learns the method's kind and messages.
static int
call_find_method(struct call_run *run)
{
    const struct call_options *options = run->options;
    struct amdi_descriptors *descriptors = run->session.descriptors;
    const struct amdi_method *found;
    int exit_status = options->descriptor_set != NULL
            ? amdi_session_load_set(&run->session, options->descriptor_set)
            : amdi_session_discover(&run->session, run->name.service);

    if (exit_status != AMDI_EXIT_OK) {
        return exit_status;
    }
    found = amdi_descriptors_find_method(descriptors, run->path);
    if (found == NULL) {
        amdi_program_error(
                "%s has no method %s", run->name.service, run->name.method);
        return AMDI_EXIT_UNKNOWN;
    }
    run->method.kind = (found->client_streaming ? AMDRPC_CLIENT_STREAMING : 0) |
            (found->server_streaming ? AMDRPC_SERVER_STREAMING : 0);
    run->codec.descriptors = descriptors;
    run->codec.input = found->input;
    run->codec.output = found->output;
    return AMDI_EXIT_OK;
}

static int
call_set_method(struct call_run *run, const char *text)
{
    if (amdi_method_name_parse(text, &run->name) != AMDRPC_OK) {
        amdi_program_error(
                "'%s' is not a method: package.Service/Method", text);
        return AMDI_EXIT_USAGE;
    }
    (void)snprintf(run->path, sizeof(run->path), "/%s/%s", run->name.service,
            run->name.method);
    run->method = (amdrpc_method_desc){
            .name = run->name.method,
            .path = run->path,
            // Without descriptors: any number of messages may come back.
            .kind = AMDRPC_SERVER_STREAMING,
    };
    run->codec.is_compact = run->options->compact;
    run->codec.emit_defaults = run->options->emit_defaults;
    return run->options->raw ? AMDI_EXIT_OK : call_find_method(run);
}

static int
call_set_metadata(struct call_run *run)
{
    const struct amdi_texts *pairs = &run->options->metadata;
    amdrpc_err err = amdrpc_metadata_create(&run->metadata);

    if (err == AMDRPC_OK) {
        err = amdi_connect_add_token(&run->options->connect, run->metadata);
    }
    for (size_t i = 0; i < pairs->count && err == AMDRPC_OK; i++) {
        err = amdi_metadata_add_pair(run->metadata, pairs->items[i]);
        if (err == AMDRPC_EINVAL) {
            amdi_program_error(
                    "--metadata: '%s' cannot be sent", pairs->items[i]);
            return AMDI_EXIT_USAGE;
        }
    }
    return err == AMDRPC_OK ? AMDI_EXIT_OK : amdi_session_fail(err, "metadata");
}

static void
call_print_initial(struct call_run *run, const amdrpc_client_call *call)
{
    const amdrpc_metadata *initial =
            amdrpc_client_call_get_initial_metadata(call);

    if (run->options->verbose && initial != NULL && !run->has_printed_initial) {
        amdi_metadata_print(initial, "initial", stderr);
        run->has_printed_initial = true;
    }
}

// Prints messages until there are no more. The exit status is not the call's.
static int
call_receive(struct call_run *run, amdrpc_client_call *call)
{
    struct amdi_answer answer;
    int exit_status = AMDI_EXIT_OK;

    amdi_answer_init(&answer, &run->codec, !run->options->no_progress);
    while (exit_status == AMDI_EXIT_OK) {
        const void *data = NULL;
        size_t len = 0;
        amdrpc_err err = amdrpc_client_call_recv_bytes(call, -1, &data, &len);

        call_print_initial(run, call);
        if (err == AMDRPC_EEND) {
            break;
        }
        exit_status = err == AMDRPC_OK
                ? amdi_answer_print(&answer, data, len)
                : amdi_session_fail(err, "cannot receive");
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
    return amdi_session_start_call(&run->session, &run->method,
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
    bool is_stream = amdrpc_method_has_request_stream(&run->method);
    const char *source = run->source;
    struct amdi_request request;
    int exit_status;

    if (source == NULL) {
        source = is_stream ? "-" : "";
    }
    exit_status = amdi_request_open(&request, source, &run->codec);
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
