/** HTTP/2 receiving: header blocks (RFC 9113, sections 4.3, 6.2 and 8). */
#include "common/h2/h2_field.h"
#include "common/h2/h2_hpack.h"
#include "common/h2/h2_session.h"

#include <string.h>

/** The stream broke the rules: it is reset, and its owner told. */
static void
block_reject(struct amdi_h2 *h2)
{
    amdi_h2_fault(h2, h2->block_stream, AMDI_H2_PROTOCOL_ERROR);
    h2->block_stream = NULL;
}

/** A :status makes its block a response; 1xx ones only announce another. */
static void
block_on_status(struct amdi_h2 *h2, const struct amdi_h2_field *field)
{
    if (field->name_len == 7 && memcmp(field->name, ":status", 7) == 0) {
        h2->is_trailers = false;
        h2->is_informational = field->value_len > 0 && field->value[0] == '1';
    }
}

/** Pseudo fields come first and never in trailers (RFC 9113, section 8.3). */
static bool
block_field_is_in_order(struct amdi_h2 *h2, const struct amdi_h2_field *field)
{
    if (field->name[0] == ':') {
        return !h2->has_seen_regular_field && !h2->is_trailers;
    }
    h2->has_seen_regular_field = true;
    return true;
}

static void
block_on_field(struct amdi_h2 *h2, const nghttp2_nv *nv)
{
    struct amdi_h2_field field = {.name = (const char *)nv->name,
            .name_len = nv->namelen,
            .value = (const char *)nv->value,
            .value_len = nv->valuelen,
            .is_secret = (nv->flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0};

    if (h2->block_stream == NULL || h2->block_stream->user == NULL ||
            h2->block_stream->state == H2_STREAM_RESETTING) {
        return;
    }
    if (!h2->options.is_server) {
        block_on_status(h2, &field);
    }
    if (h2->is_informational) {
        return;
    }
    if (!amdi_h2_field_is_valid(&field) ||
            !block_field_is_in_order(h2, &field) ||
            !h2->events->on_field(h2->ctx, h2->block_stream->user, &field)) {
        block_reject(h2);
    }
}

/** Decodes a part of a block; each field is told as it comes. */
static amdrpc_err
block_inflate(
        struct amdi_h2 *h2, const uint8_t *data, size_t len, bool is_final)
{
    for (;;) {
        nghttp2_nv nv;
        int flags = 0;
        ssize_t n = nghttp2_hd_inflate_hd2(
                h2->inflater, &nv, &flags, data, len, is_final);

        if (n == NGHTTP2_ERR_NOMEM) {
            return AMDRPC_ENOMEM;
        }
        if (n < 0) {
            return amdi_h2_fail(h2, AMDI_H2_COMPRESSION_ERROR,
                    "a header block cannot be decoded");
        }
        data += n;
        len -= (size_t)n;
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
            block_on_field(h2, &nv);
        }
        if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) {
            (void)nghttp2_hd_inflate_end_headers(h2->inflater); // always 0
            return AMDRPC_OK;
        }
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0 && len == 0) {
            return AMDRPC_OK;
        }
    }
}

/** The block is complete. */
static amdrpc_err
block_end(struct amdi_h2 *h2, bool is_same)
{
    struct h2_stream *stream = h2->block_stream;
    bool has_end = (h2->block_flags & AMDI_H2_END_STREAM) != 0;

    h2->block_stream_id = 0;
    h2->block_stream = NULL;
    if (stream == NULL || stream->state == H2_STREAM_RESETTING) {
        return AMDRPC_OK;
    }
    if (h2->is_informational) {
        if (has_end) {
            amdi_h2_fault(h2, stream, AMDI_H2_PROTOCOL_ERROR);
        }
        return AMDRPC_OK;
    }
    // Trailers end their stream (RFC 9113, section 8.1).
    if (h2->is_trailers && !has_end) {
        amdi_h2_fault(h2, stream, AMDI_H2_PROTOCOL_ERROR);
        return AMDRPC_OK;
    }
    stream->has_headers = true;
    if (stream->user != NULL && is_same) {
        h2->events->on_same_headers(h2->ctx, stream->user);
    } else if (stream->user != NULL) {
        h2->told_id = stream->id;
        h2->events->on_headers(h2->ctx, stream->user, h2->is_trailers);
    }
    if (has_end) {
        amdi_h2_end_remote(h2, stream);
    }
    return AMDRPC_OK;
}

static amdrpc_err
block_continue(struct amdi_h2 *h2, const struct amdi_h2_frame *frame,
        const uint8_t *data, size_t len)
{
    bool is_final = (frame->flags & AMDI_H2_END_HEADERS) != 0;
    amdrpc_err err = block_inflate(h2, data, len, is_final);

    if (err != AMDRPC_OK || !is_final) {
        return err;
    }
    return block_end(h2, /*is_same=*/false);
}

/* ---- the same request again ---- */

static bool
same_block_is(const struct amdi_h2 *h2, const uint8_t *data, size_t len)
{
    const struct h2_same_block *same = &h2->same_block;

    return len > 0 && len == same->len && h2->is_new_request &&
            h2->events->on_same_headers != NULL &&
            memcmp(same->bytes, data, len) == 0;
}

/** A header block that lies in one frame: all but very long ones. */
static amdrpc_err
block_single(struct amdi_h2 *h2, const struct amdi_h2_frame *frame,
        const uint8_t *data, size_t len)
{
    struct h2_same_block *same = &h2->same_block;
    int32_t id = frame->stream_id;
    bool keeps_table = false;
    amdrpc_err err = AMDRPC_OK;

    if (same_block_is(h2, data, len)) {
        return block_end(h2, /*is_same=*/true);
    }
    keeps_table =
            len <= sizeof(same->bytes) && amdi_h2_block_keeps_table(data, len);
    if (!keeps_table) {
        same->len = 0; // the table may change
    }
    err = block_continue(h2, frame, data, len);
    if (err == AMDRPC_OK && h2->is_new_request && h2->told_id == id) {
        same->len = keeps_table ? (uint8_t)len : 0;
        memcpy(same->bytes, data, same->len);
    }
    return err;
}

/** Cuts padding and priority off a HEADERS frame's payload. */
static amdrpc_err
headers_strip(struct amdi_h2 *h2, const struct amdi_h2_frame *frame,
        const uint8_t **data, size_t *len)
{
    size_t front = 0;
    size_t back = 0;

    if ((frame->flags & AMDI_H2_PADDED) != 0) {
        front = 1;
        back = frame->len > 0 ? (*data)[0] : 0;
    }
    if ((frame->flags & AMDI_H2_HAS_PRIORITY) != 0) {
        front += 5;
    }
    if (front + back > frame->len) {
        return amdi_h2_fail(
                h2, AMDI_H2_PROTOCOL_ERROR, "HEADERS too short for its flags");
    }
    *data += front;
    *len = frame->len - front - back;
    return AMDRPC_OK;
}

/** Server: a new stream, or one that is refused: then its user stays NULL. */
static amdrpc_err
headers_open(struct amdi_h2 *h2, int32_t id)
{
    struct h2_stream *stream = NULL;

    h2->last_peer_id = id;
    stream = amdi_h2_open(h2, id, NULL);
    if (stream == NULL) {
        return AMDRPC_ENOMEM;
    }
    if (id <= h2->goaway_last_id &&
            h2->streams.nstreams <= h2->options.max_concurrent_streams) {
        stream->user = h2->events->on_open(h2->ctx, id);
    }
    if (stream->user == NULL) {
        amdi_h2_close_later(
                h2, stream, AMDI_H2_REFUSED_STREAM, /*by_peer=*/false);
    }
    h2->block_stream = stream;
    h2->is_trailers = false;
    // A refused stream is as cheap for the peer as one that it resets.
    return stream->user != NULL ? AMDRPC_OK
                                : amdi_h2_allow(h2, AMDI_H2_GUARD_RESET,
                                          "too many refused streams");
}

/** A block on a stream that is open, or was. */
static amdrpc_err
headers_again(struct amdi_h2 *h2, struct h2_stream *stream)
{
    h2->block_stream = stream;
    if (stream == NULL) {
        // Sent before our RST_STREAM came; decoded all the same.
        return amdi_h2_allow(
                h2, AMDI_H2_GUARD_STRAY, "too many HEADERS after the end");
    }
    h2->is_trailers = h2->options.is_server || stream->has_headers;
    if (stream->state == H2_STREAM_REMOTE_CLOSED) {
        return amdi_h2_fail(
                h2, AMDI_H2_STREAM_CLOSED, "HEADERS after END_STREAM");
    }
    return AMDRPC_OK;
}

amdrpc_err
amdi_h2_on_headers_frame(struct amdi_h2 *h2, const struct amdi_h2_frame *frame,
        const uint8_t *payload)
{
    int32_t id = frame->stream_id;
    bool is_new = h2->options.is_server && id > h2->last_peer_id;
    size_t len = 0;
    amdrpc_err err = AMDRPC_OK;

    if (id == 0 || id % 2 == 0 ||
            (!h2->options.is_server && id >= h2->next_id)) {
        return amdi_h2_fail(
                h2, AMDI_H2_PROTOCOL_ERROR, "HEADERS on a stream of no one");
    }
    err = headers_strip(h2, frame, &payload, &len);
    if (err == AMDRPC_OK) {
        err = amdi_h2_content(
                h2, frame, AMDI_H2_END_STREAM | AMDI_H2_END_HEADERS);
    }
    if (err != AMDRPC_OK) {
        return err;
    }
    h2->block_flags = frame->flags;
    h2->ncontinuations = 0;
    h2->is_informational = false;
    h2->has_seen_regular_field = false;
    h2->is_new_request = is_new;
    err = is_new ? headers_open(h2, id)
                 : headers_again(h2, amdi_h2_find(h2, id));
    if (err != AMDRPC_OK) {
        return err;
    }
    h2->block_stream_id = id;
    if ((frame->flags & AMDI_H2_END_HEADERS) != 0) {
        return block_single(h2, frame, payload, len);
    }
    h2->same_block.len = 0; // the table may change
    return block_continue(h2, frame, payload, len);
}

amdrpc_err
amdi_h2_on_continuation_frame(struct amdi_h2 *h2,
        const struct amdi_h2_frame *frame, const uint8_t *payload)
{
    amdrpc_err err = AMDRPC_OK;

    if (h2->block_stream_id == 0) {
        return amdi_h2_fail(
                h2, AMDI_H2_PROTOCOL_ERROR, "CONTINUATION of nothing");
    }
    // A peer that needs more for one block is up to something.
    err = amdi_h2_calm(h2,
            ++h2->ncontinuations <= h2->options.limits->max_continuations,
            "a header block in too many frames");
    if (err == AMDRPC_OK) {
        err = amdi_h2_content(h2, frame, AMDI_H2_END_HEADERS);
    }
    return err == AMDRPC_OK ? block_continue(h2, frame, payload, frame->len)
                            : err;
}
