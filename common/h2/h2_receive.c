/** HTTP/2 receiving: bytes become frames, DATA becomes events. */
#include "common/alloc.h"
#include "common/clock.h"
#include "common/h2/h2_session.h"

#include <string.h>

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#define PREFACE_BYTES (sizeof(preface) - 1)

amdrpc_err
amdi_h2_fail(struct amdi_h2 *h2, enum amdi_h2_code code, const char *why)
{
    if (!h2->has_failed) {
        h2->has_failed = true;
        amdi_h2_submit_goaway(h2, code, why);
    }
    return AMDRPC_EPROTO;
}

amdrpc_err
amdi_h2_allow(struct amdi_h2 *h2, enum amdi_h2_guarded what, const char *why)
{
    return amdi_h2_calm(
            h2, amdi_h2_guard_take(&h2->guard, what, amdi_clock_now_ms()), why);
}

amdrpc_err
amdi_h2_calm(struct amdi_h2 *h2, bool is_allowed, const char *why)
{
    return is_allowed ? AMDRPC_OK
                      : amdi_h2_fail(h2, AMDI_H2_ENHANCE_YOUR_CALM, why);
}

amdrpc_err
amdi_h2_content(
        struct amdi_h2 *h2, const struct amdi_h2_frame *frame, uint8_t end)
{
    bool is_empty = frame->len == 0 && (frame->flags & end) == 0;

    return amdi_h2_calm(h2, amdi_h2_guard_content(&h2->guard, is_empty),
            "too many empty frames");
}

void
amdi_h2_fault(
        struct amdi_h2 *h2, struct h2_stream *stream, enum amdi_h2_code code)
{
    amdi_h2_close_later(h2, stream, code, /*by_peer=*/false);
    // receive_all sees has_failed.
    (void)amdi_h2_allow(h2, AMDI_H2_GUARD_FAULT, "too many faults on streams");
}

/** Takes what belongs to the client's preface; @return how much. */
static size_t
receive_preface(struct amdi_h2 *h2, const uint8_t *data, size_t len)
{
    size_t n = PREFACE_BYTES - h2->npreface;

    n = n < len ? n : len;
    if (memcmp(data, preface + h2->npreface, n) != 0) {
        (void)amdi_h2_fail(
                h2, AMDI_H2_PROTOCOL_ERROR, "no HTTP/2 connection preface");
        return 0;
    }
    h2->npreface += n;
    return n;
}

/* ---- DATA ---- */

static bool
is_in_data(const struct amdi_h2 *h2)
{
    return h2->data.type == AMDI_H2_DATA && h2->data_left > 0;
}

/**
 * Sends WINDOW_UPDATE once half of a window has been consumed; an eighth is
 * enough for a peer that has used half of it, lest it wait for the other
 * bytes to be taken.
 */
static uint32_t
window_update(struct amdi_h2 *h2, int32_t stream_id, uint32_t nreceived,
        uint32_t nconsumed, uint32_t window)
{
    const struct amdi_h2_frame frame = {
            .len = 4, .type = AMDI_H2_WINDOW_UPDATE, .stream_id = stream_id};
    uint8_t payload[4];
    uint32_t enough = nreceived < window / 2 ? window / 2 : window / 8;

    if (nconsumed == 0 || nconsumed < enough) {
        return 0;
    }
    amdi_h2_put_u32(payload, nconsumed);
    // Without memory it is tried again with the next bytes.
    return amdi_h2_push_frame(h2, &frame, payload) == AMDRPC_OK ? nconsumed : 0;
}

void
amdi_h2_give_back_rest(struct amdi_h2 *h2, const struct h2_stream *stream)
{
    uint32_t rest = stream->nreceived - stream->nconsumed;

    // The rest of a frame that is arriving is given back as it arrives.
    if (is_in_data(h2) && h2->data_stream == stream) {
        rest -= h2->data_left;
    }
    if (rest > 0) {
        amdi_h2_give_back(h2, NULL, rest);
    }
}

void
amdi_h2_give_back(struct amdi_h2 *h2, struct h2_stream *stream, uint32_t len)
{
    uint32_t n = 0;

    h2->nconsumed += len;
    n = window_update(h2, 0, h2->nreceived, h2->nconsumed,
            h2->options.connection_window_bytes);
    h2->nconsumed -= n;
    h2->nreceived -= n;
    if (stream == NULL) {
        return;
    }
    stream->nconsumed += len;
    // A stream whose request has ended needs no window.
    if (stream->state != H2_STREAM_OPEN &&
            stream->state != H2_STREAM_LOCAL_CLOSED) {
        return;
    }
    n = window_update(h2, stream->id, stream->nreceived, stream->nconsumed,
            h2->options.stream_window_bytes);
    stream->nconsumed -= n;
    stream->nreceived -= n;
}

/** What a stream's peer may count on: ours, or the default until it knows. */
static uint32_t
stream_window_limit(const struct amdi_h2 *h2)
{
    uint32_t window = h2->options.stream_window_bytes;

    return h2->has_ack || window > AMDI_H2_DEFAULT_WINDOW_BYTES
            ? window
            : AMDI_H2_DEFAULT_WINDOW_BYTES;
}

/** A connection's window can only be made larger (section 6.9.2). */
static uint32_t
connection_window_limit(const struct amdi_h2 *h2)
{
    uint32_t window = h2->options.connection_window_bytes;

    return window > AMDI_H2_DEFAULT_WINDOW_BYTES ? window
                                                 : AMDI_H2_DEFAULT_WINDOW_BYTES;
}

int64_t
amdi_h2_receive_window(const struct amdi_h2 *h2)
{
    return (int64_t)connection_window_limit(h2) - h2->nreceived;
}

/** Checks that DATA may come on its stream; sets h2->data. */
static amdrpc_err
data_begin(struct amdi_h2 *h2, const struct amdi_h2_frame *frame)
{
    if (amdi_h2_is_idle(h2, frame->stream_id)) {
        return amdi_h2_fail(
                h2, AMDI_H2_PROTOCOL_ERROR, "DATA on an idle stream");
    }
    h2->nreceived += frame->len;
    if (h2->nreceived > connection_window_limit(h2)) {
        return amdi_h2_fail(h2, AMDI_H2_FLOW_CONTROL_ERROR,
                "DATA beyond the connection's window");
    }
    h2->data = *frame;
    h2->data_stream = amdi_h2_find(h2, frame->stream_id);
    h2->data_left = frame->len;
    h2->data_padding = 0;
    return amdi_h2_content(h2, frame, AMDI_H2_END_STREAM);
}

/** A stream's own rules; false when the bytes are for nobody. */
static bool
data_is_wanted(struct amdi_h2 *h2, struct h2_stream *stream)
{
    if (stream == NULL) {
        return false;
    }
    stream->nreceived += h2->data.len;
    if (stream->state == H2_STREAM_RESETTING) {
        return false;
    }
    if (stream->state == H2_STREAM_REMOTE_CLOSED || !stream->has_headers) {
        amdi_h2_fault(h2, stream, AMDI_H2_STREAM_CLOSED);
        return false;
    }
    if (stream->nreceived > stream_window_limit(h2)) {
        amdi_h2_fault(h2, stream, AMDI_H2_FLOW_CONTROL_ERROR);
        return false;
    }
    return stream->user != NULL;
}

/** The length of the padding stands before the data. */
static amdrpc_err
data_read_padding(struct amdi_h2 *h2, uint8_t npadding)
{
    if (npadding >= h2->data.len) {
        return amdi_h2_fail(
                h2, AMDI_H2_PROTOCOL_ERROR, "more padding than DATA");
    }
    h2->data_padding = npadding;
    h2->data_left--;
    amdi_h2_give_back(h2, h2->data_stream, 1);
    return AMDRPC_OK;
}

static void
data_end(struct amdi_h2 *h2)
{
    struct h2_stream *stream = h2->data_stream;

    h2->data_stream = NULL;
    h2->data.type = AMDI_H2_HEADERS; // no DATA is arriving
    if (stream != NULL && (h2->data.flags & AMDI_H2_END_STREAM) != 0) {
        amdi_h2_end_remote(h2, stream);
    }
}

/** Takes payload of the DATA frame in progress; @return how much. */
static size_t
receive_data(struct amdi_h2 *h2, const uint8_t *data, size_t len)
{
    uint32_t body = h2->data_left - h2->data_padding;
    uint32_t n = (uint32_t)(len < h2->data_left ? len : h2->data_left);
    uint32_t nbody = n < body ? n : body;
    struct h2_stream *stream = h2->data_stream;
    bool is_wanted = h2->is_data_wanted && stream != NULL &&
            stream->user != NULL && stream->state != H2_STREAM_RESETTING;
    uint32_t unread = is_wanted ? n - nbody : n;

    h2->data_left -= n;
    if (h2->data_padding > h2->data_left) {
        h2->data_padding = h2->data_left;
    }
    if (is_wanted && nbody > 0) {
        h2->events->on_data(h2->ctx, stream->user, data, nbody);
    }
    // While bytes are held back, others are worth giving back earlier.
    if (unread > 0 || stream->nconsumed < stream->nreceived) {
        amdi_h2_give_back(h2, stream, unread);
    }
    if (h2->data_left == 0) {
        data_end(h2);
    }
    return n;
}

/* ---- frames ---- */

static amdrpc_err
frame_check(struct amdi_h2 *h2, const struct amdi_h2_frame *frame)
{
    if (frame->len > AMDI_H2_MAX_FRAME_BYTES) {
        return amdi_h2_fail(
                h2, AMDI_H2_FRAME_SIZE_ERROR, "a frame is over 16384 bytes");
    }
    if (!h2->has_settings && frame->type != AMDI_H2_SETTINGS) {
        return amdi_h2_fail(
                h2, AMDI_H2_PROTOCOL_ERROR, "the first frame is not SETTINGS");
    }
    if (h2->block_stream_id != 0 &&
            (frame->type != AMDI_H2_CONTINUATION ||
                    frame->stream_id != h2->block_stream_id)) {
        return amdi_h2_fail(
                h2, AMDI_H2_PROTOCOL_ERROR, "a header block is interrupted");
    }
    return AMDRPC_OK;
}

static amdrpc_err
frame_dispatch(struct amdi_h2 *h2, const struct amdi_h2_frame *frame,
        const uint8_t *payload)
{
    switch (frame->type) {
    case AMDI_H2_HEADERS:
        return amdi_h2_on_headers_frame(h2, frame, payload);
    case AMDI_H2_CONTINUATION:
        return amdi_h2_on_continuation_frame(h2, frame, payload);
    default:
        return amdi_h2_on_control_frame(h2, frame, payload);
    }
}

/** Starts a DATA frame; its payload follows through receive_data. */
static amdrpc_err
frame_begin_data(struct amdi_h2 *h2, const struct amdi_h2_frame *frame)
{
    amdrpc_err err = data_begin(h2, frame);

    if (err != AMDRPC_OK) {
        return err;
    }
    h2->is_data_wanted = data_is_wanted(h2, h2->data_stream);
    if (!h2->is_data_wanted) {
        err = amdi_h2_allow(
                h2, AMDI_H2_GUARD_STRAY, "too much DATA after the end");
        if (err != AMDRPC_OK) {
            return err;
        }
    }
    if (frame->len == 0) {
        if ((frame->flags & AMDI_H2_PADDED) != 0) {
            return amdi_h2_fail(
                    h2, AMDI_H2_FRAME_SIZE_ERROR, "padding without its length");
        }
        data_end(h2);
    }
    return AMDRPC_OK;
}

/** Bytes of a frame's start that are needed before it can be looked at. */
static size_t
frame_need(const struct amdi_h2_frame *frame)
{
    if (frame->type != AMDI_H2_DATA) {
        return AMDI_H2_FRAME_HEADER_BYTES + frame->len;
    }
    return AMDI_H2_FRAME_HEADER_BYTES +
            ((frame->flags & AMDI_H2_PADDED) != 0 && frame->len > 0 ? 1 : 0);
}

/**
 * Takes one frame, or the start of a DATA frame, from the front.
 *
 * @out_taken  how much it was; 0: more bytes are needed
 */
static amdrpc_err
receive_frame(
        struct amdi_h2 *h2, const uint8_t *data, size_t len, size_t *out_taken)
{
    struct amdi_h2_frame frame;
    amdrpc_err err = AMDRPC_OK;

    *out_taken = 0;
    if (len < AMDI_H2_FRAME_HEADER_BYTES) {
        return AMDRPC_OK;
    }
    frame = amdi_h2_frame_read(data);
    err = frame_check(h2, &frame);
    if (err != AMDRPC_OK || len < frame_need(&frame)) {
        return err;
    }
    *out_taken = frame_need(&frame);
    data += AMDI_H2_FRAME_HEADER_BYTES;
    if (frame.type != AMDI_H2_DATA) {
        return frame_dispatch(h2, &frame, data);
    }
    err = frame_begin_data(h2, &frame);
    if (err == AMDRPC_OK && (frame.flags & AMDI_H2_PADDED) != 0) {
        err = data_read_padding(h2, data[0]);
        if (err == AMDRPC_OK && h2->data_left == 0) {
            data_end(h2);
        }
    }
    return err;
}

static bool
is_data_frame(const uint8_t *data)
{
    return amdi_h2_frame_read(data).type == AMDI_H2_DATA;
}

/** Takes what can be taken of @len bytes, up to frames_left frames. */
static amdrpc_err
receive_all(
        struct amdi_h2 *h2, const uint8_t *data, size_t len, size_t *out_taken)
{
    size_t done = 0;
    size_t n = 1;

    while (done < len && n > 0 && h2->frames_left > 0) {
        if (h2->options.is_server && h2->npreface < PREFACE_BYTES) {
            n = receive_preface(h2, data + done, len - done);
        } else if (is_in_data(h2)) {
            n = receive_data(h2, data + done, len - done);
        } else {
            amdrpc_err err = receive_frame(h2, data + done, len - done, &n);

            if (err != AMDRPC_OK) {
                return err;
            }
            h2->frames_left -= n > 0 && !is_data_frame(data + done);
        }
        if (h2->has_failed) {
            return AMDRPC_EPROTO;
        }
        done += n;
        // A header block's frames are one: its end is what is waited for.
        h2->nframes += n > 0 && h2->block_stream_id == 0;
    }
    *out_taken = done;
    return AMDRPC_OK;
}

/** How many bytes are missing from the frame whose start was kept. */
static size_t
partial_missing(const struct amdi_h2 *h2)
{
    size_t have = amdi_buf_len(&h2->partial);
    struct amdi_h2_frame frame;

    if (have < AMDI_H2_FRAME_HEADER_BYTES) {
        return AMDI_H2_FRAME_HEADER_BYTES - have;
    }
    frame = amdi_h2_frame_read(amdi_buf_peek(&h2->partial));
    return frame_need(&frame) - have;
}

/**
 * Completes the frame whose start was kept, with no more bytes than it needs:
 * what follows is taken from where it is.
 *
 * @out_taken  of @len
 */
static amdrpc_err
receive_partial(
        struct amdi_h2 *h2, const uint8_t *data, size_t len, size_t *out_taken)
{
    size_t done = 0;

    while (amdi_buf_len(&h2->partial) > 0 && done < len) {
        size_t n = partial_missing(h2);
        size_t taken = 0;
        amdrpc_err err = AMDRPC_OK;

        n = n < len - done ? n : len - done;
        err = amdi_buf_append(&h2->partial, data + done, n);
        done += n;
        if (err == AMDRPC_OK) {
            err = receive_all(h2, amdi_buf_peek(&h2->partial),
                    amdi_buf_len(&h2->partial), &taken);
        }
        if (err != AMDRPC_OK) {
            return err;
        }
        if (taken > 0) {
            amdi_buf_fini(&h2->partial); // idle connections hold none
        }
    }
    *out_taken = done;
    return AMDRPC_OK;
}

amdrpc_err
amdi_h2_receive_some(struct amdi_h2 *h2, const uint8_t *data, size_t len,
        uint32_t max_frames, size_t *out_taken)
{
    size_t joined = 0;
    size_t taken = 0;
    amdrpc_err err = AMDRPC_OK;

    if (h2->has_failed) {
        return AMDRPC_EPROTO;
    }
    h2->frames_left = max_frames;
    if (h2->options.is_server) {
        // Once for all streams of a read, as a clock costs time of each call.
        h2->received_at_ms = (uint32_t)amdi_clock_now_ms();
    }
    err = receive_partial(h2, data, len, &joined);
    if (err == AMDRPC_OK && joined < len) {
        err = receive_all(h2, data + joined, len - joined, &taken);
    }
    taken += joined;
    if (err == AMDRPC_OK && taken < len && h2->frames_left > 0) {
        err = amdi_buf_append(&h2->partial, data + taken, len - taken);
        taken = len;
    }
    *out_taken = taken;
    return err;
}

amdrpc_err
amdi_h2_receive(struct amdi_h2 *h2, const uint8_t *data, size_t len)
{
    size_t taken = 0;

    return amdi_h2_receive_some(h2, data, len, UINT32_MAX, &taken);
}
