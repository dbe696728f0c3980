/** The sinks of streams: what handlers do, brought to the loop. */
#include "common/alloc.h"
#include "common/clock.h"
#include "common/compress.h"
#include "common/thread.h"
#include "server/conn/conn.h"
#include "server/dispatch/dispatch.h"
#include "server/server.h"
#include "server/server_loop.h"
#include "server/stream/stream.h"

#include <string.h>

/* ---- the handler's side ---- */

static void stream_handle(struct amdi_stream *stream, unsigned events);

/** Sets bits; returns whether the caller has to post the task. */
static bool
stream_set_pending(struct amdi_stream *stream, unsigned events)
{
    return atomic_fetch_or_explicit(
                   &stream->pending, events, memory_order_acq_rel) == 0;
}

void
amdi_stream_notify(struct amdi_stream *stream, enum amdi_stream_event event)
{
    struct amdi_loop *loop = stream->sl->loop;

    if (amdi_loop_is_current(loop)) {
        stream_handle(stream, event);
    } else if (stream_set_pending(stream, event)) {
        amdi_worker_post(loop, &stream->task);
    }
}

void
amdi_stream_post(struct amdi_stream *stream, unsigned events)
{
    if (stream_set_pending(stream, events)) {
        amdi_loop_push(stream->sl->loop, &stream->task);
    }
}

static amdrpc_err
sink_check_size(const struct amdi_stream *stream, size_t len)
{
    return len > stream->sl->server->options.max_send_message_bytes
            ? AMDRPC_ELIMIT
            : AMDRPC_OK;
}

static void
frame_write(uint8_t *out, const void *arg)
{
    const ProtobufCMessage *msg = arg;

    (void)protobuf_c_message_pack(msg, out);
}

static amdrpc_err
unary_reply_compressed(
        struct amdi_stream *stream, const ProtobufCMessage *msg, size_t len)
{
    struct amdi_message *message = NULL;
    amdrpc_err err = amdi_gzip_pack(msg, len, &message);

    if (err != AMDRPC_OK || message == NULL) {
        return err;
    }
    stream->reply = amdi_arena_alloc(
            &stream->call.arena, message->len + AMDI_FRAME_PREFIX_BYTES);
    if (stream->reply == NULL) {
        err = AMDRPC_ENOMEM;
    } else {
        amdi_frame_write_prefix(
                stream->reply, /*compressed=*/true, message->len);
        memcpy(stream->reply + AMDI_FRAME_PREFIX_BYTES, message->data,
                message->len);
        stream->reply_len = message->len + AMDI_FRAME_PREFIX_BYTES;
    }
    amdi_free(message);
    return err;
}

static amdrpc_err
unary_send(amdrpc_call *call, const ProtobufCMessage *msg)
{
    struct amdi_stream *stream = amdi_stream_of(call);
    size_t len = protobuf_c_message_get_packed_size(msg);
    amdrpc_err err = sink_check_size(stream, len);
    uint8_t *reply = NULL;

    if (stream->reply != NULL) {
        return AMDRPC_ESTATE;
    }
    if (err == AMDRPC_OK && call->codec.is_on) {
        err = unary_reply_compressed(stream, msg, len);
    }
    if (err != AMDRPC_OK || stream->reply != NULL) {
        return err;
    }
    reply = amdi_arena_alloc(&call->arena, len + AMDI_FRAME_PREFIX_BYTES);
    if (reply == NULL) {
        return AMDRPC_ENOMEM;
    }
    amdi_frame_write_prefix(reply, /*compressed=*/false, (uint32_t)len);
    frame_write(reply + AMDI_FRAME_PREFIX_BYTES, msg);
    stream->reply = reply;
    stream->reply_len = (uint32_t)(len + AMDI_FRAME_PREFIX_BYTES);
    return AMDRPC_OK;
}

/** Queues the message compressed; AMDRPC_EUNSUPPORTED: send it plain. */
static amdrpc_err
stream_push_compressed(struct amdi_outbox *out, const ProtobufCMessage *msg,
        size_t len, bool may_block)
{
    struct amdi_message *message = NULL;
    amdrpc_err err = amdi_gzip_pack(msg, len, &message);

    if (err == AMDRPC_OK) {
        err = message == NULL
                ? AMDRPC_EUNSUPPORTED
                : amdi_outbox_push_message(out, message, may_block);
    }
    amdi_free(message);
    return err;
}

static amdrpc_err
stream_push(struct amdi_stream *stream, const ProtobufCMessage *msg, size_t len,
        bool may_block)
{
    struct amdi_outbox *out = &stream->streaming->out;
    amdrpc_err err = AMDRPC_EUNSUPPORTED;

    if (stream->call.codec.is_on) {
        err = stream_push_compressed(out, msg, len, may_block);
    }
    if (err == AMDRPC_EUNSUPPORTED) {
        err = amdi_outbox_push(
                out, len, may_block, /*arena=*/NULL, frame_write, msg);
    }
    return err;
}

static amdrpc_err
stream_send(amdrpc_call *call, const ProtobufCMessage *msg)
{
    struct amdi_stream *stream = amdi_stream_of(call);
    size_t len = protobuf_c_message_get_packed_size(msg);
    bool may_block = !amdi_thread_is_loop();
    amdrpc_err err = sink_check_size(stream, len);

    if (err == AMDRPC_OK) {
        err = stream_push(stream, msg, len, may_block);
    }
    if (err == AMDRPC_OK) {
        atomic_store_explicit(
                &stream->is_initial_sent, true, memory_order_relaxed);
        amdi_stream_notify(stream, AMDI_STREAM_EV_OUT);
    }
    return err;
}

static void
sink_finish(amdrpc_call *call)
{
    amdi_stream_notify(amdi_stream_of(call), AMDI_STREAM_EV_FINISH);
}

/** A stream's client sees progress only in the method's own messages. */
static bool
sink_progress(amdrpc_call *call, uint64_t done, uint64_t total)
{
    (void)call;
    (void)done;
    (void)total;
    return true;
}

static amdrpc_err
unary_recv(amdrpc_call *call, struct amdi_message **out)
{
    (void)call;
    (void)out;
    return AMDRPC_ESTATE;
}

static amdrpc_err
stream_recv(amdrpc_call *call, struct amdi_message **out)
{
    struct amdi_stream *stream = amdi_stream_of(call);
    bool may_block = !amdi_thread_is_loop();
    size_t consume = 0;
    amdrpc_err err = amdi_inbox_take(
            &stream->streaming->in, may_block ? -1 : 0, out, &consume);

    if (consume > 0) {
        atomic_fetch_add(&stream->streaming->ntaken, consume);
        amdi_stream_notify(stream, AMDI_STREAM_EV_TAKEN);
    }
    return err;
}

static void
sink_set_events(amdrpc_call *call)
{
    amdi_stream_notify(amdi_stream_of(call), AMDI_STREAM_EV_EVENTS);
}

static void
sink_set_after(amdrpc_call *call)
{
    amdi_stream_notify(amdi_stream_of(call), AMDI_STREAM_EV_AFTER);
}

static void
sink_set_fd_wait(amdrpc_call *call)
{
    amdi_stream_notify(amdi_stream_of(call), AMDI_STREAM_EV_FD);
}

static void
sink_send_initial(amdrpc_call *call)
{
    struct amdi_stream *stream = amdi_stream_of(call);

    atomic_store(&stream->is_initial_sent, true);
    amdi_stream_notify(stream, AMDI_STREAM_EV_INITIAL);
}

static bool
sink_has_sent_initial(const amdrpc_call *call)
{
    return atomic_load(&amdi_stream_of(call)->is_initial_sent);
}

static const char *
sink_get_peer(const amdrpc_call *call)
{
    return amdi_peer_text(amdi_stream_of(call)->peer);
}

const struct amdi_sink_ops amdi_unary_sink = {
        .send = unary_send,
        .finish = sink_finish,
        .progress = sink_progress,
        .recv = unary_recv,
        .set_events = sink_set_events,
        .set_after = sink_set_after,
        .set_fd_wait = sink_set_fd_wait,
        .send_initial = sink_send_initial,
        .has_sent_initial = sink_has_sent_initial,
        .get_peer = sink_get_peer,
};

const struct amdi_sink_ops amdi_stream_sink = {
        .send = stream_send,
        .finish = sink_finish,
        .progress = sink_progress,
        .recv = stream_recv,
        .set_events = sink_set_events,
        .set_after = sink_set_after,
        .set_fd_wait = sink_set_fd_wait,
        .send_initial = sink_send_initial,
        .has_sent_initial = sink_has_sent_initial,
        .get_peer = sink_get_peer,
};

/* ---- the loop's side ---- */

/**
 * Tells whether the handler has the call: it has not finished it, also not on
 * another thread, of which the loop has yet to hear.
 */
static bool
stream_is_out(const struct amdi_stream *stream)
{
    return stream->work == AMDI_WORK_OUT &&
            (atomic_load(&stream->pending) & AMDI_STREAM_EV_FINISH) == 0;
}

/** Calls a callback of the handler, unless the call is finished. */
static void
stream_tell(struct amdi_stream *stream, amdrpc_call_fn fn)
{
    if (fn != NULL && stream_is_out(stream)) {
        fn(&stream->call, stream->call.events_arg);
    }
}

/** Conditions that held before the events were set are told now. */
static void
stream_post_holding(struct amdi_stream *stream)
{
    unsigned holding = 0;

    if (amdrpc_call_is_cancelled(&stream->call)) {
        holding |= AMDI_STREAM_EV_CANCEL;
    }
    if (stream->streaming != NULL &&
            amdi_inbox_is_readable(&stream->streaming->in)) {
        holding |= AMDI_STREAM_EV_READABLE;
    }
    if (holding != 0) {
        amdi_stream_post(stream, holding);
    }
}

static void
stream_run_after(struct amdi_stream *stream)
{
    struct amdi_call_after after = stream->call.after;

    stream->call.after.fn = NULL;
    if (after.fn != NULL && stream_is_out(stream)) {
        after.fn(&stream->call, after.arg);
    }
}

static void
stream_on_after(struct amdi_timer *timer)
{
    stream_run_after(AMDI_CONTAINER_OF(timer, struct amdi_stream, after));
}

static void
stream_start_after(struct amdi_stream *stream)
{
    uint64_t at_ms = amdrpc_call_is_cancelled(&stream->call)
            ? 0
            : stream->call.after.at_ms;

    amdi_timer_start(stream->sl->loop, &stream->after, at_ms, stream_on_after);
}

/** A cancelled call waits for nothing any more. */
static void
stream_cancel_waits(struct amdi_stream *stream)
{
    if (amdi_timer_is_running(&stream->after)) {
        stream_start_after(stream);
    }
    amdi_stream_cancel_fd_wait(stream);
}

static void
stream_consume_taken(struct amdi_stream *stream)
{
    size_t n = atomic_exchange(&stream->streaming->ntaken, 0);

    if (n > 0 && stream->conn != NULL) {
        amdi_h2_consume(stream->conn->h2, stream->id, n);
        amdi_conn_flush(stream->conn);
    }
}

/** The handler's callbacks; each of them may finish the call. */
static void
stream_tell_events(struct amdi_stream *stream, unsigned events)
{
    const amdrpc_call_events *told = NULL;

    if (!stream->has_events) {
        return; // the handler may be setting them
    }
    told = stream->call.events;
    if ((events & AMDI_STREAM_EV_READABLE) != 0) {
        stream_tell(stream, told->on_readable);
    }
    if ((events & AMDI_STREAM_EV_WRITABLE) != 0) {
        stream_tell(stream, told->on_writable);
    }
    if ((events & AMDI_STREAM_EV_CANCEL) != 0 && !stream->is_cancel_told) {
        stream->is_cancel_told = true;
        stream_tell(stream, told->on_cancel);
    }
}

static void
stream_handle(struct amdi_stream *stream, unsigned events)
{
    if ((events & (AMDI_STREAM_EV_OUT | AMDI_STREAM_EV_INITIAL)) != 0) {
        amdi_stream_send(stream);
    }
    if ((events & AMDI_STREAM_EV_TAKEN) != 0) {
        stream_consume_taken(stream);
    }
    if ((events & AMDI_STREAM_EV_AFTER) != 0) {
        stream_start_after(stream);
    }
    if ((events & AMDI_STREAM_EV_FD) != 0) {
        amdi_stream_start_fd_wait(stream);
    }
    if ((events & AMDI_STREAM_EV_CANCEL) != 0) {
        stream_cancel_waits(stream);
    }
    if ((events & AMDI_STREAM_EV_EVENTS) != 0) {
        stream->has_events = true;
        stream_post_holding(stream);
    }
    if ((events & AMDI_STREAM_EV_FINISH) != 0) {
        amdi_stream_on_finish(stream);
    } else {
        stream_tell_events(stream, events);
    }
}

void
amdi_stream_run_task(struct amdi_task *task)
{
    struct amdi_stream *stream =
            AMDI_CONTAINER_OF(task, struct amdi_stream, task);
    unsigned events =
            atomic_exchange_explicit(&stream->pending, 0, memory_order_acq_rel);

    stream_handle(stream, events);
    amdi_stream_check_reap(stream);
}
