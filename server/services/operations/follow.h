/**
 * A call that follows an operation: it sees its record, then its events in
 * order, and once it has ended its record again.
 *
 *     LOOKING ─► WATCHING ─► LOOKING ─► ENDED
 *
 * Everything happens on the call's loop, but for the beginning of a drain,
 * which takes the follow out of services->follows and posts a task to the loop.
 * The store's answers and the call end separately: while the store is asked
 * (LOOKING) the call is kept, whatever became of its client, and while it
 * watches it can end at any time, since a watch can be taken back.
 *
 * Events that the call has no room for are kept and the watch is paused, so
 * that a slow client costs no more than what was read from the store at once.
 */
#ifndef AMDI_OPERATIONS_FOLLOW_H
#define AMDI_OPERATIONS_FOLLOW_H

#include <amdrpc/call.h>

#include "common/arena.h"
#include "common/list.h"
#include "common/loop.h"
#include "server/services/endless.h"
#include "server/store/store.h"

struct amdi_follow;
struct amdi_op_services;

enum amdi_follow_state {
    AMDI_FOLLOW_LOOKING,  // the store was asked for the record
    AMDI_FOLLOW_WATCHING, // for events, or room; in services->follows
    AMDI_FOLLOW_ENDED,    // the call is to be finished at once
};

/** Receives the record. */
typedef void (*amdi_follow_look_fn)(
        struct amdi_follow *follow, const struct amdi_op *op);

/** What is done with an operation that is followed. Thread: loop. */
struct amdi_follow_ops {
    // The record, before any event. False: the call has been ended.
    bool (*on_begin)(struct amdi_follow *follow, const struct amdi_op *op);
    // An event. AMDRPC_EAGAIN: show it again once there is room; any other
    // failure ends the call with its status.
    amdrpc_err (*on_event)(
            struct amdi_follow *follow, const struct amdi_event *event);
    // The operation has ended, and every event was shown. Ends the call, or
    // returns false: there is no room, ask again.
    bool (*on_end)(struct amdi_follow *follow, const struct amdi_op *op);
    // The server drains, or the follow began too late: ends the call, if need
    // be with one more look.
    void (*on_drain)(struct amdi_follow *follow);
};

/** Lies in the call's memory. */
struct amdi_follow {
    // Set by who starts it.
    struct amdi_op_services *services;
    const struct amdi_follow_ops *ops;
    amdrpc_call *call;
    uint64_t id;
    uint64_t after_seq;

    // Loop thread only.
    enum amdi_follow_state state;
    bool is_counted;                // among services->waiters
    enum amdi_store_result end;     // why the watch has ended; OK: not yet
    struct amdi_store_watch *watch; // NULL once it has ended
    struct amdi_list pending;       // events that had no room; owned
    struct amdi_arena scratch;      // for one message
    amdi_follow_look_fn on_look;

    struct amdi_endless_call item;
    struct amdi_task drain_task;
};

/**
 * Starts it, in place of the handler's answer: with the record, whose principal
 * is checked. The call is taken.
 */
void amdi_follow_start(struct amdi_follow *follow);

/**
 * Begins to use it from an event of its call; false: it is ending already, and
 * must be left alone.
 */
bool amdi_follow_enter(struct amdi_follow *follow);

/** Ends the use. @err: of what was sent; AMDRPC_EAGAIN is no error. */
void amdi_follow_leave(struct amdi_follow *follow, amdrpc_err err);

/**
 * Stops watching, and asks for the record once more; @fn ends the call. To be
 * called when entered, from on_drain and on_begin.
 */
void amdi_follow_look(struct amdi_follow *follow, amdi_follow_look_fn fn);

/**
 * Gives back all it holds. Afterwards the call has to be finished, and nothing
 * else.
 */
void amdi_follow_end(struct amdi_follow *follow);

#endif
