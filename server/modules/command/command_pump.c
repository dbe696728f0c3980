/** What goes between a program's pipes and its call's messages. */
#include "server/modules/command/command_pump.h"

#include "common/clock.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

// As many messages of progress as an eye can follow.
#define TELL_MS 100u

typedef Amdrpc__Command__V1__RunOutput run_output;
#define OUTPUT(kind) AMDRPC__COMMAND__V1__RUN_OUTPUT__OUTPUT_##kind

/* ---- descriptors ---- */

bool
amdi_command_pump_listen(struct amdi_command_run *run, int fd, uint32_t events,
        enum amdi_command_source source)
{
    struct epoll_event event = {.events = events, .data.u32 = source};

    return epoll_ctl(run->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

void
amdi_command_pump_ignore(struct amdi_command_run *run, int fd)
{
    struct epoll_event unused = {0}; // kernels before 2.6.9 wanted one

    (void)epoll_ctl(run->epoll_fd, EPOLL_CTL_DEL, fd, &unused); // it is there
}

static int *
run_get_pipe(struct amdi_command_run *run, enum amdi_command_output from)
{
    return from == AMDI_COMMAND_STDOUT ? &run->child.stdout_fd
                                       : &run->child.stderr_fd;
}

/*
 * Listens to the pipes, or not: one whose writers have gone is always ready, so
 * it must not stand in the epoll descriptor while nobody reads it.
 */
static void
pump_set_listened(struct amdi_command_run *run, bool is_listened)
{
    for (unsigned i = 0; i < AMDI_COMMAND_NOUTPUTS; i++) {
        int fd = *run_get_pipe(run, (enum amdi_command_output)i);

        if (fd < 0 || run->is_listened[i] == is_listened) {
            continue;
        }
        run->is_listened[i] = is_listened;
        if (!is_listened) {
            amdi_command_pump_ignore(run, fd);
        } else if (!amdi_command_pump_listen(
                           run, fd, EPOLLIN, (enum amdi_command_source)i)) {
            run->is_listened[i] = false;
            amdi_command_run_break(run, AMDRPC_ENOMEM);
            return;
        }
    }
}

static void
pump_close_output(struct amdi_command_run *run, enum amdi_command_output from)
{
    int *fd = run_get_pipe(run, from);

    (void)close(*fd); // leaves the epoll descriptor, too; it was only read
    *fd = -1;
    run->is_listened[from] = false;
}

/* ---- messages ---- */

/* Sends, and keeps what the client has no room for. */
static void
pump_send(struct amdi_command_run *run, const run_output *output,
        enum amdi_command_unsent kind)
{
    amdrpc_err err = amdrpc_call_send(run->call, &output->base);

    run->unsent = AMDI_COMMAND_UNSENT_NONE;
    if (err == AMDRPC_EAGAIN) {
        run->unsent = kind;
    } else if (err == AMDRPC_ECANCELED) {
        amdi_command_run_stop(run, AMDI_COMMAND_CAUSE_CANCELLED);
    } else if (err != AMDRPC_OK) {
        amdi_command_run_break(run, err);
    }
}

static void
pump_send_output(struct amdi_command_run *run)
{
    run_output output = AMDRPC__COMMAND__V1__RUN_OUTPUT__INIT;
    ProtobufCBinaryData bytes = {.data = run->buffer, .len = run->unsent_len};

    if (run->unsent_from == AMDI_COMMAND_STDOUT) {
        output.output_case = OUTPUT(STDOUT);
        output.stdout = bytes;
    } else {
        output.output_case = OUTPUT(STDERR);
        output.stderr = bytes;
    }
    pump_send(run, &output, AMDI_COMMAND_UNSENT_OUTPUT);
}

static void
pump_send_exit(struct amdi_command_run *run)
{
    run_output output = AMDRPC__COMMAND__V1__RUN_OUTPUT__INIT;
    Amdrpc__Command__V1__Exit status = AMDRPC__COMMAND__V1__EXIT__INIT;
    const struct rusage *usage = &run->usage;

    if (WIFEXITED(run->wait_status)) {
        status.code = WEXITSTATUS(run->wait_status);
    } else {
        status.signal = WTERMSIG(run->wait_status);
    }
    status.user_us = (uint64_t)usage->ru_utime.tv_sec * 1000000 +
            (uint64_t)usage->ru_utime.tv_usec;
    status.system_us = (uint64_t)usage->ru_stime.tv_sec * 1000000 +
            (uint64_t)usage->ru_stime.tv_usec;
    status.max_memory_bytes = (uint64_t)usage->ru_maxrss * 1024;
    status.elapsed_ms = run->ended_at_ms - run->started_at_ms;
    // The numbers are the same; one that was cancelled is told to nobody.
    status.cause = (Amdrpc__Command__V1__Exit__Cause)run->cause;
    output.output_case = OUTPUT(EXIT);
    output.exit = &status;
    pump_send(run, &output, AMDI_COMMAND_UNSENT_EXIT);
}

/* Tells the progress; what finds no room now is told with a later one. */
static void
pump_tell_progress(struct amdi_command_run *run, bool is_last)
{
    run_output output = AMDRPC__COMMAND__V1__RUN_OUTPUT__INIT;
    Amdrpc__Command__V1__Progress progress =
            AMDRPC__COMMAND__V1__PROGRESS__INIT;
    uint64_t now_ms = amdi_clock_now_ms();

    if (!run->has_untold ||
            (!is_last && run->told_at_ms != 0 &&
                    now_ms - run->told_at_ms < TELL_MS)) {
        return;
    }
    progress.done = run->progress.done;
    progress.total = run->progress.total;
    output.output_case = OUTPUT(PROGRESS);
    output.progress = &progress;
    if (amdrpc_call_send(run->call, &output.base) == AMDRPC_OK) {
        run->has_untold = false;
        run->told_at_ms = now_ms;
    }
}

static void
pump_read_progress(struct amdi_command_run *run, size_t len)
{
    const struct amdi_command *command = run->command;

    if (!command->progress.is_set ||
            command->progress_from != run->unsent_from ||
            !amdi_command_progress_read(
                    &run->progress, &command->progress, run->buffer, len)) {
        return;
    }
    run->has_untold = true;
    // Whether to stop is told by the wait for the program, too.
    (void)amdrpc_call_checkpoint(
            run->call, run->progress.done, run->progress.total);
    pump_tell_progress(run, /*is_last=*/false);
}

/* ---- output ---- */

/* How many of the bytes that were read the client may have. */
static size_t
pump_limit(struct amdi_command_run *run, size_t len)
{
    uint64_t max = run->command->limits.output_bytes;
    uint64_t left = max == 0 ? len : max - run->output_bytes;

    if (len > left) {
        len = (size_t)left;
        amdi_command_run_stop(run, AMDI_COMMAND_CAUSE_MAX_OUTPUT);
    }
    run->output_bytes += len;
    return len;
}

/* Returns how many bytes came; 0: none for now, or none any more. */
static size_t
pump_read(
        struct amdi_command_run *run, enum amdi_command_output from, size_t max)
{
    ssize_t n = read(*run_get_pipe(run, from), run->buffer, max);

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return 0;
    }
    if (n <= 0) {
        pump_close_output(run, from);
        return 0;
    }
    run->unsent_from = from;
    pump_read_progress(run, (size_t)n);
    run->unsent_len = pump_limit(run, (size_t)n);
    if (run->unsent_len > 0 && run->cause != AMDI_COMMAND_CAUSE_CANCELLED) {
        pump_send_output(run);
    }
    return (size_t)n;
}

void
amdi_command_pump_output(
        struct amdi_command_run *run, enum amdi_command_output from)
{
    // An event that was fetched together with what changed that.
    if (!run->is_listened[from]) {
        return;
    }
    (void)pump_read(run, from, AMDI_COMMAND_BUFFER_BYTES);
    if (run->unsent != AMDI_COMMAND_UNSENT_NONE) {
        pump_set_listened(run, false);
    }
}

bool
amdi_command_pump_resume(struct amdi_command_run *run)
{
    switch (run->unsent) {
    case AMDI_COMMAND_UNSENT_NONE:
        break;
    case AMDI_COMMAND_UNSENT_OUTPUT:
        pump_send_output(run);
        break;
    case AMDI_COMMAND_UNSENT_EXIT:
        pump_send_exit(run);
        return run->unsent == AMDI_COMMAND_UNSENT_NONE;
    }
    if (run->unsent != AMDI_COMMAND_UNSENT_NONE) {
        return false;
    }
    if (run->state != AMDI_COMMAND_ENDED) {
        pump_set_listened(run, true);
        pump_tell_progress(run, /*is_last=*/false);
    }
    return true;
}

void
amdi_command_pump_drop(struct amdi_command_run *run)
{
    run->unsent = AMDI_COMMAND_UNSENT_NONE;
    if (run->state != AMDI_COMMAND_ENDED) {
        pump_set_listened(run, true);
    }
}

/*
 * Reads what was in the pipe when the program ended. What has escaped from its
 * process group may go on writing, so there need not be an end. Returns whether
 * all was sent.
 */
static bool
pump_drain_pipe(struct amdi_command_run *run, enum amdi_command_output from)
{
    size_t *left = &run->rest[from];

    while (*left > 0 && *run_get_pipe(run, from) >= 0) {
        size_t n = pump_read(run, from,
                *left < AMDI_COMMAND_BUFFER_BYTES ? *left
                                                  : AMDI_COMMAND_BUFFER_BYTES);

        *left = n == 0 ? 0 : *left - n;
        if (run->unsent != AMDI_COMMAND_UNSENT_NONE) {
            return false;
        }
    }
    return true;
}

bool
amdi_command_pump_drain(struct amdi_command_run *run)
{
    bool was_exit = run->unsent == AMDI_COMMAND_UNSENT_EXIT;

    if (run->cause == AMDI_COMMAND_CAUSE_CANCELLED) {
        return true; // nobody listens
    }
    if (!amdi_command_pump_resume(run)) {
        return false;
    }
    if (was_exit) {
        return true;
    }
    if (!pump_drain_pipe(run, AMDI_COMMAND_STDOUT) ||
            !pump_drain_pipe(run, AMDI_COMMAND_STDERR)) {
        return false;
    }
    pump_tell_progress(run, /*is_last=*/true);
    pump_send_exit(run);
    return run->unsent == AMDI_COMMAND_UNSENT_NONE;
}

/* ---- input ---- */

static void
pump_wait_for_room(struct amdi_command_run *run, bool is_waiting)
{
    if (is_waiting == run->is_input_pending) {
        return;
    }
    run->is_input_pending = is_waiting;
    if (!is_waiting) {
        amdi_command_pump_ignore(run, run->child.stdin_fd);
    } else if (!amdi_command_pump_listen(run, run->child.stdin_fd, EPOLLOUT,
                       AMDI_COMMAND_FROM_STDIN)) {
        run->is_input_pending = false;
        amdi_command_run_break(run, AMDRPC_ENOMEM);
    }
}

void
amdi_command_pump_close_input(struct amdi_command_run *run)
{
    if (run->child.stdin_fd >= 0) {
        (void)close(run->child.stdin_fd); // what was written stays in the pipe
        run->child.stdin_fd = -1;
        run->is_input_pending = false;
    }
}

bool
amdi_command_pump_count_input(struct amdi_command_run *run)
{
    uint64_t max = run->command->limits.input_bytes;

    run->input_bytes += run->input.len;
    if (max != 0 && run->input_bytes > max) {
        amdi_command_run_stop(run, AMDI_COMMAND_CAUSE_MAX_INPUT);
        return false;
    }
    return true;
}

/* Takes the next message; false: there is none now, or no more. */
static bool
pump_take_message(struct amdi_command_run *run)
{
    const ProtobufCMessage *message = NULL;
    const amdi_command_request *request = NULL;
    amdrpc_err err = amdrpc_call_recv(run->call, &message);

    if (err == AMDRPC_EAGAIN) {
        return false; // on_readable tells
    }
    if (err == AMDRPC_EEND) {
        run->is_input_last = true;
        return true;
    }
    if (err != AMDRPC_OK) {
        amdi_command_run_break(run, err);
        return false;
    }
    request = (const amdi_command_request *)message;
    if (request->n_parameters > 0) {
        amdi_command_run_break(run, AMDRPC_EINVAL);
        return false;
    }
    run->input = request->stdin;
    run->input_written = 0;
    return amdi_command_pump_count_input(run);
}

/* Writes what is left of a message; true: all of it is gone. */
static bool
pump_write(struct amdi_command_run *run)
{
    while (run->input_written < run->input.len) {
        ssize_t n =
                write(run->child.stdin_fd, run->input.data + run->input_written,
                        run->input.len - run->input_written);

        if (n < 0 && errno == EAGAIN) {
            pump_wait_for_room(run, true);
            return false;
        }
        if (n < 0 && errno != EINTR) {
            // The program reads no more; what it makes of that is its affair.
            amdi_command_pump_close_input(run);
            return false;
        }
        run->input_written += n > 0 ? (size_t)n : 0;
    }
    pump_wait_for_room(run, false);
    return true;
}

void
amdi_command_pump_input(struct amdi_command_run *run)
{
    while (run->state == AMDI_COMMAND_RUNNING && run->child.stdin_fd >= 0 &&
            pump_write(run)) {
        if (run->is_input_last) {
            amdi_command_pump_close_input(run);
            return;
        }
        if (!pump_take_message(run)) {
            return;
        }
    }
}
