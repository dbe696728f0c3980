/** Tests calls with one message each way. */
#include "tests/integration/client.h"
#include "tests/support/runner.h"

#include <check.h>

#include <string.h>

START_TEST(response_is_in_the_future)
{
    test_client_start(test_peer_echo);

    amdrpc_future *future = test_client_call(NULL);

    const Amdrpc__Bench__V1__EchoResponse *response =
            (const Amdrpc__Bench__V1__EchoResponse *)amdrpc_future_get_message(
                    future);
    test_assert_future(future, AMDRPC_STATUS_OK);
    ck_assert_ptr_nonnull(response);
    ck_assert_uint_eq(response->payload.len, 2);
    ck_assert_mem_eq(response->payload.data, "hi", 2);
    amdrpc_future_unref(future);
}
END_TEST

START_TEST(calls_share_the_connection)
{
    test_client_start(test_peer_echo);

    for (int i = 0; i < 20; i++) {
        amdrpc_future *future = test_client_call(NULL);

        test_assert_future(future, AMDRPC_STATUS_OK);
        amdrpc_future_unref(future);
    }

    ck_assert_uint_eq(test_peer_get(test_peer, PEER_NCONNS), 1);
}
END_TEST

START_TEST(many_calls_at_once_all_end)
{
    enum {
        NCALLS = 500
    };
    static amdrpc_future *futures[NCALLS];

    // More than the peer's hundred streams: the rest waits its turn.
    test_client_start(test_peer_echo);
    for (int i = 0; i < NCALLS; i++) {
        futures[i] = test_client_start_call(NULL);
    }

    ck_assert_int_eq(
            amdrpc_future_wait_all(futures, NCALLS, TEST_WAIT_MS), AMDRPC_OK);
    for (int i = 0; i < NCALLS; i++) {
        test_assert_future(futures[i], AMDRPC_STATUS_OK);
        amdrpc_future_unref(futures[i]);
    }
}
END_TEST

START_TEST(calls_go_to_the_least_busy_connection)
{
    const struct test_peer_options peer_options = {
            .on_stream = test_peer_ignore};
    const amdrpc_channel_options options = {.connections = 3};
    amdrpc_client_call *calls[30];

    test_client_start_with(&peer_options, &options);
    for (size_t i = 0; i < 30; i++) {
        calls[i] = test_client_begin(&test_unary);
    }

    test_peer_wait(test_peer, PEER_NREQUESTS, 30);

    test_peer_wait(test_peer, PEER_NCONNS, 3);
    for (size_t i = 0; i < 30; i++) {
        amdrpc_client_call_unref(calls[i]);
    }
}
END_TEST

START_TEST(future_that_nobody_waits_for_is_no_leak)
{
    test_client_start(test_peer_echo);

    amdrpc_future_unref(test_client_start_call(NULL));

    test_peer_wait(test_peer, PEER_NENDS, 1);
}
END_TEST

static amdrpc_client_call *then_call;

static void
then_on_complete(amdrpc_future *future, void *arg)
{
    // The loop's thread: sending here must take effect at once.
    (void)future;
    (void)arg;
    then_call = test_client_begin(&test_unary);
    test_client_send(then_call, "from the loop");
}

START_TEST(call_can_be_started_on_the_loop)
{
    test_client_start(test_peer_echo);
    amdrpc_future *future = test_client_start_call(NULL);

    ck_assert_int_eq(
            amdrpc_future_then(future, then_on_complete, NULL), AMDRPC_OK);

    test_peer_wait(test_peer, PEER_NENDS, 2);

    amdrpc_future_unref(future);
    test_assert_ended(then_call, AMDRPC_STATUS_OK);
    amdrpc_client_call_unref(then_call);
}
END_TEST

static char seen_fields[2048];

static void
peer_note_fields(struct test_peer_stream *stream, enum test_peer_moment moment)
{
    if (moment == PEER_HEADERS) {
        memcpy(seen_fields, stream->fields, sizeof(seen_fields));
    }
    test_peer_echo(stream, moment);
}

START_TEST(request_carries_timeout_and_metadata)
{
    amdrpc_metadata *metadata = NULL;

    ck_assert_int_eq(amdrpc_metadata_create(&metadata), AMDRPC_OK);
    ck_assert_int_eq(
            amdrpc_metadata_add(metadata, "key-bin", "\xff\x00", 2), AMDRPC_OK);
    const amdrpc_call_options options = {
            .timeout_ms = 60000, .metadata = metadata};
    test_client_start(peer_note_fields);

    amdrpc_future *future = test_client_call(&options);

    amdrpc_metadata_destroy(metadata);
    test_assert_future(future, AMDRPC_STATUS_OK);
    amdrpc_future_unref(future);
    ck_assert_ptr_nonnull(strstr(seen_fields, ":path: /test.Test/Echo\n"));
    ck_assert_ptr_nonnull(strstr(seen_fields, "te: trailers\n"));
    ck_assert_ptr_nonnull(strstr(seen_fields, "grpc-timeout: "));
    ck_assert_ptr_nonnull(strstr(seen_fields, "key-bin: /wA\n"));
}
END_TEST

static void
peer_answer_with_metadata(
        struct test_peer_stream *stream, enum test_peer_moment moment)
{
    const struct amdi_h2_field fields[] = {
            AMDI_H2_FIELD("x-text", "hello"),
            AMDI_H2_FIELD("x-data-bin", "/wA="),
            AMDI_H2_FIELD("x-bad-bin", "!"),
    };

    if (moment == PEER_END) {
        test_peer_respond(stream, fields, 3);
        test_peer_send(stream, "", 0);
        test_peer_finish(stream, "0", "");
    }
}

START_TEST(initial_metadata_is_decoded)
{
    test_client_start(peer_answer_with_metadata);
    amdrpc_client_call *call = test_client_begin(&test_unary);
    test_client_send(call, "hi");

    test_assert_ended(call, AMDRPC_STATUS_OK);

    const amdrpc_metadata *initial =
            amdrpc_client_call_get_initial_metadata(call);
    ck_assert_ptr_nonnull(initial);
    ck_assert_uint_eq(amdrpc_metadata_count(initial), 2);
    ck_assert_str_eq(amdrpc_metadata_get(initial, "x-text")->value, "hello");
    ck_assert_uint_eq(amdrpc_metadata_get(initial, "x-data-bin")->value_len, 2);
    amdrpc_client_call_unref(call);
}
END_TEST

static Suite *
client_unary_suite(void)
{
    Suite *suite = suite_create("client_unary");
    TCase *tcase = tcase_create("call");

    tcase_set_timeout(tcase, 30);
    tcase_add_checked_fixture(tcase, NULL, test_client_teardown);
    tcase_add_test(tcase, response_is_in_the_future);
    tcase_add_test(tcase, calls_share_the_connection);
    tcase_add_test(tcase, many_calls_at_once_all_end);
    tcase_add_test(tcase, calls_go_to_the_least_busy_connection);
    tcase_add_test(tcase, future_that_nobody_waits_for_is_no_leak);
    tcase_add_test(tcase, call_can_be_started_on_the_loop);
    tcase_add_test(tcase, request_carries_timeout_and_metadata);
    tcase_add_test(tcase, initial_metadata_is_decoded);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(client_unary_suite)
