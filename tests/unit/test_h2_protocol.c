/** Tests what HTTP/2 sessions make of bad peers, their ends, and lack of
 * memory. */
#include "common/alloc.h"
#include "tests/support/h2_pair.h"
#include "tests/support/h2_raw.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"

#include <check.h>

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const uint8_t hello[] = "hello, other side";
static const struct amdi_h2_field request_fields[] = {
        TEST_RAW_FIELD(":method", "POST"),
        TEST_RAW_FIELD(":path", "/p"),
        TEST_RAW_FIELD("te", "trailers"),
};

static struct test_pair_side *const client = &test_pair.client;
static struct test_pair_side *const server = &test_pair.server;

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
    test_pair_settle();

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
    test_pair_settle();

    ck_assert_uint_eq(client->nping_acks, 1);
    ck_assert_uint_eq(server->nping_acks, 0);
}
END_TEST

START_TEST(answer_to_no_ping_is_not_told)
{
    struct amdi_buf raw;

    amdi_buf_init(&raw);
    test_raw_frame(&raw, TEST_RAW_PING, TEST_RAW_ACK, 0, "12345678", 8);
    ck_assert_int_eq(test_pair_feed(server, &raw), AMDRPC_OK);

    ck_assert_uint_eq(server->nping_acks, 0);
    ck_assert_uint_eq(client->ngoaways, 0);
}
END_TEST

START_TEST(drain_is_told_in_two_steps)
{
    (void)test_pair_open_call(/*is_finished=*/true);

    amdi_h2_submit_shutdown_notice(server->h2, NULL);
    test_pair_settle();
    ck_assert_uint_eq(client->ngoaways, 1);
    ck_assert_int_eq(client->goaway_last_ids[0], INT32_MAX);

    amdi_h2_submit_goaway(server->h2, AMDI_H2_NO_ERROR, "max_age");
    test_pair_settle();
    ck_assert_uint_eq(client->ngoaways, 2);
    ck_assert_int_eq(client->goaway_last_ids[1], 1);
    ck_assert_int_eq(client->goaway_code, AMDI_H2_NO_ERROR);
    ck_assert_str_eq(client->goaway_debug, "max_age");
}
END_TEST

START_TEST(call_is_answered_after_goaway_and_the_session_ends)
{
    struct test_pair_stream *call = test_pair_open_call(/*is_finished=*/true);

    amdi_h2_submit_goaway(server->h2, AMDI_H2_NO_ERROR, NULL);
    test_pair_settle();
    ck_assert(!amdi_h2_is_over(server->h2));

    test_pair_send_all(call, hello, sizeof(hello));
    test_pair_respond(call);
    test_pair_settle();
    ck_assert_str_eq(client->streams[0].trace, "hdec");
    ck_assert(amdi_h2_is_over(server->h2));
}
END_TEST

START_TEST(request_after_goaway_is_refused)
{
    struct test_pair_stream stream = {0};

    (void)test_pair_open_call(/*is_finished=*/true);
    amdi_h2_submit_goaway(server->h2, AMDI_H2_NO_ERROR, NULL);
    test_pair_settle();

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
    test_pair_settle();

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
        test_pair_send_all(call, hello, sizeof(hello));
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

static void
add_protocol_cases(Suite *suite)
{
    TCase *malformed = test_pair_add_case(suite, "malformed");
    TCase *connection = test_pair_add_case(suite, "connection");

    tcase_add_loop_test(malformed, malformed_field_resets_the_stream_alone, 0,
            COUNT(bad_fields));
    tcase_add_test(malformed, field_the_owner_rejects_resets_the_stream);
    tcase_add_test(malformed, trailers_end_a_request);
    tcase_add_test(malformed, trailers_that_do_not_end_the_request_reset_it);

    tcase_add_test(connection, settings_are_told);
    tcase_add_test(connection, ping_is_answered);
    tcase_add_test(connection, answer_to_no_ping_is_not_told);
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
    Suite *suite = suite_create("h2_protocol");
    TCase *memory = tcase_create("memory");

    add_protocol_cases(suite);
    tcase_add_loop_test(memory, session_without_memory_is_an_error, 0, 2);
    tcase_add_test(memory, call_without_memory_breaks_nothing);
    suite_add_tcase(suite, memory);
    return suite;
}

TEST_MAIN(make_suite)
