/** What is leased of one method. */
#include "server/operation/lane.h"

#include "common/alloc.h"
#include "common/clock.h"
#include "server/dispatch/worker_pool.h"
#include "server/operation/executor.h"
#include "server/server_loop.h"
#include "server/service.h"

#include <stdio.h>
#include <string.h>

#define US_PER_MS 1000

// Leased ahead of the workers: of quick handlers, what they do while the store
// commits; of others, that a worker need not wait for the next one.
#define QUICK_AHEAD 256u
#define AHEAD_PER_WORKER 2u

// What one question to the store may bring.
#define MAX_LEASED_AT_ONCE 256u

// When to look again: the lane is full of other calls; the store could not.
#define FULL_AGAIN_MS 50u
#define FAILED_AGAIN_MS 1000u

// Further ahead the timer need not be exact: it looks, and is set again.
#define MAX_TIMER_MS (3600u * 1000)

/* ---- life ---- */

static void lane_run_look(struct amdi_task *task);

/** "/package.Service/Method high" */
static char *
queue_name(const char *path, const char *priority)
{
    size_t size = strlen(path) + strlen(priority) + 2;
    char *name = amdi_alloc(size);

    if (name != NULL) {
        (void)snprintf(name, size, "%s %s", path, priority); // it fits
    }
    return name;
}

amdrpc_err
amdi_op_lane_init(struct amdi_op_lane *lane, struct amdi_executor *executor,
        struct amdi_method *method)
{
    static const char *const priorities[AMDI_OP_NPRIORITIES] = {
            [AMDI_OP_HIGH] = "high",
            [AMDI_OP_NORMAL] = "normal",
            [AMDI_OP_LOW] = "low"};

    *lane = (struct amdi_op_lane){.executor = executor, .method = method};
    lane->look_task.run = lane_run_look;
    if (method == NULL) {
        return AMDRPC_OK;
    }
    for (unsigned i = 0; i < AMDI_OP_NPRIORITIES; i++) {
        lane->queues[i] = queue_name(method->desc->path, priorities[i]);
        if (lane->queues[i] == NULL) {
            return AMDRPC_ENOMEM;
        }
    }
    // Until the first look: an earlier process may have left some.
    atomic_store(&lane->has_backlog, true);
    return AMDRPC_OK;
}

void
amdi_op_lane_fini(struct amdi_op_lane *lane)
{
    amdi_timer_stop(&lane->timer);
    for (unsigned i = 0; i < AMDI_OP_NPRIORITIES; i++) {
        amdi_free(lane->queues[i]);
    }
}

void
amdi_op_lane_stop(struct amdi_op_lane *lane)
{
    amdi_timer_stop(&lane->timer);
}

/* ---- room ---- */

static uint32_t
lane_max_running(const struct amdi_op_lane *lane)
{
    return lane->executor->options.max_running;
}

/** How many more may be leased, with @nleases already; takes the pool's lock.
 */
static unsigned
lane_room(struct amdi_op_lane *lane, unsigned nleases)
{
    struct amdi_method *method = lane->method;
    unsigned room = lane_max_running(lane) - nleases;
    struct amdi_lane_gauges gauges;
    uint32_t ahead = 0;

    if (nleases >= lane_max_running(lane)) {
        return 0;
    }
    if (method->policy.dispatch != AMDRPC_DISPATCH_POOL) {
        return room;
    }
    amdi_worker_pool_get_lane(
            method->pool, method, amdi_clock_now_ns(), &gauges);
    ahead = gauges.service_ns < AMDI_QUICK_NS
            ? QUICK_AHEAD
            : AHEAD_PER_WORKER * method->policy.max_running;
    if (gauges.nqueued >= ahead) {
        return 0;
    }
    return room < ahead - gauges.nqueued ? room : ahead - gauges.nqueued;
}

bool
amdi_op_lane_reserve(struct amdi_op_lane *lane)
{
    unsigned nleases = 0;

    if (atomic_load(&lane->has_backlog)) {
        return false; // those have been waiting for longer
    }
    nleases = atomic_fetch_add(&lane->nleases, 1);
    if (!amdi_executor_count_up(lane->executor, 1)) {
        amdi_op_lane_give(lane, 1);
        return false;
    }
    // With few leases there is room whatever the workers do.
    if (nleases >= lane->method->policy.max_running &&
            lane_room(lane, nleases) == 0) {
        atomic_store(&lane->has_backlog, true);
        amdi_op_lane_give(lane, 1);
        return false;
    }
    return true;
}

void
amdi_op_lane_give(struct amdi_op_lane *lane, unsigned n)
{
    atomic_fetch_sub(&lane->nleases, n);
    amdi_executor_count_down(lane->executor, n);
}

/* ---- leasing ---- */

static void
lane_on_timer(struct amdi_timer *timer)
{
    amdi_op_lane_look(AMDI_CONTAINER_OF(timer, struct amdi_op_lane, timer));
}

static void
lane_look_in(struct amdi_op_lane *lane, uint64_t delay_ms)
{
    struct amdi_loop *loop = lane->executor->sl->loop;

    amdi_timer_start(loop, &lane->timer, amdi_loop_now_ms(loop) + delay_ms,
            lane_on_timer);
}

/** Looks again when what waits for its time, or for a dead executor, is due. */
static void
lane_start_timer(struct amdi_op_lane *lane)
{
    int64_t left_us = lane->next_ready_at_us - amdi_clock_wall_us();

    if (lane->next_ready_at_us == 0) {
        return;
    }
    lane_look_in(lane,
            left_us <= 0 ? 1
                    : left_us / US_PER_MS >= MAX_TIMER_MS
                    ? MAX_TIMER_MS
                    : (uint64_t)left_us / US_PER_MS + 1);
}

/** Moves the lane; the only writer of its state. */
static void
lane_set_state(struct amdi_op_lane *lane, enum amdi_op_lane_state next)
{
    bool must_look =
            next == AMDI_OP_LANE_IDLE && lane->state == AMDI_OP_LANE_AGAIN;

    lane->state = next;
    if (must_look) {
        amdi_op_lane_look(lane);
    }
}

static void
lane_end(struct amdi_op_lane *lane, bool has_backlog)
{
    unsigned room = lane->room;

    lane->room = 0;
    atomic_store(&lane->has_backlog, has_backlog);
    if (!has_backlog) {
        lane_start_timer(lane);
    }
    if (room > 0) {
        amdi_op_lane_give(lane, room);
    }
    lane_set_state(lane, AMDI_OP_LANE_IDLE);
}

static void lane_ask(struct amdi_op_lane *lane);

static void
lane_fail(struct amdi_op_lane *lane, enum amdi_store_result result)
{
    amdi_executor_tell_store(lane->executor, result);
    lane_look_in(lane, FAILED_AGAIN_MS);
    lane_end(lane, /*has_backlog=*/true);
}

static void
lane_note_next(struct amdi_op_lane *lane, int64_t at_us)
{
    if (at_us != 0 &&
            (lane->next_ready_at_us == 0 || at_us < lane->next_ready_at_us)) {
        lane->next_ready_at_us = at_us;
    }
}

static void
lane_on_leased(void *arg, enum amdi_store_result result,
        const struct amdi_op *ops, size_t nops, int64_t next_ready_at_us)
{
    struct amdi_op_lane *lane = arg;
    bool has_more =
            next_ready_at_us != 0 && next_ready_at_us <= amdi_clock_wall_us();

    if (result != AMDI_STORE_OK) {
        lane_fail(lane, result);
        return;
    }
    amdi_executor_tell_store(lane->executor, AMDI_STORE_OK);
    lane->room -= (unsigned)nops;
    for (size_t i = 0; i < nops; i++) {
        amdi_executor_begin(lane->executor, lane, &ops[i]);
    }
    lane_note_next(lane, next_ready_at_us);
    if (atomic_load(&lane->executor->is_draining)) {
        lane_end(lane, /*has_backlog=*/true);
    } else if (lane->room > 0 && has_more) {
        lane_ask(lane); // the store showed as much as it may at once
    } else if (lane->room > 0 && lane->priority + 1 < AMDI_OP_NPRIORITIES) {
        lane->priority++;
        lane_ask(lane);
    } else {
        // With no room left nobody knows what the lower ones hold.
        lane_end(lane, /*has_backlog=*/lane->room == 0);
    }
}

static void
lane_ask(struct amdi_op_lane *lane)
{
    const struct amdi_executor *executor = lane->executor;
    const char *queue = lane->queues[lane->priority];
    enum amdi_store_result result =
            amdi_store_lease(executor->store, executor->sl->loop,
                    executor->node, (struct amdi_bytes){queue, strlen(queue)},
                    lane->room, (int64_t)executor->options.lease_ms * US_PER_MS,
                    lane_on_leased, lane);

    if (result != AMDI_STORE_OK) {
        lane_fail(lane, result);
    }
}

/** Reserves all the room there is; false: none, or the server stops. */
static bool
lane_reserve_room(struct amdi_op_lane *lane)
{
    unsigned room = lane_room(lane, atomic_load(&lane->nleases));

    if (room > MAX_LEASED_AT_ONCE) {
        room = MAX_LEASED_AT_ONCE;
    }
    if (room == 0) {
        return false;
    }
    atomic_fetch_add(&lane->nleases, room);
    if (!amdi_executor_count_up(lane->executor, room)) {
        amdi_op_lane_give(lane, room);
        return false;
    }
    lane->room = room;
    return true;
}

void
amdi_op_lane_look(struct amdi_op_lane *lane)
{
    if (atomic_load(&lane->executor->is_draining)) {
        return;
    }
    if (lane->state != AMDI_OP_LANE_IDLE) {
        lane_set_state(lane, AMDI_OP_LANE_AGAIN);
        return;
    }
    if (!lane_reserve_room(lane)) {
        atomic_store(&lane->has_backlog, true);
        lane_look_in(lane, FULL_AGAIN_MS);
        return;
    }
    amdi_timer_stop(&lane->timer);
    lane_set_state(lane, AMDI_OP_LANE_LEASING);
    lane->priority = AMDI_OP_HIGH;
    lane->next_ready_at_us = 0;
    lane_ask(lane);
}

static void
lane_run_look(struct amdi_task *task)
{
    struct amdi_op_lane *lane =
            AMDI_CONTAINER_OF(task, struct amdi_op_lane, look_task);

    atomic_store(&lane->is_look_posted, false);
    amdi_op_lane_look(lane);
}

void
amdi_op_lane_post_look(struct amdi_op_lane *lane)
{
    if (!atomic_exchange(&lane->is_look_posted, true)) {
        amdi_loop_post(lane->executor->sl->loop, &lane->look_task);
    }
}

void
amdi_op_lane_on_end(struct amdi_op_lane *lane, bool is_queued_again)
{
    amdi_op_lane_give(lane, 1);
    if (is_queued_again || atomic_load(&lane->has_backlog)) {
        amdi_op_lane_look(lane);
    }
}
