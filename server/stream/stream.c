/** A call's HTTP/2 stream: its states, and what the wire tells. */
#include "server/stream/stream.h"

#include "common/alloc.h"
#include "common/assertion.h"
#include "common/clock.h"
#include "server/conn/conn.h"
#include "server/conn/request_head.h"
#include "server/details.h"
#include "server/options.h"
#include "server/server.h"
#include "server/server_loop.h"
#include "server/service.h"

#include <string.h>

static struct amdi_stream *
stream_take(struct amdi_server_loop *sl)
{
    struct amdi_list *node = amdi_list_pop(&sl->free_streams);

    if (node == NULL) {
        return amdi_alloc(sizeof(struct amdi_stream));
    }
    sl->nfree_streams--;
    return AMDI_CONTAINER_OF(node, struct amdi_stream, conn_node);
}

struct amdi_stream *
amdi_stream_open(
        struct amdi_server_loop *sl, struct amdi_conn *conn, int32_t id)
{
    struct amdi_stream *stream = NULL;

    if (!amdi_peer_add_call(
                conn->peer, sl->server->options.max_calls_per_connection)) {
        return NULL;
    }
    stream = stream_take(sl);
    if (stream == NULL) {
        amdi_peer_remove_call(conn->peer);
        return NULL;
    }
    memset(stream, 0, sizeof(*stream));
    amdi_call_init(&stream->call, &amdi_unary_sink);
    amdi_frame_reader_init(
            &stream->reader, sl->server->options.max_recv_message_bytes);
    stream->sl = sl;
    stream->call.unpack_limits =
            amdi_options_unpack_limits(&sl->server->options);
    stream->conn = conn;
    stream->peer = amdi_peer_ref(conn->peer);
    stream->id = id;
    stream->opened_at_ns = amdi_loop_now_ns(sl->loop);
    stream->progress_at_ms = (uint32_t)amdi_loop_now_ms(sl->loop);
    amdi_list_init(&stream->conn_node);
    amdi_list_push(&conn->streams, &stream->conn_node);
    conn->nstreams++;
    amdi_conn_counts_started(&conn->counts, stream->opened_at_ns);
    sl->nstreams++;
    return stream;
}

static void
streaming_destroy(struct amdi_streaming *streaming)
{
    if (streaming != NULL) {
        amdi_list_remove(&streaming->taken);
        amdi_outbox_fini(&streaming->out);
        amdi_inbox_fini(&streaming->in);
        amdi_free(streaming);
    }
}

void
amdi_stream_fini(struct amdi_stream *stream)
{
    streaming_destroy(stream->streaming);
    amdi_call_fini(&stream->call);
    amdi_request_head_unref(stream->head);
    amdi_peer_unref(stream->peer);
    stream->sl->nstreams--;
}

void
amdi_stream_check_reap(struct amdi_stream *stream)
{
    // A task that is posted still refers to the stream.
    if (stream->state == AMDI_STREAM_CLOSED && stream->work == AMDI_WORK_DONE &&
            !amdi_call_is_posted(&stream->call.link)) {
        amdi_timer_stop(&stream->after);
        amdi_server_loop_reap_stream(stream->sl, stream);
    }
}

static bool
stream_may_enter(enum amdi_stream_state from, enum amdi_stream_state to)
{
    switch (to) {
    case AMDI_STREAM_OPEN:
        return false;
    case AMDI_STREAM_HALF_CLOSED:
        return from == AMDI_STREAM_OPEN;
    case AMDI_STREAM_ENDING:
        return from == AMDI_STREAM_OPEN || from == AMDI_STREAM_HALF_CLOSED;
    case AMDI_STREAM_CLOSED:
        return from != AMDI_STREAM_CLOSED;
    }
    return false;
}

void
amdi_stream_set_state(struct amdi_stream *stream, enum amdi_stream_state next)
{
    amdi_assert(stream_may_enter(stream->state, next));
    stream->state = next;
    if (next == AMDI_STREAM_ENDING || next == AMDI_STREAM_CLOSED) {
        amdi_timer_stop(&stream->deadline);
    }
    if (next == AMDI_STREAM_CLOSED) {
        amdi_list_remove(&stream->conn_node);
        amdi_conn_stream_closed(stream->conn);
        stream->conn = NULL;
        amdi_stream_check_reap(stream);
    }
}

void
amdi_stream_set_work(struct amdi_stream *stream, enum amdi_stream_work next)
{
    amdi_assert(next > stream->work);
    if (stream->work == AMDI_WORK_NONE) {
        // The request has been read; its room is the timer's now.
        amdi_frame_reader_fini(&stream->reader);
        stream->after = (struct amdi_timer){0};
    }
    stream->work = next;
    if (next == AMDI_WORK_DONE) {
        amdi_peer_remove_call(stream->peer);
        amdi_call_end_fd_wait(&stream->call);
        amdi_stream_check_reap(stream);
    }
}

size_t
amdi_stream_method_index(const struct amdi_stream *stream)
{
    const struct amdi_method *method = stream->call.method;

    return method != NULL ? method->index : stream->sl->stats.nmethods;
}

/* ---- the answer ---- */

/** Sends the header block in sl->response. */
static void
stream_submit(struct amdi_stream *stream, bool has_body)
{
    struct amdi_response *response = &stream->sl->response;

    stream->has_sent_headers = true;
    amdi_conn_watch_on_answer(stream->conn);
    if (amdi_h2_submit_response(stream->conn->h2, stream->id, response->fields,
                response->nfields, has_body) != AMDRPC_OK) {
        amdi_h2_reset(stream->conn->h2, stream->id, AMDI_H2_INTERNAL_ERROR);
    }
    amdi_arena_reset(&stream->sl->scratch);
    amdi_conn_flush(stream->conn);
}

/** The handler's own metadata; none while it may still write to it. */
static const struct amdrpc_metadata *
stream_trailing(const struct amdi_stream *stream)
{
    return stream->work == AMDI_WORK_DONE ? stream->call.trailing : NULL;
}

static void
stream_add_details(struct amdi_stream *stream)
{
    const struct amdi_details details = {
            .code = stream->code, .message = stream->message};
    struct amdi_arena *arena = &stream->sl->scratch;
    ProtobufCBinaryData packed = {0};

    if (amdi_details_pack(&details, arena, &packed)) {
        amdi_response_add_details(
                &stream->sl->response, packed.data, packed.len, arena);
    }
}

static void
stream_add_status(struct amdi_stream *stream)
{
    amdi_response_add_status(&stream->sl->response, stream->code,
            stream->message, stream_trailing(stream), &stream->sl->scratch);
    if (stream->is_own_end) {
        stream_add_details(stream);
    }
}

void
amdi_stream_send(struct amdi_stream *stream)
{
    if (amdi_stream_is_ended(stream)) {
        return;
    }
    stream->progress_at_ms = (uint32_t)amdi_loop_now_ms(stream->sl->loop);
    if (stream->has_sent_headers) {
        amdi_h2_resume(stream->conn->h2, stream->id);
        amdi_conn_flush(stream->conn);
        return;
    }
    amdi_response_begin(&stream->sl->response, stream->call.codec.is_announced,
            stream->call.initial, &stream->sl->scratch);
    stream_submit(stream, /*has_body=*/true);
}

/**
 * Bytes that can be sent. What a handler replied counts once it has finished,
 * and not after its call was cancelled.
 */
static size_t
stream_bytes_ready(struct amdi_stream *stream)
{
    if (stream->streaming != NULL) {
        return amdi_outbox_collect(&stream->streaming->out);
    }
    if (stream->work != AMDI_WORK_DONE ||
            amdrpc_call_is_cancelled(&stream->call)) {
        return 0;
    }
    return stream->reply_len - stream->reply_taken;
}

/** Sends what there is of the answer and, at its end, the status. */
static void
stream_send_status(struct amdi_stream *stream)
{
    // The handler may still write to what is its own.
    bool initial_is_known = stream->work == AMDI_WORK_DONE;

    if (stream->has_sent_headers) {
        amdi_h2_resume(stream->conn->h2, stream->id);
        amdi_conn_flush(stream->conn);
        return;
    }
    amdi_response_begin(&stream->sl->response,
            initial_is_known && stream->call.codec.is_announced,
            initial_is_known ? stream->call.initial : NULL,
            &stream->sl->scratch);
    if (stream_bytes_ready(stream) > 0) {
        stream_submit(stream, /*has_body=*/true);
        return;
    }
    if (stream->head != NULL && stream->head->is_codec_unknown) {
        amdi_response_add_codecs(&stream->sl->response);
    }
    stream_add_status(stream); // Trailers-Only
    stream_submit(stream, /*has_body=*/false);
}

/** Ends the stream on the wire with a status. */
static void
stream_end(struct amdi_stream *stream, amdrpc_status_code code,
        const char *message)
{
    stream->code = code;
    stream->message = message;
    amdi_stream_set_state(stream, AMDI_STREAM_ENDING);
    stream_send_status(stream);
}

void
amdi_stream_fail(struct amdi_stream *stream, amdrpc_status_code code,
        const char *message)
{
    amdi_stream_set_work(stream, AMDI_WORK_DONE);
    if (!amdi_stream_is_ended(stream)) {
        stream->is_own_end = true;
        stream_end(stream, code,
                amdi_arena_strndup(
                        &stream->call.arena, message, strlen(message)));
    }
}

void
amdi_stream_fail_http(
        struct amdi_stream *stream, const char *http_status, const char *text)
{
    size_t len = strlen(text);

    amdi_stream_set_work(stream, AMDI_WORK_DONE);
    stream->reply =
            (uint8_t *)amdi_arena_strndup(&stream->call.arena, text, len);
    stream->reply_len = stream->reply == NULL ? 0 : (uint32_t)len;
    stream->is_http = true;
    amdi_stream_set_state(stream, AMDI_STREAM_ENDING);
    amdi_response_begin_http(&stream->sl->response, http_status);
    stream_submit(stream, stream->reply_len > 0);
}

void
amdi_stream_on_finish(struct amdi_stream *stream)
{
    amdi_stream_set_work(stream, AMDI_WORK_DONE);
    if (!amdi_stream_is_ended(stream)) {
        stream_end(stream, stream->call.code, stream->call.message);
    }
}

/* ---- the body of the answer ---- */

void
amdi_stream_on_body(
        struct amdi_stream *stream, size_t room, struct amdi_h2_body *body)
{
    bool is_ending = stream->state == AMDI_STREAM_ENDING;
    size_t ready = stream_bytes_ready(stream);

    body->len = ready < room ? ready : room;
    body->is_last = is_ending && body->len == ready;
    if (!body->is_last || stream->is_http) {
        return;
    }
    amdi_arena_reset(&stream->sl->scratch);
    amdi_response_clear(&stream->sl->response);
    stream_add_status(stream);
    body->trailers = stream->sl->response.fields;
    body->ntrailers = stream->sl->response.nfields;
}

/** Gives bytes of a lone answer; returns how many messages are now sent. */
static size_t
stream_take_reply(struct amdi_stream *stream, struct amdi_out *out, size_t len)
{
    if (len >= AMDI_OUT_REFERENCE_BYTES) {
        amdi_out_reference(out, stream->reply + stream->reply_taken, len);
    } else {
        amdi_out_copy(out, stream->reply + stream->reply_taken, len);
    }
    stream->reply_taken += (uint32_t)len;
    return stream->reply_taken == stream->reply_len && !stream->is_http;
}

void
amdi_stream_on_take(
        struct amdi_stream *stream, struct amdi_out *out, size_t len)
{
    struct amdi_conn *conn = stream->conn;
    size_t nmessages = 0;

    stream->progress_at_ms = (uint32_t)amdi_loop_now_ms(stream->sl->loop);
    amdi_conn_watch_on_answer(conn);
    if (stream->streaming != NULL) {
        nmessages = amdi_outbox_take(&stream->streaming->out, out, len);
        amdi_conn_add_taken(conn, &stream->streaming->taken);
    } else {
        nmessages = stream_take_reply(stream, out, len);
    }
    amdi_conn_counts_sent(
            &conn->counts, nmessages, amdi_loop_now_ns(stream->sl->loop));
}

void
amdi_stream_on_written(struct amdi_stream *stream)
{
    if (amdi_outbox_release(&stream->streaming->out)) {
        amdi_call_post(&stream->call, AMDI_CALL_EV_WRITABLE);
    }
}

/* ---- its end ---- */

void
amdi_stream_on_close(struct amdi_stream *stream)
{
    if (!amdi_stream_is_ended(stream)) {
        stream->code = AMDRPC_STATUS_CANCELLED;
    }
    amdi_stream_set_state(stream, AMDI_STREAM_CLOSED);
    amdi_stream_cancel(stream, AMDRPC_STATUS_CANCELLED, NULL);
}

/** Lets the handler know, wherever it waits; it will finish the call. */
static void
stream_cancel_work(struct amdi_stream *stream)
{
    atomic_store_explicit(
            &stream->call.is_cancelled, true, memory_order_release);
    if (amdi_server_loop_unstart_call(stream->sl, stream)) {
        amdi_stream_set_work(stream, AMDI_WORK_DONE);
        return;
    }
    if (stream->streaming != NULL) {
        amdi_outbox_close(&stream->streaming->out);
        amdi_inbox_end(&stream->streaming->in, AMDRPC_ECANCELED);
    }
    amdi_call_post(&stream->call, AMDI_CALL_EV_CANCEL);
}

void
amdi_stream_cancel(struct amdi_stream *stream, amdrpc_status_code code,
        const char *message)
{
    // Trailers cannot follow a message of which only a part has left, and
    // what waits for a slow reader would hold them up.
    bool is_clean =
            !amdi_stream_is_ended(stream) && stream_bytes_ready(stream) == 0;

    switch (stream->work) {
    case AMDI_WORK_NONE:
        amdi_stream_set_work(stream, AMDI_WORK_DONE);
        break;
    case AMDI_WORK_READY:
    case AMDI_WORK_OUT:
        if (!amdrpc_call_is_cancelled(&stream->call)) {
            stream_cancel_work(stream);
        }
        break;
    case AMDI_WORK_DONE:
        break;
    }
    if (amdi_stream_is_ended(stream)) {
        return;
    }
    if (is_clean) {
        stream->is_own_end = true;
        stream_end(stream, code, message);
        return;
    }
    stream->code = code;
    amdi_stream_set_state(stream, AMDI_STREAM_ENDING);
    amdi_h2_reset(stream->conn->h2, stream->id, AMDI_H2_CANCEL);
    amdi_conn_flush(stream->conn);
}

/** The client takes nothing of what waits for it. */
static void
stream_give_up(struct amdi_stream *stream)
{
    if (!amdi_stream_is_ended(stream)) {
        amdi_stream_cancel(
                stream, AMDRPC_STATUS_CANCELLED, "the client does not read");
    } else if (stream->state == AMDI_STREAM_ENDING) {
        amdi_h2_reset(stream->conn->h2, stream->id, AMDI_H2_CANCEL);
        amdi_conn_flush(stream->conn);
    }
}

void
amdi_stream_check_progress(struct amdi_stream *stream, uint64_t now_ms,
        const amdrpc_server_options *options)
{
    uint32_t since_ms = (uint32_t)now_ms - stream->progress_at_ms;
    bool has_begun =
            stream->state == AMDI_STREAM_OPEN && stream->work == AMDI_WORK_NONE;

    if (has_begun && options->body_timeout_ms != AMDRPC_NO_LIMIT &&
            since_ms >= options->body_timeout_ms) {
        amdi_stream_cancel(stream, AMDRPC_STATUS_DEADLINE_EXCEEDED,
                "the request did not come in time");
        return;
    }
    if (options->stall_timeout_ms != AMDRPC_NO_LIMIT &&
            since_ms >= options->stall_timeout_ms &&
            stream_bytes_ready(stream) > 0) {
        stream_give_up(stream);
    }
}
