/** Tests the server with calls of many messages. */
#include "tests/integration/server.h"
#include "tests/support/runner.h"

#include <check.h>

#include <string.h>

#define CLIENT_WINDOW_BYTES 65535u

static struct test_rpc *
start_download(uint32_t count, uint32_t size)
{
    test_request request = AMDRPC__TEST_CALLS__V1__REQUEST__INIT;

    request.count = count;
    request.size = size;
    return test_call(test_conn, TEST_DOWNLOAD, &request);
}

/** Takes messages that are there; checks that none is missing. */
static void
take_in_order(struct test_rpc *rpc, uint32_t *next)
{
    test_response *response = NULL;

    while ((response = (test_response *)test_rpc_take(rpc,
                    &amdrpc__test_calls__v1__response__descriptor)) != NULL) {
        if (response->count != *next) {
            ck_abort_msg("message %u instead of %u", response->count, *next);
        }
        (*next)++;
        amdrpc__test_calls__v1__response__free_unpacked(response, NULL);
    }
}

static void
send_text(struct test_rpc *rpc, const char *text)
{
    test_request request = AMDRPC__TEST_CALLS__V1__REQUEST__INIT;

    request.text = (char *)(uintptr_t)text;
    test_rpc_send(rpc, &request.base);
}

/* ---- answers ---- */

static const struct {
    uint32_t count;
    uint32_t size;
} downloads[] = {{0, 0}, {1, 10}, {2000, 10}, {50, 40000}, {2, 1000000}};

/** @_i: place and size. */
START_TEST(messages_come_in_order)
{
    struct test_rpc *rpc = NULL;
    uint32_t next = 0;

    test_server_start(_i % TEST_NPLACES);
    rpc = start_download(downloads[_i / TEST_NPLACES].count,
            downloads[_i / TEST_NPLACES].size);

    test_rpc_expect(rpc, AMDRPC_STATUS_OK);
    take_in_order(rpc, &next);
    ck_assert_uint_eq(next, downloads[_i / TEST_NPLACES].count);
    ck_assert_uint_eq(amdi_buf_len(&rpc->body), 0);
}
END_TEST

START_TEST(slow_reader_costs_no_more_than_the_mark)
{
    const amdrpc_server_options options = {.dispatch = _i == TEST_ON_POOL
                    ? AMDRPC_DISPATCH_POOL
                    : AMDRPC_DISPATCH_INLINE,
            .max_queued_bytes = 100000};
    const size_t size = 1000;
    const size_t most = CLIENT_WINDOW_BYTES + options.max_queued_bytes + size;
    struct test_rpc *rpc = NULL;
    uint32_t next = 0;

    test_server_start_with(&options, NULL);
    rpc = test_rpc_begin(test_conn, TEST_DOWNLOAD, NULL, 0);
    rpc->keeps_window = true;
    {
        test_request request = AMDRPC__TEST_CALLS__V1__REQUEST__INIT;

        request.count = 1000;
        request.size = (uint32_t)size;
        test_rpc_send(rpc, &request.base);
        test_rpc_end(rpc);
    }
    test_rpc_await_bytes(rpc, CLIENT_WINDOW_BYTES);
    test_server_await(TEST_NSENT, options.max_queued_bytes / size - 1);
    test_expect_service(test_conn); // on the same connection
    ck_assert_uint_le(test_server_get(TEST_NSENT), most / size);

    test_rpc_open_window(rpc);
    test_rpc_expect(rpc, AMDRPC_STATUS_OK);
    take_in_order(rpc, &next);
    ck_assert_uint_eq(next, 1000);
}
END_TEST

START_TEST(reader_that_goes_away_ends_the_handler)
{
    struct test_rpc *rpc = NULL;

    test_server_start(_i);
    rpc = start_download(1000000, 1000);
    test_rpc_await_bytes(rpc, 1);

    test_rpc_cancel(rpc);

    test_server_await(TEST_NFINISHED, 1);
    ck_assert_uint_eq(test_server_get(TEST_NCANCELS), 1);
    test_expect_service(test_conn);
}
END_TEST

START_TEST(slow_reader_that_goes_away_ends_the_handler)
{
    struct test_rpc *rpc = NULL;
    test_request request = AMDRPC__TEST_CALLS__V1__REQUEST__INIT;

    test_server_start(_i);
    request.count = 1000000;
    request.size = 1000;
    rpc = test_rpc_begin(test_conn, TEST_DOWNLOAD, NULL, 0);
    rpc->keeps_window = true;
    test_rpc_send(rpc, &request.base);
    test_rpc_end(rpc);
    test_rpc_await_bytes(rpc, CLIENT_WINDOW_BYTES);

    test_rpc_cancel(rpc);

    test_server_await(TEST_NFINISHED, 1);
    test_expect_service(test_conn);
}
END_TEST

START_TEST(deadline_cuts_an_answer_that_nobody_reads)
{
    const struct amdi_h2_field timeout = AMDI_H2_FIELD("grpc-timeout", "50m");
    struct test_rpc *rpc = NULL;
    test_request request = AMDRPC__TEST_CALLS__V1__REQUEST__INIT;

    test_server_start(_i);
    request.count = 1000000;
    request.size = 1000;
    rpc = test_rpc_begin(test_conn, TEST_DOWNLOAD, &timeout, 1);
    rpc->keeps_window = true;
    test_rpc_send(rpc, &request.base);
    test_rpc_end(rpc);

    test_rpc_await(rpc);

    // Trailers cannot follow the part of a message.
    ck_assert(rpc->is_reset);
    ck_assert_int_eq(rpc->reset, AMDI_H2_CANCEL);
    test_server_await(TEST_NFINISHED, 1);
    test_expect_service(test_conn);
}
END_TEST

START_TEST(initial_metadata_leaves_with_the_first_message)
{
    struct test_rpc *rpc = NULL;
    test_request request = AMDRPC__TEST_CALLS__V1__REQUEST__INIT;

    test_server_start(_i);
    request.how = TEST_HOW(HOLD);
    request.count = 1;
    rpc = test_call(test_conn, TEST_DOWNLOAD, &request);

    test_rpc_await_bytes(rpc, 5);
    ck_assert(rpc->has_headers);
    ck_assert(!rpc->has_ended);
    test_server_await(TEST_NHELD, 1);
    amdrpc_call_finish(test_server_take_held(), AMDRPC_STATUS_DATA_LOSS, "cut");

    test_rpc_expect(rpc, AMDRPC_STATUS_DATA_LOSS);
    ck_assert_str_eq(rpc->message, "cut");
}
END_TEST

/* ---- requests ---- */

START_TEST(upload_is_read_to_its_end)
{
    struct test_rpc *rpc = NULL;
    test_response *response = NULL;

    test_server_start(_i);
    rpc = test_rpc_begin(test_conn, TEST_UPLOAD, NULL, 0);
    for (int i = 0; i < 500; i++) {
        send_text(rpc, "some text");
        if (i % 100 == 0) {
            test_rpc_flush(test_conn);
        }
    }
    test_rpc_end(rpc);

    test_rpc_expect(rpc, AMDRPC_STATUS_OK);
    response = (test_response *)test_rpc_take(
            rpc, &amdrpc__test_calls__v1__response__descriptor);
    ck_assert_uint_eq(response->count, 500);
    amdrpc__test_calls__v1__response__free_unpacked(response, NULL);
}
END_TEST

START_TEST(upload_of_nothing_is_answered)
{
    struct test_rpc *rpc = NULL;

    test_server_start(_i);
    rpc = test_rpc_begin(test_conn, TEST_UPLOAD, NULL, 0);
    test_rpc_end(rpc);

    test_rpc_expect(rpc, AMDRPC_STATUS_OK);
}
END_TEST

static bool
has_nothing_to_write(const void *arg)
{
    const struct test_rpc_conn *conn = arg;

    return !amdi_h2_wants_write(conn->h2);
}

START_TEST(upload_is_taken_only_as_fast_as_it_is_read)
{
    static char text[8001];
    struct test_rpc *rpc = NULL;
    test_request request = AMDRPC__TEST_CALLS__V1__REQUEST__INIT;

    test_server_start(TEST_ON_POOL);
    memset(text, 't', sizeof(text) - 1);
    request.how = TEST_HOW(BLOCK);
    request.text = text;
    rpc = test_rpc_begin(test_conn, TEST_UPLOAD, NULL, 0);
    for (int i = 0; i < 100; i++) {
        test_rpc_send(rpc, &request.base);
    }
    test_rpc_end(rpc);

    test_rpc_run(test_conn, has_nothing_to_write, test_conn);
    test_server_await(TEST_NTAKEN, 1);
    test_expect_service(test_conn);
    ck_assert_uint_gt(amdi_buf_len(&rpc->out), 600000);

    test_server_let_go();
    test_rpc_expect(rpc, AMDRPC_STATUS_OK);
    ck_assert_uint_eq(test_server_get(TEST_NTAKEN), 100);
}
END_TEST

static bool
has_sent_two_windows(const void *arg)
{
    const struct test_rpc *rpc = arg;

    return amdi_buf_len(&rpc->out) < 20000;
}

/** Unread bytes of calls that ended must not use up the connection. */
START_TEST(uploads_that_are_given_up_leave_the_window_open)
{
    static char text[8001];
    test_request request = AMDRPC__TEST_CALLS__V1__REQUEST__INIT;

    test_server_start(TEST_ON_POOL);
    memset(text, 't', sizeof(text) - 1);
    request.how = TEST_HOW(BLOCK);
    request.text = text;
    // One window is kept for the handler and another is on its way, each
    // time; the connection's has 1 MiB.
    for (size_t i = 0; i < 30; i++) {
        struct test_rpc *rpc = test_rpc_begin(test_conn, TEST_UPLOAD, NULL, 0);

        for (int k = 0; k < 18; k++) {
            test_rpc_send(rpc, &request.base);
        }
        test_rpc_run(test_conn, has_sent_two_windows, rpc);
        test_server_await(TEST_NSTARTED, i + 1);
        test_rpc_cancel(rpc);
        test_server_await(TEST_NFINISHED, i + 1);
    }
}
END_TEST

START_TEST(bad_message_in_a_stream_ends_the_call)
{
    static const uint8_t not_a_message[] = {0, 0, 0, 0, 2, 0x12, 0x7f};
    struct test_rpc *rpc = NULL;

    test_server_start(_i);
    rpc = test_rpc_begin(test_conn, TEST_UPLOAD, NULL, 0);
    send_text(rpc, "good");
    test_rpc_send_raw(rpc, not_a_message, sizeof(not_a_message));
    test_rpc_end(rpc);

    test_rpc_expect(rpc, AMDRPC_STATUS_INTERNAL);
    test_expect_service(test_conn);
}
END_TEST

static const struct {
    uint8_t bytes[6];
    size_t len;
    amdrpc_status_code status;
} bad_streams[] = {
        {{2, 0, 0, 0, 0}, 5, AMDRPC_STATUS_INTERNAL},
        {{0, 0, 0, 0, 9, 1}, 6, AMDRPC_STATUS_INTERNAL},
        {{0, 0, 0}, 3, AMDRPC_STATUS_INTERNAL},
        {{0, 0xff, 0xff, 0xff, 0xff}, 5, AMDRPC_STATUS_RESOURCE_EXHAUSTED},
};

/** @_i: place and stream. */
START_TEST(stream_that_is_no_grpc_ends_the_call)
{
    size_t which = (size_t)_i / TEST_NPLACES;
    struct test_rpc *rpc = NULL;

    test_server_start(_i % TEST_NPLACES);
    rpc = test_rpc_begin(test_conn, TEST_UPLOAD, NULL, 0);
    test_rpc_send_raw(rpc, bad_streams[which].bytes, bad_streams[which].len);
    test_rpc_end(rpc);

    test_rpc_expect(rpc, bad_streams[which].status);
    test_expect_service(test_conn);
}
END_TEST

/* ---- both ---- */

START_TEST(chat_answers_each_message)
{
    struct test_rpc *rpc = NULL;
    uint32_t next = 0;

    test_server_start(_i);
    rpc = test_rpc_begin(test_conn, TEST_CHAT, NULL, 0);
    for (uint32_t i = 0; i < 20; i++) {
        send_text(rpc, "ping");
        test_rpc_await_bytes(rpc, rpc->nbody + 5);
        take_in_order(rpc, &next);
    }
    ck_assert_uint_eq(next, 20);
    ck_assert(!rpc->has_ended);
    test_rpc_end(rpc);

    test_rpc_expect(rpc, AMDRPC_STATUS_OK);
}
END_TEST

START_TEST(chats_go_on_side_by_side)
{
    struct test_rpc *rpcs[40];

    test_server_start(TEST_ON_LOOP);
    for (int i = 0; i < 40; i++) {
        rpcs[i] = test_rpc_begin(test_conn, TEST_CHAT, NULL, 0);
    }
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 40; i++) {
            send_text(rpcs[i], "ping");
        }
        test_rpc_flush(test_conn);
    }
    for (int i = 0; i < 40; i++) {
        test_rpc_end(rpcs[i]);
    }
    test_rpc_await_all(test_conn);
    for (int i = 0; i < 40; i++) {
        uint32_t next = 0;

        test_rpc_expect(rpcs[i], AMDRPC_STATUS_OK);
        take_in_order(rpcs[i], &next);
        ck_assert_uint_eq(next, 10);
    }
}
END_TEST

START_TEST(chat_that_is_cancelled_ends_the_handler)
{
    struct test_rpc *rpc = NULL;

    test_server_start(_i);
    rpc = test_rpc_begin(test_conn, TEST_CHAT, NULL, 0);
    send_text(rpc, "ping");
    test_rpc_await_bytes(rpc, 5);

    test_rpc_cancel(rpc);

    test_server_await(TEST_NFINISHED, 1);
    ck_assert_uint_eq(test_server_get(TEST_NCANCELS), 1);
    test_expect_service(test_conn);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("server_stream");
    TCase *answers = tcase_create("answers");
    TCase *requests = tcase_create("requests");
    TCase *both = tcase_create("both");
    const int n = TEST_NPLACES;

    tcase_set_timeout(answers, 60);
    tcase_add_checked_fixture(answers, test_server_setup, test_server_teardown);
    tcase_add_loop_test(answers, messages_come_in_order, 0, 5 * n);
    tcase_add_loop_test(answers, slow_reader_costs_no_more_than_the_mark, 0, n);
    tcase_add_loop_test(answers, reader_that_goes_away_ends_the_handler, 0, n);
    tcase_add_loop_test(
            answers, slow_reader_that_goes_away_ends_the_handler, 0, n);
    tcase_add_loop_test(
            answers, deadline_cuts_an_answer_that_nobody_reads, 0, n);
    tcase_add_loop_test(
            answers, initial_metadata_leaves_with_the_first_message, 0, n);
    suite_add_tcase(suite, answers);

    tcase_set_timeout(requests, 60);
    tcase_add_checked_fixture(
            requests, test_server_setup, test_server_teardown);
    tcase_add_loop_test(requests, upload_is_read_to_its_end, 0, n);
    tcase_add_loop_test(requests, upload_of_nothing_is_answered, 0, n);
    tcase_add_test(requests, upload_is_taken_only_as_fast_as_it_is_read);
    tcase_add_test(requests, uploads_that_are_given_up_leave_the_window_open);
    tcase_add_loop_test(requests, bad_message_in_a_stream_ends_the_call, 0, n);
    tcase_add_loop_test(
            requests, stream_that_is_no_grpc_ends_the_call, 0, 4 * n);
    suite_add_tcase(suite, requests);

    tcase_set_timeout(both, 60);
    tcase_add_checked_fixture(both, test_server_setup, test_server_teardown);
    tcase_add_loop_test(both, chat_answers_each_message, 0, n);
    tcase_add_test(both, chats_go_on_side_by_side);
    tcase_add_loop_test(both, chat_that_is_cancelled_ends_the_handler, 0, n);
    suite_add_tcase(suite, both);
    return suite;
}

TEST_MAIN(make_suite)
