/** Tests the streams of HTTP/2 sessions: two of them, back to back in memory.
 */
#include "common/alloc.h"
#include "tests/support/h2_pair.h"
#include "tests/support/h2_raw.h"
#include "tests/support/runner.h"

#include <check.h>

#include <stdlib.h>
#include <string.h>

#define BIG_BYTES (1024u * 1024u)

static const uint8_t hello[] = "hello, other side";
static const struct amdi_h2_field status_trailer =
        TEST_RAW_FIELD("grpc-status", "0");

static struct test_pair_side *const client = &test_pair.client;
static struct test_pair_side *const server = &test_pair.server;

/* ---- calls ---- */

START_TEST(unary_call_goes_there_and_back)
{
    struct test_pair_stream *call = test_pair_open_call(/*is_finished=*/true);

    ck_assert_str_eq(call->trace, "hde");
    ck_assert_str_eq(
            call->fields, ":method=POST;:scheme=http;:path=/p;te=trailers;");
    ck_assert_uint_eq(call->nreceived, sizeof(hello));

    call->trailers = &status_trailer;
    call->ntrailers = 1;
    test_pair_send_all(call, hello, sizeof(hello));
    test_pair_respond(call);
    test_pair_settle();

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
    struct test_pair_stream *call = test_pair_open_call(/*is_finished=*/true);

    ck_assert_int_eq(amdi_h2_submit_response(server->h2, call->id, fields, 2,
                             /*has_body=*/false),
            AMDRPC_OK);
    test_pair_settle();

    ck_assert_str_eq(client->streams[0].trace, "hec");
}
END_TEST

START_TEST(answer_without_trailers_ends_with_its_body)
{
    struct test_pair_stream *call = test_pair_open_call(/*is_finished=*/true);

    test_pair_send_all(call, hello, sizeof(hello));
    test_pair_respond(call);
    test_pair_settle();

    ck_assert_str_eq(client->streams[0].trace, "hdec");
}
END_TEST

START_TEST(body_that_waits_goes_on_when_resumed)
{
    struct test_pair_stream *call = test_pair_open_call(/*is_finished=*/false);

    test_pair_respond(call);
    test_pair_settle();
    ck_assert_str_eq(client->streams[0].trace, "h");

    test_pair_send_all(call, hello, sizeof(hello));
    amdi_h2_resume(server->h2, call->id);
    amdi_h2_resume(server->h2, call->id); // harmless
    test_pair_settle();
    ck_assert_uint_eq(client->streams[0].nreceived, sizeof(hello));
}
END_TEST

START_TEST(streams_go_on_side_by_side)
{
    for (size_t i = 0; i < TEST_PAIR_NSTREAMS; i++) {
        (void)test_pair_request(hello, sizeof(hello), /*is_finished=*/true);
    }
    test_pair_settle();
    for (size_t i = 0; i < TEST_PAIR_NSTREAMS; i++) {
        struct test_pair_stream *call =
                &server->streams[TEST_PAIR_NSTREAMS - 1 - i];

        test_pair_send_all(call, hello, 1 + i);
        test_pair_respond(call);
    }
    test_pair_settle();

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

    test_pair_settle();
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
    test_pair_settle();
    call = &server->streams[0];
    ck_assert_uint_eq(call->nreceived, BIG_BYTES);
    ck_assert_int_eq(call->last_byte, 'z');

    test_pair_send_all(call, big, BIG_BYTES);
    test_pair_respond(call);
    test_pair_settle();
    ck_assert_uint_eq(client->streams[0].nreceived, BIG_BYTES);
    ck_assert_int_eq(client->streams[0].last_byte, 'z');
    free(big);
}
END_TEST

START_TEST(sender_stops_at_the_window_until_bytes_are_consumed)
{
    uint8_t *big = make_big();
    struct test_pair_stream *call = test_pair_open_call(/*is_finished=*/true);

    client->keeps_window = true;
    test_pair_send_all(call, big, BIG_BYTES);
    test_pair_respond(call);
    test_pair_settle();
    ck_assert_uint_eq(client->streams[0].nreceived, TEST_PAIR_WINDOW_BYTES);
    ck_assert_int_eq(amdi_h2_send_window(server->h2),
            amdi_h2_receive_window(client->h2));

    amdi_h2_consume(client->h2, client->streams[0].id, TEST_PAIR_WINDOW_BYTES);
    test_pair_settle();
    ck_assert_uint_eq(client->streams[0].nreceived, 2 * TEST_PAIR_WINDOW_BYTES);
    free(big);
}
END_TEST

START_TEST(bytes_held_back_have_those_before_them_given_back)
{
    const uint32_t read = TEST_PAIR_WINDOW_BYTES / 4;
    uint8_t *big = make_big();
    struct test_pair_stream *call = test_pair_open_call(/*is_finished=*/true);

    call->data = big;
    call->len = read; // too little for a WINDOW_UPDATE
    test_pair_respond(call);
    test_pair_settle();
    client->keeps_window = true;
    test_pair_send_all(call, big, BIG_BYTES);
    amdi_h2_resume(server->h2, call->id);
    test_pair_settle();

    ck_assert_uint_eq(
            client->streams[0].nreceived, TEST_PAIR_WINDOW_BYTES + read);
    free(big);
}
END_TEST

START_TEST(stream_that_is_not_read_leaves_room_for_others)
{
    uint8_t *big = make_big();
    struct test_pair_stream *slow = test_pair_open_call(/*is_finished=*/true);
    struct test_pair_stream *quick = test_pair_open_call(/*is_finished=*/true);

    client->keeps_window = true;
    test_pair_send_all(slow, big, BIG_BYTES);
    test_pair_respond(slow);
    test_pair_settle();
    test_pair_send_all(quick, hello, sizeof(hello));
    test_pair_respond(quick);
    test_pair_settle();

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
    struct test_pair_stream *call = test_pair_open_call(/*is_finished=*/true);
    struct test_pair_stream *other = test_pair_open_call(/*is_finished=*/true);

    client->keeps_window = true;
    call->data = big;
    call->len = _i == 0 ? TEST_PAIR_WINDOW_BYTES : 1;
    test_pair_respond(call);
    test_pair_settle();
    ck_assert_uint_eq(call->len, 0);
    if (_i != 0) {
        struct amdi_buf raw;

        amdi_buf_init(&raw);
        put_initial_window(&raw, BIG_BYTES);
        ck_assert_int_eq(test_pair_feed(server, &raw), AMDRPC_OK);
        test_pair_send_all(other, big, BIG_BYTES);
        test_pair_respond(other);
        test_pair_settle();
        ck_assert_uint_gt(other->len, 0);
    }
    call->is_finished = true;
    call->trailers = &status_trailer;
    call->ntrailers = 1;
    amdi_h2_resume(server->h2, call->id);
    test_pair_settle();

    ck_assert_str_eq(client->streams[0].trace, "hdtec");
    free(big);
}
END_TEST

START_TEST(window_that_shrinks_below_zero_holds_the_body_back)
{
    uint8_t *big = make_big();
    struct test_pair_stream *calls[2] = {
            test_pair_open_call(/*is_finished=*/true),
            test_pair_open_call(/*is_finished=*/true)};
    struct amdi_buf raw;

    client->keeps_window = true;
    amdi_buf_init(&raw);
    // Both streams have more to send, and the connection takes no more.
    put_initial_window(&raw, BIG_BYTES);
    ck_assert_int_eq(test_pair_feed(server, &raw), AMDRPC_OK);
    for (size_t i = 0; i < 2; i++) {
        test_pair_send_all(calls[i], big, BIG_BYTES);
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
    const struct test_pair_stream *call =
            test_pair_open_call(/*is_finished=*/false);

    amdi_h2_reset(client->h2, client->streams[0].id, AMDI_H2_CANCEL);
    test_pair_settle();

    ck_assert_str_eq(call->trace, "hdc");
    ck_assert_int_eq(call->code, AMDI_H2_CANCEL);
    ck_assert(call->by_peer);
    ck_assert_str_eq(client->streams[0].trace, "c");
    ck_assert(!client->streams[0].by_peer);
}
END_TEST

START_TEST(data_that_crosses_a_reset_is_dropped)
{
    struct test_pair_stream *call = test_pair_open_call(/*is_finished=*/true);
    struct amdi_buf late;

    amdi_buf_init(&late);
    test_pair_send_all(call, hello, sizeof(hello));
    call->trailers = &status_trailer;
    call->ntrailers = 1;
    test_pair_respond(call);
    test_pair_take(server, &late);
    amdi_h2_reset(client->h2, client->streams[0].id, AMDI_H2_CANCEL);
    test_pair_settle();

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

    test_pair_settle();
    amdi_buf_init(&late);
    test_pair_send_all(request, hello, sizeof(hello));
    amdi_h2_resume(client->h2, request->id);
    test_pair_take(client, &late);
    amdi_h2_reset(server->h2, request->id, AMDI_H2_CANCEL);
    test_pair_settle();

    ck_assert_int_eq(test_pair_feed(server, &late), AMDRPC_OK);
    ck_assert_str_eq(server->streams[0].trace, "hdc");
    ck_assert_uint_eq(client->ngoaways, 0);
}
END_TEST

START_TEST(nothing_is_told_between_reset_and_close)
{
    struct test_pair_stream *request =
            test_pair_request(hello, sizeof(hello), /*is_finished=*/false);

    test_pair_settle();
    amdi_h2_reset(server->h2, request->id, AMDI_H2_CANCEL);
    test_pair_send_all(
            request, hello, sizeof(hello)); // the end comes before the reset
    amdi_h2_resume(client->h2, request->id);
    test_pair_settle();

    ck_assert_str_eq(server->streams[0].trace, "hdc");
}
END_TEST

START_TEST(reset_by_the_server_is_told)
{
    const struct test_pair_stream *call =
            test_pair_open_call(/*is_finished=*/false);

    amdi_h2_reset(server->h2, call->id, AMDI_H2_ENHANCE_YOUR_CALM);
    test_pair_settle();

    ck_assert_int_eq(client->streams[0].code, AMDI_H2_ENHANCE_YOUR_CALM);
    ck_assert(client->streams[0].by_peer);
    ck_assert(!call->by_peer);
}
END_TEST

START_TEST(refused_stream_has_no_events)
{
    server->refuses = true;

    (void)test_pair_request(hello, sizeof(hello), /*is_finished=*/true);
    test_pair_settle();

    ck_assert_uint_eq(server->nstreams, 0);
    ck_assert_str_eq(client->streams[0].trace, "c");
    ck_assert_int_eq(client->streams[0].code, AMDI_H2_REFUSED_STREAM);
    ck_assert(client->streams[0].by_peer);
}
END_TEST

START_TEST(answer_before_the_end_of_the_request_resets_it)
{
    struct test_pair_stream *call = test_pair_open_call(/*is_finished=*/false);

    call->trailers = &status_trailer;
    call->ntrailers = 1;
    test_pair_send_all(call, hello, sizeof(hello));
    test_pair_respond(call);
    test_pair_settle();

    // RFC 9113, section 8.1: the whole answer, then RST_STREAM(NO_ERROR).
    ck_assert_str_eq(client->streams[0].trace, "hdtec");
    ck_assert_int_eq(client->streams[0].code, AMDI_H2_NO_ERROR);
    ck_assert_str_eq(call->trace, "hdc");
}
END_TEST

START_TEST(session_with_open_streams_is_destroyed)
{
    struct test_pair_stream *call = test_pair_open_call(/*is_finished=*/false);

    test_pair_respond(call);
    call->data = hello;
    call->len = sizeof(hello);
    test_pair_settle();

    // The fixture destroys both; a sanitizer looks for what is left.
    ck_assert_uint_eq(client->streams[0].nreceived, sizeof(hello));
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("h2");
    TCase *calls = test_pair_add_case(suite, "calls");
    TCase *flow = test_pair_add_case(suite, "flow");
    TCase *ends = test_pair_add_case(suite, "ends");

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
    tcase_add_test(flow, bytes_held_back_have_those_before_them_given_back);
    tcase_add_test(flow, stream_that_is_not_read_leaves_room_for_others);

    tcase_add_test(ends, reset_by_the_client_is_told);
    tcase_add_test(ends, data_that_crosses_a_reset_is_dropped);
    tcase_add_test(ends, data_that_crosses_a_reset_by_the_server_is_dropped);
    tcase_add_test(ends, nothing_is_told_between_reset_and_close);
    tcase_add_test(ends, reset_by_the_server_is_told);
    tcase_add_test(ends, refused_stream_has_no_events);
    tcase_add_test(ends, answer_before_the_end_of_the_request_resets_it);
    tcase_add_test(ends, session_with_open_streams_is_destroyed);
    return suite;
}

TEST_MAIN(make_suite)
