/** A gRPC client that hides nothing. */
#include "tests/support/rpc.h"

#include "common/alloc.h"
#include "common/clock.h"
#include "common/frame.h"
#include "common/loop.h"
#include "common/out.h"
#include "tests/support/h2_raw.h"

#include <check.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WINDOW_BYTES 65535u

/* ---- what the session tells ---- */

static void *
on_open(void *ctx, int32_t stream_id)
{
    (void)ctx;
    (void)stream_id;
    return NULL; // servers begin no calls
}

static bool
field_is(const struct amdi_h2_field *field, const char *name)
{
    return field->name_len == strlen(name) &&
            memcmp(field->name, name, field->name_len) == 0;
}

static bool
on_field(void *ctx, void *stream, const struct amdi_h2_field *field)
{
    struct test_rpc *rpc = stream;
    size_t used = strlen(rpc->fields);
    int len = (int)field->value_len;

    (void)ctx;
    (void)snprintf(rpc->fields + used, sizeof(rpc->fields) - used,
            "%.*s: %.*s\n", (int)field->name_len, field->name, len,
            field->value);
    if (field_is(field, ":status")) {
        (void)snprintf(rpc->http_status, sizeof(rpc->http_status), "%.*s", len,
                field->value);
    } else if (field_is(field, "grpc-status")) {
        rpc->status = atoi(field->value);
    } else if (field_is(field, "grpc-message")) {
        (void)snprintf(
                rpc->message, sizeof(rpc->message), "%.*s", len, field->value);
    }
    return true;
}

static void
on_headers(void *ctx, void *stream, bool is_trailers)
{
    struct test_rpc *rpc = stream;

    (void)ctx;
    (void)is_trailers;
    rpc->has_headers = true;
}

static void
on_data(void *ctx, void *stream, const uint8_t *data, size_t len)
{
    struct test_rpc_conn *conn = ctx;
    struct test_rpc *rpc = stream;

    ck_assert_int_eq(amdi_buf_append(&rpc->body, data, len), AMDRPC_OK);
    rpc->nbody += len;
    if (!rpc->keeps_window) {
        amdi_h2_consume(conn->h2, rpc->id, len);
    }
}

static void
on_end(void *ctx, void *stream)
{
    struct test_rpc *rpc = stream;

    (void)ctx;
    rpc->has_ended = true;
}

static void
on_close(void *ctx, void *stream, enum amdi_h2_code code, bool by_peer)
{
    struct test_rpc_conn *conn = ctx;
    struct test_rpc *rpc = stream;

    rpc->is_closed = true;
    rpc->reset = code;
    rpc->is_reset = by_peer && code != AMDI_H2_NO_ERROR;
    conn->nopen--;
}

static void
on_body(void *ctx, void *stream, size_t room, struct amdi_h2_body *body)
{
    const struct test_rpc *rpc = stream;
    size_t len = amdi_buf_len(&rpc->out);

    (void)ctx;
    body->len = len < room ? len : room;
    body->is_last = rpc->is_out_finished && body->len == len;
}

static void
on_take(void *ctx, void *stream, struct amdi_out *out, size_t len)
{
    struct test_rpc *rpc = stream;

    (void)ctx;
    amdi_out_copy(out, amdi_buf_peek(&rpc->out), len);
    amdi_buf_consume(&rpc->out, len);
}

static void
on_goaway(void *ctx, int32_t last_stream_id, enum amdi_h2_code code,
        const uint8_t *debug, size_t debug_len)
{
    struct test_rpc_conn *conn = ctx;

    (void)debug;
    (void)debug_len;
    conn->ngoaways++;
    conn->goaway_last_id = last_stream_id;
    conn->goaway_code = code;
}

static void
on_ping_ack(void *ctx, const uint8_t opaque[8])
{
    (void)ctx;
    (void)opaque;
}

static const struct amdi_h2_events events = {
        .on_open = on_open,
        .on_field = on_field,
        .on_headers = on_headers,
        .on_data = on_data,
        .on_end = on_end,
        .on_close = on_close,
        .on_body = on_body,
        .on_take = on_take,
        .on_goaway = on_goaway,
        .on_ping_ack = on_ping_ack,
};

/* ---- the socket ---- */

static int
socket_connect(uint16_t port)
{
    static const int on = 1;
    const struct sockaddr_in address = {.sin_family = AF_INET,
            .sin_port = htons(port),
            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_msg(connect(fd, (const struct sockaddr *)&address,
                          sizeof(address)) == 0,
            "connect: %s", strerror(errno));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

struct test_rpc_conn *
test_rpc_connect_silent(uint16_t port)
{
    struct test_rpc_conn *conn = amdi_zalloc(sizeof(*conn));

    ck_assert_ptr_nonnull(conn);
    conn->fd = socket_connect(port);
    return conn;
}

struct test_rpc_conn *
test_rpc_connect(uint16_t port)
{
    const struct amdi_h2_options options = {.stream_window_bytes = WINDOW_BYTES,
            .connection_window_bytes = 16 * WINDOW_BYTES,
            .max_header_list_bytes = 8192};
    struct test_rpc_conn *conn = test_rpc_connect_silent(port);

    ck_assert_int_eq(
            amdi_h2_create(&options, &events, conn, &conn->h2), AMDRPC_OK);
    test_rpc_flush(conn);
    return conn;
}

void
test_rpc_hang_up(struct test_rpc_conn *conn)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    (void)setsockopt(
            conn->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    (void)close(conn->fd);
    conn->fd = -1;
    conn->is_lost = true;
}

void
test_rpc_close(struct test_rpc_conn *conn)
{
    if (conn == NULL) {
        return;
    }
    amdi_h2_destroy(conn->h2);
    while (conn->calls != NULL) {
        struct test_rpc *rpc = conn->calls;

        conn->calls = rpc->next;
        amdi_buf_fini(&rpc->body);
        amdi_buf_fini(&rpc->out);
        amdi_free(rpc);
    }
    if (conn->fd >= 0) {
        (void)close(conn->fd);
    }
    amdi_free(conn);
}

void
test_rpc_write_raw(struct test_rpc_conn *conn, const void *data, size_t len)
{
    const char *at = data;

    while (len > 0 && !conn->is_lost) {
        ssize_t n = send(conn->fd, at, len, MSG_NOSIGNAL);

        if (n <= 0) {
            conn->is_lost = true;
            return;
        }
        at += n;
        len -= (size_t)n;
    }
}

static void
conn_write(struct test_rpc_conn *conn)
{
    uint8_t scratch[AMDI_LOOP_BUFFER_BYTES];
    struct amdi_out out;

    while (!conn->is_lost && conn->h2 != NULL &&
            amdi_h2_wants_write(conn->h2)) {
        amdi_out_init(&out, scratch, sizeof(scratch));
        ck_assert_int_eq(amdi_h2_produce(conn->h2, &out), AMDRPC_OK);
        if (out.niov == 0) {
            return;
        }
        for (int i = 0; i < out.niov; i++) {
            test_rpc_write_raw(conn, out.iov[i].iov_base, out.iov[i].iov_len);
        }
    }
}

/** Reads once, after waiting so long; false when nothing came. */
static bool
conn_read(struct test_rpc_conn *conn, int timeout_ms)
{
    uint8_t bytes[16384];
    struct pollfd pfd = {.fd = conn->fd, .events = POLLIN};
    ssize_t n = 0;

    if (conn->is_lost || poll(&pfd, 1, timeout_ms) <= 0) {
        return false;
    }
    n = recv(conn->fd, bytes, sizeof(bytes), 0);
    if (n <= 0) {
        conn->is_lost = true;
        return false;
    }
    if (conn->h2 != NULL) {
        ck_assert_int_eq(
                amdi_h2_receive(conn->h2, bytes, (size_t)n), AMDRPC_OK);
    }
    return true;
}

void
test_rpc_flush(struct test_rpc_conn *conn)
{
    do {
        conn_write(conn);
    } while (conn_read(conn, 0));
}

void
test_rpc_run(struct test_rpc_conn *conn, bool (*is_done)(const void *),
        const void *arg)
{
    uint64_t until_ms = amdi_clock_now_ms() + TEST_RPC_WAIT_MS;

    for (;;) {
        uint64_t now_ms = amdi_clock_now_ms();

        conn_write(conn);
        if (is_done(arg)) {
            return;
        }
        ck_assert_msg(!conn->is_lost, "the server closed the connection");
        ck_assert_msg(now_ms < until_ms, "the server does not answer");
        (void)conn_read(conn, (int)(until_ms - now_ms));
        conn_write(conn);
    }
}

/* ---- calls ---- */

struct test_rpc *
test_rpc_begin_raw(struct test_rpc_conn *conn,
        const struct amdi_h2_field *fields, size_t nfields)
{
    struct test_rpc *rpc = amdi_zalloc(sizeof(*rpc));

    ck_assert_ptr_nonnull(rpc);
    rpc->conn = conn;
    rpc->status = -1;
    amdi_buf_init(&rpc->body);
    amdi_buf_init(&rpc->out);
    rpc->next = conn->calls;
    conn->calls = rpc;
    conn->ncalls++;
    conn->nopen++;
    ck_assert_int_eq(
            amdi_h2_submit_request(conn->h2, fields, nfields, rpc, &rpc->id),
            AMDRPC_OK);
    return rpc;
}

struct test_rpc *
test_rpc_begin(struct test_rpc_conn *conn, const char *path,
        const struct amdi_h2_field *extra, size_t nextra)
{
    struct amdi_h2_field fields[200] = {
            TEST_RAW_FIELD(":method", "POST"),
            TEST_RAW_FIELD(":scheme", "http"),
            TEST_RAW_FIELD(":path", ""),
            TEST_RAW_FIELD(":authority", "localhost"),
            TEST_RAW_FIELD("te", "trailers"),
            TEST_RAW_FIELD("content-type", "application/grpc"),
    };

    ck_assert_uint_le(nextra, 194);
    fields[2].value = path;
    fields[2].value_len = strlen(path);
    for (size_t i = 0; i < nextra; i++) {
        fields[6 + i] = extra[i];
    }
    return test_rpc_begin_raw(conn, fields, 6 + nextra);
}

void
test_rpc_send_raw(struct test_rpc *rpc, const void *data, size_t len)
{
    ck_assert_int_eq(amdi_buf_append(&rpc->out, data, len), AMDRPC_OK);
    amdi_h2_resume(rpc->conn->h2, rpc->id);
}

void
test_rpc_send(struct test_rpc *rpc, const ProtobufCMessage *msg)
{
    size_t len = protobuf_c_message_get_packed_size(msg);
    uint8_t *packed = amdi_alloc(len + AMDI_FRAME_PREFIX_BYTES);

    ck_assert_ptr_nonnull(packed);
    amdi_frame_write_prefix(packed, /*compressed=*/false, (uint32_t)len);
    (void)protobuf_c_message_pack(msg, packed + AMDI_FRAME_PREFIX_BYTES);
    test_rpc_send_raw(rpc, packed, len + AMDI_FRAME_PREFIX_BYTES);
    amdi_free(packed);
}

void
test_rpc_end(struct test_rpc *rpc)
{
    rpc->is_out_finished = true;
    amdi_h2_resume(rpc->conn->h2, rpc->id);
}

void
test_rpc_cancel(struct test_rpc *rpc)
{
    amdi_h2_reset(rpc->conn->h2, rpc->id, AMDI_H2_CANCEL);
    test_rpc_flush(rpc->conn);
}

void
test_rpc_open_window(struct test_rpc *rpc)
{
    rpc->keeps_window = false;
    amdi_h2_consume(rpc->conn->h2, rpc->id, rpc->nbody);
    test_rpc_flush(rpc->conn);
}

ProtobufCMessage *
test_rpc_take(struct test_rpc *rpc, const ProtobufCMessageDescriptor *desc)
{
    const uint8_t *data = amdi_buf_peek(&rpc->body);
    ProtobufCMessage *msg = NULL;
    size_t len = 0;

    if (amdi_buf_len(&rpc->body) < AMDI_FRAME_PREFIX_BYTES) {
        return NULL;
    }
    ck_assert_uint_eq(data[0], 0);
    len = (size_t)data[1] << 24 | (size_t)data[2] << 16 | (size_t)data[3] << 8 |
            data[4];
    if (amdi_buf_len(&rpc->body) < AMDI_FRAME_PREFIX_BYTES + len) {
        return NULL;
    }
    msg = protobuf_c_message_unpack(
            desc, NULL, len, data + AMDI_FRAME_PREFIX_BYTES);
    ck_assert_ptr_nonnull(msg);
    amdi_buf_consume(&rpc->body, AMDI_FRAME_PREFIX_BYTES + len);
    return msg;
}

/* ---- what is usually awaited ---- */

static bool
rpc_is_over(const void *arg)
{
    const struct test_rpc *rpc = arg;

    return rpc->is_closed || rpc->has_ended;
}

void
test_rpc_await(struct test_rpc *rpc)
{
    test_rpc_run(rpc->conn, rpc_is_over, rpc);
}

static bool
conn_has_no_calls(const void *arg)
{
    const struct test_rpc_conn *conn = arg;

    return conn->nopen == 0;
}

void
test_rpc_await_all(struct test_rpc_conn *conn)
{
    test_rpc_run(conn, conn_has_no_calls, conn);
}

struct bytes_goal {
    const struct test_rpc *rpc;
    size_t nbytes;
};

static bool
has_bytes(const void *arg)
{
    const struct bytes_goal *goal = arg;

    return goal->rpc->nbody >= goal->nbytes;
}

void
test_rpc_await_bytes(struct test_rpc *rpc, size_t nbytes)
{
    const struct bytes_goal goal = {.rpc = rpc, .nbytes = nbytes};

    test_rpc_run(rpc->conn, has_bytes, &goal);
}

static bool
conn_is_lost(const void *arg)
{
    const struct test_rpc_conn *conn = arg;

    return conn->is_lost;
}

void
test_rpc_await_lost(struct test_rpc_conn *conn)
{
    test_rpc_run(conn, conn_is_lost, conn);
}

struct goaway_goal {
    const struct test_rpc_conn *conn;
    size_t n;
};

static bool
has_goaways(const void *arg)
{
    const struct goaway_goal *goal = arg;

    return goal->conn->ngoaways >= goal->n;
}

void
test_rpc_await_goaways(struct test_rpc_conn *conn, size_t n)
{
    const struct goaway_goal goal = {.conn = conn, .n = n};

    test_rpc_run(conn, has_goaways, &goal);
}

void
test_rpc_expect(struct test_rpc *rpc, amdrpc_status_code status)
{
    test_rpc_await(rpc);
    ck_assert_msg(rpc->status == (int)status, "%s%s: \"%s\", reset %d",
            rpc->status < 0 ? "no status" : "",
            rpc->status < 0
                    ? ""
                    : amdrpc_status_name((amdrpc_status_code)rpc->status),
            rpc->message, (int)rpc->reset);
}
