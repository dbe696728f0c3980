/** A server that does what a test tells it. */
#include "tests/support/h2_peer.h"

#include "common/alloc.h"
#include "common/frame.h"
#include "common/loop.h"
#include "common/out.h"
#include "common/transport.h"
#include "tests/support/deadline.h"

#include <check.h>
#include <event2/event.h>

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PEER_WAIT_S 10
#define PEER_WINDOW_BYTES 65535u
#define PEER_GOAWAY_BYTES 64u

struct test_peer {
    struct test_peer_options options;
    struct amdi_loop *loop;
    struct event *accepting;
    int fd;
    char target[32];
    struct amdi_list conns; // peer loop only
    struct amdi_task stop_task;

    pthread_mutex_t mtx;
    pthread_cond_t changed;
    unsigned counts[PEER_NCOUNTS];
};

struct test_peer_conn {
    struct test_peer *peer;
    struct amdi_list node;
    struct amdi_transport *transport;
    struct amdi_h2 *h2;
    struct amdi_hook flush_hook;
    struct amdi_hook reap_hook;
    struct amdi_list streams;
    uint8_t goaway[PEER_GOAWAY_BYTES]; // goes out after all else
    size_t ngoaway;
    bool is_silent;
};

struct peer_stream {
    struct test_peer_stream pub; // first
    struct amdi_list node;
    struct amdi_h2_field trailers[2];
};

static void
peer_count(struct test_peer *peer, enum test_peer_count count)
{
    pthread_mutex_lock(&peer->mtx);
    peer->counts[count]++;
    pthread_cond_broadcast(&peer->changed);
    pthread_mutex_unlock(&peer->mtx);
}

unsigned
test_peer_get(struct test_peer *peer, enum test_peer_count count)
{
    pthread_mutex_lock(&peer->mtx);
    unsigned n = peer->counts[count];
    pthread_mutex_unlock(&peer->mtx);
    return n;
}

/** Waits until the count is at least @n, or it has taken too long. */
static unsigned
peer_wait_count(struct test_peer *peer, enum test_peer_count count, unsigned n)
{
    const struct timespec until = test_deadline_ms(PEER_WAIT_S * 1000);
    int rc = 0;

    pthread_mutex_lock(&peer->mtx);
    while (peer->counts[count] < n && rc == 0) {
        rc = pthread_cond_timedwait(&peer->changed, &peer->mtx, &until);
    }
    unsigned is = peer->counts[count];
    pthread_mutex_unlock(&peer->mtx);
    return is;
}

void
test_peer_wait(struct test_peer *peer, enum test_peer_count count, unsigned n)
{
    ck_assert_uint_eq(peer_wait_count(peer, count, n), n);
}

void
test_peer_wait_at_least(
        struct test_peer *peer, enum test_peer_count count, unsigned n)
{
    ck_assert_uint_ge(peer_wait_count(peer, count, n), n);
}

/* ---- connections ---- */

static void
stream_free(struct peer_stream *stream)
{
    amdi_list_remove(&stream->node);
    amdi_buf_fini(&stream->pub.body);
    amdi_buf_fini(&stream->pub.answer);
    amdi_free(stream);
}

static void
conn_on_reap(struct amdi_hook *hook)
{
    struct test_peer_conn *conn =
            AMDI_CONTAINER_OF(hook, struct test_peer_conn, reap_hook);

    amdi_transport_destroy(conn->transport);
    amdi_h2_destroy(conn->h2);
    amdi_hook_cancel(&conn->flush_hook);
    amdi_list_remove(&conn->node);
    while (!amdi_list_is_empty(&conn->streams)) {
        stream_free(AMDI_CONTAINER_OF(
                conn->streams.next, struct peer_stream, node));
    }
    amdi_free(conn);
}

static void
conn_close(struct test_peer_conn *conn)
{
    amdi_loop_at_turn_end(conn->peer->loop, AMDI_TURN_REAP, &conn->reap_hook);
}

static void
conn_flush_later(struct test_peer_conn *conn)
{
    amdi_loop_at_turn_end(conn->peer->loop, AMDI_TURN_FLUSH, &conn->flush_hook);
}

static amdrpc_err
conn_write_once(struct test_peer_conn *conn)
{
    struct amdi_out out;

    amdi_out_init(&out, amdi_loop_write_buffer(conn->peer->loop),
            AMDI_LOOP_BUFFER_BYTES);
    amdrpc_err err = amdi_h2_produce(conn->h2, &out);
    if (err != AMDRPC_OK) {
        return err;
    }
    if (conn->ngoaway > 0 && amdi_out_has_room(&out, conn->ngoaway)) {
        amdi_out_copy(&out, conn->goaway, conn->ngoaway);
        conn->ngoaway = 0;
    }
    return out.nbytes == 0
            ? AMDRPC_EAGAIN
            : amdi_transport_write(conn->transport, out.iov, out.niov);
}

static void
conn_on_flush(struct amdi_hook *hook)
{
    struct test_peer_conn *conn =
            AMDI_CONTAINER_OF(hook, struct test_peer_conn, flush_hook);
    amdrpc_err err = AMDRPC_OK;

    if (conn->peer->options.is_silent || conn->is_silent ||
            amdi_transport_is_blocked(conn->transport)) {
        return;
    }
    AMDI_LIST_FOREACH (node, &conn->streams) {
        amdi_h2_resume(conn->h2,
                AMDI_CONTAINER_OF(node, struct peer_stream, node)->pub.id);
    }
    while (err == AMDRPC_OK &&
            (conn->ngoaway > 0 || amdi_h2_wants_write(conn->h2))) {
        err = conn_write_once(conn);
    }
    if (err != AMDRPC_OK && err != AMDRPC_EAGAIN) {
        conn_close(conn);
    }
}

static void
transport_on_read(void *ctx, const uint8_t *data, size_t len)
{
    struct test_peer_conn *conn = ctx;

    if (amdi_h2_receive(conn->h2, data, len) != AMDRPC_OK) {
        conn_close(conn);
    }
    conn_flush_later(conn);
}

static void
transport_on_drained(void *ctx)
{
    conn_flush_later(ctx);
}

static void
transport_on_closed(void *ctx, amdrpc_err err)
{
    struct test_peer_conn *conn = ctx;

    (void)err;
    peer_count(conn->peer, PEER_NLOST);
    conn_close(conn);
}

static const struct amdi_transport_events transport_events = {
        .on_connected = transport_on_drained, // TLS is ready: as good as room
        .on_read = transport_on_read,
        .on_drained = transport_on_drained,
        .on_closed = transport_on_closed,
};

/* ---- requests ---- */

static void *
h2_on_open(void *ctx, int32_t stream_id)
{
    struct test_peer_conn *conn = ctx;
    struct peer_stream *stream = amdi_zalloc(sizeof(*stream));

    ck_assert_ptr_nonnull(stream);
    stream->pub.peer = conn->peer;
    stream->pub.conn = conn;
    stream->pub.id = stream_id;
    amdi_buf_init(&stream->pub.body);
    amdi_buf_init(&stream->pub.answer);
    amdi_list_init(&stream->node);
    amdi_list_push(&conn->streams, &stream->node);
    return stream;
}

static bool
h2_on_field(void *ctx, void *arg, const struct amdi_h2_field *field)
{
    struct test_peer_stream *stream = arg;
    size_t used = strlen(stream->fields);

    (void)ctx;
    (void)snprintf(stream->fields + used, sizeof(stream->fields) - used,
            "%.*s: %.*s\n", (int)field->name_len, field->name,
            (int)field->value_len, field->value);
    if (field->name_len == 5 && memcmp(field->name, ":path", 5) == 0) {
        (void)snprintf(stream->path, sizeof(stream->path), "%.*s",
                (int)field->value_len, field->value);
    }
    return true;
}

static void
stream_run(struct test_peer_stream *stream, enum test_peer_moment moment)
{
    if (stream->peer->options.on_stream != NULL) {
        stream->peer->options.on_stream(stream, moment);
    }
}

static void
h2_on_headers(void *ctx, void *arg, bool is_trailers)
{
    struct test_peer_stream *stream = arg;

    (void)ctx;
    (void)is_trailers;
    stream_run(stream, PEER_HEADERS);
    peer_count(stream->peer, PEER_NREQUESTS);
}

static void
h2_on_data(void *ctx, void *arg, const uint8_t *data, size_t len)
{
    struct test_peer_conn *conn = ctx;
    struct test_peer_stream *stream = arg;

    ck_assert_int_eq(amdi_buf_append(&stream->body, data, len), AMDRPC_OK);
    if (!conn->peer->options.keeps_window) {
        amdi_h2_consume(conn->h2, stream->id, len);
    }
    stream_run(stream, PEER_DATA);
}

static void
h2_on_end(void *ctx, void *arg)
{
    struct test_peer_stream *stream = arg;

    (void)ctx;
    stream_run(stream, PEER_END);
    peer_count(stream->peer, PEER_NENDS);
}

static void
h2_on_close(void *ctx, void *arg, enum amdi_h2_code code, bool by_peer)
{
    struct test_peer_conn *conn = ctx;

    if (by_peer) {
        peer_count(conn->peer,
                code == AMDI_H2_CANCEL ? PEER_NCANCELS : PEER_NRESETS);
    }
    stream_free(arg);
}

static void
h2_on_body(void *ctx, void *arg, size_t room, struct amdi_h2_body *body)
{
    struct peer_stream *own = arg;
    struct test_peer_stream *stream = &own->pub;
    size_t left = amdi_buf_len(&stream->answer);

    (void)ctx;
    body->len = left < room ? left : room;
    body->is_last = stream->is_finished && body->len == left;
    if (body->is_last && stream->status[0] != '\0') {
        own->trailers[0] = AMDI_H2_FIELD("grpc-status", "");
        own->trailers[0].value = stream->status;
        own->trailers[0].value_len = strlen(stream->status);
        own->trailers[1] = AMDI_H2_FIELD("grpc-message", "");
        own->trailers[1].value = stream->message;
        own->trailers[1].value_len = strlen(stream->message);
        body->trailers = own->trailers;
        body->ntrailers = 2;
    }
}

static void
h2_on_take(void *ctx, void *arg, struct amdi_out *out, size_t len)
{
    struct test_peer_stream *stream = arg;

    (void)ctx;
    amdi_out_copy(out, amdi_buf_peek(&stream->answer), len);
    amdi_buf_consume(&stream->answer, len);
}

static bool
h2_on_ping(void *ctx)
{
    peer_count(((const struct test_peer_conn *)ctx)->peer, PEER_NPINGS);
    return true;
}

static void
h2_on_goaway(void *ctx, int32_t last_stream_id, enum amdi_h2_code code,
        const uint8_t *debug, size_t debug_len)
{
    (void)ctx;
    (void)last_stream_id;
    (void)code;
    (void)debug;
    (void)debug_len;
}

static void
h2_on_ping_ack(void *ctx, const uint8_t opaque[8])
{
    (void)ctx;
    (void)opaque;
}

static const struct amdi_h2_events h2_events = {
        .on_open = h2_on_open,
        .on_field = h2_on_field,
        .on_headers = h2_on_headers,
        .on_data = h2_on_data,
        .on_end = h2_on_end,
        .on_close = h2_on_close,
        .on_body = h2_on_body,
        .on_take = h2_on_take,
        .on_goaway = h2_on_goaway,
        .on_ping = h2_on_ping,
        .on_ping_ack = h2_on_ping_ack,
};

static void
peer_open_conn(struct test_peer *peer, int fd)
{
    const struct amdi_h2_options options = {
            .is_server = true,
            .max_concurrent_streams = peer->options.max_streams == 0
                    ? 100
                    : peer->options.max_streams,
            .stream_window_bytes = PEER_WINDOW_BYTES,
            .connection_window_bytes = PEER_WINDOW_BYTES,
            .max_header_list_bytes = 16384,
    };
    struct test_peer_conn *conn = amdi_zalloc(sizeof(*conn));

    ck_assert_ptr_nonnull(conn);
    conn->peer = peer;
    amdi_list_init(&conn->node);
    amdi_list_push(&peer->conns, &conn->node);
    amdi_list_init(&conn->streams);
    amdi_hook_init(&conn->flush_hook, conn_on_flush);
    amdi_hook_init(&conn->reap_hook, conn_on_reap);
    ck_assert_int_eq(
            amdi_h2_create(&options, &h2_events, conn, &conn->h2), AMDRPC_OK);
    ck_assert_int_eq(amdi_transport_create(peer->loop, fd, &transport_events,
                             conn, &conn->transport),
            AMDRPC_OK);
    if (peer->options.tls != NULL) {
        ck_assert_int_eq(amdi_transport_secure(conn->transport,
                                 peer->options.tls, /*server_name=*/NULL),
                AMDRPC_OK);
    }
    conn_flush_later(conn);
}

static void
peer_on_accept(evutil_socket_t listening, short what, void *arg)
{
    struct test_peer *peer = arg;
    int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    (void)what;
    if (fd < 0) {
        return;
    }
    peer_count(peer, PEER_NCONNS);
    if (peer->options.hangs_up) {
        close(fd);
        return;
    }
    peer_open_conn(peer, fd);
}

/* ---- life ---- */

static void
peer_listen(struct test_peer *peer)
{
    struct sockaddr_in address = {
            .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);

    peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(peer->fd, 0);
    ck_assert_int_eq(bind(peer->fd, (struct sockaddr *)&address, len), 0);
    ck_assert_int_eq(listen(peer->fd, 128), 0);
    ck_assert_int_eq(
            getsockname(peer->fd, (struct sockaddr *)&address, &len), 0);
    (void)snprintf(peer->target, sizeof(peer->target), "127.0.0.1:%u",
            ntohs(address.sin_port));
}

struct test_peer *
test_peer_start(const struct test_peer_options *options)
{
    struct test_peer *peer = amdi_zalloc(sizeof(*peer));

    ck_assert_ptr_nonnull(peer);
    peer->options = *options;
    amdi_list_init(&peer->conns);
    pthread_mutex_init(&peer->mtx, NULL);
    pthread_cond_init(&peer->changed, NULL);
    peer_listen(peer);
    ck_assert_int_eq(amdi_loop_create("test-peer", &peer->loop), AMDRPC_OK);
    peer->accepting = event_new(amdi_loop_base(peer->loop), peer->fd,
            EV_READ | EV_PERSIST, peer_on_accept, peer);
    ck_assert_ptr_nonnull(peer->accepting);
    ck_assert_int_eq(event_add(peer->accepting, NULL), 0);
    ck_assert_int_eq(amdi_loop_start(peer->loop), AMDRPC_OK);
    return peer;
}

static void
peer_on_stop(struct amdi_task *task)
{
    struct test_peer *peer =
            AMDI_CONTAINER_OF(task, struct test_peer, stop_task);

    event_free(peer->accepting);
    AMDI_LIST_FOREACH (node, &peer->conns) {
        conn_close(AMDI_CONTAINER_OF(node, struct test_peer_conn, node));
    }
    amdi_loop_stop(peer->loop);
}

void
test_peer_stop(struct test_peer *peer)
{
    peer->stop_task.run = peer_on_stop;
    amdi_loop_post(peer->loop, &peer->stop_task);
    amdi_loop_join(peer->loop);
    amdi_loop_destroy(peer->loop);
    close(peer->fd);
    pthread_cond_destroy(&peer->changed);
    pthread_mutex_destroy(&peer->mtx);
    amdi_free(peer);
}

const char *
test_peer_target(const struct test_peer *peer)
{
    return peer->target;
}

/* ---- answers ---- */

void
test_peer_respond_raw(struct test_peer_stream *stream,
        const struct amdi_h2_field *fields, size_t nfields, bool is_end)
{
    ck_assert_int_eq(amdi_h2_submit_response(stream->conn->h2, stream->id,
                             fields, nfields, !is_end),
            AMDRPC_OK);
    conn_flush_later(stream->conn);
}

void
test_peer_respond(struct test_peer_stream *stream,
        const struct amdi_h2_field *fields, size_t nfields)
{
    struct amdi_h2_field all[16] = {AMDI_H2_FIELD(":status", "200"),
            AMDI_H2_FIELD("content-type", "application/grpc")};

    ck_assert_uint_le(nfields, 14);
    if (nfields > 0) {
        memcpy(all + 2, fields, nfields * sizeof(*fields));
    }
    test_peer_respond_raw(stream, all, nfields + 2, /*is_end=*/false);
}

void
test_peer_send_raw(
        struct test_peer_stream *stream, const void *data, size_t len)
{
    ck_assert_int_eq(amdi_buf_append(&stream->answer, data, len), AMDRPC_OK);
    conn_flush_later(stream->conn);
}

void
test_peer_send(struct test_peer_stream *stream, const void *data, size_t len)
{
    uint8_t prefix[AMDI_FRAME_PREFIX_BYTES];

    amdi_frame_write_prefix(prefix, /*compressed=*/false, (uint32_t)len);
    test_peer_send_raw(stream, prefix, sizeof(prefix));
    test_peer_send_raw(stream, data, len);
}

void
test_peer_finish(struct test_peer_stream *stream, const char *status,
        const char *message)
{
    (void)snprintf(stream->status, sizeof(stream->status), "%s",
            status == NULL ? "" : status);
    (void)snprintf(stream->message, sizeof(stream->message), "%s", message);
    stream->is_finished = true;
    conn_flush_later(stream->conn);
}

void
test_peer_reset(struct test_peer_stream *stream, enum amdi_h2_code code)
{
    amdi_h2_reset(stream->conn->h2, stream->id, code);
    conn_flush_later(stream->conn);
}

void
test_peer_goaway(struct test_peer_stream *stream, uint32_t last_id,
        enum amdi_h2_code code, const char *debug)
{
    uint8_t *out = stream->conn->goaway;
    size_t len = strlen(debug);
    // RFC 9113, section 6.8: length, type 7, stream 0, last, code, text.
    const uint8_t frame[17] = {0, 0, (uint8_t)(8 + len), 7, 0, 0, 0, 0, 0,
            (uint8_t)(last_id >> 24), (uint8_t)(last_id >> 16),
            (uint8_t)(last_id >> 8), (uint8_t)last_id, 0, 0, 0, (uint8_t)code};

    ck_assert_uint_le(sizeof(frame) + len, PEER_GOAWAY_BYTES);
    memcpy(out, frame, sizeof(frame));
    memcpy(out + sizeof(frame), debug, len);
    stream->conn->ngoaway = sizeof(frame) + len;
    conn_flush_later(stream->conn);
}

void
test_peer_fall_silent(struct test_peer_stream *stream)
{
    stream->conn->is_silent = true;
}

void
test_peer_hang_up(struct test_peer_stream *stream)
{
    conn_close(stream->conn);
}
