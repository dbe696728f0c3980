/** A call's life: made, started, ended, freed. */
#include "client/client_call.h"

#include "client/channel.h"
#include "client/client_conn.h"
#include "common/assertion.h"
#include "common/cache.h"
#include "common/clock.h"
#include "common/frame.h"

#include <string.h>

// A response is unpacked into memory of its own; a small message can claim
// much more than its bytes (empty submessages: twenty times).
#define CALL_UNPACKED_BYTES (32u * 1024u * 1024u)

// Messages that wait to be read, before the server has to wait for us.
#define CALL_KEEP_BYTES (128u * 1024u)

// What the headers and trailers of a response, and a future's message, may
// take in the call's arena.
#define CALL_ARENA_BYTES (CALL_UNPACKED_BYTES + 256u * 1024u)

#define NS_PER_MS UINT64_C(1000000)

// Calls come by the hundred; this is the class of 1008 bytes.
#define CALL_CACHE_CLASS (AMDI_CACHE_NSMALL + 3u)
static_assert(sizeof(struct amdrpc_client_call) <= 1008, "a class too small");

static void call_on_task(struct amdi_task *task);

/* ---- making ---- */

static uint64_t
deadline_after(int64_t timeout_ms)
{
    uint64_t now_ns = amdi_clock_now_ns();
    uint64_t ms = (uint64_t)timeout_ms;

    // Beyond some 290 years there is no deadline to speak of.
    return ms > (UINT64_MAX / 2 - now_ns) / NS_PER_MS ? UINT64_MAX / 2
                                                      : now_ns + ms * NS_PER_MS;
}

static void
call_init(struct amdrpc_client_call *call, struct amdrpc_channel *channel,
        const amdrpc_method_desc *method)
{
    const amdrpc_channel_options *options = &channel->options;

    call->channel = channel;
    call->method = method;
    atomic_init(&call->nrefs, 1);
    call->task.run = call_on_task;
    call->state = CALL_NEW;
    call->wire_status = -1;
    amdi_list_init(&call->conn_node);
    amdi_list_init(&call->queue_node);
    amdi_list_init(&call->write_node);
    amdi_list_init(&call->tell_node);
    amdi_list_init(&call->reap_node);
    amdi_arena_init(&call->arena, CALL_ARENA_BYTES);
    amdi_arena_init(&call->message_arena, CALL_UNPACKED_BYTES);
    amdi_metadata_init(&call->initial, &call->arena);
    amdi_metadata_init(&call->trailing, &call->arena);
    amdi_outbox_init(&call->outbox, options->max_queued_bytes);
    amdi_inbox_init(
            &call->inbox, options->max_recv_message_bytes, CALL_KEEP_BYTES);
    // Until the response names a codec.
    call->inbox.reader.refuses_compressed = true;
    (void)pthread_mutex_init(&call->mtx, NULL); // cannot fail on Linux
}

amdrpc_err
amdi_client_call_create(struct amdrpc_channel *channel,
        const amdrpc_method_desc *method, const amdrpc_call_options *options,
        struct amdrpc_client_call **out)
{
    static const amdrpc_call_options defaults;
    struct amdrpc_client_call *call = NULL;

    if (options == NULL) {
        options = &defaults;
    }
    if (options->timeout_ms < 0) {
        return AMDRPC_EINVAL;
    }
    call = amdi_cache_take(CALL_CACHE_CLASS);
    if (call == NULL) {
        return AMDRPC_ENOMEM;
    }
    memset(call, 0, sizeof(*call));
    call_init(call, channel, method);
    call->wait_for_ready = options->wait_for_ready;
    call->request.is_gzipped = options->compress;
    call->is_compressing = options->compress;
    if (options->timeout_ms > 0) {
        call->deadline_at_ns = deadline_after(options->timeout_ms);
    }
    amdrpc_err err = amdi_client_call_add_retry(call,
            options->retry == NULL ? &channel->options.retry : options->retry);
    if (err == AMDRPC_OK) {
        err = amdi_request_prepare(
                &call->request, options->metadata, &call->arena);
    }
    if (err != AMDRPC_OK) {
        amdi_client_call_discard(call);
        return err;
    }
    *out = call;
    return AMDRPC_OK;
}

void
amdi_client_call_discard(struct amdrpc_client_call *call)
{
    amdi_outbox_fini(&call->outbox);
    amdi_inbox_fini(&call->inbox);
    amdi_message_free(call->message);
    amdi_arena_fini(&call->message_arena);
    amdi_arena_fini(&call->arena);
    (void)pthread_mutex_destroy(&call->mtx); // nobody holds it
    amdi_cache_give(CALL_CACHE_CLASS, call);
}

void
amdi_client_call_destroy(struct amdrpc_client_call *call)
{
    struct amdrpc_channel *channel = call->channel;

    amdi_list_remove(&call->tell_node); // nobody is left to tell
    amdi_client_call_discard(call);
    amdi_channel_release(channel);
}

amdrpc_err
amdrpc_channel_start_call(amdrpc_channel *channel,
        const amdrpc_method_desc *method, const amdrpc_call_options *options,
        amdrpc_client_call **out)
{
    amdrpc_client_call *call = NULL;
    amdrpc_err err = amdi_client_call_create(channel, method, options, &call);

    if (err != AMDRPC_OK) {
        return err;
    }
    amdi_client_call_signal(call, CALL_SIGNAL_START);
    *out = call;
    return AMDRPC_OK;
}

/* ---- the state ---- */

static bool
call_may_enter(
        enum amdi_client_call_state state, enum amdi_client_call_state next)
{
    switch (state) {
    case CALL_NEW:
        return next == CALL_WAITING || next == CALL_OPEN || next == CALL_CLOSED;
    case CALL_WAITING:
        return next == CALL_OPEN || next == CALL_BACKOFF || next == CALL_CLOSED;
    case CALL_OPEN:
        return next == CALL_WAITING || next == CALL_FAILING ||
                next == CALL_ENDING;
    case CALL_FAILING:
        return next == CALL_BACKOFF || next == CALL_ENDING;
    case CALL_BACKOFF:
        return next == CALL_WAITING || next == CALL_OPEN || next == CALL_CLOSED;
    case CALL_ENDING:
        return next == CALL_CLOSED;
    case CALL_CLOSED:
        return false;
    }
    return false;
}

void
amdi_client_call_set_state(
        struct amdrpc_client_call *call, enum amdi_client_call_state next)
{
    amdi_assert(call_may_enter(call->state, next));
    if (call->state == CALL_BACKOFF) {
        amdi_timer_stop(&call->retry->timer);
    }
    call->state = next;
    // It stood on a list of the state that it leaves.
    amdi_list_remove(&call->queue_node);
    if (next == CALL_WAITING || next == CALL_BACKOFF || next == CALL_CLOSED) {
        call->conn = NULL;
    }
    if (next == CALL_CLOSED && call->is_released) {
        amdi_channel_reap(call->channel, call);
    }
}

static void
call_on_deadline(struct amdi_timer *timer)
{
    struct amdrpc_client_call *call =
            AMDI_CONTAINER_OF(timer, struct amdrpc_client_call, deadline);

    amdi_client_call_abort(call, AMDRPC_STATUS_DEADLINE_EXCEEDED,
            call->state == CALL_WAITING
                    ? "deadline exceeded while waiting for a connection"
                    : "deadline exceeded");
}

static void
call_start(struct amdrpc_client_call *call)
{
    amdi_channel_hold(call->channel);
    if (call->deadline_at_ns != 0) {
        amdi_timer_start(call->channel->loop, &call->deadline,
                (call->deadline_at_ns + NS_PER_MS - 1) / NS_PER_MS,
                call_on_deadline);
    }
    amdi_channel_place(call->channel, call);
}

/** Returns what is left of the deadline: 0 for none, 1 ns when it has passed.
 */
static uint64_t
call_timeout_ns(const struct amdrpc_client_call *call)
{
    if (call->deadline_at_ns == 0) {
        return 0;
    }
    uint64_t now_ns = amdi_clock_now_ns();

    // The timer, and not the network, tells that it has passed.
    return now_ns < call->deadline_at_ns ? call->deadline_at_ns - now_ns : 1;
}

bool
amdi_client_call_open(
        struct amdrpc_client_call *call, struct amdi_client_conn *conn)
{
    struct amdi_request_fields fields;

    amdi_request_fill(&call->request, &call->channel->request,
            call->method->path, call_timeout_ns(call), &fields);
    amdrpc_err err = amdi_client_conn_open(conn, call, &fields);
    if (err == AMDRPC_ECLOSED) {
        return false;
    }
    if (err != AMDRPC_OK) {
        amdi_client_call_abort(
                call, amdrpc_status_from_err(err), amdrpc_err_text(err));
        return true;
    }
    call->conn = conn;
    amdi_client_call_set_state(call, CALL_OPEN);
    return true;
}

void
amdi_client_call_wait(struct amdrpc_client_call *call, struct amdi_list *before)
{
    amdi_client_call_set_state(call, CALL_WAITING);
    amdi_list_insert(before, &call->queue_node);
}

void
amdi_client_call_end(struct amdrpc_client_call *call, amdrpc_status_code code,
        const char *message, amdrpc_err end)
{
    if (call->state >= CALL_ENDING) {
        return;
    }
    amdi_timer_stop(&call->deadline);
    call->status = code;
    call->status_message = message;
    atomic_store_explicit(&call->is_ended, true, memory_order_release);
    if (!call->is_request_complete) {
        amdi_outbox_close(&call->outbox); // else nobody adds to it any more
    }
    amdi_inbox_end(&call->inbox, end);
    amdi_client_call_set_state(
            call, call->conn != NULL ? CALL_ENDING : CALL_CLOSED);
    amdi_client_call_tell(call, CALL_TELL_READABLE | CALL_TELL_END);
}

void
amdi_client_call_abort(struct amdrpc_client_call *call, amdrpc_status_code code,
        const char *message)
{
    if (call->state == CALL_OPEN) {
        amdi_h2_reset(call->conn->h2, call->stream_id, AMDI_H2_CANCEL);
        amdi_client_conn_flush_later(call->conn);
    }
    amdi_client_call_end(call, code, message, AMDRPC_ECANCELED);
}

void
amdi_client_call_consume(struct amdrpc_client_call *call, size_t len)
{
    if (len > 0 && call->conn != NULL && call->conn->h2 != NULL) {
        call->nheld_bytes -= len;
        amdi_h2_consume(call->conn->h2, call->stream_id, len);
        amdi_client_conn_flush_later(call->conn);
    }
}

void
amdi_client_call_close(struct amdrpc_client_call *call)
{
    struct amdi_client_conn *conn = call->conn;

    // What nobody has read must not narrow the connection for others.
    amdi_client_call_consume(call, call->nheld_bytes);
    amdi_client_call_set_state(call, CALL_CLOSED);
    amdi_client_conn_forget(conn, call);
}

/* ---- between the threads ---- */

static void
call_release(struct amdrpc_client_call *call)
{
    call->is_released = true;
    if (call->state == CALL_CLOSED) {
        amdi_channel_reap(call->channel, call);
        return;
    }
    amdi_client_call_abort(
            call, AMDRPC_STATUS_CANCELLED, "the call was dropped");
}

/** Ends a call whose reader met a message that cannot be read. */
static void
call_give_up(struct amdrpc_client_call *call)
{
    const char *message = NULL;
    amdrpc_status_code code = amdi_client_call_judge_unreadable(
            (amdrpc_err)atomic_load_explicit(
                    &call->unreadable, memory_order_relaxed),
            &message);

    amdi_client_call_abort(call, code, message);
}

static void
call_obey(struct amdrpc_client_call *call, unsigned signals)
{
    if ((signals & CALL_SIGNAL_START) != 0) {
        call_start(call);
    }
    if ((signals & CALL_SIGNAL_CLOSE_SEND) != 0) {
        call->is_request_complete = true;
    }
    if ((signals & (CALL_SIGNAL_SEND | CALL_SIGNAL_CLOSE_SEND)) != 0 &&
            call->state == CALL_OPEN) {
        amdi_client_conn_resume(call->conn, call);
    }
    if ((signals & CALL_SIGNAL_CONSUME) != 0) {
        amdi_client_call_consume(call,
                atomic_exchange_explicit(
                        &call->ntaken_bytes, 0, memory_order_relaxed));
    }
    if ((signals & CALL_SIGNAL_TELL_ALL) != 0) {
        amdi_client_call_tell(call, CALL_TELL_READABLE | CALL_TELL_WRITABLE);
    }
    if ((signals & CALL_SIGNAL_UNREADABLE) != 0) {
        call_give_up(call);
    }
    if ((signals & CALL_SIGNAL_CANCEL) != 0) {
        amdi_client_call_abort(
                call, AMDRPC_STATUS_CANCELLED, "cancelled by the client");
    }
    if ((signals & CALL_SIGNAL_RELEASE) != 0) {
        call_release(call);
    }
}

static void
call_on_task(struct amdi_task *task)
{
    struct amdrpc_client_call *call =
            AMDI_CONTAINER_OF(task, struct amdrpc_client_call, task);

    // Acquires what the askers wrote, and releases the task to the next one.
    call_obey(call,
            atomic_exchange_explicit(&call->signals, 0, memory_order_acq_rel));
}

void
amdi_client_call_signal(struct amdrpc_client_call *call, unsigned signals)
{
    struct amdi_loop *loop = call->channel->loop;

    if (atomic_fetch_or_explicit(
                &call->signals, signals, memory_order_acq_rel) != 0) {
        return; // the task is on its way and will see it
    }
    if (amdi_loop_is_current(loop)) {
        call_on_task(&call->task);
    } else {
        amdi_loop_post(loop, &call->task);
    }
}

amdrpc_client_call *
amdrpc_client_call_ref(amdrpc_client_call *call)
{
    atomic_fetch_add_explicit(&call->nrefs, 1, memory_order_relaxed);
    return call;
}

void
amdrpc_client_call_unref(amdrpc_client_call *call)
{
    if (call == NULL ||
            atomic_fetch_sub_explicit(&call->nrefs, 1, memory_order_acq_rel) >
                    1) {
        return;
    }
    // Once the loop has seen this signal the channel may end, while this
    // thread is still about to wake the loop.
    struct amdrpc_channel *channel = call->channel;

    atomic_fetch_add_explicit(&channel->nleaving, 1, memory_order_relaxed);
    amdi_client_call_signal(call, CALL_SIGNAL_RELEASE);
    atomic_fetch_sub_explicit(&channel->nleaving, 1, memory_order_release);
}

void
amdrpc_client_call_cancel(amdrpc_client_call *call)
{
    amdi_client_call_signal(call, CALL_SIGNAL_CANCEL);
}
