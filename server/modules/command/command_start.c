/** The start of a program; on the starter's thread. */
#include "common/clock.h"
#include "server/modules/command/command_pump.h"
#include "server/modules/command/command_run.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

void
amdi_command_run_abandon(struct amdi_command_task *task)
{
    struct amdi_command_run *run =
            AMDI_CONTAINER_OF(task, struct amdi_command_run, task);

    (void)kill(-run->child.pid, SIGKILL);
    while (waitpid(run->child.pid, NULL, 0) < 0 && errno == EINTR) {
    }
    amdi_command_run_release(run);
    amdi_command_fail(run->call, run->command, AMDRPC_STATUS_RESOURCE_EXHAUSTED,
            "FAILED", "the system lets the server wait for nothing more");
}

static amdrpc_err
run_open(struct amdi_command_run *run)
{
    run->buffer = amdrpc_call_alloc(run->call, AMDI_COMMAND_BUFFER_BYTES);
    if (run->buffer == NULL) {
        return AMDRPC_ENOMEM;
    }
    run->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    run->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (run->epoll_fd < 0 || run->timer_fd < 0) {
        return AMDRPC_EIO;
    }
    return AMDRPC_OK;
}

static amdrpc_err
run_spawn(struct amdi_command_run *run, struct amdi_error *error)
{
    const struct amdi_command *command = run->command;
    const struct amdi_command_spec spec = {.argv = run->argv,
            .environment = command->environment,
            .directory = command->directory,
            .has_stdin = command->input != AMDI_COMMAND_STDIN_NONE,
            .memory_bytes = command->limits.memory_bytes,
            .file_bytes = command->limits.file_bytes,
            .open_files = command->limits.open_files};

    run->started_at_ms = amdi_clock_now_ms();
    return amdi_command_spawn(&spec, &run->child, error);
}

/* Begins to wait; the first event comes at once. */
static bool
run_watch(struct amdi_command_run *run)
{
    static const struct itimerspec at_once = {.it_value = {.tv_nsec = 1}};
    struct amdi_command_child *child = &run->child;

    // Fails for bad values only.
    (void)timerfd_settime(run->timer_fd, 0, &at_once, NULL);
    run->is_listened[AMDI_COMMAND_STDOUT] = true;
    run->is_listened[AMDI_COMMAND_STDERR] = true;
    return amdi_command_pump_listen(
                   run, run->timer_fd, EPOLLIN, AMDI_COMMAND_FROM_TIMER) &&
            amdi_command_pump_listen(
                    run, child->pidfd, EPOLLIN, AMDI_COMMAND_FROM_PROCESS) &&
            amdi_command_pump_listen(
                    run, child->stdout_fd, EPOLLIN, AMDI_COMMAND_FROM_STDOUT) &&
            amdi_command_pump_listen(
                    run, child->stderr_fd, EPOLLIN, AMDI_COMMAND_FROM_STDERR) &&
            amdrpc_call_wait_fd(run->call, run->epoll_fd, AMDRPC_FD_READ, -1,
                    amdi_command_run_on_fd, run) == AMDRPC_OK;
}

static void
run_finish_unstarted(
        struct amdi_command_run *run, amdrpc_err err, const char *message)
{
    if (err == AMDRPC_ECANCELED) {
        amdrpc_call_finish(run->call, AMDRPC_STATUS_CANCELLED, NULL);
        return;
    }
    amdi_command_fail(run->call, run->command,
            err == AMDRPC_EINVAL ? AMDRPC_STATUS_FAILED_PRECONDITION
                                 : AMDRPC_STATUS_RESOURCE_EXHAUSTED,
            "NOT_STARTED", message);
}

void
amdi_command_run_start(struct amdi_command_task *task)
{
    struct amdi_command_run *run =
            AMDI_CONTAINER_OF(task, struct amdi_command_run, task);
    struct amdi_error error = {.text = "out of memory or descriptors"};
    amdrpc_err err = AMDRPC_ECANCELED;

    if (!amdrpc_call_is_cancelled(run->call)) {
        err = run_open(run);
    }
    if (err == AMDRPC_OK) {
        err = run_spawn(run, &error);
    }
    if (err != AMDRPC_OK) {
        amdi_command_run_release(run);
        run_finish_unstarted(run, err, error.text);
        return;
    }
    // Afterwards it is the loop's.
    if (!run_watch(run)) {
        amdi_command_run_abandon(task);
    }
}
