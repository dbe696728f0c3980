/** A call's HTTP/2 stream: its request. */
#include "common/alloc.h"
#include "common/frame.h"
#include "server/conn/conn.h"
#include "server/server.h"
#include "server/server_loop.h"
#include "server/service.h"
#include "server/stream/stream.h"

// A synchronous handler holds the thread that would send what it says, so all
// of it waits until it returns. Who does not want that limits what the methods
// answer, or does not dispatch that way, which is there for comparison.
#define SYNC_QUEUED_BYTES ((size_t)1 << 30)

static void
stream_on_deadline(struct amdi_timer *timer)
{
    struct amdi_stream *stream =
            AMDI_CONTAINER_OF(timer, struct amdi_stream, deadline);

    amdi_stream_cancel(stream, AMDRPC_STATUS_DEADLINE_EXCEEDED,
            "the deadline passed before the call was finished");
}

static void
stream_start_deadline(struct amdi_stream *stream, uint64_t timeout_ns)
{
    uint64_t timeout_ms = timeout_ns == 0
            ? stream->call.method->policy.default_deadline_ms
            : (timeout_ns + 999999) / 1000000;

    stream->call.deadline_at_ms =
            amdi_loop_now_ms(stream->sl->loop) + timeout_ms;
    amdi_timer_start(stream->sl->loop, &stream->deadline,
            stream->call.deadline_at_ms, stream_on_deadline);
}

static bool
stream_make_streaming(struct amdi_stream *stream)
{
    const amdrpc_server_options *options = &stream->sl->server->options;
    struct amdi_streaming *streaming = amdi_zalloc(sizeof(*streaming));

    if (streaming == NULL) {
        return false;
    }
    amdi_outbox_init(&streaming->out,
            stream->call.method->policy.dispatch == AMDRPC_DISPATCH_SYNC
                    ? SYNC_QUEUED_BYTES
                    : options->max_queued_bytes);
    amdi_inbox_init(&streaming->in, options->max_recv_message_bytes,
            options->stream_window_bytes);
    amdi_list_init(&streaming->taken);
    streaming->stream = stream;
    stream->streaming = streaming;
    stream->call.sink = &amdi_stream_sink;
    return true;
}

static void
stream_start(struct amdi_stream *stream)
{
    amdi_stream_set_work(stream, AMDI_WORK_READY);
    amdi_server_loop_start_call(stream->sl, stream);
}

/** Settles which messages may be compressed, in both directions. */
static void
stream_set_codec(
        struct amdi_stream *stream, const struct amdi_request_head *head)
{
    const amdrpc_server_options *options = &stream->sl->server->options;
    struct amdi_call_codec *codec = &stream->call.codec;

    stream->reader.refuses_compressed = !head->is_gzipped;
    if (stream->streaming != NULL) {
        stream->streaming->in.reader.refuses_compressed = !head->is_gzipped;
    }
    codec->max_message_bytes = options->max_recv_message_bytes;
    codec->accepts_gzip = head->accepts_gzip;
    codec->is_announced = options->compress && head->accepts_gzip;
    codec->is_on = codec->is_announced;
}

static void
stream_serve(struct amdi_stream *stream, const struct amdi_request_head *head)
{
    const amdrpc_method_desc *desc = head->method->desc;

    if (desc->kind != AMDRPC_UNARY && !stream_make_streaming(stream)) {
        amdi_stream_fail(stream, AMDRPC_STATUS_RESOURCE_EXHAUSTED, "no memory");
        return;
    }
    stream_set_codec(stream, head);
    stream_start_deadline(stream, head->timeout_ns);
    if (amdrpc_method_has_request_stream(desc)) {
        stream_start(stream);
    }
}

void
amdi_stream_on_headers(
        struct amdi_stream *stream, struct amdi_request_head *head)
{
    struct amdi_request_verdict verdict;

    stream->head = amdi_request_head_ref(head);
    stream->call.metadata = &head->metadata;
    stream->call.method = head->method;
    amdi_stats_call_started(&stream->sl->stats,
            amdi_stream_method_index(stream), stream->opened_at_ns);
    amdi_request_head_judge(head, &verdict);
    if (verdict.kind == AMDI_REQUEST_SERVE) {
        // May take the verdict back.
        (void)amdi_auth_check(&stream->sl->server->auth, head,
                amdi_peer_identity(stream->peer), &stream->call.identity,
                &verdict);
    }
    switch (verdict.kind) {
    case AMDI_REQUEST_SERVE:
        stream_serve(stream, head);
        break;
    case AMDI_REQUEST_STATUS:
        amdi_stream_fail(stream, verdict.code, verdict.message);
        break;
    case AMDI_REQUEST_HTTP:
        amdi_stream_fail_http(stream, verdict.http_status, verdict.message);
        break;
    case AMDI_REQUEST_MALFORMED:
        amdi_h2_reset(stream->conn->h2, stream->id, AMDI_H2_PROTOCOL_ERROR);
        break;
    }
}

/** Ends a call whose request cannot be read on. */
static void
stream_on_bad_request(struct amdi_stream *stream, amdrpc_err err)
{
    const char *message = "no memory for the request";
    amdrpc_status_code code = amdrpc_status_from_err(err);

    if (err == AMDRPC_ELIMIT) {
        message = "the request message is over max_recv_message_bytes";
    } else if (err == AMDRPC_EPROTO) {
        message = "the request is not made of gRPC messages";
        code = AMDRPC_STATUS_INTERNAL;
    } else if (err == AMDRPC_EUNSUPPORTED) {
        message = "a message is marked as compressed, but grpc-encoding names "
                  "no codec";
        code = AMDRPC_STATUS_INTERNAL;
    } else if (err == AMDRPC_EEXIST) {
        message = "the method takes one request message, and more than one "
                  "came";
        code = AMDRPC_STATUS_UNIMPLEMENTED;
    }
    if (stream->work == AMDI_WORK_NONE) {
        amdi_stream_fail(stream, code, message);
    } else {
        amdi_stream_cancel(stream, code, message);
    }
}

/**
 * Bytes for a method with one request message. Errors: as those of the reader,
 * and AMDRPC_EEXIST for a second message.
 */
static amdrpc_err
stream_feed_single(struct amdi_stream *stream, const uint8_t *data, size_t len,
        size_t *out_nmessages)
{
    while (len > 0) {
        struct amdi_message *msg = NULL;
        size_t taken = 0;
        amdrpc_err err = amdi_frame_reader_push(
                &stream->reader, data, len, &taken, &msg);

        if (err != AMDRPC_OK) {
            return err;
        }
        data += taken;
        len -= taken;
        if (msg == NULL) {
            continue;
        }
        if (stream->call.request != NULL) {
            amdi_message_free(msg);
            return AMDRPC_EEXIST;
        }
        stream->call.request = msg;
        *out_nmessages = 1;
    }
    return AMDRPC_OK;
}

static bool
stream_has_request_stream(const struct amdi_stream *stream)
{
    return stream->call.method != NULL &&
            amdrpc_method_has_request_stream(stream->call.method->desc);
}

void
amdi_stream_on_data(struct amdi_stream *stream, const uint8_t *data, size_t len)
{
    bool has_inbox = stream_has_request_stream(stream);
    size_t nmessages = 0;
    size_t consume = len;
    amdrpc_err err = AMDRPC_OK;

    if (stream->state == AMDI_STREAM_OPEN) {
        if (!has_inbox) {
            err = stream_feed_single(stream, data, len, &nmessages);
        } else {
            err = amdi_inbox_feed(
                    &stream->streaming->in, data, len, &nmessages, &consume);
        }
    }
    if (consume > 0) {
        amdi_h2_consume(stream->conn->h2, stream->id, consume);
    }
    amdi_conn_counts_received(&stream->conn->counts, nmessages,
            amdi_loop_now_ns(stream->sl->loop));
    if (err != AMDRPC_OK) {
        stream_on_bad_request(stream, err);
    } else if (has_inbox && nmessages > 0) {
        amdi_call_post(&stream->call, AMDI_CALL_EV_READABLE);
    }
}

void
amdi_stream_on_end(struct amdi_stream *stream)
{
    if (stream->state != AMDI_STREAM_OPEN) {
        return;
    }
    if (stream_has_request_stream(stream)) {
        if (amdi_inbox_is_partial(&stream->streaming->in)) {
            stream_on_bad_request(stream, AMDRPC_EPROTO);
            return;
        }
        amdi_stream_set_state(stream, AMDI_STREAM_HALF_CLOSED);
        amdi_inbox_end(&stream->streaming->in, AMDRPC_EEND);
        amdi_call_post(&stream->call, AMDI_CALL_EV_READABLE);
        return;
    }
    if (amdi_frame_reader_is_partial(&stream->reader)) {
        stream_on_bad_request(stream, AMDRPC_EPROTO);
    } else if (stream->call.request == NULL) {
        amdi_stream_fail(stream, AMDRPC_STATUS_UNIMPLEMENTED,
                "the method takes one request message, and none came");
    } else {
        amdi_stream_set_state(stream, AMDI_STREAM_HALF_CLOSED);
        stream_start(stream);
    }
}
