/** One execution of an operation: its life, and how its record is settled. */
#include "server/operation/run.h"

#include "common/alloc.h"
#include "common/assertion.h"
#include "common/clock.h"
#include "common/frame.h"
#include "common/log.h"
#include "server/dispatch/dispatch.h"
#include "server/operation/executor.h"
#include "server/operation/lane.h"
#include "server/operation/outcome.h"
#include "server/operation/record.h"
#include "server/options.h"
#include "server/server.h"
#include "server/server_loop.h"
#include "server/service.h"

#include <string.h>

#define US_PER_MS 1000

// An operation without deadline: as good as never.
#define NO_DEADLINE_MS (UINT64_C(10) * 365 * 24 * 3600 * 1000)

// How soon the store is asked again when it could not write.
#define SETTLE_AGAIN_MS 500u

static struct amdi_executor *
run_executor(const struct amdi_run *run)
{
    return run->lane->executor;
}

static struct amdi_loop *
run_loop(const struct amdi_run *run)
{
    return run_executor(run)->sl->loop;
}

/* ---- making ---- */

static amdrpc_err
run_copy_request(struct amdi_run *run, struct amdi_bytes payload)
{
    struct amdi_message *request = amdi_message_create(payload.len);

    if (request == NULL) {
        return AMDRPC_ENOMEM;
    }
    request->len = (uint32_t)payload.len;
    if (payload.len > 0) {
        memcpy(request->data, payload.data, payload.len);
    }
    run->call.request = request;
    return AMDRPC_OK;
}

static void
run_set_deadline(struct amdi_run *run, int64_t deadline_at_us)
{
    uint64_t now_ms = amdi_clock_now_ms();
    int64_t left_us = deadline_at_us - amdi_clock_wall_us();

    run->deadline_at_us = deadline_at_us;
    run->call.deadline_at_ms = deadline_at_us == 0
            ? now_ms + NO_DEADLINE_MS
            : now_ms + (left_us > 0 ? (uint64_t)left_us / US_PER_MS : 0);
}

/** What the call takes from the operation. */
static amdrpc_err
run_fill(struct amdi_run *run, const struct amdi_op *op)
{
    struct amdrpc_call *call = &run->call;
    struct amdi_op_record record;
    amdrpc_err err = amdi_op_record_unpack(op->metadata, &call->arena, &record);

    if (err != AMDRPC_OK) {
        return err;
    }
    run->metadata = record.metadata;
    run->peer = record.peer;
    call->metadata = &run->metadata;
    call->identity = amdi_arena_strndup(
            &call->arena, op->principal.data, op->principal.len);
    if (call->identity == NULL) {
        return AMDRPC_ENOMEM;
    }
    run_set_deadline(run, op->deadline_at_us);
    return run_copy_request(run, op->payload);
}

static void
run_init(struct amdi_run *run, struct amdi_op_lane *lane,
        const struct amdi_op *op)
{
    const amdrpc_server_options *options = &lane->executor->server->options;
    const amdrpc_method_desc *desc = lane->method->desc;

    amdi_call_init(&run->call,
            amdrpc_method_has_response_stream(desc) ? &amdi_run_stream_sink
                                                    : &amdi_run_unary_sink);
    run->call.method = lane->method;
    run->call.unpack_limits = amdi_options_unpack_limits(options);
    run->lane = lane;
    run->fence = (struct amdi_fence){op->id, op->attempt};
    run->nfailed = op->attempt - op->nreleased - 1;
    run->max_attempts = op->max_attempts;
    run->ndelivered = op->nmessages;
    amdi_op_name_format(op->id, run->name);
    amdi_list_init(&run->id_node);
    amdi_list_init(&run->closed_node);
    (void)pthread_mutex_init(&run->push_mtx, NULL);
    amdi_run_flow_init(&run->flow, options->max_queued_bytes);
    amdi_run_progress_init(&run->progress);
}

amdrpc_err
amdi_run_create(struct amdi_op_lane *lane, const struct amdi_op *op,
        struct amdi_run **out)
{
    struct amdi_run *run = amdi_zalloc(sizeof(*run));
    amdrpc_err err = AMDRPC_OK;

    if (run == NULL) {
        return AMDRPC_ENOMEM;
    }
    run_init(run, lane, op);
    err = run_fill(run, op);
    if (err != AMDRPC_OK) {
        amdi_run_destroy(run);
        return err;
    }
    *out = run;
    return AMDRPC_OK;
}

void
amdi_run_destroy(struct amdi_run *run)
{
    amdi_timer_stop(&run->deadline);
    amdi_timer_stop(&run->after);
    amdi_timer_stop(&run->progress_timer);
    amdi_timer_stop(&run->settle_timer);
    amdi_run_progress_fini(&run->progress);
    amdi_run_flow_fini(&run->flow);
    (void)pthread_mutex_destroy(&run->push_mtx);
    amdi_call_fini(&run->call);
    amdi_free(run);
}

/* ---- its states ---- */

/** Moves the work; the only writer of it. */
static void
run_set_work(struct amdi_run *run, enum amdi_run_work next)
{
    amdi_assert(next > run->work);
    run->work = next;
    if (next == AMDI_RUN_DONE) {
        amdi_call_end_fd_wait(&run->call);
        amdi_timer_stop(&run->after);
        amdi_run_check_end(run);
    }
}

/** Moves our hold on the record; the only writer of it. */
static void
run_set_lease(struct amdi_run *run, enum amdi_run_lease next)
{
    amdi_assert(next > run->lease);
    run->lease = next;
    amdi_timer_stop(&run->deadline);
    amdi_timer_stop(&run->progress_timer);
    if (next == AMDI_LEASE_GONE) {
        amdi_timer_stop(&run->settle_timer);
        amdi_run_check_end(run);
    }
}

void
amdi_run_check_end(struct amdi_run *run)
{
    // A task that is posted still refers to the run, and so does the store.
    if (run->work == AMDI_RUN_DONE && run->lease == AMDI_LEASE_GONE &&
            !amdi_call_is_posted(&run->call.link) &&
            atomic_load(&run->nrequests) == 0) {
        amdi_executor_reap(run_executor(run), run);
    }
}

/* ---- settling ---- */

static void run_settle(struct amdi_run *run);

static void
run_on_settle_timer(struct amdi_timer *timer)
{
    run_settle(AMDI_CONTAINER_OF(timer, struct amdi_run, settle_timer));
}

/**
 * Tells whether asking again may help: the lease must last, and a store that is
 * down does not come back before the server has stopped.
 */
static bool
run_may_settle_again(const struct amdi_run *run, enum amdi_store_result result)
{
    bool is_down = result == AMDI_STORE_DOWN || result == AMDI_STORE_CORRUPT;

    return result != AMDI_STORE_INVALID &&
            amdi_loop_now_ms(run_loop(run)) < run->leased_until_ms &&
            !(is_down && atomic_load(&run_executor(run)->is_draining));
}

/** Asks again while it may help; then whoever leases next decides. */
static void
run_settle_again(struct amdi_run *run, enum amdi_store_result result)
{
    amdi_executor_tell_store(run_executor(run), result);
    if (!run_may_settle_again(run, result)) {
        amdi_log_warn("", "operation-result-lost", "name=%s why=\"%s\"",
                run->name, amdi_store_result_text(result));
        run_set_lease(run, AMDI_LEASE_GONE);
        return;
    }
    amdi_timer_start(run_loop(run), &run->settle_timer,
            amdi_loop_now_ms(run_loop(run)) + SETTLE_AGAIN_MS,
            run_on_settle_timer);
}

static void
run_on_settled(
        void *arg, enum amdi_store_result result, const struct amdi_op *op)
{
    struct amdi_run *run = arg;

    (void)op; // there is none
    atomic_fetch_sub(&run->nrequests, 1);
    if (run->lease == AMDI_LEASE_GONE) {
        amdi_run_check_end(run); // lost meanwhile
        return;
    }
    switch ((int)result) {
    case AMDI_STORE_OK:
        run->is_ended = run->verdict.kind == AMDI_VERDICT_FINISH;
        amdi_outcome_count(&run_executor(run)->stats, &run->verdict);
        run_set_lease(run, AMDI_LEASE_GONE);
        break;
    case AMDI_STORE_DONE:
    case AMDI_STORE_NOTFOUND:
        run->is_ended = true;
        run_set_lease(run, AMDI_LEASE_GONE);
        break;
    case AMDI_STORE_LOST:
        run_set_lease(run, AMDI_LEASE_GONE);
        break;
    default:
        run_settle_again(run, result);
        break;
    }
}

/** Has what becomes of the operation written down. */
static void
run_settle(struct amdi_run *run)
{
    enum amdi_store_result result;

    if (run->lease == AMDI_LEASE_HELD) {
        run->verdict = amdi_run_judge(run);
        run_set_lease(run, AMDI_LEASE_SETTLING);
    }
    atomic_fetch_add(&run->nrequests, 1);
    result = amdi_outcome_write(run, run_on_settled);
    if (result != AMDI_STORE_OK) {
        atomic_fetch_sub(&run->nrequests, 1);
        run_settle_again(run, result);
    }
}

/**
 * The messages must be safe before the end is written, because one may fail
 * and the end not.
 */
static void
run_settle_if_safe(struct amdi_run *run)
{
    if (run->lease == AMDI_LEASE_HELD && !amdi_run_flow_is_busy(&run->flow)) {
        run_settle(run);
    }
}

/* ---- progress ---- */

static void
run_on_step_kept(
        void *arg, enum amdi_store_result result, const struct amdi_op *op)
{
    struct amdi_run *run = arg;

    (void)op;
    atomic_fetch_sub(&run->nrequests, 1);
    if (result == AMDI_STORE_LOST || result == AMDI_STORE_NOTFOUND) {
        amdi_run_cancel(run, AMDI_REASON_LOST);
    }
    amdi_run_check_end(run);
}

/** Writes the newest step down; one that cannot be kept is no loss. */
static void
run_write_step(struct amdi_run *run)
{
    struct amdi_step step;

    if (run->lease != AMDI_LEASE_HELD ||
            !amdi_run_progress_take(
                    &run->progress, amdi_loop_now_ms(run_loop(run)), &step)) {
        return;
    }
    atomic_fetch_add(&run->nrequests, 1);
    if (amdi_outcome_write_step(run, &step, run_on_step_kept) !=
            AMDI_STORE_OK) {
        atomic_fetch_sub(&run->nrequests, 1);
    }
}

static void
run_on_progress_timer(struct amdi_timer *timer)
{
    run_write_step(AMDI_CONTAINER_OF(timer, struct amdi_run, progress_timer));
}

void
amdi_run_on_step(struct amdi_run *run)
{
    uint64_t at_ms = run->progress.next_at_ms;

    if (amdi_loop_now_ms(run_loop(run)) >= at_ms) {
        run_write_step(run);
    } else if (run->lease == AMDI_LEASE_HELD) {
        amdi_timer_start(run_loop(run), &run->progress_timer, at_ms,
                run_on_progress_timer);
    }
}

/* ---- messages ---- */

void
amdi_run_on_message(struct amdi_run *run, enum amdi_store_result result)
{
    switch ((int)result) {
    case AMDI_STORE_OK:
        break;
    case AMDI_STORE_LOST:
    case AMDI_STORE_DONE:
    case AMDI_STORE_NOTFOUND:
        amdi_run_cancel(run, AMDI_REASON_LOST);
        break;
    default:
        amdi_executor_tell_store(run_executor(run), result);
        run->is_incomplete = true; // also when it stops for another reason
        amdi_run_cancel(run, AMDI_REASON_TROUBLE);
        break;
    }
    if (run->work == AMDI_RUN_DONE) {
        run_settle_if_safe(run);
    }
    amdi_run_check_end(run);
}

/* ---- its way ---- */

static void
run_on_deadline(struct amdi_timer *timer)
{
    amdi_run_cancel(AMDI_CONTAINER_OF(timer, struct amdi_run, deadline),
            AMDI_REASON_DEADLINE);
}

void
amdi_run_start(struct amdi_run *run)
{
    run->leased_until_ms = amdi_loop_now_ms(run_loop(run)) +
            run_executor(run)->options.lease_ms;
    if (run->deadline_at_us != 0) {
        amdi_timer_start(run_loop(run), &run->deadline,
                run->call.deadline_at_ms, run_on_deadline);
    }
}

void
amdi_run_set_out(struct amdi_run *run)
{
    run_set_work(run, AMDI_RUN_OUT);
}

void
amdi_run_on_finish(struct amdi_run *run)
{
    run_write_step(run); // the last one is always told
    run_set_work(run, AMDI_RUN_DONE);
    run_settle_if_safe(run);
}

/** Lets the handler know, wherever it waits; it will finish the call. */
static void
run_tell_stop(struct amdi_run *run)
{
    struct amdrpc_call *call = &run->call;

    if (run->work == AMDI_RUN_DONE || amdrpc_call_is_cancelled(call)) {
        return;
    }
    atomic_store_explicit(&call->is_cancelled, true, memory_order_release);
    if (run->work == AMDI_RUN_READY) {
        amdi_list_remove(&call->queue.node);
        run->is_unstarted = true;
    } else {
        run->is_unstarted = amdi_dispatcher_cancel(
                run_executor(run)->server->dispatcher, call);
    }
    amdi_run_flow_close(&run->flow);
    if (run->is_unstarted) {
        amdi_run_on_finish(run);
    } else {
        amdi_call_post(call, AMDI_CALL_EV_CANCEL);
    }
}

void
amdi_run_cancel(struct amdi_run *run, enum amdi_run_reason reason)
{
    if (run->lease == AMDI_LEASE_GONE) {
        return;
    }
    if (reason == AMDI_REASON_LOST) {
        atomic_fetch_add(&run_executor(run)->stats.nlost, 1);
        run_set_lease(run, AMDI_LEASE_GONE);
    } else if (run->lease == AMDI_LEASE_SETTLING) {
        return;
    }
    if (run->reason == AMDI_REASON_NONE) {
        run->reason = reason;
    }
    run_tell_stop(run);
    if (reason == AMDI_REASON_DEADLINE && run->lease == AMDI_LEASE_HELD) {
        run_settle(run); // the handler may be long in coming
    }
}

void
amdi_run_on_beat(struct amdi_run *run, uint64_t leased_until_ms)
{
    run->leased_until_ms = leased_until_ms;
}
