/** One connection: what its HTTP/2 session tells. */
#include "server/conn/conn.h"
#include "server/conn/request_head.h"
#include "server/server.h"
#include "server/server_loop.h"
#include "server/stream/stream.h"

#include <string.h>

static void *
conn_on_open(void *ctx, int32_t stream_id)
{
    struct amdi_conn *conn = ctx;
    struct amdi_server_loop *sl = conn->sl;
    struct amdi_stream *stream = NULL;

    if (conn->state == AMDI_CONN_ENDING) {
        return NULL;
    }
    if (conn->new_head == NULL) {
        conn->new_head = amdi_request_head_create(
                &sl->server->services, &sl->server->request_limits);
    }
    if (conn->new_head != NULL) {
        stream = amdi_stream_open(sl, conn, stream_id);
    }
    return stream;
}

static bool
conn_on_field(void *ctx, void *stream, const struct amdi_h2_field *field)
{
    struct amdi_conn *conn = ctx;
    const struct amdi_stream *s = stream;

    // Trailers of a request mean nothing in gRPC.
    return s->head != NULL || amdi_request_head_field(conn->new_head, field);
}

static void
conn_on_headers(void *ctx, void *stream, bool is_trailers)
{
    struct amdi_conn *conn = ctx;

    if (!is_trailers) {
        amdi_request_head_unref(conn->head);
        conn->head = conn->new_head;
        conn->new_head = NULL;
        amdi_stream_on_headers(stream, conn->head);
    }
}

static void
conn_on_same_headers(void *ctx, void *stream)
{
    struct amdi_conn *conn = ctx;

    amdi_stream_on_headers(stream, conn->head);
}

static void
conn_on_data(void *ctx, void *stream, const uint8_t *data, size_t len)
{
    (void)ctx;
    amdi_stream_on_data(stream, data, len);
}

static void
conn_on_end(void *ctx, void *stream)
{
    (void)ctx;
    amdi_stream_on_end(stream);
}

static void
conn_on_close(void *ctx, void *stream, enum amdi_h2_code code, bool by_peer)
{
    struct amdi_conn *conn = ctx;
    const struct amdi_stream *s = stream;

    // NO_ERROR may also follow an answer that did not wait for its request.
    if (code == AMDI_H2_NO_ERROR && !by_peer &&
            s->state == AMDI_STREAM_ENDING) {
        conn->counts.nsucceeded++;
    } else {
        conn->counts.nfailed++;
    }
    amdi_stream_on_close(stream);
}

static void
conn_on_body(void *ctx, void *stream, size_t room, struct amdi_h2_body *body)
{
    (void)ctx;
    amdi_stream_on_body(stream, room, body);
}

static void
conn_on_take(void *ctx, void *stream, struct amdi_out *out, size_t len)
{
    (void)ctx;
    amdi_stream_on_take(stream, out, len);
}

static void
conn_on_goaway(void *ctx, int32_t last_stream_id, enum amdi_h2_code code,
        const uint8_t *debug, size_t debug_len)
{
    struct amdi_conn *conn = ctx;

    // The client opens no more streams; those that are open go on.
    conn->counts.has_goaway = true;
    conn->counts.goaway_code = (uint32_t)code;
    (void)last_stream_id;
    (void)debug;
    (void)debug_len;
}

static bool
conn_on_ping(void *ctx)
{
    return amdi_conn_watch_on_ping(ctx);
}

static void
conn_on_ping_ack(void *ctx, const uint8_t opaque[8])
{
    if (memcmp(opaque, amdi_drain_ping, sizeof(amdi_drain_ping)) == 0) {
        amdi_conn_finish_drain(ctx);
    }
}

static void
conn_on_settings(void *ctx)
{
    amdi_conn_has_begun(ctx);
}

const struct amdi_h2_events amdi_conn_events = {
        .on_open = conn_on_open,
        .on_field = conn_on_field,
        .on_headers = conn_on_headers,
        .on_same_headers = conn_on_same_headers,
        .on_data = conn_on_data,
        .on_end = conn_on_end,
        .on_close = conn_on_close,
        .on_body = conn_on_body,
        .on_take = conn_on_take,
        .on_goaway = conn_on_goaway,
        .on_ping = conn_on_ping,
        .on_ping_ack = conn_on_ping_ack,
        .on_settings = conn_on_settings,
};
