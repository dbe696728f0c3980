/** One run of a program. */
#include "server/modules/command/command_run.h"

#include "common/assertion.h"
#include "common/clock.h"
#include "server/modules/command/command_pump.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

// Every source of a run once.
#define NEVENTS 5

/* ---- states ---- */

static bool
run_may_enter(enum amdi_command_state from, enum amdi_command_state to)
{
    switch (to) {
    case AMDI_COMMAND_READING:
        return false;
    case AMDI_COMMAND_WAITING:
        return from == AMDI_COMMAND_READING;
    case AMDI_COMMAND_RUNNING:
        return from == AMDI_COMMAND_WAITING;
    case AMDI_COMMAND_STOPPING:
        return from == AMDI_COMMAND_RUNNING;
    case AMDI_COMMAND_KILLED:
        return from == AMDI_COMMAND_STOPPING;
    case AMDI_COMMAND_ENDED:
        return from >= AMDI_COMMAND_RUNNING && from <= AMDI_COMMAND_KILLED;
    case AMDI_COMMAND_DONE:
        return from != AMDI_COMMAND_DONE;
    }
    return false;
}

/* Lets the timer tell after a time; 0: never. */
static void
run_set_timer(struct amdi_command_run *run, uint64_t ms)
{
    struct itimerspec time = {.it_value = {.tv_sec = (time_t)(ms / 1000),
                                      .tv_nsec = (long)(ms % 1000) * 1000000}};

    // Fails for bad values only. What it told and was not read is forgotten.
    (void)timerfd_settime(run->timer_fd, 0, &time, NULL);
}

static void
run_signal(struct amdi_command_run *run, int number)
{
    // The group is there as long as its leader has not been waited for.
    (void)kill(-run->child.pid, number);
}

void
amdi_command_run_set_state(
        struct amdi_command_run *run, enum amdi_command_state next)
{
    amdi_assert(run_may_enter(run->state, next));
    run->state = next;
    switch (next) {
    case AMDI_COMMAND_RUNNING:
        run_set_timer(run, run->command->limits.time_ms);
        break;
    case AMDI_COMMAND_STOPPING:
        run_signal(run, SIGTERM);
        run_signal(run, SIGCONT); // one that is stopped would not hear of it
        run_set_timer(run, run->command->limits.kill_after_ms);
        break;
    case AMDI_COMMAND_KILLED:
    case AMDI_COMMAND_ENDED:
        run_signal(run, SIGKILL);
        run_set_timer(run, 0);
        break;
    case AMDI_COMMAND_READING:
    case AMDI_COMMAND_WAITING:
    case AMDI_COMMAND_DONE:
        break;
    }
}

void
amdi_command_run_stop(
        struct amdi_command_run *run, enum amdi_command_cause cause)
{
    if (run->cause == AMDI_COMMAND_CAUSE_NONE ||
            cause == AMDI_COMMAND_CAUSE_CANCELLED) {
        run->cause = cause;
    }
    if (run->state == AMDI_COMMAND_RUNNING) {
        amdi_command_run_set_state(run, AMDI_COMMAND_STOPPING);
        amdi_command_pump_close_input(run);
    }
    if (cause == AMDI_COMMAND_CAUSE_CANCELLED) {
        amdi_command_pump_drop(run);
    }
}

void
amdi_command_run_break(struct amdi_command_run *run, amdrpc_err err)
{
    if (run->err == AMDRPC_OK) {
        run->err = err;
    }
    amdi_command_run_stop(run, AMDI_COMMAND_CAUSE_FAILED);
}

/* ---- its end ---- */

static void
fd_close(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd); // nothing that was written can be lost here
        *fd = -1;
    }
}

void
amdi_command_run_release(struct amdi_command_run *run)
{
    struct amdi_list *next = NULL;

    amdi_command_pump_close_input(run);
    fd_close(&run->child.stdout_fd);
    fd_close(&run->child.stderr_fd);
    fd_close(&run->child.pidfd);
    fd_close(&run->timer_fd);
    fd_close(&run->epoll_fd);
    next = amdi_command_slots_leave(&run->command->slots);
    if (next != NULL) {
        struct amdi_command_run *other =
                AMDI_CONTAINER_OF(next, struct amdi_command_run, slot_node);

        amdi_command_starter_push(
                other->starter, &other->task, amdi_command_run_start);
    }
}

/* Sends what is left, and ends the call once the client has room for it. */
static void
run_end(struct amdi_command_run *run)
{
    if (amdi_command_pump_drain(run)) {
        amdi_command_run_set_state(run, AMDI_COMMAND_DONE);
        amdi_command_run_release(run);
        amdi_command_run_finish(run);
    }
}

static size_t
pipe_get_rest(int fd)
{
    int n = 0;

    return fd >= 0 && ioctl(fd, FIONREAD, &n) == 0 && n > 0 ? (size_t)n : 0;
}

/* The program has ended. Whatever it left behind ends with it. */
static void
run_reap(struct amdi_command_run *run)
{
    amdi_command_run_set_state(run, AMDI_COMMAND_ENDED);
    while (wait4(run->child.pid, &run->wait_status, 0, &run->usage) < 0 &&
            errno == EINTR) {
    }
    run->ended_at_ms = amdi_clock_now_ms();
    run->rest[AMDI_COMMAND_STDOUT] = pipe_get_rest(run->child.stdout_fd);
    run->rest[AMDI_COMMAND_STDERR] = pipe_get_rest(run->child.stderr_fd);
    amdi_command_pump_close_input(run);
}

/* ---- on the loop ---- */

static void
run_on_timer(struct amdi_command_run *run)
{
    uint64_t ntimes = 0;

    // It may have been set anew since this event was fetched.
    if (read(run->timer_fd, &ntimes, sizeof(ntimes)) !=
            (ssize_t)sizeof(ntimes)) {
        return;
    }
    if (run->state == AMDI_COMMAND_RUNNING) {
        amdi_command_run_stop(run, AMDI_COMMAND_CAUSE_TIMEOUT);
    } else if (run->state == AMDI_COMMAND_STOPPING) {
        amdi_command_run_set_state(run, AMDI_COMMAND_KILLED);
    }
}

static void
run_on_source(struct amdi_command_run *run, enum amdi_command_source source)
{
    switch (source) {
    case AMDI_COMMAND_FROM_STDOUT:
        amdi_command_pump_output(run, AMDI_COMMAND_STDOUT);
        break;
    case AMDI_COMMAND_FROM_STDERR:
        amdi_command_pump_output(run, AMDI_COMMAND_STDERR);
        break;
    case AMDI_COMMAND_FROM_STDIN:
        amdi_command_pump_input(run);
        break;
    case AMDI_COMMAND_FROM_PROCESS:
        run_reap(run);
        break;
    case AMDI_COMMAND_FROM_TIMER:
        run_on_timer(run);
        break;
    }
}

static void
run_take_events(struct amdi_command_run *run)
{
    struct epoll_event events[NEVENTS];
    int n = epoll_wait(run->epoll_fd, events, NEVENTS, 0);

    for (int i = 0; i < n && run->state != AMDI_COMMAND_ENDED; i++) {
        run_on_source(run, (enum amdi_command_source)events[i].data.u32);
    }
}

void
amdi_command_run_on_fd(amdrpc_call *call, unsigned events, void *arg)
{
    struct amdi_command_run *run = arg;

    if (run->state == AMDI_COMMAND_WAITING) {
        amdi_command_run_set_state(run, AMDI_COMMAND_RUNNING);
        amdi_command_pump_input(run);
    }
    if ((events & AMDRPC_FD_CANCELLED) != 0) {
        amdi_command_run_stop(run, AMDI_COMMAND_CAUSE_CANCELLED);
    }
    run_take_events(run);
    if (run->state == AMDI_COMMAND_ENDED) {
        run_end(run);
    } else if ((events & AMDRPC_FD_FAILED) != 0 ||
            amdrpc_call_wait_fd(call, run->epoll_fd, AMDRPC_FD_READ, -1,
                    amdi_command_run_on_fd, run) != AMDRPC_OK) {
        amdi_command_run_set_state(run, AMDI_COMMAND_DONE);
        amdi_command_starter_push(
                run->starter, &run->task, amdi_command_run_abandon);
    }
}

static void
run_on_writable(amdrpc_call *call, void *arg)
{
    struct amdi_command_run *run = arg;

    (void)call; // the run's
    if (run->state == AMDI_COMMAND_ENDED) {
        run_end(run);
    } else if (run->state >= AMDI_COMMAND_RUNNING &&
            run->state <= AMDI_COMMAND_KILLED) {
        (void)amdi_command_pump_resume(run); // else we are called again
    }
}

static void
run_on_cancel(amdrpc_call *call, void *arg)
{
    struct amdi_command_run *run = arg;

    switch (run->state) {
    case AMDI_COMMAND_READING:
        amdi_command_run_set_state(run, AMDI_COMMAND_DONE);
        amdrpc_call_finish(call, AMDRPC_STATUS_CANCELLED, NULL);
        break;
    case AMDI_COMMAND_WAITING:
        // Who else has it will see the cancellation.
        if (amdi_command_slots_remove(&run->command->slots, &run->slot_node)) {
            amdi_command_run_set_state(run, AMDI_COMMAND_DONE);
            amdrpc_call_finish(call, AMDRPC_STATUS_CANCELLED, NULL);
        }
        break;
    case AMDI_COMMAND_RUNNING:
    case AMDI_COMMAND_STOPPING:
    case AMDI_COMMAND_KILLED:
        amdi_command_run_stop(run, AMDI_COMMAND_CAUSE_CANCELLED);
        break;
    case AMDI_COMMAND_ENDED:
        amdi_command_run_stop(run, AMDI_COMMAND_CAUSE_CANCELLED);
        run_end(run);
        break;
    case AMDI_COMMAND_DONE:
        break;
    }
}

static void
run_on_readable(amdrpc_call *call, void *arg)
{
    struct amdi_command_run *run = arg;

    (void)call; // the run's
    if (run->state == AMDI_COMMAND_READING) {
        amdi_command_run_read(run);
    } else if (run->state == AMDI_COMMAND_RUNNING) {
        amdi_command_pump_input(run);
    }
}

const amdrpc_call_events amdi_command_run_events = {
        .on_readable = run_on_readable,
        .on_writable = run_on_writable,
        .on_cancel = run_on_cancel,
};
