/** HTTP/2 by nghttp2: what its callbacks become for the owner of a session. */
#include "common/h2_field.h"
#include "common/h2_session.h"

#include <nghttp2/nghttp2.h>

#include <string.h>

#define FRAME_HEADER_BYTES 9u

static void *
h2_stream(struct amdi_h2 *h2, int32_t stream_id)
{
    if (stream_id == h2->field_stream_id) {
        return h2->field_stream;
    }
    return nghttp2_session_get_stream_user_data(h2->session, stream_id);
}

/** Ends a stream that broke the rules; its owner hears of it by on_close. */
static void
h2_reject_stream(struct amdi_h2 *h2, int32_t stream_id, enum amdi_h2_code code)
{
    void *stream = h2_stream(h2, stream_id);

    h2->field_stream = NULL;
    (void)nghttp2_session_set_stream_user_data(h2->session, stream_id, NULL);
    amdi_h2_reset(h2, stream_id, code);
    if (stream != NULL) {
        h2->events->on_close(h2->ctx, stream, code, true);
    }
}

static int
on_begin_headers(
        nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct amdi_h2 *h2 = arg;
    int32_t id = frame->hd.stream_id;

    if (frame->hd.type != NGHTTP2_HEADERS) {
        return 0;
    }
    h2->has_seen_regular_field = false;
    h2->is_informational = false;
    h2->field_stream_id = 0;
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        h2->field_stream = h2->events->on_open(h2->ctx, id);
        h2->is_trailers = false;
        (void)nghttp2_session_set_stream_user_data(
                session, id, h2->field_stream);
        if (h2->field_stream == NULL) {
            amdi_h2_reset(h2, id, AMDI_H2_REFUSED_STREAM);
        }
    } else {
        h2->field_stream = h2_stream(h2, id);
        h2->is_trailers = frame->headers.cat == NGHTTP2_HCAT_HEADERS;
    }
    h2->field_stream_id = id;
    return 0;
}

/** A :status makes its block a response; 1xx ones only announce another. */
static void
h2_on_status(struct amdi_h2 *h2, const struct amdi_h2_field *field)
{
    if (field->name_len == 7 && memcmp(field->name, ":status", 7) == 0) {
        h2->is_trailers = false;
        h2->is_informational = field->value_len > 0 && field->value[0] == '1';
    }
}

/** Pseudo fields come first and never in trailers (RFC 9113, section 8.3). */
static bool
h2_field_is_in_order(struct amdi_h2 *h2, const struct amdi_h2_field *field)
{
    if (field->name_len > 0 && field->name[0] == ':') {
        return !h2->has_seen_regular_field;
    }
    h2->has_seen_regular_field = true;
    return true;
}

static int
on_header(nghttp2_session *session, const nghttp2_frame *frame,
        nghttp2_rcbuf *name, nghttp2_rcbuf *value, uint8_t flags, void *arg)
{
    struct amdi_h2 *h2 = arg;
    nghttp2_vec n = nghttp2_rcbuf_get_buf(name);
    nghttp2_vec v = nghttp2_rcbuf_get_buf(value);
    struct amdi_h2_field field = {.name = (const char *)n.base,
            .name_len = n.len,
            .value = (const char *)v.base,
            .value_len = v.len,
            .is_secret = (flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0};

    (void)session;
    if (frame->hd.type != NGHTTP2_HEADERS || h2->field_stream == NULL) {
        return 0;
    }
    if (!h2->is_server) {
        h2_on_status(h2, &field);
    }
    if (h2->is_informational) {
        return 0;
    }
    if (!amdi_h2_field_is_valid(&field) || !h2_field_is_in_order(h2, &field) ||
            !h2->events->on_field(h2->ctx, h2->field_stream, &field)) {
        h2_reject_stream(h2, frame->hd.stream_id, AMDI_H2_PROTOCOL_ERROR);
    }
    return 0;
}

static void
h2_on_end_stream(struct amdi_h2 *h2, const nghttp2_frame *frame)
{
    void *stream = h2_stream(h2, frame->hd.stream_id);

    if (stream != NULL && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        h2->events->on_end(h2->ctx, stream);
    }
}

/** Trailers of a request end it (RFC 9113, section 8.1). */
static void
h2_on_headers(struct amdi_h2 *h2, const nghttp2_frame *frame)
{
    bool has_ended = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

    if (h2->field_stream == NULL || h2->is_informational) {
        return;
    }
    if (h2->is_trailers && h2->is_server && !has_ended) {
        h2_reject_stream(h2, frame->hd.stream_id, AMDI_H2_PROTOCOL_ERROR);
        return;
    }
    h2->events->on_headers(h2->ctx, h2->field_stream, h2->is_trailers);
    h2_on_end_stream(h2, frame);
}

static int
on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct amdi_h2 *h2 = arg;

    (void)session;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        h2_on_headers(h2, frame);
        break;
    case NGHTTP2_DATA:
        h2_on_end_stream(h2, frame);
        break;
    case NGHTTP2_RST_STREAM:
        h2->reset_stream_id = frame->hd.stream_id;
        break;
    case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) {
            h2->events->on_ping_ack(h2->ctx, frame->ping.opaque_data);
        }
        break;
    case NGHTTP2_GOAWAY:
        h2->events->on_goaway(h2->ctx, frame->goaway.last_stream_id,
                frame->goaway.error_code, frame->goaway.opaque_data,
                frame->goaway.opaque_data_len);
        break;
    case NGHTTP2_SETTINGS:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0 &&
                h2->events->on_settings != NULL) {
            h2->events->on_settings(h2->ctx);
        }
        break;
    default:
        break;
    }
    return 0;
}

static int
on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t stream_id,
        const uint8_t *data, size_t len, void *arg)
{
    struct amdi_h2 *h2 = arg;
    void *stream = h2_stream(h2, stream_id);

    (void)session;
    (void)flags;
    if (stream == NULL) {
        amdi_h2_consume(h2, stream_id, len);
    } else {
        h2->events->on_data(h2->ctx, stream, data, len);
    }
    return 0;
}

static int
on_stream_close(
        nghttp2_session *session, int32_t stream_id, uint32_t code, void *arg)
{
    struct amdi_h2 *h2 = arg;
    void *stream = nghttp2_session_get_stream_user_data(session, stream_id);
    bool by_peer = stream_id == h2->reset_stream_id;

    if (stream_id == h2->field_stream_id) {
        h2->field_stream_id = 0;
        h2->field_stream = NULL;
    }
    if (stream != NULL) {
        h2->events->on_close(h2->ctx, stream, code, by_peer);
    }
    return 0;
}

/** RFC 9113, section 8.1: lets go of a request whose answer is complete. */
static int
on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct amdi_h2 *h2 = arg;
    int32_t id = frame->hd.stream_id;

    if (h2->is_server && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 &&
            (frame->hd.type == NGHTTP2_HEADERS ||
                    frame->hd.type == NGHTTP2_DATA) &&
            nghttp2_session_get_stream_remote_close(session, id) == 0) {
        amdi_h2_reset(h2, id, AMDI_H2_NO_ERROR);
    }
    return 0;
}

static ssize_t
on_send(nghttp2_session *session, const uint8_t *data, size_t len, int flags,
        void *arg)
{
    struct amdi_h2 *h2 = arg;

    (void)session;
    (void)flags;
    if (!amdi_out_has_room(h2->out, len)) {
        return NGHTTP2_ERR_WOULDBLOCK;
    }
    amdi_out_copy(h2->out, data, len);
    return (ssize_t)len;
}

static int
on_send_data(nghttp2_session *session, nghttp2_frame *frame,
        const uint8_t *header, size_t len, nghttp2_data_source *source,
        void *arg)
{
    struct amdi_h2 *h2 = arg;
    void *stream = h2_stream(h2, frame->hd.stream_id);

    (void)session;
    (void)source;
    if (!amdi_out_has_room(h2->out, FRAME_HEADER_BYTES + len)) {
        return NGHTTP2_ERR_WOULDBLOCK;
    }
    if (stream == NULL) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    amdi_out_copy(h2->out, header, FRAME_HEADER_BYTES);
    if (len > 0) {
        h2->events->on_take(h2->ctx, stream, h2->out, len);
    }
    return 0;
}

ssize_t
amdi_h2_on_read(nghttp2_session *session, int32_t stream_id, uint8_t *buf,
        size_t len, uint32_t *data_flags, nghttp2_data_source *source,
        void *arg)
{
    struct amdi_h2 *h2 = arg;
    void *stream = h2_stream(h2, stream_id);
    struct amdi_h2_body body = {0};

    (void)session;
    (void)buf;
    (void)source;
    if (stream == NULL) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    h2->events->on_body(h2->ctx, stream, len, &body);
    if (body.len == 0 && !body.is_last) {
        return NGHTTP2_ERR_DEFERRED;
    }
    *data_flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (body.is_last) {
        *data_flags |= NGHTTP2_DATA_FLAG_EOF;
        if (body.ntrailers > 0) {
            *data_flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            if (!amdi_h2_submit_trailers(
                        h2, stream_id, body.trailers, body.ntrailers)) {
                return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
            }
        }
    }
    return (ssize_t)body.len;
}

amdrpc_err
amdi_h2_make_callbacks(nghttp2_session_callbacks **out)
{
    nghttp2_session_callbacks *cbs = NULL;

    if (nghttp2_session_callbacks_new(&cbs) != 0) {
        return AMDRPC_ENOMEM;
    }
    nghttp2_session_callbacks_set_on_begin_headers_callback(
            cbs, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(cbs, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(cbs, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
            cbs, on_data_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(
            cbs, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(cbs, on_frame_send);
    nghttp2_session_callbacks_set_send_callback(cbs, on_send);
    nghttp2_session_callbacks_set_send_data_callback(cbs, on_send_data);
    *out = cbs;
    return AMDRPC_OK;
}
