/** The handler of every command: from a request to a run. */
#include "server/modules/command/command_args.h"
#include "server/modules/command/command_run.h"

static bool
call_is_over(const void *arg)
{
    return amdrpc_call_is_cancelled(arg);
}

/* Afterwards the run is the slots', the starter's, or finished. */
static void
run_enter(struct amdi_command_run *run)
{
    amdrpc_call *call = run->call;

    switch (amdi_command_slots_enter(
            &run->command->slots, &run->slot_node, call_is_over, call)) {
    case AMDI_COMMAND_SLOT_TAKEN:
        amdi_command_starter_push(
                run->starter, &run->task, amdi_command_run_start);
        break;
    case AMDI_COMMAND_SLOT_QUEUED:
        break;
    case AMDI_COMMAND_SLOT_REFUSED:
        amdi_command_fail(call, run->command, AMDRPC_STATUS_RESOURCE_EXHAUSTED,
                "TOO_MANY_RUNS", "too many runs of the program wait already");
        break;
    }
}

static void *
alloc_from_call(void *arg, size_t size)
{
    return amdrpc_call_alloc(arg, size);
}

/* Makes the program's arguments of the request's parameters. */
static amdrpc_err
run_set_args(struct amdi_command_run *run, const amdi_command_request *request,
        struct amdi_error *error)
{
    struct amdi_command_value *items = amdrpc_call_alloc(
            run->call, (request->n_parameters + 1) * sizeof(*items));
    struct amdi_command_values values = {
            .items = items, .count = request->n_parameters};

    if (items == NULL) {
        return amdi_error_nomem(error);
    }
    for (size_t i = 0; i < values.count; i++) {
        items[i] =
                (struct amdi_command_value){.name = request->parameters[i]->key,
                        .value = request->parameters[i]->value};
    }
    if (request->stdin.len > 0 &&
            run->command->input == AMDI_COMMAND_STDIN_NONE) {
        return amdi_error_set(
                error, AMDRPC_EINVAL, "stdin: the program reads none");
    }
    return amdi_command_args_make(&run->command->argv, run->command->parameters,
            &values, alloc_from_call, run->call, &run->argv, error);
}

/* Takes the first message. Returns false with the call finished. */
static bool
run_take_request(
        struct amdi_command_run *run, const amdi_command_request *request)
{
    struct amdi_error error = {.text = ""};
    amdrpc_err err = run_set_args(run, request, &error);

    run->input = request->stdin;
    run->input_bytes = run->input.len;
    run->is_input_last = run->command->input != AMDI_COMMAND_STDIN_STREAM;
    if (err == AMDRPC_OK && run->command->limits.input_bytes != 0 &&
            run->input_bytes > run->command->limits.input_bytes) {
        err = amdi_error_set(&error, AMDRPC_ELIMIT, "stdin: it is too long");
    }
    if (err == AMDRPC_OK) {
        amdi_command_run_set_state(run, AMDI_COMMAND_WAITING);
        return true;
    }
    amdi_command_fail(run->call, run->command, amdrpc_status_from_err(err),
            err == AMDRPC_EINVAL ? "PARAMETER_INVALID" : "FAILED", error.text);
    return false;
}

/*
 * Takes the first message of a stream. Returns AMDRPC_OK, AMDRPC_EAGAIN, or
 * another error with the call finished.
 */
static amdrpc_err
run_read(struct amdi_command_run *run)
{
    const ProtobufCMessage *message = NULL;
    amdrpc_err err = amdrpc_call_recv(run->call, &message);

    if (err == AMDRPC_OK) {
        return run_take_request(run, (const amdi_command_request *)message)
                ? AMDRPC_OK
                : AMDRPC_EINVAL;
    }
    if (err == AMDRPC_EEND) {
        amdi_command_fail(run->call, run->command,
                AMDRPC_STATUS_INVALID_ARGUMENT, "PARAMETER_INVALID",
                "the stream has no message");
    } else if (err != AMDRPC_EAGAIN) {
        amdrpc_call_finish(run->call, amdrpc_status_from_err(err), NULL);
    }
    return err;
}

void
amdi_command_run_read(struct amdi_command_run *run)
{
    if (run_read(run) == AMDRPC_OK) {
        run_enter(run);
    }
}

static void
run_init(struct amdi_command_run *run, amdrpc_call *call,
        struct amdi_command *command, struct amdi_command_starter *starter)
{
    *run = (struct amdi_command_run){.call = call,
            .command = command,
            .starter = starter,
            .child = {.pidfd = -1,
                    .stdin_fd = -1,
                    .stdout_fd = -1,
                    .stderr_fd = -1},
            .epoll_fd = -1,
            .timer_fd = -1};
    amdi_list_init(&run->slot_node);
}

void
amdi_command_on_call(amdrpc_call *call, const amdi_command_request *request,
        struct amdi_command *command, struct amdi_command_starter *starter)
{
    struct amdi_command_run *run = amdrpc_call_alloc(call, sizeof(*run));
    amdrpc_err err = AMDRPC_OK;

    if (run == NULL) {
        amdrpc_call_finish(
                call, AMDRPC_STATUS_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    run_init(run, call, command, starter);
    if (request == NULL) {
        err = run_read(run);
    } else if (!run_take_request(run, request)) {
        return;
    }
    if (err != AMDRPC_OK && err != AMDRPC_EAGAIN) {
        return;
    }
    // From here on the loop may call back.
    amdrpc_call_defer(call);
    amdrpc_call_set_events(call, &amdi_command_run_events, run);
    if (err == AMDRPC_OK) {
        run_enter(run);
    }
}
