/** Tests HTTP/2 sessions: two of them, back to back in memory. */
#include "common/alloc.h"
#include "tests/support/h2_pair.h"
#include "tests/support/h2_raw.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"

#include <check.h>

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BIG_BYTES (1024u * 1024u)

static const uint8_t hello[] = "hello, other side";
static const struct amdi_h2_field status_trailer =
        TEST_RAW_FIELD("grpc-status", "0");
static const struct amdi_h2_field request_fields[] = {
        TEST_RAW_FIELD(":method", "POST"),
        TEST_RAW_FIELD(":path", "/p"),
        TEST_RAW_FIELD("te", "trailers"),
};

static struct test_pair_side *const client = &test_pair.client;
static struct test_pair_side *const server = &test_pair.server;

static void
run(void)
{
    ck_assert_int_eq(test_pair_run(), AMDRPC_OK);
}

static void
send_all(struct test_pair_stream *stream, const uint8_t *data, size_t len)
{
    stream->data = data;
    stream->len = len;
    stream->is_finished = true;
}

/** A request that has reached the server; its view of it. */
static struct test_pair_stream *
open_call(bool is_finished)
{
    (void)test_pair_request(hello, sizeof(hello), is_finished);
    run();
    ck_assert_uint_eq(server->nstreams, client->nstreams);
    return &server->streams[server->nstreams - 1];
}

/* ---- calls ---- */

START_TEST(unary_call_goes_there_and_back)
{
    struct test_pair_stream *call = open_call(/*is_finished=*/true);

    ck_assert_str_eq(call->trace, "hde");
    ck_assert_str_eq(
            call->fields, ":method=POST;:scheme=http;:path=/p;te=trailers;");
    ck_assert_uint_eq(call->nreceived, sizeof(hello));

    call->trailers = &status_trailer;
    call->ntrailers = 1;
    send_all(call, hello, sizeof(hello));
    test_pair_respond(call);
    run();

    ck_assert_str_eq(call->trace, "hdec");
    ck_assert_str_eq(client->streams[0].trace, "hdtec");
    ck_assert_str_eq(client->streams[0].fields, ":status=200;grpc-status=0;");
    ck_assert_uint_eq(client->streams[0].nreceived, sizeof(hello));
    ck_assert_int_eq(client->streams[0].code, AMDI_H2_NO_ERROR);
}
END_TEST

START_TEST(trailers_only_answer_is_one_block)
{
    const struct amdi_h2_field fields[] = {
            AMDI_H2_FIELD(":status", "200"), status_trailer};
    struct test_pair_stream *call = open_call(/*is_finished=*/true);

    ck_assert_int_eq(amdi_h2_submit_response(server->h2, call->id, fields, 2,
                             /*has_body=*/false),
            AMDRPC_OK);
    run();

    ck_assert_str_eq(client->streams[0].trace, "hec");
}
END_TEST

START_TEST(answer_without_trailers_ends_with_its_body)
{
    struct test_pair_stream *call = open_call(/*is_finished=*/true);

    send_all(call, hello, sizeof(hello));
    test_pair_respond(call);
    run();

    ck_assert_str_eq(client->streams[0].trace, "hdec");
}
END_TEST

START_TEST(body_that_waits_goes_on_when_resumed)
{
    struct test_pair_stream *call = open_call(/*is_finished=*/false);

    test_pair_respond(call);
    run();
    ck_assert_str_eq(client->streams[0].trace, "h");

    send_all(call, hello, sizeof(hello));
    amdi_h2_resume(server->h2, call->id);
    amdi_h2_resume(server->h2, call->id); // harmless
    run();
    ck_assert_uint_eq(client->streams[0].nreceived, sizeof(hello));
}
END_TEST

START_TEST(streams_go_on_side_by_side)
{
    for (size_t i = 0; i < TEST_PAIR_NSTREAMS; i++) {
        (void)test_pair_request(hello, sizeof(hello), /*is_finished=*/true);
    }
    run();
    for (size_t i = 0; i < TEST_PAIR_NSTREAMS; i++) {
        struct test_pair_stream *call =
                &server->streams[TEST_PAIR_NSTREAMS - 1 - i];

        send_all(call, hello, 1 + i);
        test_pair_respond(call);
    }
    run();

    for (size_t i = 0; i < TEST_PAIR_NSTREAMS; i++) {
        ck_assert_str_eq(client->streams[i].trace, "hdec");
        ck_assert_uint_eq(client->streams[i].nreceived, TEST_PAIR_NSTREAMS - i);
    }
}
END_TEST

START_TEST(informational_answers_are_not_told)
{
    const struct amdi_h2_field hints[] = {
            AMDI_H2_FIELD(":status", "103"), AMDI_H2_FIELD("x-hint", "1")};
    const struct amdi_h2_field status = AMDI_H2_FIELD(":status", "200");
    const struct test_pair_stream *call =
            test_pair_request(hello, 0, /*is_finished=*/true);
    struct amdi_buf raw;

    run();
    amdi_buf_init(&raw);
    test_raw_headers(&raw, 0, (uint32_t)call->id, hints, 2);
    test_raw_headers(&raw, 0, (uint32_t)call->id, &status, 1);
    test_raw_headers(
            &raw, TEST_RAW_END_STREAM, (uint32_t)call->id, &status_trailer, 1);
    ck_assert_int_eq(test_pair_feed(client, &raw), AMDRPC_OK);

    ck_assert_str_eq(call->fields, ":status=200;grpc-status=0;");
    ck_assert_str_eq(call->trace, "htec");
}
END_TEST

/* ---- flow control ---- */

static uint8_t *
make_big(void)
{
    uint8_t *big = malloc(BIG_BYTES);

    ck_assert_ptr_nonnull(big);
    memset(big, 'b', BIG_BYTES);
    big[BIG_BYTES - 1] = 'z';
    return big;
}

START_TEST(big_bodies_pass_the_windows_both_ways)
{
    uint8_t *big = make_big();
    struct test_pair_stream *call = NULL;

    (void)test_pair_request(big, BIG_BYTES, /*is_finished=*/true);
    run();
    call = &server->streams[0];
    ck_assert_uint_eq(call->nreceived, BIG_BYTES);
    ck_assert_int_eq(call->last_byte, 'z');

    send_all(call, big, BIG_BYTES);
    test_pair_respond(call);
    run();
    ck_assert_uint_eq(client->streams[0].nreceived, BIG_BYTES);
    ck_assert_int_eq(client->streams[0].last_byte, 'z');
    free(big);
}
END_TEST

START_TEST(sender_stops_at_the_window_until_bytes_are_consumed)
{
    uint8_t *big = make_big();
    struct test_pair_stream *call = open_call(/*is_finished=*/true);

    client->keeps_window = true;
    send_all(call, big, BIG_BYTES);
    test_pair_respond(call);
    run();
    ck_assert_uint_eq(client->streams[0].nreceived, TEST_PAIR_WINDOW_BYTES);

    amdi_h2_consume(client->h2, client->streams[0].id, TEST_PAIR_WINDOW_BYTES);
    run();
    ck_assert_uint_eq(client->streams[0].nreceived, 2 * TEST_PAIR_WINDOW_BYTES);
    free(big);
}
END_TEST

START_TEST(stream_that_is_not_read_leaves_room_for_others)
{
    uint8_t *big = make_big();
    struct test_pair_stream *slow = open_call(/*is_finished=*/true);
    struct test_pair_stream *quick = open_call(/*is_finished=*/true);

    client->keeps_window = true;
    send_all(slow, big, BIG_BYTES);
    test_pair_respond(slow);
    run();
    send_all(quick, hello, sizeof(hello));
    test_pair_respond(quick);
    run();

    ck_assert_uint_eq(client->streams[1].nreceived, sizeof(hello));
    free(big);
}
END_TEST

/** INITIAL_WINDOW_SIZE of a peer, as raw SETTINGS. */
static void
put_initial_window(struct amdi_buf *raw, uint32_t bytes)
{
    const uint8_t setting[6] = {0, 4, (uint8_t)(bytes >> 24),
            (uint8_t)(bytes >> 16), (uint8_t)(bytes >> 8), (uint8_t)bytes};

    test_raw_frame(raw, TEST_RAW_SETTINGS, 0, 0, setting, sizeof(setting));
}

/** @_i: which window is empty; 0: the stream's, 1: the connection's. */
START_TEST(status_needs_no_window)
{
    uint8_t *big = make_big();
    struct test_pair_stream *call = open_call(/*is_finished=*/true);
    struct test_pair_stream *other = open_call(/*is_finished=*/true);

    client->keeps_window = true;
    call->data = big;
    call->len = _i == 0 ? TEST_PAIR_WINDOW_BYTES : 1;
    test_pair_respond(call);
    run();
    ck_assert_uint_eq(call->len, 0);
    if (_i != 0) {
        struct amdi_buf raw;

        amdi_buf_init(&raw);
        put_initial_window(&raw, BIG_BYTES);
        ck_assert_int_eq(test_pair_feed(server, &raw), AMDRPC_OK);
        send_all(other, big, BIG_BYTES);
        test_pair_respond(other);
        run();
        ck_assert_uint_gt(other->len, 0);
    }
    call->is_finished = true;
    call->trailers = &status_trailer;
    call->ntrailers = 1;
    amdi_h2_resume(server->h2, call->id);
    run();

    ck_assert_str_eq(client->streams[0].trace, "hdtec");
    free(big);
}
END_TEST

START_TEST(window_that_shrinks_below_zero_holds_the_body_back)
{
    uint8_t *big = make_big();
    struct test_pair_stream *calls[2] = {
            open_call(/*is_finished=*/true), open_call(/*is_finished=*/true)};
    struct amdi_buf raw;

    client->keeps_window = true;
    amdi_buf_init(&raw);
    // Both streams have more to send, and the connection takes no more.
    put_initial_window(&raw, BIG_BYTES);
    ck_assert_int_eq(test_pair_feed(server, &raw), AMDRPC_OK);
    for (size_t i = 0; i < 2; i++) {
        send_all(calls[i], big, BIG_BYTES);
        test_pair_respond(calls[i]);
    }
    test_pair_take(server, &raw);
    ck_assert_uint_gt(calls[0]->len, 0);
    ck_assert_uint_gt(calls[1]->len, 0);
    amdi_buf_clear(&raw);
    put_initial_window(&raw, 0);
    test_raw_frame(&raw, TEST_RAW_WINDOW_UPDATE, 0, 0, "\0\x10\0\0", 4);
    ck_assert_int_eq(amdi_h2_receive(server->h2, amdi_buf_peek(&raw),
                             amdi_buf_len(&raw)),
            AMDRPC_OK);
    amdi_buf_clear(&raw);
    test_pair_take(server, &raw);

    // What is produced now is the answer to the SETTINGS, and no DATA.
    ck_assert_uint_eq(amdi_buf_len(&raw), 9);
    amdi_buf_fini(&raw);
    free(big);
}
END_TEST

/* ---- ends ---- */

START_TEST(reset_by_the_client_is_told)
{
    const struct test_pair_stream *call = open_call(/*is_finished=*/false);

    amdi_h2_reset(client->h2, client->streams[0].id, AMDI_H2_CANCEL);
    run();

    ck_assert_str_eq(call->trace, "hdc");
    ck_assert_int_eq(call->code, AMDI_H2_CANCEL);
    ck_assert(call->by_peer);
    ck_assert_str_eq(client->streams[0].trace, "c");
    ck_assert(!client->streams[0].by_peer);
}
END_TEST

START_TEST(data_that_crosses_a_reset_is_dropped)
{
    struct test_pair_stream *call = open_call(/*is_finished=*/true);
    struct amdi_buf late;

    amdi_buf_init(&late);
    send_all(call, hello, sizeof(hello));
    call->trailers = &status_trailer;
    call->ntrailers = 1;
    test_pair_respond(call);
    test_pair_take(server, &late);
    amdi_h2_reset(client->h2, client->streams[0].id, AMDI_H2_CANCEL);
    run();

    ck_assert_int_eq(test_pair_feed(client, &late), AMDRPC_OK);
    ck_assert_str_eq(client->streams[0].trace, "c");
    ck_assert_uint_eq(server->ngoaways, 0);
}
END_TEST

START_TEST(data_that_crosses_a_reset_by_the_server_is_dropped)
{
    struct test_pair_stream *request =
            test_pair_request(hello, sizeof(hello), /*is_finished=*/false);
    struct amdi_buf late;

    run();
    amdi_buf_init(&late);
    send_all(request, hello, sizeof(hello));
    amdi_h2_resume(client->h2, request->id);
    test_pair_take(client, &late);
    amdi_h2_reset(server->h2, request->id, AMDI_H2_CANCEL);
    run();

    ck_assert_int_eq(test_pair_feed(server, &late), AMDRPC_OK);
    ck_assert_str_eq(server->streams[0].trace, "hdc");
    ck_assert_uint_eq(client->ngoaways, 0);
}
END_TEST

START_TEST(nothing_is_told_between_reset_and_close)
{
    struct test_pair_stream *request =
            test_pair_request(hello, sizeof(hello), /*is_finished=*/false);

    run();
    amdi_h2_reset(server->h2, request->id, AMDI_H2_CANCEL);
    send_all(request, hello, sizeof(hello)); // the end comes before the reset
    amdi_h2_resume(client->h2, request->id);
    run();

    ck_assert_str_eq(server->streams[0].trace, "hdc");
}
END_TEST

START_TEST(reset_by_the_server_is_told)
{
    const struct test_pair_stream *call = open_call(/*is_finished=*/false);

    amdi_h2_reset(server->h2, call->id, AMDI_H2_ENHANCE_YOUR_CALM);
    run();

    ck_assert_int_eq(client->streams[0].code, AMDI_H2_ENHANCE_YOUR_CALM);
    ck_assert(client->streams[0].by_peer);
    ck_assert(!call->by_peer);
}
END_TEST

START_TEST(refused_stream_has_no_events)
{
    server->refuses = true;

    (void)test_pair_request(hello, sizeof(hello), /*is_finished=*/true);
    run();

    ck_assert_uint_eq(server->nstreams, 0);
    ck_assert_str_eq(client->streams[0].trace, "c");
    ck_assert_int_eq(client->streams[0].code, AMDI_H2_REFUSED_STREAM);
    ck_assert(client->streams[0].by_peer);
}
END_TEST

START_TEST(answer_before_the_end_of_the_request_resets_it)
{
    struct test_pair_stream *call = open_call(/*is_finished=*/false);

    call->trailers = &status_trailer;
    call->ntrailers = 1;
    send_all(call, hello, sizeof(hello));
    test_pair_respond(call);
    run();

    // RFC 9113, section 8.1: the whole answer, then RST_STREAM(NO_ERROR).
    ck_assert_str_eq(client->streams[0].trace, "hdtec");
    ck_assert_int_eq(client->streams[0].code, AMDI_H2_NO_ERROR);
    ck_assert_str_eq(call->trace, "hdc");
}
END_TEST

START_TEST(session_with_open_streams_is_destroyed)
{
    struct test_pair_stream *call = open_call(/*is_finished=*/false);

    test_pair_respond(call);
    call->data = hello;
    call->len = sizeof(hello);
    run();

    // The fixture destroys both; a sanitizer looks for what is left.
    ck_assert_uint_eq(client->streams[0].nreceived, sizeof(hello));
}
END_TEST

/* ---- malformed requests ---- */

static const struct amdi_h2_field bad_fields[] = {
        TEST_RAW_FIELD("X-Upper", "1"),
        TEST_RAW_FIELD("", "1"),
        TEST_RAW_FIELD("a b", "1"),
        TEST_RAW_FIELD("x", "line\nbreak"),
        TEST_RAW_FIELD("x", "nul\0"),
        TEST_RAW_FIELD("x", " space"),
        TEST_RAW_FIELD("connection", "close"),
        TEST_RAW_FIELD("transfer-encoding", "chunked"),
        TEST_RAW_FIELD(":path", "/after/te"),
        TEST_RAW_FIELD(":", ""),
};

START_TEST(malformed_field_resets_the_stream_alone)
{
    struct amdi_h2_field fields[COUNT(request_fields) + 2];
    struct amdi_buf raw;

    test_pair_pretend_requests(2);
    memcpy(fields, request_fields, sizeof(request_fields));
    fields[COUNT(request_fields)] = bad_fields[_i];
    fields[COUNT(request_fields) + 1] = AMDI_H2_FIELD("after", "1");
    amdi_buf_init(&raw);
    test_raw_headers(&raw, 0, 1, fields, COUNT(fields));
    test_raw_frame(&raw, TEST_RAW_DATA, TEST_RAW_END_STREAM, 1, "x", 1);
    test_raw_headers(&raw, TEST_RAW_END_STREAM, 3, request_fields,
            COUNT(request_fields));
    ck_assert_int_eq(test_pair_feed(server, &raw), AMDRPC_OK);

    ck_assert_str_eq(server->streams[0].trace, "c");
    ck_assert_int_eq(server->streams[0].code, AMDI_H2_PROTOCOL_ERROR);
    ck_assert_str_eq(server->streams[1].trace, "he");
    ck_assert_int_eq(client->streams[0].code, AMDI_H2_PROTOCOL_ERROR);
    ck_assert_uint_eq(client->ngoaways, 0);
}
END_TEST

START_TEST(field_the_owner_rejects_resets_the_stream)
{
    server->rejects = true;

    (void)test_pair_request(hello, sizeof(hello), /*is_finished=*/true);
    run();

    ck_assert_str_eq(server->streams[0].trace, "c");
    ck_assert_int_eq(client->streams[0].code, AMDI_H2_PROTOCOL_ERROR);
}
END_TEST

START_TEST(trailers_end_a_request)
{
    const struct amdi_h2_field trailer = AMDI_H2_FIELD("x-checksum", "1");
    struct amdi_buf raw;

    test_pair_pretend_requests(1);
    amdi_buf_init(&raw);
    test_raw_headers(&raw, 0, 1, request_fields, COUNT(request_fields));
    test_raw_frame(&raw, TEST_RAW_DATA, 0, 1, "x", 1);
    test_raw_headers(&raw, TEST_RAW_END_STREAM, 1, &trailer, 1);
    ck_assert_int_eq(test_pair_feed(server, &raw), AMDRPC_OK);

    ck_assert_str_eq(server->streams[0].trace, "hdte");
}
END_TEST

START_TEST(trailers_that_do_not_end_the_request_reset_it)
{
    const struct amdi_h2_field trailer = AMDI_H2_FIELD("x-checksum", "1");
    struct amdi_buf raw;

    test_pair_pretend_requests(1);
    amdi_buf_init(&raw);
    test_raw_headers(&raw, 0, 1, request_fields, COUNT(request_fields));
    test_raw_headers(&raw, 0, 1, &trailer, 1);
    ck_assert_int_eq(test_pair_feed(server, &raw), AMDRPC_OK);

    ck_assert_str_eq(server->streams[0].trace, "hc");
}
END_TEST

/* ---- the connection ---- */

START_TEST(settings_are_told)
{
    ck_assert_uint_eq(client->nsettings, 1);
    ck_assert_uint_eq(server->nsettings, 1);
    ck_assert_uint_eq(amdi_h2_peer_max_streams(client->h2), TEST_PAIR_NSTREAMS);
}
END_TEST

START_TEST(ping_is_answered)
{
    amdi_h2_submit_ping(client->h2, (const uint8_t *)"12345678");
    run();

    ck_assert_uint_eq(client->nping_acks, 1);
    ck_assert_uint_eq(server->nping_acks, 0);
}
END_TEST

START_TEST(drain_is_told_in_two_steps)
{
    (void)open_call(/*is_finished=*/true);

    amdi_h2_submit_shutdown_notice(server->h2, NULL);
    run();
    ck_assert_uint_eq(client->ngoaways, 1);
    ck_assert_int_eq(client->goaway_last_ids[0], INT32_MAX);

    amdi_h2_submit_goaway(server->h2, AMDI_H2_NO_ERROR, "max_age");
    run();
    ck_assert_uint_eq(client->ngoaways, 2);
    ck_assert_int_eq(client->goaway_last_ids[1], 1);
    ck_assert_int_eq(client->goaway_code, AMDI_H2_NO_ERROR);
    ck_assert_str_eq(client->goaway_debug, "max_age");
}
END_TEST

START_TEST(call_is_answered_after_goaway_and_the_session_ends)
{
    struct test_pair_stream *call = open_call(/*is_finished=*/true);

    amdi_h2_submit_goaway(server->h2, AMDI_H2_NO_ERROR, NULL);
    run();
    ck_assert(!amdi_h2_is_over(server->h2));

    send_all(call, hello, sizeof(hello));
    test_pair_respond(call);
    run();
    ck_assert_str_eq(client->streams[0].trace, "hdec");
    ck_assert(amdi_h2_is_over(server->h2));
}
END_TEST

START_TEST(request_after_goaway_is_refused)
{
    struct test_pair_stream stream = {0};

    (void)open_call(/*is_finished=*/true);
    amdi_h2_submit_goaway(server->h2, AMDI_H2_NO_ERROR, NULL);
    run();

    ck_assert_int_eq(amdi_h2_submit_request(client->h2, request_fields,
                             COUNT(request_fields), &stream, &stream.id),
            AMDRPC_ECLOSED);
}
END_TEST

/** What no peer may send; the whole connection ends. */
static void
put_garbage(struct amdi_buf *raw, int kind)
{
    static const uint8_t nothing[16];

    switch (kind) {
    case 0: // DATA on stream 0
        test_raw_frame(raw, TEST_RAW_DATA, 0, 0, nothing, 1);
        break;
    case 1: // a request on an even stream
        test_raw_headers(raw, 0, 2, request_fields, COUNT(request_fields));
        break;
    case 2: // CONTINUATION out of nowhere
        test_raw_frame(raw, TEST_RAW_CONTINUATION, 0, 1, nothing, 1);
        break;
    case 3: // PING of the wrong size
        test_raw_frame(raw, TEST_RAW_PING, 0, 0, nothing, 7);
        break;
    case 4: // a header block that is no HPACK: index 0
        test_raw_frame(
                raw, TEST_RAW_HEADERS, TEST_RAW_END_HEADERS, 1, "\x80", 1);
        break;
    case 5: // WINDOW_UPDATE beyond what a window can be
        test_raw_frame(
                raw, TEST_RAW_WINDOW_UPDATE, 0, 0, "\x7f\xff\xff\xff", 4);
        break;
    default: // a frame above SETTINGS_MAX_FRAME_SIZE
        ck_assert_int_eq(
                amdi_buf_append(raw, "\x01\x00\x00\x00\x00\x00\x00\x00\x01", 9),
                AMDRPC_OK);
        break;
    }
}

START_TEST(malformed_connection_ends_with_goaway)
{
    struct amdi_buf raw;

    amdi_buf_init(&raw);
    put_garbage(&raw, _i);
    (void)test_pair_feed(server, &raw); // may be an error already
    run();

    ck_assert_uint_eq(client->ngoaways, 1);
    ck_assert_int_ne(client->goaway_code, AMDI_H2_NO_ERROR);
    ck_assert(amdi_h2_is_over(server->h2));
}
END_TEST

static const char *const no_prefaces[] = {"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "PRI * HTTP/1.1\r\n\r\nSM\r\n\r\n....", "\x16\x03\x01\x02\x00\x01"};

START_TEST(what_is_no_http2_is_an_error)
{
    struct test_pair_side side;
    const char *text = no_prefaces[_i];

    ck_assert_int_eq(test_pair_open(&side, /*is_server=*/true), AMDRPC_OK);

    ck_assert_int_eq(
            amdi_h2_receive(side.h2, (const uint8_t *)text, strlen(text)),
            AMDRPC_EPROTO);

    amdi_h2_destroy(side.h2);
}
END_TEST

/* ---- lack of memory ---- */

static amdrpc_err
make_session(void *arg)
{
    struct test_pair_side side;
    amdrpc_err err = test_pair_open(&side, *(const bool *)arg);

    if (err == AMDRPC_OK) {
        amdi_h2_destroy(side.h2);
    }
    return err;
}

START_TEST(session_without_memory_is_an_error)
{
    bool is_server = _i != 0;

    ck_assert_uint_gt(test_sweep_allocations(make_session, &is_server), 5);
}
END_TEST

/** A call while the @n-th allocation fails; it may not come to its end. */
static bool
call_lacks_memory(int64_t n)
{
    bool has_failed = false;
    const struct amdi_h2_field status = AMDI_H2_FIELD(":status", "200");
    struct test_pair_stream *call = NULL;

    test_pair_set_up();
    (void)test_pair_request(hello, sizeof(hello), /*is_finished=*/true);
    amdi_alloc_fail_at(n);
    (void)test_pair_run();
    call = &server->streams[0];
    if (strcmp(call->trace, "hde") == 0) {
        send_all(call, hello, sizeof(hello));
        if (amdi_h2_submit_response(server->h2, call->id, &status, 1,
                    /*has_body=*/true) == AMDRPC_OK) {
            (void)test_pair_run();
        }
    }
    has_failed = amdi_alloc_has_failed();
    amdi_alloc_fail_at(-1);
    ck_assert(has_failed || strcmp(client->streams[0].trace, "hdec") == 0);
    test_pair_tear_down();
    return has_failed;
}

START_TEST(call_without_memory_breaks_nothing)
{
    int64_t n = 0;

    while (call_lacks_memory(n)) {
        n++;
    }
    ck_assert_int_gt(n, 3);
}
END_TEST

static TCase *
add_case(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);

    tcase_add_checked_fixture(tcase, test_pair_set_up, test_pair_tear_down);
    suite_add_tcase(suite, tcase);
    return tcase;
}

static void
add_call_cases(Suite *suite)
{
    TCase *calls = add_case(suite, "calls");
    TCase *flow = add_case(suite, "flow");
    TCase *ends = add_case(suite, "ends");

    tcase_add_test(calls, unary_call_goes_there_and_back);
    tcase_add_test(calls, trailers_only_answer_is_one_block);
    tcase_add_test(calls, answer_without_trailers_ends_with_its_body);
    tcase_add_test(calls, body_that_waits_goes_on_when_resumed);
    tcase_add_test(calls, streams_go_on_side_by_side);
    tcase_add_test(calls, informational_answers_are_not_told);

    tcase_add_test(flow, big_bodies_pass_the_windows_both_ways);
    tcase_add_test(flow, sender_stops_at_the_window_until_bytes_are_consumed);
    tcase_add_test(flow, window_that_shrinks_below_zero_holds_the_body_back);
    tcase_add_loop_test(flow, status_needs_no_window, 0, 2);
    tcase_add_test(flow, stream_that_is_not_read_leaves_room_for_others);

    tcase_add_test(ends, reset_by_the_client_is_told);
    tcase_add_test(ends, data_that_crosses_a_reset_is_dropped);
    tcase_add_test(ends, data_that_crosses_a_reset_by_the_server_is_dropped);
    tcase_add_test(ends, nothing_is_told_between_reset_and_close);
    tcase_add_test(ends, reset_by_the_server_is_told);
    tcase_add_test(ends, refused_stream_has_no_events);
    tcase_add_test(ends, answer_before_the_end_of_the_request_resets_it);
    tcase_add_test(ends, session_with_open_streams_is_destroyed);
}

static void
add_protocol_cases(Suite *suite)
{
    TCase *malformed = add_case(suite, "malformed");
    TCase *connection = add_case(suite, "connection");

    tcase_add_loop_test(malformed, malformed_field_resets_the_stream_alone, 0,
            COUNT(bad_fields));
    tcase_add_test(malformed, field_the_owner_rejects_resets_the_stream);
    tcase_add_test(malformed, trailers_end_a_request);
    tcase_add_test(malformed, trailers_that_do_not_end_the_request_reset_it);

    tcase_add_test(connection, settings_are_told);
    tcase_add_test(connection, ping_is_answered);
    tcase_add_test(connection, drain_is_told_in_two_steps);
    tcase_add_test(
            connection, call_is_answered_after_goaway_and_the_session_ends);
    tcase_add_test(connection, request_after_goaway_is_refused);
    tcase_add_loop_test(
            connection, malformed_connection_ends_with_goaway, 0, 7);
    tcase_add_loop_test(
            connection, what_is_no_http2_is_an_error, 0, COUNT(no_prefaces));
}

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("h2");
    TCase *memory = tcase_create("memory");

    add_call_cases(suite);
    add_protocol_cases(suite);
    tcase_add_loop_test(memory, session_without_memory_is_an_error, 0, 2);
    tcase_add_test(memory, call_without_memory_breaks_nothing);
    suite_add_tcase(suite, memory);
    return suite;
}

TEST_MAIN(make_suite)
