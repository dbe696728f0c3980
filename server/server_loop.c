/** One loop of a server: its connections, and what one turn collects. */
#include "server/server_loop.h"

#include "common/alloc.h"
#include "common/cache.h"
#include "common/clock.h"
#include "server/conn/conn.h"
#include "server/dispatch/caller.h"
#include "server/dispatch/dispatch.h"
#include "server/metrics/access_log.h"
#include "server/server.h"
#include "server/service.h"
#include "server/stream/stream.h"

#include <stdio.h>

// How soon a loop that handed calls over looks after the workers again.
#define LOOK_AFTER_MS 5u

// Streams kept for reuse: what one turn of a busy loop opens and closes.
#define MAX_FREE_STREAMS 2048u

#define TIDY_AFTER_MS 10000u

static struct amdi_stream *
stream_of_node(struct amdi_list *node)
{
    return amdi_stream_of(
            AMDI_CONTAINER_OF(node, struct amdrpc_call, queue.node));
}

/* ---- calls on their way to handlers ---- */

void
amdi_server_loop_start_call(
        struct amdi_server_loop *sl, struct amdi_stream *stream)
{
    amdi_list_push(&sl->ready, &stream->call.queue.node);
    amdi_loop_at_turn_end(sl->loop, AMDI_TURN_HAND_OVER, &sl->hand_over);
}

bool
amdi_server_loop_unstart_call(
        struct amdi_server_loop *sl, struct amdi_stream *stream)
{
    if (stream->work == AMDI_WORK_READY) {
        amdi_list_remove(&stream->call.queue.node);
        return true;
    }
    return amdi_dispatcher_cancel(sl->server->dispatcher, &stream->call);
}

static void
server_loop_on_look_after(struct amdi_timer *timer)
{
    struct amdi_server_loop *sl =
            AMDI_CONTAINER_OF(timer, struct amdi_server_loop, look_after);

    if (amdi_dispatcher_look_after(
                sl->server->dispatcher, &sl->worker_progress)) {
        amdi_timer_start(sl->loop, timer,
                amdi_loop_now_ms(sl->loop) + LOOK_AFTER_MS,
                server_loop_on_look_after);
    }
}

void
amdi_server_loop_dispatch(struct amdi_server_loop *sl, struct amdi_list *calls)
{
    struct amdi_list refused;
    struct amdi_list *node = NULL;

    amdi_list_init(&refused);
    amdi_dispatcher_submit(sl->server->dispatcher, calls, &refused);
    while ((node = amdi_list_pop(&refused)) != NULL) {
        amdi_call_refuse(
                AMDI_CONTAINER_OF(node, struct amdrpc_call, queue.node));
    }
    if (!amdi_timer_is_running(&sl->look_after)) {
        amdi_timer_start(sl->loop, &sl->look_after,
                amdi_loop_now_ms(sl->loop) + LOOK_AFTER_MS,
                server_loop_on_look_after);
    }
}

/** Makes a call ready to wait for a worker. */
static void
server_loop_prepare_wait(struct amdi_server_loop *sl,
        struct amdi_stream *stream, struct amdi_list *pooled)
{
    const struct amdi_method *method = stream->call.method;

    stream->call.caller = amdi_caller_of(&method->policy, stream->call.metadata,
            stream->peer, stream->call.identity);
    if (amdi_stream_wants_queue_info(stream)) {
        // Those before it have to be in the queue to be counted.
        amdi_server_loop_dispatch(sl, pooled);
        amdi_stream_tell_queue(stream);
    }
    amdi_list_push(pooled, &stream->call.queue.node);
}

/** Runs what is inline and hands the rest to the workers together. */
static void
server_loop_on_hand_over(struct amdi_hook *hook)
{
    struct amdi_server_loop *sl =
            AMDI_CONTAINER_OF(hook, struct amdi_server_loop, hand_over);
    struct amdi_list pooled;
    struct amdi_list *node = NULL;

    amdi_list_init(&pooled);
    while ((node = amdi_list_pop(&sl->ready)) != NULL) {
        struct amdi_stream *stream = stream_of_node(node);

        amdi_stream_set_work(stream, AMDI_WORK_OUT);
        if (stream->call.method->policy.dispatch == AMDRPC_DISPATCH_POOL) {
            server_loop_prepare_wait(sl, stream, &pooled);
        } else {
            amdi_call_run(&stream->call);
        }
    }
    if (!amdi_list_is_empty(&pooled)) {
        amdi_server_loop_dispatch(sl, &pooled);
    }
}

/* ---- streams that are gone ---- */

void
amdi_server_loop_reap_stream(
        struct amdi_server_loop *sl, struct amdi_stream *stream)
{
    if (!amdi_list_is_linked(&stream->conn_node)) {
        amdi_list_push(&sl->closed_streams, &stream->conn_node);
        amdi_loop_at_turn_end(sl->loop, AMDI_TURN_REAP, &sl->reap);
    }
}

static void
stream_count(struct amdi_server_loop *sl, const struct amdi_stream *stream,
        uint64_t now_ns)
{
    const struct amdrpc_call *call = &stream->call;

    amdi_stats_call_ended(&sl->stats, amdi_stream_method_index(stream),
            stream->code, now_ns - stream->opened_at_ns, call->waited_ns);
    if (call->refusal != AMDI_REFUSAL_NONE) {
        amdi_stats_add(&sl->stats.nrefused[call->refusal], 1);
    }
    if (sl->server->options.logs_calls) {
        amdi_access_log_write(stream, now_ns);
    }
}

static void
server_loop_free_streams(struct amdi_server_loop *sl)
{
    struct amdi_list *node = NULL;

    while ((node = amdi_list_pop(&sl->free_streams)) != NULL) {
        amdi_free(AMDI_CONTAINER_OF(node, struct amdi_stream, conn_node));
    }
    sl->nfree_streams = 0;
}

/** Gives back what is kept for the next calls once none comes for long. */
static void
server_loop_on_tidy(struct amdi_timer *timer)
{
    struct amdi_server_loop *sl =
            AMDI_CONTAINER_OF(timer, struct amdi_server_loop, tidy);
    uint64_t due_at_ms = sl->reaped_at_ms + sl->tidy_after_ms;

    if (amdi_loop_now_ms(sl->loop) < due_at_ms) {
        amdi_timer_start(sl->loop, timer, due_at_ms, server_loop_on_tidy);
        return;
    }
    server_loop_free_streams(sl);
    amdi_cache_thread_flush();
}

/** Calls have ended. An idle loop has no timer that would wake it. */
static void
server_loop_plan_tidy(struct amdi_server_loop *sl)
{
    sl->reaped_at_ms = amdi_loop_now_ms(sl->loop);
    if (!amdi_timer_is_running(&sl->tidy)) {
        amdi_timer_start(sl->loop, &sl->tidy,
                sl->reaped_at_ms + sl->tidy_after_ms, server_loop_on_tidy);
    }
}

static void
server_loop_on_reap(struct amdi_hook *hook)
{
    struct amdi_server_loop *sl =
            AMDI_CONTAINER_OF(hook, struct amdi_server_loop, reap);
    uint64_t now_ns = amdi_clock_now_ns();
    struct amdi_list *node = NULL;

    while ((node = amdi_list_pop(&sl->closed_streams)) != NULL) {
        struct amdi_stream *stream =
                AMDI_CONTAINER_OF(node, struct amdi_stream, conn_node);

        stream_count(sl, stream, now_ns);
        amdi_stream_fini(stream);
        if (sl->nfree_streams < MAX_FREE_STREAMS) {
            amdi_list_push(&sl->free_streams, &stream->conn_node);
            sl->nfree_streams++;
        } else {
            amdi_free(stream);
        }
    }
    server_loop_plan_tidy(sl);
    amdi_server_loop_check_idle(sl);
}

/* ---- drain ---- */

void
amdi_server_loop_hold(struct amdi_server_loop *sl)
{
    sl->nholds++;
}

void
amdi_server_loop_release(struct amdi_server_loop *sl)
{
    sl->nholds--;
    amdi_server_loop_check_idle(sl);
}

void
amdi_server_loop_check_idle(struct amdi_server_loop *sl)
{
    if (sl->is_draining && !sl->is_idle && sl->nconns == 0 &&
            sl->nstreams == 0 && sl->nholds == 0) {
        sl->is_idle = true;
        amdi_timer_stop(&sl->drain_timer);
        amdi_server_loop_is_idle(sl->server);
    }
}

static void
server_loop_on_drain_timeout(struct amdi_timer *timer)
{
    struct amdi_server_loop *sl =
            AMDI_CONTAINER_OF(timer, struct amdi_server_loop, drain_timer);

    AMDI_LIST_FOREACH (node, &sl->conns) {
        amdi_conn_cancel_calls(
                AMDI_CONTAINER_OF(node, struct amdi_conn, loop_node),
                "the server is shutting down");
    }
}

static void
server_loop_run_drain(struct amdi_task *task)
{
    struct amdi_server_loop *sl =
            AMDI_CONTAINER_OF(task, struct amdi_server_loop, drain_task);

    sl->is_draining = true;
    AMDI_LIST_FOREACH (node, &sl->conns) {
        amdi_conn_drain(
                AMDI_CONTAINER_OF(node, struct amdi_conn, loop_node), NULL);
    }
    amdi_timer_start(sl->loop, &sl->drain_timer,
            amdi_loop_now_ms(sl->loop) + sl->server->options.drain_timeout_ms,
            server_loop_on_drain_timeout);
    amdi_server_loop_check_idle(sl);
}

void
amdi_server_loop_drain(struct amdi_server_loop *sl)
{
    amdi_loop_post(sl->loop, &sl->drain_task);
}

/* ---- life ---- */

amdrpc_err
amdi_server_loop_init(
        struct amdi_server_loop *sl, struct amdrpc_server *server, size_t index)
{
    char name[16];

    sl->server = server;
    amdi_list_init(&sl->conns);
    amdi_list_init(&sl->ready);
    amdi_list_init(&sl->free_streams);
    amdi_list_init(&sl->closed_streams);
    amdi_hook_init(&sl->hand_over, server_loop_on_hand_over);
    amdi_hook_init(&sl->reap, server_loop_on_reap);
    amdi_arena_init(&sl->scratch, /*max_bytes=*/0);
    sl->drain_task.run = server_loop_run_drain;
    sl->tidy_after_ms = TIDY_AFTER_MS;
    (void)snprintf(name, sizeof(name), "amd-loop-%zu", index);
    return amdi_loop_create(name, &sl->loop);
}

void
amdi_server_loop_fini(struct amdi_server_loop *sl)
{
    if (sl->server == NULL) {
        return;
    }
    server_loop_free_streams(sl);
    amdi_stats_fini(&sl->stats);
    amdi_arena_fini(&sl->scratch);
    amdi_loop_destroy(sl->loop);
}
