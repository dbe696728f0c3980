/** HTTP/2 sending: what is written when the connection takes it. */
#include "common/h2/h2_session.h"

bool
amdi_h2_wants_write(const struct amdi_h2 *h2)
{
    if (h2->has_failed) {
        return amdi_buf_len(&h2->control) > 0;
    }
    return amdi_buf_len(&h2->control) > 0 || !amdi_list_is_empty(&h2->resets) ||
            !amdi_list_is_empty(&h2->sending);
}

bool
amdi_h2_is_over(const struct amdi_h2 *h2)
{
    if (amdi_h2_wants_write(h2)) {
        return false;
    }
    return h2->has_failed ||
            ((h2->has_sent_goaway || h2->has_peer_goaway) &&
                    h2->streams.nstreams == 0);
}

/** Closes streams that ended while events were told. */
static amdrpc_err
produce_resets(struct amdi_h2 *h2)
{
    struct amdi_list *node = NULL;

    while ((node = amdi_list_pop(&h2->resets)) != NULL) {
        struct h2_stream *stream =
                AMDI_CONTAINER_OF(node, struct h2_stream, send_node);
        const struct amdi_h2_frame frame = {
                .len = 4, .type = AMDI_H2_RST_STREAM, .stream_id = stream->id};
        uint8_t payload[4];

        amdi_h2_put_u32(payload, (uint32_t)stream->reset_code);
        if (!stream->is_reset_by_peer &&
                amdi_h2_push_frame(h2, &frame, payload) != AMDRPC_OK) {
            amdi_list_push(&h2->resets, node);
            return AMDRPC_ENOMEM;
        }
        amdi_h2_close(h2, stream, stream->reset_code, stream->is_reset_by_peer);
    }
    return AMDRPC_OK;
}

/** Copies control frames as far as there is room; true when all went. */
static bool
produce_control(struct amdi_h2 *h2, struct amdi_out *out)
{
    size_t len = amdi_buf_len(&h2->control);
    size_t room = amdi_out_room(out);
    size_t n = len < room ? len : room;

    if (n > 0) {
        amdi_out_copy(out, amdi_buf_peek(&h2->control), n);
        amdi_buf_consume(&h2->control, n);
    }
    if (n < len) {
        return false;
    }
    if (h2->control.size > 4096) {
        amdi_buf_fini(&h2->control); // idle connections hold little
    }
    return true;
}

/** Bytes of DATA that the room and both windows allow; maybe none. */
static uint32_t
data_limit(const struct amdi_h2 *h2, const struct h2_stream *stream,
        const struct amdi_out *out)
{
    size_t room = amdi_out_room(out);
    int64_t limit = AMDI_H2_MAX_FRAME_BYTES;

    if (room <= AMDI_H2_FRAME_HEADER_BYTES) {
        return 0;
    }
    room -= AMDI_H2_FRAME_HEADER_BYTES;
    limit = room < (size_t)limit ? (int64_t)room : limit;
    limit = h2->send_window < limit ? h2->send_window : limit;
    limit = stream->send_window < limit ? stream->send_window : limit;
    return limit > 0 ? (uint32_t)limit : 0;
}

static void
produce_data_frame(struct amdi_h2 *h2, struct h2_stream *stream,
        struct amdi_out *out, uint32_t len, bool has_end)
{
    const struct amdi_h2_frame frame = {.len = len,
            .type = AMDI_H2_DATA,
            .flags = has_end ? AMDI_H2_END_STREAM : 0,
            .stream_id = stream->id};
    uint8_t header[AMDI_H2_FRAME_HEADER_BYTES];

    amdi_h2_frame_write(header, &frame);
    amdi_out_copy(out, header, sizeof(header));
    if (len > 0) {
        h2->events->on_take(h2->ctx, stream->user, out, len);
    }
    h2->send_window -= (int32_t)len;
    stream->send_window -= (int32_t)len;
    h2->guard.ndata_sent++;
}

/**
 * The stream has no end to send, and no DATA that it may send. When its own
 * window opens it is scheduled again.
 */
static void
stream_pause(struct amdi_h2 *h2, struct h2_stream *stream, uint32_t limit)
{
    if (limit > 0) {
        stream->is_waiting = true;
    } else if (h2->send_window <= 0) {
        stream->is_blocked = true;
        amdi_list_push(&h2->blocked, &stream->send_node);
    }
}

void
amdi_h2_unblock(struct amdi_h2 *h2)
{
    struct amdi_list *node = NULL;

    while ((node = amdi_list_pop(&h2->blocked)) != NULL) {
        struct h2_stream *stream =
                AMDI_CONTAINER_OF(node, struct h2_stream, send_node);

        stream->is_blocked = false;
        amdi_h2_schedule(h2, stream);
    }
}

/**
 * Sends one DATA frame, or the end, of a stream whose turn it is. Also without
 * a window it is asked: an end needs none (RFC 9113, section 6.9).
 */
static amdrpc_err
produce_stream(
        struct amdi_h2 *h2, struct h2_stream *stream, struct amdi_out *out)
{
    uint32_t limit = data_limit(h2, stream, out);
    struct amdi_h2_body body = {0};
    bool has_end = false;
    amdrpc_err err = AMDRPC_OK;

    h2->events->on_body(h2->ctx, stream->user, limit, &body);
    if (body.len == 0 && !body.is_last) {
        stream_pause(h2, stream, limit);
        return AMDRPC_OK;
    }
    has_end = body.is_last && body.ntrailers == 0;
    if (body.len > 0 || has_end) {
        produce_data_frame(h2, stream, out, (uint32_t)body.len, has_end);
    }
    if (!body.is_last) {
        amdi_h2_schedule(h2, stream);
        return AMDRPC_OK;
    }
    if (!has_end) {
        err = amdi_h2_push_headers(
                h2, stream->id, body.trailers, body.ntrailers, true);
    }
    if (err == AMDRPC_OK) {
        amdi_h2_end_local(h2, stream);
    }
    return err;
}

/** One round over the streams that have something to say. */
static amdrpc_err
produce_bodies(struct amdi_h2 *h2, struct amdi_out *out)
{
    amdrpc_err err = AMDRPC_OK;

    while (err == AMDRPC_OK && !amdi_list_is_empty(&h2->sending) &&
            amdi_out_has_room(out, AMDI_H2_FRAME_HEADER_BYTES + 1)) {
        struct h2_stream *stream = AMDI_CONTAINER_OF(
                amdi_list_pop(&h2->sending), struct h2_stream, send_node);

        err = produce_stream(h2, stream, out);
        // Trailers in `control` go before what other streams send.
        if (err == AMDRPC_OK && !produce_control(h2, out)) {
            break;
        }
    }
    return err;
}

amdrpc_err
amdi_h2_produce(struct amdi_h2 *h2, struct amdi_out *out)
{
    amdrpc_err err = produce_resets(h2);

    if (err == AMDRPC_OK && produce_control(h2, out) && !h2->has_failed) {
        err = produce_bodies(h2, out);
    }
    // Answers that ended before their requests did.
    if (err == AMDRPC_OK && !amdi_list_is_empty(&h2->resets)) {
        err = produce_resets(h2);
        (void)produce_control(h2, out); // what is left goes next time
    }
    return err;
}
