/** The executor: its life, and that of its runs. */
#include "server/operation/executor.h"

#include "common/alloc.h"
#include "common/clock.h"
#include "common/log.h"
#include "server/dispatch/caller.h"
#include "server/operation/lane.h"
#include "server/server.h"
#include "server/server_loop.h"
#include "server/service.h"

#include <stdio.h>
#include <unistd.h>

// Wide enough for any method's path and a priority in the store's limit.
#define HOST_BYTES 64u

/* ---- who takes part ---- */

static void
executor_post_check(struct amdi_executor *executor)
{
    if (!atomic_exchange(&executor->is_check_posted, true)) {
        amdi_loop_post(executor->sl->loop, &executor->check_task);
    }
}

bool
amdi_executor_count_up(struct amdi_executor *executor, unsigned n)
{
    atomic_fetch_add(&executor->nleases, n);
    // In this order: a drain that does not see the count is seen here.
    return !atomic_load(&executor->is_draining);
}

void
amdi_executor_count_down(struct amdi_executor *executor, unsigned n)
{
    if (atomic_fetch_sub(&executor->nleases, n) == n &&
            atomic_load(&executor->is_draining)) {
        executor_post_check(executor);
    }
}

/** Lets the loop's drain end once nothing is leased. */
static void
executor_run_check(struct amdi_task *task)
{
    struct amdi_executor *executor =
            AMDI_CONTAINER_OF(task, struct amdi_executor, check_task);

    atomic_store(&executor->is_check_posted, false);
    if (executor->is_holding && atomic_load(&executor->is_draining) &&
            atomic_load(&executor->nleases) == 0) {
        executor->is_holding = false;
        amdi_executor_stop_timers(executor);
        amdi_server_loop_release(executor->sl);
    }
}

/* ---- runs ---- */

static struct amdi_list *
executor_bucket(struct amdi_executor *executor, uint64_t id)
{
    // Ids differ in their time and in their random part.
    return &executor->runs[(id ^ id >> 22) % AMDI_RUN_NBUCKETS];
}

struct amdi_run *
amdi_executor_find(struct amdi_executor *executor, uint64_t id)
{
    AMDI_LIST_FOREACH (node, executor_bucket(executor, id)) {
        struct amdi_run *run =
                AMDI_CONTAINER_OF(node, struct amdi_run, id_node);

        if (run->fence.id == id) {
            return run;
        }
    }
    return NULL;
}

/** Takes a new run in; it is handed over at the end of the turn. */
static void
executor_adopt(struct amdi_executor *executor, struct amdi_run *run)
{
    atomic_fetch_add(&executor->stats.nrunning, 1);
    amdi_list_push(executor_bucket(executor, run->fence.id), &run->id_node);
    amdi_list_push(&executor->ready, &run->call.queue.node);
    amdi_loop_at_turn_end(
            executor->sl->loop, AMDI_TURN_HAND_OVER, &executor->hand_over);
    amdi_run_start(run);
    if (atomic_load(&executor->is_draining)) {
        amdi_run_cancel(run, AMDI_REASON_DRAIN);
    }
}

static void
executor_run_start(struct amdi_task *task)
{
    struct amdi_run *run = AMDI_CONTAINER_OF(task, struct amdi_run, start_task);

    executor_adopt(run->lane->executor, run);
}

static void
executor_on_given_back(
        void *arg, enum amdi_store_result result, const struct amdi_op *op)
{
    struct amdi_op_lane *lane = arg;

    (void)op;
    (void)result; // else its lease ends by itself
    amdi_op_lane_on_end(lane, /*is_queued_again=*/true);
}

/** What cannot be executed now is for later. */
static void
executor_give_back(struct amdi_executor *executor, struct amdi_op_lane *lane,
        const struct amdi_op *op, amdrpc_err err)
{
    amdi_log_warn("", "operation-not-started", "err=%s", amdrpc_err_name(err));
    if (amdi_store_retry(executor->store, executor->sl->loop,
                (struct amdi_fence){op->id, op->attempt},
                amdi_clock_wall_us() +
                        (int64_t)executor->options.backoff_ms * 1000,
                (struct amdi_bytes){"it could not be started", 23},
                executor_on_given_back, lane) != AMDI_STORE_OK) {
        amdi_op_lane_give(lane, 1);
        amdi_op_lane_post_look(lane); // for when the lease ends
    }
}

void
amdi_executor_begin(struct amdi_executor *executor, struct amdi_op_lane *lane,
        const struct amdi_op *op)
{
    struct amdi_run *run = NULL;
    amdrpc_err err = amdi_run_create(lane, op, &run);

    if (err != AMDRPC_OK) {
        executor_give_back(executor, lane, op, err);
    } else if (amdi_loop_is_current(executor->sl->loop)) {
        executor_adopt(executor, run);
    } else {
        run->start_task.run = executor_run_start;
        amdi_loop_post(executor->sl->loop, &run->start_task);
    }
}

/** Whose turn it takes: as a plain call of the same caller would. */
static uint64_t
run_caller(const struct amdi_run *run)
{
    return amdi_caller_of_texts(&run->lane->method->policy, &run->metadata,
            run->peer, run->call.identity);
}

/** Runs what is inline and hands the rest to the workers together. */
static void
executor_on_hand_over(struct amdi_hook *hook)
{
    struct amdi_executor *executor =
            AMDI_CONTAINER_OF(hook, struct amdi_executor, hand_over);
    struct amdi_list pooled;
    struct amdi_list *node = NULL;

    amdi_list_init(&pooled);
    while ((node = amdi_list_pop(&executor->ready)) != NULL) {
        struct amdrpc_call *call =
                AMDI_CONTAINER_OF(node, struct amdrpc_call, queue.node);
        struct amdi_run *run = amdi_run_of(call);

        amdi_run_set_out(run);
        if (call->method->policy.dispatch == AMDRPC_DISPATCH_POOL) {
            call->caller = run_caller(run);
            amdi_list_push(&pooled, node);
        } else {
            amdi_call_run(call);
        }
    }
    if (!amdi_list_is_empty(&pooled)) {
        amdi_server_loop_dispatch(executor->sl, &pooled);
    }
}

void
amdi_executor_reap(struct amdi_executor *executor, struct amdi_run *run)
{
    if (!amdi_list_is_linked(&run->closed_node)) {
        amdi_list_push(&executor->closed, &run->closed_node);
        amdi_loop_at_turn_end(
                executor->sl->loop, AMDI_TURN_REAP, &executor->reap);
    }
}

static void
executor_on_reap(struct amdi_hook *hook)
{
    struct amdi_executor *executor =
            AMDI_CONTAINER_OF(hook, struct amdi_executor, reap);
    struct amdi_list *node = NULL;

    while ((node = amdi_list_pop(&executor->closed)) != NULL) {
        struct amdi_run *run =
                AMDI_CONTAINER_OF(node, struct amdi_run, closed_node);
        struct amdi_op_lane *lane = run->lane;
        bool is_ended = run->is_ended;

        amdi_list_remove(&run->id_node);
        amdi_run_destroy(run);
        atomic_fetch_sub(&executor->stats.nrunning, 1);
        amdi_op_lane_on_end(lane, /*is_queued_again=*/!is_ended);
    }
}

/* ---- drain ---- */

static void
executor_run_drain(struct amdi_task *task)
{
    struct amdi_executor *executor =
            AMDI_CONTAINER_OF(task, struct amdi_executor, drain_task);

    for (size_t i = 0; i < executor->nlanes; i++) {
        amdi_op_lane_stop(&executor->lanes[i]);
    }
    for (size_t i = 0; i < AMDI_RUN_NBUCKETS; i++) {
        AMDI_LIST_FOREACH (node, &executor->runs[i]) {
            amdi_run_cancel(AMDI_CONTAINER_OF(node, struct amdi_run, id_node),
                    AMDI_REASON_DRAIN);
        }
    }
    executor_post_check(executor);
}

void
amdi_executor_drain(struct amdi_executor *executor)
{
    atomic_store(&executor->is_draining, true);
    amdi_loop_post(executor->sl->loop, &executor->drain_task);
}

/* ---- life ---- */

void
amdi_executor_tell_store(
        struct amdi_executor *executor, enum amdi_store_result result)
{
    switch ((int)result) {
    case AMDI_STORE_UNKNOWN:
    case AMDI_STORE_DOWN:
    case AMDI_STORE_CORRUPT:
        break;
    default:
        executor->is_told_down &= result != AMDI_STORE_OK;
        return;
    }
    if (!executor->is_told_down) {
        executor->is_told_down = true;
        amdi_log_error("", "operations-store-down",
                "why=\"%s; nothing is written until the server is started "
                "again\"",
                amdi_store_result_text(result));
    }
}

static void
executor_on_hints(void *arg, unsigned hints)
{
    struct amdi_executor *executor = arg;

    if ((hints & AMDI_HINT_CANCEL) != 0) {
        amdi_executor_beat(executor);
    }
    if ((hints & AMDI_HINT_WORK) != 0) {
        amdi_executor_poll(executor);
    }
    if ((hints & AMDI_HINT_SWEEP) != 0) {
        amdi_executor_sweep(executor);
    }
}

/** The first turn of its loop: what an earlier process left is leased. */
static void
executor_run_first(struct amdi_task *task)
{
    struct amdi_executor *executor =
            AMDI_CONTAINER_OF(task, struct amdi_executor, start_task);

    if (atomic_load(&executor->is_draining)) {
        return;
    }
    for (size_t i = 0; i < executor->nlanes; i++) {
        if (executor->lanes[i].method != NULL) {
            amdi_op_lane_look(&executor->lanes[i]);
        }
    }
    amdi_executor_start_timers(executor);
    amdi_executor_warn_of_gone(executor);
}

void
amdi_executor_init(struct amdi_executor *executor)
{
    char host[HOST_BYTES] = "";

    for (size_t i = 0; i < AMDI_RUN_NBUCKETS; i++) {
        amdi_list_init(&executor->runs[i]);
    }
    amdi_list_init(&executor->ready);
    amdi_list_init(&executor->closed);
    amdi_hook_init(&executor->hand_over, executor_on_hand_over);
    amdi_hook_init(&executor->reap, executor_on_reap);
    amdi_arena_init(&executor->scratch, /*max_bytes=*/0);
    executor->start_task.run = executor_run_first;
    executor->drain_task.run = executor_run_drain;
    executor->check_task.run = executor_run_check;
    (void)gethostname(host, sizeof(host) - 1); // for people; may be empty
    (void)snprintf(executor->node, sizeof(executor->node), "%s:%ld", host,
            (long)getpid());
    amdi_store_set_hints(
            executor->store, executor->sl->loop, executor_on_hints, executor);
}

/** NULL when no operation of it can be executed. */
static struct amdi_method *
method_if_executable(struct amdi_method *method)
{
    return method->invoke == NULL ||
                    amdrpc_method_has_request_stream(method->desc)
            ? NULL
            : method;
}

amdrpc_err
amdi_executor_prepare(struct amdi_executor *executor)
{
    const struct amdi_service_table *services = &executor->server->services;

    executor->lanes =
            amdi_calloc(services->nmethods + 1, sizeof(*executor->lanes));
    if (executor->lanes == NULL) {
        return AMDRPC_ENOMEM;
    }
    for (size_t i = 0; i < services->nmethods; i++) {
        struct amdi_method *method = amdi_service_table_method(services, i);
        amdrpc_err err = amdi_op_lane_init(
                &executor->lanes[i], executor, method_if_executable(method));

        executor->nlanes = i + 1;
        if (err != AMDRPC_OK) {
            return err;
        }
    }
    amdi_server_loop_hold(executor->sl);
    executor->is_holding = true;
    return AMDRPC_OK;
}

void
amdi_executor_start(struct amdi_executor *executor)
{
    amdi_loop_post(executor->sl->loop, &executor->start_task);
}

void
amdi_executor_fini(struct amdi_executor *executor)
{
    amdi_executor_stop_timers(executor);
    for (size_t i = 0; i < executor->nlanes; i++) {
        amdi_op_lane_fini(&executor->lanes[i]);
    }
    amdi_free(executor->lanes);
    amdi_arena_fini(&executor->scratch);
}
