/** Tests the ends of calls and channels that come from this side. */
#include "client/client_call.h"
#include "tests/integration/client.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"

#include <check.h>

#include <pthread.h>
#include <semaphore.h>

START_TEST(deadline_ends_a_pending_call)
{
    const amdrpc_call_options options = {.timeout_ms = 50};

    // The connection is there before, or it might take all of the time.
    test_client_start(test_peer_ignore);
    amdrpc_client_call *first = test_client_begin(&test_unary);
    test_peer_wait(test_peer, PEER_NREQUESTS, 1);
    amdrpc_client_call_unref(first);
    test_peer_wait(test_peer, PEER_NCANCELS, 1);

    amdrpc_future *future = test_client_call(&options);

    test_assert_future(future, AMDRPC_STATUS_DEADLINE_EXCEEDED);
    amdrpc_future_unref(future);
    test_peer_wait(test_peer, PEER_NCANCELS, 2);
}
END_TEST

START_TEST(negative_timeout_is_refused)
{
    const amdrpc_call_options options = {.timeout_ms = -1};
    amdrpc_client_call *call = NULL;

    test_client_start(test_peer_ignore);

    ck_assert_int_eq(amdrpc_channel_start_call(
                             test_channel, &test_unary, &options, &call),
            AMDRPC_EINVAL);
}
END_TEST

START_TEST(endless_timeout_is_none)
{
    const amdrpc_call_options options = {.timeout_ms = INT64_MAX};

    test_client_start(test_peer_echo);

    amdrpc_future *future = test_client_call(&options);

    test_assert_future(future, AMDRPC_STATUS_OK);
    amdrpc_future_unref(future);
}
END_TEST

START_TEST(cancel_resets_the_stream)
{
    test_client_start(test_peer_ignore);
    amdrpc_client_call *call = test_client_begin(&test_bidi);
    test_peer_wait(test_peer, PEER_NREQUESTS, 1);

    amdrpc_client_call_cancel(call);

    test_assert_ended(call, AMDRPC_STATUS_CANCELLED);
    test_peer_wait(test_peer, PEER_NCANCELS, 1);
    amdrpc_client_call_unref(call);
}
END_TEST

START_TEST(cancel_before_the_connection_stands)
{
    test_client_start(test_peer_ignore);
    amdrpc_client_call *call = test_client_begin(&test_bidi);

    amdrpc_client_call_cancel(call);

    test_assert_ended(call, AMDRPC_STATUS_CANCELLED);
    amdrpc_client_call_unref(call);
}
END_TEST

START_TEST(cancel_after_the_end_changes_nothing)
{
    test_client_start(test_peer_echo);
    amdrpc_client_call *call = test_client_begin(&test_unary);
    test_client_send(call, "hi");
    test_assert_ended(call, AMDRPC_STATUS_OK);

    amdrpc_client_call_cancel(call);

    test_assert_ended(call, AMDRPC_STATUS_OK);
    amdrpc_client_call_unref(call);
}
END_TEST

START_TEST(send_after_the_end_is_refused)
{
    Amdrpc__Bench__V1__EchoRequest request =
            AMDRPC__BENCH__V1__ECHO_REQUEST__INIT;

    test_client_start(test_peer_ignore);
    amdrpc_client_call *call = test_client_begin(&test_bidi);
    amdrpc_client_call_cancel(call);
    test_assert_ended(call, AMDRPC_STATUS_CANCELLED);

    ck_assert_int_eq(
            amdrpc_client_call_send(call, &request.base), AMDRPC_ECLOSED);
    amdrpc_client_call_unref(call);
}
END_TEST

static void *
send_until_refused(void *arg)
{
    static uint8_t data[64 * 1024];
    amdrpc_err err = AMDRPC_OK;

    while (err == AMDRPC_OK) {
        err = amdrpc_client_call_send_bytes(arg, data, sizeof(data));
    }
    ck_assert_int_eq(err, AMDRPC_ECLOSED);
    return NULL;
}

START_TEST(cancel_frees_a_sender_that_waits_for_room)
{
    const struct test_peer_options options = {
            .on_stream = test_peer_ignore, .keeps_window = true};
    pthread_t sender;

    test_client_start_with(&options, NULL);
    amdrpc_client_call *call = test_client_begin(&test_bidi);
    ck_assert_int_eq(
            pthread_create(&sender, NULL, send_until_refused, call), 0);
    test_peer_wait(test_peer, PEER_NREQUESTS, 1);

    amdrpc_client_call_cancel(call);

    pthread_join(sender, NULL);
    test_assert_ended(call, AMDRPC_STATUS_CANCELLED);
    amdrpc_client_call_unref(call);
}
END_TEST

START_TEST(future_can_be_cancelled)
{
    amdrpc_future *future = NULL;

    test_client_start(test_peer_ignore);
    amdrpc_client_call *call = test_client_begin(&test_bidi);
    ck_assert_int_eq(amdrpc_client_call_get_future(call, &future), AMDRPC_OK);
    amdrpc_client_call_unref(call); // the future keeps it going

    amdrpc_future_cancel(future);

    ck_assert_int_eq(amdrpc_future_wait(future, TEST_WAIT_MS), AMDRPC_OK);
    test_assert_future(future, AMDRPC_STATUS_CANCELLED);
    amdrpc_future_unref(future);
}
END_TEST

START_TEST(last_reference_cancels_the_call)
{
    test_client_start(test_peer_ignore);
    amdrpc_client_call *call = test_client_begin(&test_bidi);
    test_peer_wait(test_peer, PEER_NREQUESTS, 1);

    amdrpc_client_call_unref(call);

    test_peer_wait(test_peer, PEER_NCANCELS, 1);
}
END_TEST

START_TEST(reader_that_does_not_wait_is_told_again)
{
    const ProtobufCMessage *message = NULL;

    test_client_start(test_peer_ignore);
    amdrpc_client_call *call = test_client_begin(&test_bidi);

    ck_assert_int_eq(amdrpc_client_call_recv(call, 0, &message), AMDRPC_EAGAIN);
    ck_assert_int_eq(
            amdrpc_client_call_recv(call, 10, &message), AMDRPC_ETIMEDOUT);
    ck_assert_int_eq(
            amdrpc_client_call_get_status(call), AMDRPC_STATUS_UNKNOWN);
    ck_assert_ptr_null(amdrpc_client_call_get_initial_metadata(call));
    ck_assert_ptr_null(amdrpc_client_call_get_trailing_metadata(call));
    amdrpc_client_call_unref(call);
}
END_TEST

/* ---- the channel ---- */

static void
close_channel(void)
{
    amdrpc_channel_unref(test_channel);
    test_channel = NULL;
}

START_TEST(unused_channel_goes_at_once)
{
    test_client_start(test_peer_ignore);

    close_channel();

    ck_assert_uint_eq(test_peer_get(test_peer, PEER_NCONNS), 0);
}
END_TEST

START_TEST(channel_that_goes_cancels_its_calls)
{
    test_client_start(test_peer_ignore);
    amdrpc_client_call *call = test_client_begin(&test_bidi);
    test_peer_wait(test_peer, PEER_NREQUESTS, 1);

    close_channel();

    (void)test_client_drain(call);
    ck_assert_int_ne(amdrpc_client_call_get_status(call), AMDRPC_STATUS_OK);
    amdrpc_client_call_unref(call); // outlives its channel
    test_peer_wait(test_peer, PEER_NLOST, 1);
}
END_TEST

START_TEST(channel_that_goes_ends_waiting_calls)
{
    const struct test_peer_options options = {.is_silent = true};

    test_client_start_with(&options, NULL);
    amdrpc_client_call *call = test_client_begin(&test_unary);

    close_channel();

    test_assert_ended(call, AMDRPC_STATUS_CANCELLED);
    amdrpc_client_call_unref(call);
}
END_TEST

START_TEST(future_outlives_the_channel)
{
    test_client_start(test_peer_echo);
    amdrpc_future *future = test_client_call(NULL);

    close_channel();

    test_assert_future(future, AMDRPC_STATUS_OK);
    ck_assert_ptr_nonnull(amdrpc_future_get_message(future));
    amdrpc_future_unref(future);
}
END_TEST

static sem_t closed;

static void
close_on_end(amdrpc_client_call *call, void *arg)
{
    (void)arg;
    amdrpc_client_call_unref(call);
    close_channel(); // the last reference, on the loop's own thread
    sem_post(&closed);
}

START_TEST(channel_can_go_on_its_own_thread)
{
    const amdrpc_client_call_events events = {.on_end = close_on_end};

    ck_assert_int_eq(sem_init(&closed, 0, 0), 0);
    test_client_start(test_peer_echo);
    amdrpc_client_call *call = test_client_begin(&test_unary);
    amdrpc_client_call_set_events(call, &events, NULL);
    test_client_send(call, "hi");

    ck_assert_int_eq(sem_wait(&closed), 0);

    test_peer_wait(test_peer, PEER_NLOST, 1);
    sem_destroy(&closed);
}
END_TEST

static void *
call_many_times(void *arg)
{
    (void)arg;
    for (int i = 0; i < 50; i++) {
        amdrpc_future *future = test_client_call(NULL);

        test_assert_future(future, AMDRPC_STATUS_OK);
        amdrpc_future_unref(future);
    }
    return NULL;
}

START_TEST(threads_share_a_channel)
{
    pthread_t threads[4];

    test_client_start(test_peer_echo);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(
                pthread_create(&threads[i], NULL, call_many_times, NULL), 0);
    }

    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }

    ck_assert_uint_eq(test_peer_get(test_peer, PEER_NREQUESTS), 200);
}
END_TEST

/* ---- allocations ---- */

static amdrpc_err
channel_make(void *arg)
{
    amdrpc_channel *channel = NULL;
    amdrpc_err err = amdrpc_channel_create("127.0.0.1:1", arg, &channel);

    if (err == AMDRPC_OK) {
        amdrpc_channel_unref(channel);
    }
    return err;
}

START_TEST(failing_allocations_of_a_channel_are_reported)
{
    amdrpc_channel_options options = {.connections = 2, .user_agent = "a"};

    ck_assert_uint_gt(test_sweep_allocations(channel_make, &options), 0);
}
END_TEST

static amdrpc_err
call_make(void *arg)
{
    const amdrpc_retry_options retry = {.max_attempts = 2};
    const amdrpc_call_options options = {
            .timeout_ms = 1, .metadata = arg, .retry = &retry};
    struct amdrpc_client_call *call = NULL;
    amdrpc_err err =
            amdi_client_call_create(test_channel, &test_unary, &options, &call);

    if (err == AMDRPC_OK) {
        amdi_client_call_discard(call);
    }
    return err;
}

START_TEST(failing_allocations_of_a_call_are_reported)
{
    amdrpc_metadata *metadata = NULL;

    // The loop's thread has nothing to do, so all allocations are the call's.
    test_client_start(test_peer_ignore);
    ck_assert_int_eq(amdrpc_metadata_create(&metadata), AMDRPC_OK);
    ck_assert_int_eq(
            amdrpc_metadata_add_text(metadata, "name", "value"), AMDRPC_OK);

    ck_assert_uint_gt(test_sweep_allocations(call_make, metadata), 1);

    amdrpc_metadata_destroy(metadata);
}
END_TEST

static Suite *
client_teardown_suite(void)
{
    Suite *suite = suite_create("client_teardown");
    TCase *call = tcase_create("call");
    TCase *channel = tcase_create("channel");

    tcase_set_timeout(call, 30);
    tcase_add_checked_fixture(call, NULL, test_client_teardown);
    tcase_add_test(call, deadline_ends_a_pending_call);
    tcase_add_test(call, negative_timeout_is_refused);
    tcase_add_test(call, endless_timeout_is_none);
    tcase_add_test(call, cancel_resets_the_stream);
    tcase_add_test(call, cancel_before_the_connection_stands);
    tcase_add_test(call, cancel_after_the_end_changes_nothing);
    tcase_add_test(call, send_after_the_end_is_refused);
    tcase_add_test(call, cancel_frees_a_sender_that_waits_for_room);
    tcase_add_test(call, future_can_be_cancelled);
    tcase_add_test(call, last_reference_cancels_the_call);
    tcase_add_test(call, reader_that_does_not_wait_is_told_again);
    suite_add_tcase(suite, call);

    tcase_set_timeout(channel, 30);
    tcase_add_checked_fixture(channel, NULL, test_client_teardown);
    tcase_add_test(channel, unused_channel_goes_at_once);
    tcase_add_test(channel, channel_that_goes_cancels_its_calls);
    tcase_add_test(channel, channel_that_goes_ends_waiting_calls);
    tcase_add_test(channel, future_outlives_the_channel);
    tcase_add_test(channel, channel_can_go_on_its_own_thread);
    tcase_add_test(channel, threads_share_a_channel);
    tcase_add_test(channel, failing_allocations_of_a_channel_are_reported);
    tcase_add_test(channel, failing_allocations_of_a_call_are_reported);
    suite_add_tcase(suite, channel);
    return suite;
}

TEST_MAIN(client_teardown_suite)
