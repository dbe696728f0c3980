/** HTTP/2 receiving: all frames but DATA and header blocks. */
#include "common/h2/h2_session.h"

#include <string.h>

static amdrpc_err
control_bad_size(struct amdi_h2 *h2)
{
    return amdi_h2_fail(
            h2, AMDI_H2_FRAME_SIZE_ERROR, "a frame of the wrong size");
}

/* ---- SETTINGS (section 6.5) ---- */

/** A new initial window moves every stream's by the difference. */
static void
stream_move_window(
        struct amdi_h2 *h2, struct h2_stream *stream, int64_t difference)
{
    int64_t window = stream->send_window + difference;

    if (window > AMDI_H2_MAX_WINDOW_BYTES) {
        (void)amdi_h2_fail(h2, AMDI_H2_FLOW_CONTROL_ERROR,
                "SETTINGS make a window too large");
        return;
    }
    stream->send_window = (int32_t)window;
    amdi_h2_schedule(h2, stream);
}

static amdrpc_err
settings_set_window(struct amdi_h2 *h2, uint32_t value)
{
    int64_t difference = (int64_t)value - h2->peer_window_bytes;

    if (value > AMDI_H2_MAX_WINDOW_BYTES) {
        return amdi_h2_fail(h2, AMDI_H2_FLOW_CONTROL_ERROR,
                "SETTINGS_INITIAL_WINDOW_SIZE is too large");
    }
    h2->peer_window_bytes = value;
    amdi_h2_each_stream(h2, stream_move_window, difference);
    return h2->has_failed ? AMDRPC_EPROTO : AMDRPC_OK;
}

static amdrpc_err
settings_set(struct amdi_h2 *h2, uint16_t id, uint32_t value)
{
    switch (id) {
    case AMDI_H2_SETTING_HEADER_TABLE_SIZE:
        // It can only shrink ours, which stays at the default otherwise.
        return amdi_h2_set_send_table(h2, value);
    case AMDI_H2_SETTING_ENABLE_PUSH:
        if (value > 1 || (value == 1 && !h2->options.is_server)) {
            return amdi_h2_fail(h2, AMDI_H2_PROTOCOL_ERROR,
                    "SETTINGS_ENABLE_PUSH is out of range");
        }
        return AMDRPC_OK;
    case AMDI_H2_SETTING_MAX_CONCURRENT_STREAMS:
        h2->peer_max_streams = value;
        return AMDRPC_OK;
    case AMDI_H2_SETTING_INITIAL_WINDOW_SIZE:
        return settings_set_window(h2, value);
    case AMDI_H2_SETTING_MAX_FRAME_SIZE:
        if (value < AMDI_H2_MAX_FRAME_BYTES || value > 0xffffff) {
            return amdi_h2_fail(h2, AMDI_H2_PROTOCOL_ERROR,
                    "SETTINGS_MAX_FRAME_SIZE is out of range");
        }
        return AMDRPC_OK;
    default:
        return AMDRPC_OK;
    }
}

static amdrpc_err
settings_acknowledge(struct amdi_h2 *h2)
{
    const struct amdi_h2_frame ack = {
            .type = AMDI_H2_SETTINGS, .flags = AMDI_H2_ACK};
    amdrpc_err err = amdi_h2_push_frame(h2, &ack, NULL);

    if (err == AMDRPC_OK && h2->events->on_settings != NULL) {
        h2->events->on_settings(h2->ctx);
    }
    return err;
}

/** The peer knows our settings: its encoder keeps to our table's size. */
static amdrpc_err
settings_on_ack(struct amdi_h2 *h2)
{
    if (h2->has_ack) {
        return amdi_h2_allow(
                h2, AMDI_H2_GUARD_STRAY, "too many answers to SETTINGS");
    }
    h2->has_ack = true;
    h2->same_block.len = 0; // the table may change
    return nghttp2_hd_inflate_change_table_size(
                   h2->inflater, h2->options.limits->header_table_bytes) == 0
            ? AMDRPC_OK
            : AMDRPC_ENOMEM;
}

static amdrpc_err
on_settings(struct amdi_h2 *h2, const struct amdi_h2_frame *frame,
        const uint8_t *payload)
{
    amdrpc_err err = AMDRPC_OK;

    if (frame->stream_id != 0) {
        return amdi_h2_fail(h2, AMDI_H2_PROTOCOL_ERROR, "SETTINGS on a stream");
    }
    if ((frame->flags & AMDI_H2_ACK) != 0) {
        return frame->len == 0 && h2->has_settings ? settings_on_ack(h2)
                                                   : control_bad_size(h2);
    }
    if (frame->len % 6 != 0) {
        return control_bad_size(h2);
    }
    // RFC 9113 names six settings; a peer may send some more of its own.
    err = amdi_h2_calm(h2, frame->len / 6 <= h2->options.limits->max_settings,
            "too many settings");
    if (err == AMDRPC_OK) {
        err = amdi_h2_allow(h2, AMDI_H2_GUARD_SETTINGS, "too many SETTINGS");
    }
    for (uint32_t i = 0; err == AMDRPC_OK && i < frame->len; i += 6) {
        err = settings_set(h2, amdi_h2_get_u16(payload + i),
                amdi_h2_get_u32(payload + i + 2));
    }
    if (err != AMDRPC_OK) {
        return err;
    }
    h2->has_settings = true;
    return settings_acknowledge(h2);
}

/* ---- PING, GOAWAY, WINDOW_UPDATE, RST_STREAM, PRIORITY ---- */

static amdrpc_err
ping_on_ack(struct amdi_h2 *h2, const uint8_t *payload)
{
    if (h2->npings == 0) {
        return amdi_h2_allow(
                h2, AMDI_H2_GUARD_STRAY, "too many answers to PINGs");
    }
    h2->npings--;
    h2->events->on_ping_ack(h2->ctx, payload);
    return AMDRPC_OK;
}

static amdrpc_err
on_ping(struct amdi_h2 *h2, const struct amdi_h2_frame *frame,
        const uint8_t *payload)
{
    const struct amdi_h2_frame ack = {
            .len = 8, .type = AMDI_H2_PING, .flags = AMDI_H2_ACK};
    amdrpc_err err = AMDRPC_OK;

    if (frame->len != 8) {
        return control_bad_size(h2);
    }
    if (frame->stream_id != 0) {
        return amdi_h2_fail(h2, AMDI_H2_PROTOCOL_ERROR, "PING on a stream");
    }
    if ((frame->flags & AMDI_H2_ACK) != 0) {
        return ping_on_ack(h2, payload);
    }
    err = amdi_h2_allow(h2, AMDI_H2_GUARD_PING, "too_many_pings");
    if (err == AMDRPC_OK && h2->events->on_ping != NULL &&
            !h2->events->on_ping(h2->ctx)) {
        err = amdi_h2_fail(h2, AMDI_H2_ENHANCE_YOUR_CALM, "too_many_pings");
    }
    return err == AMDRPC_OK ? amdi_h2_push_frame(h2, &ack, payload) : err;
}

/** Streams that the peer says it has not looked at. */
static void
stream_close_above(
        struct amdi_h2 *h2, struct h2_stream *stream, int64_t last_id)
{
    if (stream->id > last_id) {
        amdi_h2_close_later(
                h2, stream, AMDI_H2_REFUSED_STREAM, /*by_peer=*/true);
    }
}

static amdrpc_err
on_goaway(struct amdi_h2 *h2, const struct amdi_h2_frame *frame,
        const uint8_t *payload)
{
    int32_t last_id = 0;

    if (frame->len < 8) {
        return control_bad_size(h2);
    }
    if (frame->stream_id != 0) {
        return amdi_h2_fail(h2, AMDI_H2_PROTOCOL_ERROR, "GOAWAY on a stream");
    }
    last_id = (int32_t)(amdi_h2_get_u32(payload) & 0x7fffffffu);
    h2->has_peer_goaway = true;
    h2->events->on_goaway(h2->ctx, last_id, amdi_h2_get_u32(payload + 4),
            payload + 8, frame->len - 8);
    if (!h2->options.is_server) {
        amdi_h2_each_stream(h2, stream_close_above, last_id);
    }
    return amdi_h2_allow(h2, AMDI_H2_GUARD_STRAY, "too many GOAWAYs");
}

/** A connection's window. */
static amdrpc_err
window_grow_connection(struct amdi_h2 *h2, uint32_t n)
{
    if (n == 0) {
        return amdi_h2_fail(
                h2, AMDI_H2_PROTOCOL_ERROR, "WINDOW_UPDATE by nothing");
    }
    if ((int64_t)h2->send_window + n > AMDI_H2_MAX_WINDOW_BYTES) {
        return amdi_h2_fail(h2, AMDI_H2_FLOW_CONTROL_ERROR,
                "WINDOW_UPDATE makes the window too large");
    }
    h2->send_window += (int32_t)n;
    amdi_h2_unblock(h2);
    return AMDRPC_OK;
}

static amdrpc_err
window_grow_stream(struct amdi_h2 *h2, struct h2_stream *stream, uint32_t n)
{
    if (n == 0 || (int64_t)stream->send_window + n > AMDI_H2_MAX_WINDOW_BYTES) {
        amdi_h2_fault(h2, stream,
                n == 0 ? AMDI_H2_PROTOCOL_ERROR : AMDI_H2_FLOW_CONTROL_ERROR);
        return AMDRPC_OK;
    }
    stream->send_window += (int32_t)n;
    amdi_h2_schedule(h2, stream);
    return AMDRPC_OK;
}

static amdrpc_err
on_window_update(struct amdi_h2 *h2, const struct amdi_h2_frame *frame,
        const uint8_t *payload)
{
    struct h2_stream *stream = NULL;
    uint32_t n = 0;
    amdrpc_err err = AMDRPC_OK;

    if (frame->len != 4) {
        return control_bad_size(h2);
    }
    n = amdi_h2_get_u32(payload) & 0x7fffffffu;
    err = amdi_h2_calm(h2, amdi_h2_guard_window_update(&h2->guard),
            "too many WINDOW_UPDATEs");
    if (err != AMDRPC_OK) {
        return err;
    }
    if (frame->stream_id == 0) {
        return window_grow_connection(h2, n);
    }
    stream = amdi_h2_find(h2, frame->stream_id);
    if (stream != NULL && stream->state != H2_STREAM_RESETTING) {
        return window_grow_stream(h2, stream, n);
    }
    if (amdi_h2_is_idle(h2, frame->stream_id)) {
        return amdi_h2_fail(
                h2, AMDI_H2_PROTOCOL_ERROR, "WINDOW_UPDATE on an idle stream");
    }
    return AMDRPC_OK;
}

/**
 * gRPC core up to 1.51 cancels streams whose HEADERS never left (grpc#19655).
 * RFC 9113, section 6.4, would end the connection, with every other call on it.
 */
static bool
is_early_cancel(const struct amdi_h2 *h2, const struct amdi_h2_frame *frame,
        const uint8_t *payload)
{
    return h2->options.is_server && frame->stream_id % 2 == 1 &&
            amdi_h2_get_u32(payload) == AMDI_H2_CANCEL;
}

/** A server's peer may not open streams only to reset them. */
static amdrpc_err
reset_allow(struct amdi_h2 *h2, const struct h2_stream *stream)
{
    amdrpc_err err = amdi_h2_allow(h2, AMDI_H2_GUARD_RESET, "too many resets");

    if (err != AMDRPC_OK || stream == NULL) {
        return err;
    }
    return amdi_h2_calm(h2,
            amdi_h2_guard_reset(
                    &h2->guard, h2->received_at_ms - stream->opened_at_ms),
            "too many early resets");
}

static amdrpc_err
on_rst_stream(struct amdi_h2 *h2, const struct amdi_h2_frame *frame,
        const uint8_t *payload)
{
    struct h2_stream *stream = amdi_h2_find(h2, frame->stream_id);
    amdrpc_err err = AMDRPC_OK;

    if (frame->len != 4) {
        return control_bad_size(h2);
    }
    if (frame->stream_id == 0 ||
            (amdi_h2_is_idle(h2, frame->stream_id) &&
                    !is_early_cancel(h2, frame, payload))) {
        return amdi_h2_fail(
                h2, AMDI_H2_PROTOCOL_ERROR, "RST_STREAM on an idle stream");
    }
    err = h2->options.is_server ? reset_allow(h2, stream) : AMDRPC_OK;
    if (err == AMDRPC_OK && stream != NULL) {
        amdi_h2_close(h2, stream, amdi_h2_get_u32(payload), /*by_peer=*/true);
    }
    return err;
}

/** Obsolete (section 5.3.2); only its form is looked at. */
static amdrpc_err
on_priority(struct amdi_h2 *h2, const struct amdi_h2_frame *frame)
{
    if (frame->stream_id == 0) {
        return amdi_h2_fail(
                h2, AMDI_H2_PROTOCOL_ERROR, "PRIORITY of no stream");
    }
    if (frame->len != 5) {
        return control_bad_size(h2);
    }
    return amdi_h2_calm(
            h2, amdi_h2_guard_priority(&h2->guard), "too many PRIORITYs");
}

amdrpc_err
amdi_h2_on_control_frame(struct amdi_h2 *h2, const struct amdi_h2_frame *frame,
        const uint8_t *payload)
{
    switch (frame->type) {
    case AMDI_H2_SETTINGS:
        return on_settings(h2, frame, payload);
    case AMDI_H2_PING:
        return on_ping(h2, frame, payload);
    case AMDI_H2_GOAWAY:
        return on_goaway(h2, frame, payload);
    case AMDI_H2_WINDOW_UPDATE:
        return on_window_update(h2, frame, payload);
    case AMDI_H2_RST_STREAM:
        return on_rst_stream(h2, frame, payload);
    case AMDI_H2_PRIORITY:
        return on_priority(h2, frame);
    case AMDI_H2_PUSH_PROMISE:
        return amdi_h2_fail(
                h2, AMDI_H2_PROTOCOL_ERROR, "PUSH_PROMISE is switched off");
    default:
        return amdi_h2_allow(
                h2, AMDI_H2_GUARD_STRAY, "too many unknown frames");
    }
}
