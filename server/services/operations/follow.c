/** A call that follows an operation. */
#include "server/services/operations/follow.h"

#include "common/alloc.h"
#include "common/assertion.h"
#include "server/services/operations/refuse.h"
#include "server/services/operations/services.h"
#include "server/store/id.h"

#include <string.h>

/** An event that waits for room. */
struct pending {
    struct amdi_list node;
    struct amdi_event event;
    uint8_t data[];
};

static bool
follow_may_enter(enum amdi_follow_state from, enum amdi_follow_state next)
{
    switch (from) {
    case AMDI_FOLLOW_LOOKING:
        return true; // once more, when a watch could not start
    case AMDI_FOLLOW_WATCHING:
        return next != AMDI_FOLLOW_WATCHING;
    case AMDI_FOLLOW_ENDED:
        break;
    }
    return false;
}

static void
follow_set_state(struct amdi_follow *follow, enum amdi_follow_state next)
{
    amdi_assert(follow_may_enter(follow->state, next));
    follow->state = next;
}

/* ---- events that wait for room ---- */

static amdrpc_err
pending_add(struct amdi_follow *follow, const struct amdi_event *event)
{
    struct pending *pending = amdi_alloc(sizeof(*pending) + event->data.len);

    if (pending == NULL) {
        return AMDRPC_ENOMEM;
    }
    pending->event = *event;
    pending->event.data.data = pending->data;
    if (event->data.len > 0) {
        memcpy(pending->data, event->data.data, event->data.len);
    }
    amdi_list_push(&follow->pending, &pending->node);
    return AMDRPC_OK;
}

static struct pending *
pending_first(struct amdi_follow *follow)
{
    return amdi_list_is_empty(&follow->pending)
            ? NULL
            : AMDI_CONTAINER_OF(follow->pending.next, struct pending, node);
}

static void
pending_drop(struct pending *pending)
{
    amdi_list_remove(&pending->node);
    amdi_free(pending);
}

/* ---- the end ---- */

static void
follow_unwatch(struct amdi_follow *follow)
{
    if (follow->watch != NULL) {
        amdi_store_unwatch(follow->watch);
        follow->watch = NULL;
    }
}

void
amdi_follow_end(struct amdi_follow *follow)
{
    struct pending *pending = NULL;

    follow_set_state(follow, AMDI_FOLLOW_ENDED);
    follow_unwatch(follow);
    if (follow->item.state != AMDI_ENDLESS_OUT) {
        amdi_endless_remove(&follow->item);
    }
    if (follow->is_counted) {
        amdi_op_waiters_leave(&follow->services->waiters, follow->id);
    }
    while ((pending = pending_first(follow)) != NULL) {
        pending_drop(pending);
    }
    amdi_arena_fini(&follow->scratch);
}

static void
follow_refuse(struct amdi_follow *follow, enum amdi_store_result result)
{
    char name[AMDI_OP_NAME_BYTES];

    amdi_op_name_format(follow->id, name);
    amdi_follow_end(follow);
    amdi_op_refuse_result(follow->call, result, name);
}

/** Something could not be sent. */
static void
follow_fail(struct amdi_follow *follow, amdrpc_err err)
{
    amdi_follow_end(follow);
    amdrpc_call_finish(
            follow->call, amdrpc_status_from_err(err), amdrpc_err_text(err));
}

static void
follow_cancel(struct amdi_follow *follow)
{
    amdi_follow_end(follow);
    amdrpc_call_finish(follow->call, AMDRPC_STATUS_CANCELLED, NULL);
}

/* ---- looking ---- */

static void
follow_on_op(void *arg, enum amdi_store_result result, const struct amdi_op *op)
{
    struct amdi_follow *follow = arg;

    if (amdrpc_call_is_cancelled(follow->call)) {
        follow_cancel(follow);
        return;
    }
    if (result == AMDI_STORE_OK && !amdi_op_is_own(follow->call, op)) {
        result = AMDI_STORE_NOTFOUND;
    }
    if (result != AMDI_STORE_OK) {
        follow_refuse(follow, result);
        return;
    }
    follow->on_look(follow, op);
}

void
amdi_follow_look(struct amdi_follow *follow, amdi_follow_look_fn fn)
{
    enum amdi_store_result result;

    follow_unwatch(follow);
    if (follow->item.state != AMDI_ENDLESS_OUT) {
        amdi_endless_remove(&follow->item);
    }
    follow_set_state(follow, AMDI_FOLLOW_LOOKING);
    follow->on_look = fn;
    result = amdi_store_get(follow->services->store,
            amdi_op_call_loop(follow->call), follow->id, follow_on_op, follow);
    if (result != AMDI_STORE_OK) {
        follow_refuse(follow, result);
    }
}

/* ---- watching ---- */

static void
follow_run_drain(struct amdi_task *task)
{
    struct amdi_follow *follow =
            AMDI_CONTAINER_OF(task, struct amdi_follow, drain_task);

    follow->ops->on_drain(follow);
}

/** The drain has taken it out; the rest is for its loop. Thread: any. */
static void
follow_on_drain(struct amdi_endless_call *item)
{
    struct amdi_follow *follow =
            AMDI_CONTAINER_OF(item, struct amdi_follow, item);

    amdi_loop_post(amdi_op_call_loop(follow->call), &follow->drain_task);
}

/** Waits for what comes: events, room, a cancellation, the drain. */
static void
follow_set_watching(struct amdi_follow *follow)
{
    follow_set_state(follow, AMDI_FOLLOW_WATCHING);
    if (!amdi_endless_add(
                &follow->services->follows, &follow->item, follow_on_drain)) {
        follow->ops->on_drain(follow);
    }
}

static void
follow_on_final(struct amdi_follow *follow, const struct amdi_op *op)
{
    if (!follow->ops->on_end(follow, op)) {
        follow_set_watching(follow); // for room
    }
}

static void
follow_on_gone(struct amdi_follow *follow, const struct amdi_op *op)
{
    amdi_follow_end(follow);
    amdi_op_refuse_gone(follow->call, follow->after_seq, op->first_seq);
}

/** Everything was shown, and the watch has ended. */
static void
follow_finish(struct amdi_follow *follow)
{
    if (follow->end == AMDI_STORE_DONE) {
        amdi_follow_look(follow, follow_on_final);
    } else if (follow->end == AMDI_STORE_GONE) {
        amdi_follow_look(follow, follow_on_gone);
    } else {
        follow_refuse(follow, follow->end);
    }
}

bool
amdi_follow_enter(struct amdi_follow *follow)
{
    return follow->state == AMDI_FOLLOW_WATCHING &&
            amdi_endless_enter(&follow->item);
}

void
amdi_follow_leave(struct amdi_follow *follow, amdrpc_err err)
{
    if (err != AMDRPC_OK && err != AMDRPC_EAGAIN) {
        follow_fail(follow, err);
    } else if (err == AMDRPC_OK && follow->end != AMDI_STORE_OK &&
            amdi_list_is_empty(&follow->pending)) {
        follow_finish(follow);
    } else if (!amdi_endless_leave(&follow->item)) {
        follow->ops->on_drain(follow);
    }
}

/** Shows what had no room before. */
static amdrpc_err
follow_show_pending(struct amdi_follow *follow)
{
    struct pending *pending = NULL;

    while ((pending = pending_first(follow)) != NULL) {
        amdrpc_err err = follow->ops->on_event(follow, &pending->event);

        if (err != AMDRPC_OK) {
            return err;
        }
        follow->after_seq = pending->event.seq;
        pending_drop(pending);
    }
    if (follow->watch != NULL) {
        amdi_store_watch_set_paused(follow->watch, false);
    }
    return AMDRPC_OK;
}

/** Shows an event, or keeps it when there is no room. */
static amdrpc_err
follow_show(struct amdi_follow *follow, const struct amdi_event *event)
{
    amdrpc_err err = AMDRPC_EAGAIN;

    if (amdi_list_is_empty(&follow->pending)) {
        err = follow->ops->on_event(follow, event);
    }
    if (err == AMDRPC_OK) {
        follow->after_seq = event->seq;
    } else if (err == AMDRPC_EAGAIN) {
        if (follow->watch != NULL) {
            amdi_store_watch_set_paused(follow->watch, true);
        }
        err = pending_add(follow, event);
    }
    return err;
}

static void
follow_on_events(void *arg, enum amdi_store_result result,
        const struct amdi_event *events, size_t nevents)
{
    struct amdi_follow *follow = arg;
    amdrpc_err err = AMDRPC_OK;

    if (result != AMDI_STORE_OK) {
        follow->watch = NULL;
        follow->end = result;
    }
    if (!amdi_follow_enter(follow)) {
        return; // the drain has taken it
    }
    for (size_t i = 0; i < nevents && err == AMDRPC_OK; i++) {
        err = follow_show(follow, &events[i]);
    }
    amdi_follow_leave(follow, err);
}

static void
follow_on_begin(struct amdi_follow *follow, const struct amdi_op *op)
{
    amdrpc_err err;
    enum amdi_store_result result;

    if (!follow->ops->on_begin(follow, op)) {
        return;
    }
    err = amdi_op_waiters_enter(&follow->services->waiters, follow->id);
    if (err != AMDRPC_OK) {
        amdi_follow_end(follow);
        amdi_op_refuse(follow->call,
                &(struct amdi_details){
                        .code = AMDRPC_STATUS_RESOURCE_EXHAUSTED,
                        .message = err == AMDRPC_ELIMIT
                                ? "too many calls wait for this operation"
                                : "no memory",
                        .reason = err == AMDRPC_ELIMIT ? "TOO_MANY_WAITERS"
                                                       : "NO_MEMORY",
                });
        return;
    }
    follow->is_counted = true;
    result = amdi_store_watch(follow->services->store,
            amdi_op_call_loop(follow->call), follow->id, follow->after_seq,
            follow_on_events, follow, &follow->watch);
    if (result != AMDI_STORE_OK) {
        follow_refuse(follow, result);
        return;
    }
    follow_set_watching(follow);
}

/* ---- what the call tells ---- */

static void
follow_on_writable(amdrpc_call *call, void *arg)
{
    struct amdi_follow *follow = arg;

    (void)call;
    if (amdi_follow_enter(follow)) {
        amdi_follow_leave(follow, follow_show_pending(follow));
    }
}

static void
follow_on_cancel(amdrpc_call *call, void *arg)
{
    struct amdi_follow *follow = arg;

    (void)call;
    // While it looks, the answer of the store comes first.
    if (amdi_follow_enter(follow)) {
        follow_cancel(follow);
    }
}

void
amdi_follow_start(struct amdi_follow *follow)
{
    static const amdrpc_call_events events = {
            .on_writable = follow_on_writable,
            .on_cancel = follow_on_cancel,
    };

    follow->state = AMDI_FOLLOW_LOOKING;
    follow->item.state = AMDI_ENDLESS_OUT;
    follow->drain_task.run = follow_run_drain;
    amdi_list_init(&follow->pending);
    amdi_arena_init(&follow->scratch, /*max_bytes=*/0);
    amdrpc_call_defer(follow->call);
    amdrpc_call_set_events(follow->call, &events, follow);
    amdi_follow_look(follow, follow_on_begin);
}
