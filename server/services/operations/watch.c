/** amdrpc.v1.Operations: watch. */
#include "amdrpc/v1/operations.amdrpc-server.h"
#include "common/alloc.h"
#include "common/clock.h"
#include "server/services/operations/follow.h"
#include "server/services/operations/message.h"
#include "server/services/operations/refuse.h"
#include "server/services/operations/services.h"

#include <inttypes.h>
#include <string.h>

// Steps of progress are for people: at most ten a second, the newest wins.
#define PROGRESS_INTERVAL_MS 100u

// A step is two numbers and a note of 200 bytes.
#define STEP_BYTES 256u

struct watch {
    struct amdi_follow follow; // first
    uint64_t step_at_ms;       // no step before
    bool has_step;             // one waits for that
    struct amdi_event step;
    uint8_t step_data[STEP_BYTES];
};

static struct watch *
watch_of(struct amdi_follow *follow)
{
    return AMDI_CONTAINER_OF(follow, struct watch, follow);
}

static amdrpc_err
watch_send(struct amdi_follow *follow, const struct amdi_event *event)
{
    Amdrpc__V1__WatchResponse *response = NULL;

    amdi_arena_reset(&follow->scratch);
    response = amdi_op_event_create(event, &follow->scratch);
    return response == NULL
            ? AMDRPC_ENOMEM
            : amdrpc_v1_operations_watch_send(follow->call, response);
}

/* ---- progress ---- */

/** Sends the step that waits, if there is one, whatever the time. */
static amdrpc_err
watch_flush_step(struct watch *watch)
{
    amdrpc_err err = AMDRPC_OK;

    if (watch->has_step) {
        err = watch_send(&watch->follow, &watch->step);
    }
    if (err == AMDRPC_OK) {
        watch->has_step = false;
    }
    return err;
}

static void watch_on_step_time(amdrpc_call *call, void *arg);

static void
watch_start_step_timer(struct watch *watch, uint32_t delay_ms)
{
    amdrpc_call_after(watch->follow.call, delay_ms, watch_on_step_time, watch);
}

static void
watch_on_step_time(amdrpc_call *call, void *arg)
{
    struct watch *watch = arg;
    amdrpc_err err;

    (void)call;
    if (!amdi_follow_enter(&watch->follow)) {
        return;
    }
    err = watch_flush_step(watch);
    if (err == AMDRPC_EAGAIN) {
        watch_start_step_timer(watch, PROGRESS_INTERVAL_MS);
    } else {
        watch->step_at_ms = amdi_clock_now_ms() + PROGRESS_INTERVAL_MS;
    }
    amdi_follow_leave(&watch->follow, err);
}

/** Sends a step, or keeps it in place of the one that waits. */
static amdrpc_err
watch_take_step(struct watch *watch, const struct amdi_event *event)
{
    uint64_t now_ms = amdi_clock_now_ms();

    if (event->data.len > STEP_BYTES ||
            (!watch->has_step && now_ms >= watch->step_at_ms)) {
        amdrpc_err err = watch_send(&watch->follow, event);

        if (err == AMDRPC_OK) {
            watch->step_at_ms = now_ms + PROGRESS_INTERVAL_MS;
        }
        return err;
    }
    if (!watch->has_step) {
        watch_start_step_timer(watch, (uint32_t)(watch->step_at_ms - now_ms));
    }
    watch->has_step = true;
    watch->step = *event;
    if (event->data.len > 0) {
        memcpy(watch->step_data, event->data.data, event->data.len);
    }
    watch->step.data.data = watch->step_data;
    return AMDRPC_OK;
}

/* ---- what the operation tells ---- */

static bool
watch_on_begin(struct amdi_follow *follow, const struct amdi_op *op)
{
    if (follow->after_seq <= op->last_seq) {
        return true;
    }
    amdi_follow_end(follow);
    amdi_op_refuse_argument(follow->call, "AFTER_SEQ_INVALID",
            "after_seq: the operation's last event is %" PRIu64, op->last_seq);
    return false;
}

static amdrpc_err
watch_on_event(struct amdi_follow *follow, const struct amdi_event *event)
{
    struct watch *watch = watch_of(follow);
    amdrpc_err err = AMDRPC_OK;

    if (event->kind == AMDI_EVENT_PROGRESS) {
        return watch_take_step(watch, event);
    }
    err = watch_flush_step(watch);
    // The end is sent with the operation.
    return err == AMDRPC_OK && event->kind != AMDI_EVENT_END
            ? watch_send(follow, event)
            : err;
}

/** The last message; an end that was seen before is told again. */
static amdrpc_err
watch_send_end(struct amdi_follow *follow, const struct amdi_op *op)
{
    const struct amdi_event end = {
            .seq = op->last_seq,
            .attempt = op->attempt,
            .kind = AMDI_EVENT_END,
            .at_us = op->done_at_us,
    };
    Amdrpc__V1__WatchResponse *response = NULL;

    amdi_arena_reset(&follow->scratch);
    response = amdi_op_event_create(&end, &follow->scratch);
    if (response == NULL) {
        return AMDRPC_ENOMEM;
    }
    response->event_case = AMDRPC__V1__WATCH_RESPONSE__EVENT_END;
    response->end = amdi_op_message_create(op, NULL, &follow->scratch);
    return response->end == NULL
            ? AMDRPC_ENOMEM
            : amdrpc_v1_operations_watch_send(follow->call, response);
}

static bool
watch_on_end(struct amdi_follow *follow, const struct amdi_op *op)
{
    amdrpc_err err = watch_send_end(follow, op);

    if (err == AMDRPC_EAGAIN) {
        return false;
    }
    amdi_follow_end(follow);
    amdrpc_call_finish(follow->call, amdrpc_status_from_err(err),
            err == AMDRPC_OK ? NULL : amdrpc_err_text(err));
    return true;
}

static void
watch_on_drain(struct amdi_follow *follow)
{
    amdi_follow_end(follow);
    amdi_op_refuse_drain(follow->call);
}

void
amdi_op_on_watch(amdrpc_call *call, const Amdrpc__V1__WatchRequest *request,
        void *user_data)
{
    static const struct amdi_follow_ops ops = {
            .on_begin = watch_on_begin,
            .on_event = watch_on_event,
            .on_end = watch_on_end,
            .on_drain = watch_on_drain,
    };
    struct watch *watch = amdrpc_call_alloc(call, sizeof(*watch));

    if (watch == NULL) {
        amdi_op_refuse_memory(call);
        return;
    }
    *watch = (struct watch){.follow.services = user_data,
            .follow.ops = &ops,
            .follow.call = call,
            .follow.after_seq = request->after_seq};
    if (amdi_op_name_read(call, request->name, &watch->follow.id)) {
        amdi_follow_start(&watch->follow);
    }
}
