/** The sinks of streams: what handlers do, brought to the loop. */
#include "common/clock.h"
#include "common/compress.h"
#include "common/frame.h"
#include "common/thread.h"
#include "server/conn/conn.h"
#include "server/dispatch/dispatch.h"
#include "server/server.h"
#include "server/server_loop.h"
#include "server/stream/stream.h"

#include <string.h>

/* ---- the handler's side ---- */

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
    amdi_message_free(message);
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
    amdi_message_free(message);
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
        amdi_call_notify(call, AMDI_STREAM_EV_OUT);
    }
    return err;
}

static void
sink_finish(amdrpc_call *call)
{
    amdi_call_notify(call, AMDI_CALL_EV_FINISH);
}

/** A stream's client sees progress only in the method's own messages. */
static bool
sink_progress(
        amdrpc_call *call, uint64_t done, uint64_t total, const char *note)
{
    (void)call;
    (void)done;
    (void)total;
    (void)note;
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
        amdi_call_notify(call, AMDI_STREAM_EV_TAKEN);
    }
    return err;
}

static void
sink_send_initial(amdrpc_call *call)
{
    struct amdi_stream *stream = amdi_stream_of(call);

    atomic_store(&stream->is_initial_sent, true);
    amdi_call_notify(call, AMDI_STREAM_EV_INITIAL);
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

static struct amdi_loop *
sink_get_loop(const amdrpc_call *call)
{
    return amdi_stream_of(call)->sl->loop;
}

/* ---- the loop's side ---- */

static void
stream_consume_taken(struct amdi_stream *stream)
{
    size_t n = atomic_exchange(&stream->streaming->ntaken, 0);

    if (n > 0 && stream->conn != NULL) {
        amdi_h2_consume(stream->conn->h2, stream->id, n);
        amdi_conn_flush(stream->conn);
    }
}

static void
sink_handle(amdrpc_call *call, unsigned events)
{
    struct amdi_stream *stream = amdi_stream_of(call);

    if ((events & (AMDI_STREAM_EV_OUT | AMDI_STREAM_EV_INITIAL)) != 0) {
        amdi_stream_send(stream);
    }
    if ((events & AMDI_STREAM_EV_TAKEN) != 0) {
        stream_consume_taken(stream);
    }
}

static void
sink_on_finish(amdrpc_call *call)
{
    amdi_stream_on_finish(amdi_stream_of(call));
}

static bool
sink_is_out(const amdrpc_call *call)
{
    return amdi_stream_of(call)->work == AMDI_WORK_OUT;
}

static bool
sink_is_readable(const amdrpc_call *call)
{
    struct amdi_streaming *streaming = amdi_stream_of(call)->streaming;

    return streaming != NULL && amdi_inbox_is_readable(&streaming->in);
}

static struct amdi_timer *
sink_get_timer(amdrpc_call *call)
{
    return &amdi_stream_of(call)->after;
}

static void
sink_on_timer(struct amdi_timer *timer)
{
    amdi_call_run_after(
            &AMDI_CONTAINER_OF(timer, struct amdi_stream, after)->call);
}

static void
sink_settle(amdrpc_call *call)
{
    amdi_stream_check_reap(amdi_stream_of(call));
}

static const struct amdi_call_owner_ops stream_owner = {
        .get_loop = sink_get_loop,
        .handle = sink_handle,
        .on_finish = sink_on_finish,
        .is_out = sink_is_out,
        .is_readable = sink_is_readable,
        .get_timer = sink_get_timer,
        .on_timer = sink_on_timer,
        .settle = sink_settle,
};

const struct amdi_sink_ops amdi_unary_sink = {
        .send = unary_send,
        .finish = sink_finish,
        .progress = sink_progress,
        .recv = unary_recv,
        .send_initial = sink_send_initial,
        .has_sent_initial = sink_has_sent_initial,
        .get_peer = sink_get_peer,
        .owner = &stream_owner,
};

const struct amdi_sink_ops amdi_stream_sink = {
        .send = stream_send,
        .finish = sink_finish,
        .progress = sink_progress,
        .recv = stream_recv,
        .send_initial = sink_send_initial,
        .has_sent_initial = sink_has_sent_initial,
        .get_peer = sink_get_peer,
        .owner = &stream_owner,
};
