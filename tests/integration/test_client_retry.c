/** Tests calls that are made again by a policy. */
#include "tests/integration/client.h"
#include "tests/support/runner.h"

#include <check.h>

#include <string.h>

// Short, and yet as the policy says; the tests do not look at the time.
#define QUICK .initial_backoff_ms = 1, .max_backoff_ms = 2

static const amdrpc_channel_options retrying = {
        .retry = {.max_attempts = 4, QUICK}};

static void
start(test_peer_fn on_stream, const amdrpc_channel_options *options)
{
    const struct test_peer_options peer = {.on_stream = on_stream};

    test_client_start_with(&peer, options);
}

/** Ends a request with Trailers-Only. */
static void
peer_refuse(struct test_peer_stream *stream, const char *status,
        const char *pushback)
{
    struct amdi_h2_field fields[] = {
            AMDI_H2_FIELD(":status", "200"),
            AMDI_H2_FIELD("content-type", "application/grpc"),
            AMDI_H2_FIELD("grpc-status", ""),
            AMDI_H2_FIELD("grpc-retry-pushback-ms", ""),
    };

    fields[2].value = status;
    fields[2].value_len = strlen(status);
    if (pushback != NULL) {
        fields[3].value = pushback;
        fields[3].value_len = strlen(pushback);
    }
    test_peer_respond_raw(
            stream, fields, pushback == NULL ? 3 : 4, /*is_end=*/true);
}

/** Checks that the request says how many came before, and has all of it. */
static void
assert_attempt(const struct test_peer_stream *stream)
{
    unsigned n = test_peer_get(stream->peer, PEER_NREQUESTS) - 1;
    char line[] = "grpc-previous-rpc-attempts: 0\n";

    *strchr(line, '0') = (char)('0' + n);
    if (n == 0) {
        ck_assert_ptr_null(strstr(stream->fields, "grpc-previous"));
    } else {
        ck_assert_ptr_nonnull(strstr(stream->fields, line));
    }
    ck_assert_uint_eq(amdi_buf_len(&stream->body), 9);
}

static void
peer_fail_twice(struct test_peer_stream *stream, enum test_peer_moment moment)
{
    if (moment != PEER_END) {
        return;
    }
    assert_attempt(stream);
    if (test_peer_get(stream->peer, PEER_NREQUESTS) < 3) {
        peer_refuse(stream, "14", NULL);
        return;
    }
    test_peer_respond(stream, NULL, 0);
    test_peer_send(stream, "", 0);
    test_peer_finish(stream, "0", "");
}

/** Makes a call: how it ends, and how often the peer is asked for it. */
static void
expect_call(const amdrpc_call_options *options, amdrpc_status_code status,
        unsigned nrequests)
{
    amdrpc_future *future = test_client_call(options);

    test_assert_future(future, status);
    ck_assert_uint_eq(test_peer_get(test_peer, PEER_NREQUESTS), nrequests);
    amdrpc_future_unref(future);
}

START_TEST(unavailable_call_is_made_again)
{
    start(peer_fail_twice, &retrying);

    expect_call(NULL, AMDRPC_STATUS_OK, 3);
}
END_TEST

START_TEST(call_brings_its_own_policy)
{
    const amdrpc_retry_options retry = {.max_attempts = 4, QUICK};
    const amdrpc_call_options options = {.retry = &retry};

    start(peer_fail_twice, NULL);

    expect_call(&options, AMDRPC_STATUS_OK, 3);
}
END_TEST

START_TEST(call_refuses_the_channels_policy)
{
    const amdrpc_retry_options once = {.max_attempts = 1};
    const amdrpc_call_options options = {.retry = &once};

    start(peer_fail_twice, &retrying);

    expect_call(&options, AMDRPC_STATUS_UNAVAILABLE, 1);
}
END_TEST

START_TEST(without_a_policy_there_is_one_attempt)
{
    start(peer_fail_twice, NULL);

    expect_call(NULL, AMDRPC_STATUS_UNAVAILABLE, 1);
}
END_TEST

START_TEST(server_stream_is_made_again_before_it_began)
{
    start(peer_fail_twice, &retrying);
    amdrpc_client_call *call = test_client_begin(&test_server_streaming);

    test_client_send(call, "hi");

    ck_assert_uint_eq(test_client_drain(call), 1);
    test_assert_ended(call, AMDRPC_STATUS_OK);
    ck_assert_ptr_nonnull(amdrpc_client_call_get_initial_metadata(call));
    amdrpc_client_call_unref(call);
}
END_TEST

/** What every request is refused with. */
static struct {
    const char *status;
    const char *pushback; // NULL: none
} refusal;

static void
peer_refuse_all(struct test_peer_stream *stream, enum test_peer_moment moment)
{
    if (moment == PEER_END) {
        peer_refuse(stream, refusal.status, refusal.pushback);
    }
}

static void
start_refusing(const char *status, const char *pushback,
        const amdrpc_channel_options *options)
{
    refusal.status = status;
    refusal.pushback = pushback;
    start(peer_refuse_all, options);
}

START_TEST(attempts_come_to_an_end)
{
    start_refusing("14", NULL, &retrying);

    expect_call(NULL, AMDRPC_STATUS_UNAVAILABLE, 4);
}
END_TEST

START_TEST(other_status_is_final)
{
    start_refusing("13", NULL, &retrying);

    expect_call(NULL, AMDRPC_STATUS_INTERNAL, 1);
}
END_TEST

START_TEST(server_forbids_another_attempt)
{
    start_refusing("14", "-1", &retrying);

    expect_call(NULL, AMDRPC_STATUS_UNAVAILABLE, 1);
}
END_TEST

START_TEST(attempt_after_the_deadline_is_not_waited_for)
{
    const amdrpc_call_options options = {.timeout_ms = 600000};

    start_refusing("14", "3600000", &retrying);

    expect_call(&options, AMDRPC_STATUS_UNAVAILABLE, 1);
}
END_TEST

/** Starts a call that is told to wait for an hour, and waits for that. */
static amdrpc_client_call *
begin_waiting(void)
{
    start_refusing("14", "3600000", &retrying);
    amdrpc_client_call *call = test_client_begin(&test_unary);

    test_client_send(call, "hi");
    test_peer_wait(test_peer, PEER_NENDS, 1);
    return call;
}

START_TEST(call_is_cancelled_between_attempts)
{
    amdrpc_client_call *call = begin_waiting();

    amdrpc_client_call_cancel(call);

    test_assert_ended(call, AMDRPC_STATUS_CANCELLED);
    amdrpc_client_call_unref(call);
}
END_TEST

START_TEST(call_is_dropped_between_attempts)
{
    amdrpc_client_call *call = begin_waiting();

    amdrpc_client_call_unref(call);
}
END_TEST

START_TEST(channel_ends_between_attempts)
{
    amdrpc_client_call *call = begin_waiting();

    amdrpc_channel_unref(test_channel);
    test_channel = NULL;

    (void)test_client_drain(call);
    ck_assert_int_ne(amdrpc_client_call_get_status(call), AMDRPC_STATUS_OK);
    amdrpc_client_call_unref(call);
}
END_TEST

static void
peer_fail_late(struct test_peer_stream *stream, enum test_peer_moment moment)
{
    if (moment == PEER_END) {
        test_peer_respond(stream, NULL, 0);
        test_peer_finish(stream, "14", "later");
    }
}

START_TEST(answer_that_has_begun_is_the_only_one)
{
    start(peer_fail_late, &retrying);

    expect_call(NULL, AMDRPC_STATUS_UNAVAILABLE, 1);
}
END_TEST

static void
peer_proxy_error(struct test_peer_stream *stream, enum test_peer_moment moment)
{
    const struct amdi_h2_field fields[] = {
            AMDI_H2_FIELD(":status", "503"),
            AMDI_H2_FIELD("content-type", "text/html"),
    };

    if (test_peer_get(stream->peer, PEER_NENDS) > 0) {
        test_peer_echo(stream, moment);
    } else if (moment == PEER_END) {
        test_peer_respond_raw(stream, fields, 2, /*is_end=*/false);
        test_peer_send_raw(stream, "<html>", 6);
        test_peer_finish(stream, NULL, "");
    }
}

START_TEST(http_error_is_no_answer)
{
    start(peer_proxy_error, &retrying);

    expect_call(NULL, AMDRPC_STATUS_OK, 2);
}
END_TEST

static void
peer_hang_up(struct test_peer_stream *stream, enum test_peer_moment moment)
{
    if (test_peer_get(stream->peer, PEER_NCONNS) > 1) {
        test_peer_echo(stream, moment);
    } else if (moment == PEER_END) {
        test_peer_hang_up(stream);
    }
}

START_TEST(lost_connection_is_made_good)
{
    start(peer_hang_up, &retrying);

    expect_call(NULL, AMDRPC_STATUS_OK, 2);

    ck_assert_uint_eq(test_peer_get(test_peer, PEER_NCONNS), 2);
}
END_TEST

START_TEST(sent_request_stream_is_not_made_again)
{
    start(peer_hang_up, &retrying);
    amdrpc_client_call *call = test_client_begin(&test_bidi);

    test_client_send(call, "once");
    amdrpc_client_call_close_send(call);

    test_assert_ended(call, AMDRPC_STATUS_UNAVAILABLE);
    amdrpc_client_call_unref(call);
}
END_TEST

START_TEST(throttle_stops_attempts)
{
    const amdrpc_channel_options options = {
            .retry = {.max_attempts = 5, QUICK}, .retry_max_tokens = 4};

    start_refusing("14", NULL, &options);

    for (int i = 0; i < 3; i++) {
        amdrpc_future_unref(test_client_call(NULL));
    }

    // The first call had one of two retries, the others none.
    ck_assert_uint_eq(test_peer_get(test_peer, PEER_NREQUESTS), 4);
}
END_TEST

START_TEST(options_beyond_their_bounds_are_refused)
{
    const amdrpc_channel_options bad[] = {
            {.retry.backoff_multiplier = 0.5},
            {.retry_max_tokens = 1001},
            {.retry_token_ratio = -1.0},
            {.keepalive_interval_ms = 9999},
    };
    amdrpc_channel *channel = NULL;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_int_eq(
                amdrpc_channel_create("localhost:1", &bad[i], &channel),
                AMDRPC_EINVAL);
    }
}
END_TEST

static Suite *
client_retry_suite(void)
{
    Suite *suite = suite_create("client_retry");
    TCase *tcase = tcase_create("attempts");

    tcase_set_timeout(tcase, 30);
    tcase_add_checked_fixture(tcase, NULL, test_client_teardown);
    tcase_add_test(tcase, unavailable_call_is_made_again);
    tcase_add_test(tcase, call_brings_its_own_policy);
    tcase_add_test(tcase, call_refuses_the_channels_policy);
    tcase_add_test(tcase, without_a_policy_there_is_one_attempt);
    tcase_add_test(tcase, server_stream_is_made_again_before_it_began);
    tcase_add_test(tcase, attempts_come_to_an_end);
    tcase_add_test(tcase, other_status_is_final);
    tcase_add_test(tcase, server_forbids_another_attempt);
    tcase_add_test(tcase, attempt_after_the_deadline_is_not_waited_for);
    tcase_add_test(tcase, call_is_cancelled_between_attempts);
    tcase_add_test(tcase, call_is_dropped_between_attempts);
    tcase_add_test(tcase, channel_ends_between_attempts);
    tcase_add_test(tcase, answer_that_has_begun_is_the_only_one);
    tcase_add_test(tcase, http_error_is_no_answer);
    tcase_add_test(tcase, lost_connection_is_made_good);
    tcase_add_test(tcase, sent_request_stream_is_not_made_again);
    tcase_add_test(tcase, throttle_stops_attempts);
    tcase_add_test(tcase, options_beyond_their_bounds_are_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(client_retry_suite)
