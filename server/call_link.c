/** Between a handler, in any thread, and the loop that owns its call. */
#include "server/call_link.h"

#include "common/list.h"
#include "server/call.h"
#include "server/dispatch/dispatch.h"
#include "server/fd_wait.h"

#include <event2/event.h>
#include <event2/event_struct.h>

#include <sys/stat.h>

static struct amdrpc_call *
call_of_task(struct amdi_task *task)
{
    return AMDI_CONTAINER_OF(task, struct amdrpc_call, link.task);
}

/**
 * Tells whether the handler has the call: it has not finished it, also not on
 * another thread, of which the loop has yet to hear.
 */
static bool
call_is_out(const struct amdrpc_call *call)
{
    return call->sink->owner->is_out(call) &&
            (atomic_load(&call->link.pending) & AMDI_CALL_EV_FINISH) == 0;
}

/** Calls a callback of the handler, unless the call is finished. */
static void
call_tell(struct amdrpc_call *call, amdrpc_call_fn fn)
{
    if (fn != NULL && call_is_out(call)) {
        fn(call, call->events_arg);
    }
}

/* ---- after a time ---- */

void
amdi_call_run_after(struct amdrpc_call *call)
{
    struct amdi_call_after after = call->after;

    call->after.fn = NULL;
    if (after.fn != NULL && call_is_out(call)) {
        after.fn(call, after.arg);
    }
}

static void
call_start_after(struct amdrpc_call *call)
{
    const struct amdi_call_owner_ops *owner = call->sink->owner;
    uint64_t at_ms = amdrpc_call_is_cancelled(call) ? 0 : call->after.at_ms;

    amdi_timer_start(owner->get_loop(call), owner->get_timer(call), at_ms,
            owner->on_timer);
}

/* ---- file descriptors ---- */

/** The wait is over: tells the handler, unless the call is finished. */
static void
call_end_fd_wait(struct amdrpc_call *call, unsigned events)
{
    struct amdi_fd_wait *wait = call->fd_wait;

    if (event_initialized(&wait->event)) {
        (void)event_del(&wait->event);
    }
    call->link.waits_for_fd = false;
    wait->is_waiting = false;
    wait->is_cancel_told |= events == AMDRPC_FD_CANCELLED;
    if (call->sink->owner->is_out(call)) {
        wait->fn(call, events, wait->arg);
    }
}

static void
call_on_fd(evutil_socket_t fd, short happened, void *arg)
{
    struct amdrpc_call *call = arg;
    unsigned events = 0;

    (void)fd;
    events |= (happened & EV_READ) != 0 ? AMDRPC_FD_READ : 0;
    events |= (happened & EV_WRITE) != 0 ? AMDRPC_FD_WRITE : 0;
    call_end_fd_wait(call, events == 0 ? AMDRPC_FD_TIMEOUT : events);
    call->sink->owner->settle(call);
}

/** Files are always ready: epoll does not take them. */
static bool
fd_can_be_waited_for(int fd)
{
    struct stat info;

    return fstat(fd, &info) == 0 && !S_ISREG(info.st_mode) &&
            !S_ISDIR(info.st_mode);
}

/** Adds the event; false when such a descriptor cannot be waited for. */
static bool
call_add_fd(struct amdrpc_call *call)
{
    struct event_base *base = amdi_loop_base(call->sink->owner->get_loop(call));
    struct amdi_fd_wait *wait = call->fd_wait;
    struct timeval timeout = {.tv_sec = (time_t)(wait->timeout_ms / 1000),
            .tv_usec = (suseconds_t)(wait->timeout_ms % 1000) * 1000};
    short events = 0;

    events |= (wait->events & AMDRPC_FD_READ) != 0 ? EV_READ : 0;
    events |= (wait->events & AMDRPC_FD_WRITE) != 0 ? EV_WRITE : 0;
    return fd_can_be_waited_for(wait->fd) &&
            event_assign(&wait->event, base, wait->fd, events, call_on_fd,
                    call) == 0 &&
            event_add(&wait->event, wait->timeout_ms < 0 ? NULL : &timeout) ==
            0;
}

static void
call_start_fd_wait(struct amdrpc_call *call)
{
    if (!call->sink->owner->is_out(call)) {
        return; // finished in the same moment
    }
    if (!call_add_fd(call)) {
        call_end_fd_wait(call, AMDRPC_FD_FAILED);
        return;
    }
    call->link.waits_for_fd = true;
    if (amdrpc_call_is_cancelled(call) && !call->fd_wait->is_cancel_told) {
        call_end_fd_wait(call, AMDRPC_FD_CANCELLED);
    }
}

void
amdi_call_end_fd_wait(struct amdrpc_call *call)
{
    // call->fd_wait may be about to be set by the handler.
    if (call->link.waits_for_fd) {
        call_end_fd_wait(call, AMDRPC_FD_CANCELLED);
    }
}

/* ---- events ---- */

/** Conditions that held before the events were set are told now. */
static void
call_post_holding(struct amdrpc_call *call)
{
    unsigned holding = 0;

    if (amdrpc_call_is_cancelled(call)) {
        holding |= AMDI_CALL_EV_CANCEL;
    }
    if (call->sink->owner->is_readable(call)) {
        holding |= AMDI_CALL_EV_READABLE;
    }
    if (holding != 0) {
        amdi_call_post(call, holding);
    }
}

/** A cancelled call waits for nothing any more. */
static void
call_cancel_waits(struct amdrpc_call *call)
{
    if (amdi_timer_is_running(call->sink->owner->get_timer(call))) {
        call_start_after(call);
    }
    amdi_call_end_fd_wait(call);
}

/** The handler's callbacks; each of them may finish the call. */
static void
call_tell_events(struct amdrpc_call *call, unsigned events)
{
    const amdrpc_call_events *told = NULL;

    if (!call->link.has_events) {
        return; // the handler may be setting them
    }
    told = call->events;
    if ((events & AMDI_CALL_EV_READABLE) != 0) {
        call_tell(call, told->on_readable);
    }
    if ((events & AMDI_CALL_EV_WRITABLE) != 0) {
        call_tell(call, told->on_writable);
    }
    if ((events & AMDI_CALL_EV_CANCEL) != 0 && !call->link.is_cancel_told) {
        call->link.is_cancel_told = true;
        call_tell(call, told->on_cancel);
    }
}

/** What the handler did, but finish. */
static void
call_handle_waits(struct amdrpc_call *call, unsigned events)
{
    if ((events & AMDI_CALL_EV_AFTER) != 0) {
        call_start_after(call);
    }
    if ((events & AMDI_CALL_EV_FD) != 0) {
        call_start_fd_wait(call);
    }
    if ((events & AMDI_CALL_EV_CANCEL) != 0) {
        call_cancel_waits(call);
    }
    if ((events & AMDI_CALL_EV_EVENTS) != 0) {
        call->link.has_events = true;
        call_post_holding(call);
    }
}

static void
call_handle(struct amdrpc_call *call, unsigned events)
{
    if (events >= AMDI_CALL_EV_SINK) {
        call->sink->owner->handle(call, events);
    }
    if (events != AMDI_CALL_EV_FINISH) {
        call_handle_waits(call, events);
    }
    if ((events & AMDI_CALL_EV_FINISH) != 0) {
        call->sink->owner->on_finish(call);
    } else {
        call_tell_events(call, events);
    }
}

/* ---- from thread to thread ---- */

/** Sets bits; returns whether the caller has to post the task. */
static bool
call_set_pending(struct amdrpc_call *call, unsigned events)
{
    return atomic_fetch_or_explicit(
                   &call->link.pending, events, memory_order_acq_rel) == 0;
}

void
amdi_call_notify(struct amdrpc_call *call, unsigned event)
{
    struct amdi_loop *loop = call->sink->owner->get_loop(call);

    if (amdi_loop_is_current(loop)) {
        call_handle(call, event);
    } else if (call_set_pending(call, event)) {
        amdi_worker_post(loop, &call->link.task);
    }
}

void
amdi_call_post(struct amdrpc_call *call, unsigned events)
{
    if (call_set_pending(call, events)) {
        amdi_loop_push(call->sink->owner->get_loop(call), &call->link.task);
    }
}

static void
call_run_task(struct amdi_task *task)
{
    struct amdrpc_call *call = call_of_task(task);
    unsigned events = atomic_exchange_explicit(
            &call->link.pending, 0, memory_order_acq_rel);

    call_handle(call, events);
    call->sink->owner->settle(call);
}

void
amdi_call_link_init(struct amdi_call_link *link)
{
    *link = (struct amdi_call_link){.task = {.run = call_run_task}};
}
