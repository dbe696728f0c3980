/**
 * Between a handler, in any thread, and the loop that owns its call: what the
 * handler did is brought to the loop, what happened there to the handler.
 *
 * An event sets a bit and posts the call's one task, if it is not posted; on
 * the loop's own thread what the handler did is dealt with at once. Callbacks
 * come from the task only, never from inside what told of the event.
 */
#ifndef AMDI_CALL_LINK_H
#define AMDI_CALL_LINK_H

#include <amdrpc/call.h>

#include "common/loop.h"

#include <stdatomic.h>
#include <stdbool.h>

enum amdi_call_event {
    // What the handler did.
    AMDI_CALL_EV_EVENTS = 1, // call->events was set
    AMDI_CALL_EV_AFTER = 2,  // call->after was set
    AMDI_CALL_EV_FD = 4,     // call->fd_wait was set
    AMDI_CALL_EV_FINISH = 8, // it is done; always the last

    // What the handler wants to know.
    AMDI_CALL_EV_READABLE = 16,
    AMDI_CALL_EV_WRITABLE = 32,
    AMDI_CALL_EV_CANCEL = 64,

    // This and higher bits are its sink's.
    AMDI_CALL_EV_SINK = 128,
};

/** What a call's loop does for the link. Thread: loop, unless said otherwise.
 */
struct amdi_call_owner_ops {
    // The loop that owns the call; always the same. Thread: any.
    struct amdi_loop *(*get_loop)(const struct amdrpc_call *call);
    // Bits from AMDI_CALL_EV_SINK on; others among them are not its own.
    void (*handle)(struct amdrpc_call *call, unsigned events);
    // The handler has finished the call.
    void (*on_finish)(struct amdrpc_call *call);
    // Tells whether a handler has the call, as far as the loop knows.
    bool (*is_out)(const struct amdrpc_call *call);
    // Tells whether a request message, or their end, can be received.
    bool (*is_readable)(const struct amdrpc_call *call);
    // What amdrpc_call_after uses, and what its expiry calls: for
    // amdi_call_run_after.
    struct amdi_timer *(*get_timer)(struct amdrpc_call *call);
    void (*on_timer)(struct amdi_timer *timer);
    // The callbacks of this moment are over: the call may be let go.
    void (*settle)(struct amdrpc_call *call);
};

/** Lies in the call. */
struct amdi_call_link {
    struct amdi_task task;
    atomic_uint pending; // any thread: what the task has to do

    // Loop thread only.
    bool has_events;     // call->events may be read
    bool is_cancel_told; // on_cancel has been called
    bool waits_for_fd;   // call->fd_wait may be read: its wait goes on
};

void amdi_call_link_init(struct amdi_call_link *link);

/** The handler did something. Thread: any. */
void amdi_call_notify(struct amdrpc_call *call, unsigned event);

/**
 * Something happened that its handler, or its sink, shall deal with: in a later
 * turn. Thread: loop.
 */
void amdi_call_post(struct amdrpc_call *call, unsigned events);

/** Tells whether the task is posted: it still refers to the call. */
static inline bool
amdi_call_is_posted(const struct amdi_call_link *link)
{
    return atomic_load(&link->pending) != 0;
}

/** The time of call->after has come. Thread: loop. */
void amdi_call_run_after(struct amdrpc_call *call);

/**
 * Ends the wait for a file descriptor, if there is one, and tells the handler,
 * if it has not finished. Thread: loop.
 */
void amdi_call_end_fd_wait(struct amdrpc_call *call);

#endif
