/** What the executor does from time to time: beat, poll, sweep. */
#include "common/alloc.h"
#include "server/operation/executor.h"
#include "server/operation/lane.h"
#include "server/server_loop.h"

#define US_PER_MS 1000

// A lease is renewed when a third of it is over.
#define BEATS_PER_LEASE 3u

// As many as the store takes at once.
#define MAX_FENCES 65536u

// How long a hint at work may wait: whoever submits here looks by himself.
#define POLL_MS 1000u

// How often to look for what is no longer kept; a hint comes when there is much
// of it. One sweep holds up a batch of the store for some milliseconds.
#define SWEEP_MS 10000u
#define SWEEP_MAX 500u

static void
executor_start_timer(struct amdi_executor *executor, struct amdi_timer *timer,
        uint64_t delay_ms, void (*run)(struct amdi_timer *))
{
    struct amdi_loop *loop = executor->sl->loop;

    amdi_timer_start(loop, timer, amdi_loop_now_ms(loop) + delay_ms, run);
}

/* ---- beat ---- */

static void executor_on_beat_timer(struct amdi_timer *timer);

static void
executor_start_beat_timer(struct amdi_executor *executor)
{
    executor_start_timer(executor, &executor->beat_timer,
            executor->options.lease_ms / BEATS_PER_LEASE,
            executor_on_beat_timer);
}

/** Every lease that was renewed lasts longer. */
static void
executor_extend(struct amdi_executor *executor)
{
    uint64_t until_ms = executor->beat_at_ms + executor->options.lease_ms;

    for (size_t i = 0; i < AMDI_RUN_NBUCKETS; i++) {
        AMDI_LIST_FOREACH (node, &executor->runs[i]) {
            amdi_run_on_beat(AMDI_CONTAINER_OF(node, struct amdi_run, id_node),
                    until_ms);
        }
    }
}

static void
executor_on_beat(void *arg, enum amdi_store_result result,
        const struct amdi_fence *lost, size_t nlost, const uint64_t *cancelled,
        size_t ncancelled)
{
    struct amdi_executor *executor = arg;

    executor->is_beating = false;
    amdi_executor_tell_store(executor, result);
    if (result == AMDI_STORE_OK) {
        executor_extend(executor);
    }
    for (size_t i = 0; i < nlost; i++) {
        struct amdi_run *run = amdi_executor_find(executor, lost[i].id);

        if (run != NULL && run->fence.attempt == lost[i].attempt) {
            amdi_run_cancel(run, AMDI_REASON_LOST);
        }
    }
    for (size_t i = 0; i < ncancelled; i++) {
        struct amdi_run *run = amdi_executor_find(executor, cancelled[i]);

        if (run != NULL) {
            amdi_run_cancel(run, AMDI_REASON_CANCELLED);
        }
    }
    if (executor->must_beat_again) {
        amdi_executor_beat(executor);
    }
}

/** What we hold, at most @max of it. */
static size_t
executor_collect(
        struct amdi_executor *executor, struct amdi_fence *fences, size_t max)
{
    size_t n = 0;

    for (size_t i = 0; i < AMDI_RUN_NBUCKETS; i++) {
        AMDI_LIST_FOREACH (node, &executor->runs[i]) {
            const struct amdi_run *run =
                    AMDI_CONTAINER_OF(node, struct amdi_run, id_node);

            if (n < max && run->lease != AMDI_LEASE_GONE) {
                fences[n++] = run->fence;
            }
        }
    }
    return n;
}

/** Asks for all leases to be renewed; false: nothing was asked. */
static bool
executor_send_beat(struct amdi_executor *executor)
{
    size_t max = atomic_load(&executor->stats.nrunning);
    struct amdi_fence *fences = NULL;
    size_t n = 0;
    bool is_sent = false;

    if (max > MAX_FENCES) {
        max = MAX_FENCES; // the rest is found by its expired lease
    }
    fences = amdi_calloc(max, sizeof(*fences));
    if (fences != NULL) {
        n = executor_collect(executor, fences, max);
        is_sent = n > 0 &&
                amdi_store_beat(executor->store, executor->sl->loop,
                        executor->node, fences, n,
                        (int64_t)executor->options.lease_ms * US_PER_MS,
                        executor_on_beat, executor) == AMDI_STORE_OK;
    }
    amdi_free(fences);
    return is_sent;
}

void
amdi_executor_beat(struct amdi_executor *executor)
{
    if (executor->is_beating) {
        executor->must_beat_again = true;
        return;
    }
    executor->must_beat_again = false;
    if (atomic_load(&executor->stats.nrunning) > 0) {
        executor->beat_at_ms = amdi_loop_now_ms(executor->sl->loop);
        executor->is_beating = executor_send_beat(executor);
    }
}

static void
executor_on_beat_timer(struct amdi_timer *timer)
{
    struct amdi_executor *executor =
            AMDI_CONTAINER_OF(timer, struct amdi_executor, beat_timer);

    amdi_executor_beat(executor);
    executor_start_beat_timer(executor);
}

/* ---- poll ---- */

static void
executor_on_poll_timer(struct amdi_timer *timer)
{
    struct amdi_executor *executor =
            AMDI_CONTAINER_OF(timer, struct amdi_executor, poll_timer);

    for (size_t i = 0; i < executor->nlanes; i++) {
        struct amdi_op_lane *lane = &executor->lanes[i];

        if (lane->method != NULL && lane->state == AMDI_OP_LANE_IDLE) {
            amdi_op_lane_look(lane);
        }
    }
}

void
amdi_executor_poll(struct amdi_executor *executor)
{
    if (!atomic_load(&executor->is_draining) &&
            !amdi_timer_is_running(&executor->poll_timer)) {
        executor_start_timer(executor, &executor->poll_timer, POLL_MS,
                executor_on_poll_timer);
    }
}

/* ---- sweep ---- */

static void
executor_on_sweep_timer(struct amdi_timer *timer)
{
    amdi_executor_sweep(
            AMDI_CONTAINER_OF(timer, struct amdi_executor, sweep_timer));
}

static void
executor_start_sweep_timer(struct amdi_executor *executor)
{
    executor_start_timer(executor, &executor->sweep_timer, SWEEP_MS,
            executor_on_sweep_timer);
}

/** While some go there may be more; each commit in between takes submits. */
static void
executor_on_swept(void *arg, enum amdi_store_result result, unsigned nremoved)
{
    struct amdi_executor *executor = arg;
    bool has_more = result == AMDI_STORE_OK &&
            (nremoved > 0 || executor->must_sweep_again);

    executor->is_sweeping = false;
    if (atomic_load(&executor->is_draining)) {
        return;
    }
    if (has_more) {
        amdi_executor_sweep(executor);
    } else {
        executor_start_sweep_timer(executor);
    }
}

void
amdi_executor_sweep(struct amdi_executor *executor)
{
    if (executor->is_sweeping || atomic_load(&executor->is_draining)) {
        executor->must_sweep_again = true;
        return;
    }
    executor->must_sweep_again = false;
    amdi_timer_stop(&executor->sweep_timer);
    executor->is_sweeping =
            amdi_store_sweep(executor->store, executor->sl->loop, SWEEP_MAX,
                    executor_on_swept, executor) == AMDI_STORE_OK;
    if (!executor->is_sweeping) {
        executor_start_sweep_timer(executor);
    }
}

/* ---- all of them ---- */

void
amdi_executor_start_timers(struct amdi_executor *executor)
{
    executor_start_beat_timer(executor);
    executor_start_sweep_timer(executor);
}

void
amdi_executor_stop_timers(struct amdi_executor *executor)
{
    amdi_timer_stop(&executor->beat_timer);
    amdi_timer_stop(&executor->poll_timer);
    amdi_timer_stop(&executor->sweep_timer);
}
