/**
 * HTTP/2 sessions: framing and flow control of our own, HPACK by nghttp2.
 *
 * What comes goes through h2_receive.c (bytes to frames, DATA), h2_block.c
 * (header blocks) and h2_control.c (the rest). What goes is made by
 * h2_send.c, for all streams in turn, only when it can be written. Header
 * blocks are encoded (h2_encode.c) in the order in which they are sent: those
 * in `control` go before any that is made later.
 *
 * A stream that ends while events are told is closed by the next produce, so
 * that its owner never loses it inside its own call; only the peer's RST_STREAM
 * and the regular end close at once.
 */
#include "common/alloc.h"
#include "common/h2/h2_mem.h"
#include "common/h2/h2_session.h"

#include <string.h>

// RFC 9113, section 6.5.2: what each side has before it hears otherwise.
#define HEADER_TABLE_BYTES 4096u

static amdrpc_err
h2_open_hpack(struct amdi_h2 *h2)
{
    if (nghttp2_hd_inflate_new2(&h2->inflater, &amdi_h2_mem) != 0 ||
            nghttp2_hd_deflate_new2(
                    &h2->deflater, HEADER_TABLE_BYTES, &amdi_h2_mem) != 0) {
        return AMDRPC_ENOMEM;
    }
    return AMDRPC_OK;
}

static void
settings_put(uint8_t *out, size_t *n, uint16_t id, uint32_t value)
{
    out[*n] = (uint8_t)(id >> 8);
    out[*n + 1] = (uint8_t)id;
    amdi_h2_put_u32(out + *n + 2, value);
    *n += 6;
}

/** Client and server differ in who may open streams (section 6.5.2). */
static amdrpc_err
h2_push_settings(struct amdi_h2 *h2)
{
    const struct amdi_h2_options *options = &h2->options;
    struct amdi_h2_frame frame = {.type = AMDI_H2_SETTINGS};
    uint8_t payload[5 * 6];
    size_t n = 0;

    if (options->is_server) {
        settings_put(payload, &n, AMDI_H2_SETTING_MAX_CONCURRENT_STREAMS,
                options->max_concurrent_streams);
    } else {
        settings_put(payload, &n, AMDI_H2_SETTING_ENABLE_PUSH, 0);
    }
    settings_put(payload, &n, AMDI_H2_SETTING_INITIAL_WINDOW_SIZE,
            options->stream_window_bytes);
    settings_put(payload, &n, AMDI_H2_SETTING_MAX_HEADER_LIST_SIZE,
            options->max_header_list_bytes);
    if (options->limits->header_table_bytes != HEADER_TABLE_BYTES) {
        settings_put(payload, &n, AMDI_H2_SETTING_HEADER_TABLE_SIZE,
                options->limits->header_table_bytes);
    }
    frame.len = (uint32_t)n;
    return amdi_h2_push_frame(h2, &frame, payload);
}

static amdrpc_err
h2_push_first(struct amdi_h2 *h2)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const struct amdi_h2_frame frame = {
            .len = 4, .type = AMDI_H2_WINDOW_UPDATE};
    uint32_t window = h2->options.connection_window_bytes;
    uint8_t payload[4];
    amdrpc_err err = AMDRPC_OK;

    if (!h2->options.is_server) {
        err = amdi_buf_append(&h2->control, preface, sizeof(preface) - 1);
    }
    if (err == AMDRPC_OK) {
        err = h2_push_settings(h2);
    }
    if (err == AMDRPC_OK && window > AMDI_H2_DEFAULT_WINDOW_BYTES) {
        amdi_h2_put_u32(payload, window - AMDI_H2_DEFAULT_WINDOW_BYTES);
        err = amdi_h2_push_frame(h2, &frame, payload);
    }
    return err;
}

amdrpc_err
amdi_h2_create(const struct amdi_h2_options *options,
        const struct amdi_h2_events *events, void *ctx, struct amdi_h2 **out)
{
    struct amdi_h2 *h2 = amdi_zalloc(sizeof(*h2));
    amdrpc_err err = AMDRPC_ENOMEM;

    if (h2 == NULL) {
        return AMDRPC_ENOMEM;
    }
    h2->events = events;
    h2->ctx = ctx;
    h2->options = *options;
    if (h2->options.limits == NULL) {
        h2->options.limits = &amdi_h2_default_limits;
    }
    h2->guard.limits = h2->options.limits;
    h2->data.type = AMDI_H2_HEADERS; // no DATA is arriving
    h2->send_window = AMDI_H2_DEFAULT_WINDOW_BYTES;
    h2->peer_window_bytes = AMDI_H2_DEFAULT_WINDOW_BYTES;
    h2->peer_max_streams = UINT32_MAX;
    h2->goaway_last_id = INT32_MAX;
    h2->next_id = 1;
    amdi_list_init(&h2->sending);
    amdi_list_init(&h2->blocked);
    amdi_list_init(&h2->resets);
    err = h2_open_hpack(h2);
    if (err == AMDRPC_OK) {
        err = h2_push_first(h2);
    }
    if (err != AMDRPC_OK) {
        amdi_h2_destroy(h2);
        return err;
    }
    *out = h2;
    return AMDRPC_OK;
}

void
amdi_h2_destroy(struct amdi_h2 *h2)
{
    if (h2 == NULL) {
        return;
    }
    amdi_h2_streams_fini(&h2->streams);
    // Unlike ours, these do not accept NULL.
    if (h2->inflater != NULL) {
        nghttp2_hd_inflate_del(h2->inflater);
    }
    if (h2->deflater != NULL) {
        nghttp2_hd_deflate_del(h2->deflater);
    }
    amdi_buf_fini(&h2->partial);
    amdi_buf_fini(&h2->control);
    amdi_free(h2);
}

/* ---- frames to send ---- */

amdrpc_err
amdi_h2_push_frame(struct amdi_h2 *h2, const struct amdi_h2_frame *frame,
        const void *payload)
{
    size_t len = AMDI_H2_FRAME_HEADER_BYTES + frame->len;
    amdrpc_err err = amdi_buf_reserve(&h2->control, len);
    uint8_t *out = NULL;

    if (err != AMDRPC_OK) {
        return err;
    }
    out = h2->control.data + h2->control.end;
    amdi_h2_frame_write(out, frame);
    if (frame->len > 0) {
        memcpy(out + AMDI_H2_FRAME_HEADER_BYTES, payload, frame->len);
    }
    h2->control.end += len;
    return AMDRPC_OK;
}

/* ---- what is submitted ---- */

amdrpc_err
amdi_h2_submit_response(struct amdi_h2 *h2, int32_t stream_id,
        const struct amdi_h2_field *fields, size_t nfields, bool has_body)
{
    struct h2_stream *stream = amdi_h2_find(h2, stream_id);
    amdrpc_err err = AMDRPC_OK;

    if (stream == NULL || stream->state == H2_STREAM_RESETTING) {
        return AMDRPC_OK;
    }
    err = amdi_h2_push_headers(h2, stream_id, fields, nfields, !has_body);
    if (err != AMDRPC_OK) {
        return err;
    }
    if (has_body) {
        stream->has_body = true;
        amdi_h2_schedule(h2, stream);
    } else {
        // Closing now would tell the owner from inside its own call.
        amdi_h2_end_local_later(h2, stream);
    }
    return AMDRPC_OK;
}

amdrpc_err
amdi_h2_submit_request(struct amdi_h2 *h2, const struct amdi_h2_field *fields,
        size_t nfields, void *user, int32_t *out_stream_id)
{
    struct h2_stream *stream = NULL;
    int32_t id = h2->next_id;

    if (h2->has_peer_goaway || h2->has_failed || id > INT32_MAX - 2) {
        return AMDRPC_ECLOSED;
    }
    stream = amdi_h2_open(h2, id, user);
    if (stream == NULL ||
            amdi_h2_push_headers(h2, id, fields, nfields, false) != AMDRPC_OK) {
        if (stream != NULL) {
            stream->user = NULL;
            amdi_h2_close(h2, stream, AMDI_H2_INTERNAL_ERROR, false);
        }
        return AMDRPC_ENOMEM;
    }
    h2->next_id += 2;
    stream->has_body = true;
    amdi_h2_schedule(h2, stream);
    *out_stream_id = id;
    return AMDRPC_OK;
}

void
amdi_h2_resume(struct amdi_h2 *h2, int32_t stream_id)
{
    struct h2_stream *stream = amdi_h2_find(h2, stream_id);

    if (stream == NULL || stream->state == H2_STREAM_RESETTING) {
        return;
    }
    stream->is_waiting = false;
    if (stream->is_blocked) {
        stream->is_blocked = false;
        amdi_list_remove(&stream->send_node);
    }
    amdi_h2_schedule(h2, stream);
}

void
amdi_h2_reset(struct amdi_h2 *h2, int32_t stream_id, enum amdi_h2_code code)
{
    struct h2_stream *stream = amdi_h2_find(h2, stream_id);

    if (stream != NULL) {
        amdi_h2_close_later(h2, stream, code, /*by_peer=*/false);
    }
}

void
amdi_h2_consume(struct amdi_h2 *h2, int32_t stream_id, size_t len)
{
    struct h2_stream *stream = amdi_h2_find(h2, stream_id);

    if (stream != NULL) {
        amdi_h2_give_back(h2, stream, (uint32_t)len);
    }
}

/** @debug: NULL for none. Without memory the connection just closes. */
static void
h2_push_goaway(struct amdi_h2 *h2, int32_t last_id, enum amdi_h2_code code,
        const char *debug)
{
    size_t len = debug == NULL ? 0 : strlen(debug);
    struct amdi_h2_frame frame = {
            .len = (uint32_t)(8 + len), .type = AMDI_H2_GOAWAY};
    uint8_t payload[8 + 128];

    if (len > sizeof(payload) - 8) {
        len = sizeof(payload) - 8;
        frame.len = sizeof(payload);
    }
    amdi_h2_put_u32(payload, (uint32_t)last_id);
    amdi_h2_put_u32(payload + 4, (uint32_t)code);
    if (len > 0) {
        memcpy(payload + 8, debug, len);
    }
    if (amdi_h2_push_frame(h2, &frame, payload) != AMDRPC_OK) {
        h2->has_failed = true; // it closes without a word
    }
}

void
amdi_h2_submit_shutdown_notice(struct amdi_h2 *h2, const char *debug)
{
    h2_push_goaway(h2, INT32_MAX, AMDI_H2_NO_ERROR, debug);
}

void
amdi_h2_submit_goaway(
        struct amdi_h2 *h2, enum amdi_h2_code code, const char *debug)
{
    h2->goaway_last_id = h2->last_peer_id;
    h2->has_sent_goaway = true;
    h2_push_goaway(h2, h2->last_peer_id, code, debug);
}

void
amdi_h2_submit_ping(struct amdi_h2 *h2, const uint8_t opaque[8])
{
    const struct amdi_h2_frame frame = {.len = 8, .type = AMDI_H2_PING};

    // Without memory no answer will come, as from a peer that is gone.
    if (amdi_h2_push_frame(h2, &frame, opaque) == AMDRPC_OK) {
        h2->npings++;
    }
}

uint64_t
amdi_h2_nframes(const struct amdi_h2 *h2)
{
    return h2->nframes;
}

bool
amdi_h2_is_amid_frame(const struct amdi_h2 *h2)
{
    return amdi_buf_len(&h2->partial) > 0 || h2->block_stream_id != 0;
}

int64_t
amdi_h2_send_window(const struct amdi_h2 *h2)
{
    return h2->send_window;
}

size_t
amdi_h2_nqueued(const struct amdi_h2 *h2)
{
    return amdi_buf_len(&h2->control);
}

uint32_t
amdi_h2_peer_max_streams(const struct amdi_h2 *h2)
{
    return h2->peer_max_streams;
}
