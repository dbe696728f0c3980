/** Two HTTP/2 sessions back to back in memory. */
#include "tests/support/h2_pair.h"

#include "common/loop.h"
#include "common/out.h"
#include "tests/support/h2_raw.h"

#include <check.h>

#include <stdio.h>
#include <string.h>

struct test_pair test_pair;

static void
stream_trace(struct test_pair_stream *stream, char letter)
{
    size_t len = strlen(stream->trace);

    if (letter == 'd' && len > 0 && stream->trace[len - 1] == 'd') {
        return;
    }
    ck_assert_uint_lt(len + 1, sizeof(stream->trace));
    stream->trace[len] = letter;
}

static void *
on_open(void *ctx, int32_t stream_id)
{
    struct test_pair_side *side = ctx;
    struct test_pair_stream *stream = NULL;

    if (side->refuses) {
        return NULL;
    }
    ck_assert_uint_lt(side->nstreams, TEST_PAIR_NSTREAMS);
    stream = &side->streams[side->nstreams++];
    stream->side = side;
    stream->id = stream_id;
    return stream;
}

static bool
on_field(void *ctx, void *arg, const struct amdi_h2_field *field)
{
    const struct test_pair_side *side = ctx;
    struct test_pair_stream *stream = arg;
    size_t used = strlen(stream->fields);

    (void)snprintf(stream->fields + used, sizeof(stream->fields) - used,
            "%.*s=%.*s;", (int)field->name_len, field->name,
            (int)field->value_len, field->value);
    return !side->rejects || field->name[0] == ':';
}

static void
on_headers(void *ctx, void *stream, bool is_trailers)
{
    struct test_pair_side *side = ctx;

    side->last_headers = stream;
    stream_trace(stream, is_trailers ? 't' : 'h');
}

static void
on_same_headers(void *ctx, void *arg)
{
    struct test_pair_side *side = ctx;
    struct test_pair_stream *stream = arg;

    ck_assert_str_eq(stream->fields, ""); // none is told
    memcpy(stream->fields, side->last_headers->fields, sizeof(stream->fields));
    stream_trace(stream, 'h');
    side->nsame++;
}

static void
on_data(void *ctx, void *arg, const uint8_t *data, size_t len)
{
    struct test_pair_side *side = ctx;
    struct test_pair_stream *stream = arg;

    stream_trace(stream, 'd');
    stream->nreceived += len;
    stream->last_byte = data[len - 1];
    if (!side->keeps_window) {
        amdi_h2_consume(side->h2, stream->id, len);
    }
}

static void
on_end(void *ctx, void *stream)
{
    (void)ctx;
    stream_trace(stream, 'e');
}

static void
on_close(void *ctx, void *arg, enum amdi_h2_code code, bool by_peer)
{
    struct test_pair_stream *stream = arg;

    (void)ctx;
    stream_trace(stream, 'c');
    stream->code = code;
    stream->by_peer = by_peer;
}

static void
on_body(void *ctx, void *arg, size_t room, struct amdi_h2_body *body)
{
    const struct test_pair_stream *stream = arg;

    (void)ctx;
    body->len = stream->len < room ? stream->len : room;
    body->is_last = stream->is_finished && body->len == stream->len;
    if (body->is_last) {
        body->trailers = stream->trailers;
        body->ntrailers = stream->ntrailers;
    }
}

static void
on_take(void *ctx, void *arg, struct amdi_out *out, size_t len)
{
    struct test_pair_stream *stream = arg;

    (void)ctx;
    ck_assert_uint_le(len, stream->len);
    amdi_out_copy(out, stream->data, len);
    stream->data += len;
    stream->len -= len;
}

static void
on_goaway(void *ctx, int32_t last_stream_id, enum amdi_h2_code code,
        const uint8_t *debug, size_t debug_len)
{
    struct test_pair_side *side = ctx;

    ck_assert_uint_lt(side->ngoaways, 4);
    side->goaway_last_ids[side->ngoaways++] = last_stream_id;
    side->goaway_code = code;
    (void)snprintf(side->goaway_debug, sizeof(side->goaway_debug), "%.*s",
            (int)debug_len, (const char *)debug);
}

static void
on_ping_ack(void *ctx, const uint8_t opaque[8])
{
    struct test_pair_side *side = ctx;

    ck_assert_mem_eq(opaque, "12345678", 8);
    side->nping_acks++;
}

static void
on_settings(void *ctx)
{
    struct test_pair_side *side = ctx;

    side->nsettings++;
}

const struct amdi_h2_events test_pair_events = {
        .on_open = on_open,
        .on_field = on_field,
        .on_headers = on_headers,
        .on_same_headers = on_same_headers,
        .on_data = on_data,
        .on_end = on_end,
        .on_close = on_close,
        .on_body = on_body,
        .on_take = on_take,
        .on_goaway = on_goaway,
        .on_ping_ack = on_ping_ack,
        .on_settings = on_settings,
};

amdrpc_err
test_pair_open(struct test_pair_side *side, bool is_server)
{
    const struct amdi_h2_options options = {.is_server = is_server,
            .max_concurrent_streams = TEST_PAIR_NSTREAMS,
            .stream_window_bytes = TEST_PAIR_WINDOW_BYTES,
            .connection_window_bytes = 4 * TEST_PAIR_WINDOW_BYTES,
            .max_header_list_bytes = 16384};

    memset(side, 0, sizeof(*side));
    return amdi_h2_create(&options, &test_pair_events, side, &side->h2);
}

void
test_pair_set_up(void)
{
    ck_assert_int_eq(test_pair_open(&test_pair.client, false), AMDRPC_OK);
    ck_assert_int_eq(test_pair_open(&test_pair.server, true), AMDRPC_OK);
    ck_assert_int_eq(test_pair_run(), AMDRPC_OK);
}

void
test_pair_tear_down(void)
{
    amdi_h2_destroy(test_pair.client.h2);
    amdi_h2_destroy(test_pair.server.h2);
    memset(&test_pair, 0, sizeof(test_pair));
}

/** Moves what one side has now; AMDRPC_EEND when it has nothing. */
static amdrpc_err
side_send(struct test_pair_side *from, struct test_pair_side *to)
{
    static uint8_t scratch[AMDI_LOOP_BUFFER_BYTES];
    struct amdi_out out;
    amdrpc_err err = AMDRPC_OK;

    amdi_out_init(&out, scratch, sizeof(scratch));
    err = amdi_h2_produce(from->h2, &out);
    if (err != AMDRPC_OK) {
        return err;
    }
    if (out.niov == 0) {
        return AMDRPC_EEND;
    }
    for (int i = 0; i < out.niov && err == AMDRPC_OK; i++) {
        err = amdi_h2_receive(to->h2, out.iov[i].iov_base, out.iov[i].iov_len);
    }
    return err;
}

amdrpc_err
test_pair_run(void)
{
    amdrpc_err to_server = AMDRPC_OK;
    amdrpc_err to_client = AMDRPC_OK;

    while (to_server == AMDRPC_OK || to_client == AMDRPC_OK) {
        to_server = side_send(&test_pair.client, &test_pair.server);
        to_client = side_send(&test_pair.server, &test_pair.client);
        if (to_server != AMDRPC_OK && to_server != AMDRPC_EEND) {
            return to_server;
        }
        if (to_client != AMDRPC_OK && to_client != AMDRPC_EEND) {
            return to_client;
        }
    }
    return AMDRPC_OK;
}

amdrpc_err
test_pair_feed(struct test_pair_side *side, struct amdi_buf *bytes)
{
    amdrpc_err err = amdi_h2_receive(
            side->h2, amdi_buf_peek(bytes), amdi_buf_len(bytes));

    amdi_buf_fini(bytes);
    return err == AMDRPC_OK ? test_pair_run() : err;
}

void
test_pair_take(struct test_pair_side *side, struct amdi_buf *out)
{
    static uint8_t scratch[AMDI_LOOP_BUFFER_BYTES];
    struct amdi_out pieces;

    amdi_out_init(&pieces, scratch, sizeof(scratch));
    ck_assert_int_eq(amdi_h2_produce(side->h2, &pieces), AMDRPC_OK);
    for (int i = 0; i < pieces.niov; i++) {
        ck_assert_int_eq(amdi_buf_append(out, pieces.iov[i].iov_base,
                                 pieces.iov[i].iov_len),
                AMDRPC_OK);
    }
}

void
test_pair_pretend_requests(size_t n)
{
    struct amdi_buf lost;

    amdi_buf_init(&lost);
    for (size_t i = 0; i < n; i++) {
        (void)test_pair_request(NULL, 0, /*is_finished=*/true);
    }
    test_pair_take(&test_pair.client, &lost);
    amdi_buf_fini(&lost);
}

struct test_pair_stream *
test_pair_request(const uint8_t *data, size_t len, bool is_finished)
{
    static const struct amdi_h2_field fields[] = {
            TEST_RAW_FIELD(":method", "POST"),
            TEST_RAW_FIELD(":scheme", "http"),
            TEST_RAW_FIELD(":path", "/p"),
            TEST_RAW_FIELD("te", "trailers"),
    };
    struct test_pair_stream *stream = on_open(&test_pair.client, 0);

    stream->data = data;
    stream->len = len;
    stream->is_finished = is_finished;
    ck_assert_int_eq(
            amdi_h2_submit_request(test_pair.client.h2, fields,
                    sizeof(fields) / sizeof(fields[0]), stream, &stream->id),
            AMDRPC_OK);
    return stream;
}

void
test_pair_respond(struct test_pair_stream *stream)
{
    const struct amdi_h2_field status = AMDI_H2_FIELD(":status", "200");

    ck_assert_int_eq(amdi_h2_submit_response(stream->side->h2, stream->id,
                             &status, 1, /*has_body=*/true),
            AMDRPC_OK);
}

void
test_pair_settle(void)
{
    ck_assert_int_eq(test_pair_run(), AMDRPC_OK);
}

struct test_pair_stream *
test_pair_open_call(bool is_finished)
{
    static const uint8_t hello[] = "hello, other side";
    struct test_pair_side *server = &test_pair.server;

    (void)test_pair_request(hello, sizeof(hello), is_finished);
    test_pair_settle();
    ck_assert_uint_eq(server->nstreams, test_pair.client.nstreams);
    return &server->streams[server->nstreams - 1];
}

void
test_pair_send_all(
        struct test_pair_stream *stream, const uint8_t *data, size_t len)
{
    stream->data = data;
    stream->len = len;
    stream->is_finished = true;
}

TCase *
test_pair_add_case(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);

    tcase_add_checked_fixture(tcase, test_pair_set_up, test_pair_tear_down);
    suite_add_tcase(suite, tcase);
    return tcase;
}
