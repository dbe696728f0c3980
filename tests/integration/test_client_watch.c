/** Tests watching an operation: every event once, whatever breaks. */
#include "common/alloc.h"
#include "common/cache.h"
#include "tests/integration/operations.h"
#include "tests/support/runner.h"

#include <check.h>

#include <pthread.h>

static amdrpc_watch *
watch_open(const char *name, uint64_t after_seq)
{
    amdrpc_watch *watch = NULL;

    ck_assert_int_eq(amdrpc_watch_open(test_channel,
                             &amdrpc_bench_v1_bench_service
                                      .methods[AMDRPC_BENCH_V1_BENCH_ECHO],
                             name, after_seq, NULL, &watch),
            AMDRPC_OK);
    return watch;
}

static const amdrpc_watch_event *
watch_next(amdrpc_watch *watch)
{
    const amdrpc_watch_event *event = NULL;

    ck_assert_int_eq(amdrpc_watch_next(watch, TEST_WAIT_MS, &event), AMDRPC_OK);
    return event;
}

/** Reads the events from @seq to @last: each once, and nothing else. */
static void
watch_expect(amdrpc_watch *watch, uint64_t seq, uint64_t last)
{
    for (; seq <= last; seq++) {
        const amdrpc_watch_event *event = watch_next(watch);

        ck_assert_uint_eq(event->seq, seq);
        if (event->kind == AMDRPC_WATCH_MESSAGE) {
            const Amdrpc__Bench__V1__EchoResponse *message =
                    (const Amdrpc__Bench__V1__EchoResponse *)event->message;

            ck_assert_uint_eq(message->payload.len, 1);
            ck_assert_uint_eq(message->payload.data[0], seq);
        }
    }
}

static void
assert_watch_ended(amdrpc_watch *watch, amdrpc_status_code status)
{
    const amdrpc_watch_event *event = NULL;

    ck_assert_int_eq(
            amdrpc_watch_next(watch, TEST_WAIT_MS, &event), AMDRPC_EEND);
    ck_assert_msg(amdrpc_watch_get_status(watch) == status, "%s: %s",
            amdrpc_status_name(amdrpc_watch_get_status(watch)),
            amdrpc_watch_get_status_message(watch));
}

START_TEST(every_event_comes_once_and_in_order)
{
    amdrpc_watch *watch = watch_open("operations/1", 0);

    watch_expect(watch, 1, TEST_NEVENTS);

    assert_watch_ended(watch, AMDRPC_STATUS_OK);
    amdrpc_watch_close(watch);
}
END_TEST

START_TEST(kinds_of_events_tell_what_they_hold)
{
    amdrpc_watch *watch = watch_open("operations/1", 4);

    const amdrpc_watch_event *event = watch_next(watch);
    ck_assert_int_eq(event->kind, AMDRPC_WATCH_PROGRESS);
    ck_assert_uint_eq(event->done, 5);
    ck_assert_uint_eq(event->total, TEST_NEVENTS);
    event = watch_next(watch);
    ck_assert_int_eq(event->kind, AMDRPC_WATCH_MESSAGE);
    ck_assert_str_eq(event->type, "amdrpc.bench.v1.EchoResponse");
    event = watch_next(watch);
    ck_assert_int_eq(event->kind, AMDRPC_WATCH_RETRY);
    ck_assert_str_eq(event->text, "once more");
    ck_assert_uint_eq(amdrpc_watch_get_seq(watch), 7);
    amdrpc_watch_close(watch);
}
END_TEST

START_TEST(end_tells_response_and_status)
{
    amdrpc_watch *watch = watch_open("operations/1", TEST_NEVENTS - 1);

    const amdrpc_watch_event *event = watch_next(watch);

    ck_assert_int_eq(event->kind, AMDRPC_WATCH_END);
    ck_assert_int_eq(event->status, AMDRPC_STATUS_OK);
    ck_assert_ptr_nonnull(event->message);
    amdrpc_watch_close(watch);
}
END_TEST

START_TEST(end_with_an_error_tells_it)
{
    test_script.end_status = AMDRPC_STATUS_ABORTED;
    amdrpc_watch *watch = watch_open("operations/1", TEST_NEVENTS - 1);

    const amdrpc_watch_event *event = watch_next(watch);

    ck_assert_int_eq(event->status, AMDRPC_STATUS_ABORTED);
    ck_assert_str_eq(event->text, "as the script says");
    assert_watch_ended(watch, AMDRPC_STATUS_OK);
    amdrpc_watch_close(watch);
}
END_TEST

START_TEST(broken_streams_leave_no_gap)
{
    test_script.nevents_of_stream = 7;
    amdrpc_watch *watch = watch_open("operations/1", 0);

    watch_expect(watch, 1, TEST_NEVENTS);

    ck_assert_uint_gt(test_script.nstreams, 4);
    amdrpc_watch_close(watch);
}
END_TEST

START_TEST(events_that_are_sent_twice_come_once)
{
    test_script.nevents_of_stream = 9;
    test_script.nevents_twice = 4;
    amdrpc_watch *watch = watch_open("operations/1", 0);

    watch_expect(watch, 1, TEST_NEVENTS);

    amdrpc_watch_close(watch);
}
END_TEST

START_TEST(restart_of_the_server_leaves_no_gap)
{
    test_script.never_ends = true;
    amdrpc_watch *watch = watch_open("operations/1", 0);
    watch_expect(watch, 1, 20);

    test_operations_stop();
    test_script.never_ends = false;
    test_operations_start();

    watch_expect(watch, 21, TEST_NEVENTS);
    amdrpc_watch_close(watch);
}
END_TEST

START_TEST(watch_without_a_method_gives_bytes)
{
    amdrpc_watch *watch = NULL;

    ck_assert_int_eq(amdrpc_watch_open(test_channel, NULL, "operations/1", 0,
                             NULL, &watch),
            AMDRPC_OK);
    const amdrpc_watch_event *event = watch_next(watch);

    ck_assert_ptr_null(event->message);
    ck_assert_uint_eq(event->len, 3);
    ck_assert_mem_eq(event->data, "\x0a\x01\x01", 3);
    amdrpc_watch_close(watch);
}
END_TEST

START_TEST(unknown_name_ends_the_watch)
{
    amdrpc_watch *watch = watch_open("operations/9", 0);

    assert_watch_ended(watch, AMDRPC_STATUS_NOT_FOUND);

    ck_assert_str_eq(
            amdrpc_watch_get_status_message(watch), "no such operation");
    amdrpc_watch_close(watch);
}
END_TEST

START_TEST(server_that_is_away_for_too_long_ends_the_watch)
{
    const amdrpc_operation_options options = {.max_unavailable_ms = 1};
    amdrpc_watch *watch = NULL;
    test_operations_stop();

    ck_assert_int_eq(amdrpc_watch_open(test_channel, NULL, "operations/1", 0,
                             &options, &watch),
            AMDRPC_OK);

    assert_watch_ended(watch, AMDRPC_STATUS_UNAVAILABLE);
    amdrpc_watch_close(watch);
}
END_TEST

START_TEST(nothing_to_read_is_a_timeout)
{
    const amdrpc_watch_event *event = NULL;
    test_script.never_ends = true;
    amdrpc_watch *watch = watch_open("operations/1", TEST_NEVENTS - 1);

    ck_assert_int_eq(amdrpc_watch_next(watch, 0, &event), AMDRPC_ETIMEDOUT);

    ck_assert_int_eq(amdrpc_watch_get_status(watch), AMDRPC_STATUS_UNKNOWN);
    amdrpc_watch_close(watch);
}
END_TEST

START_TEST(server_that_is_away_is_a_timeout)
{
    const amdrpc_watch_event *event = NULL;
    test_operations_stop();
    amdrpc_watch *watch = watch_open("operations/1", 0);

    ck_assert_int_eq(amdrpc_watch_next(watch, 20, &event), AMDRPC_ETIMEDOUT);

    amdrpc_watch_close(watch);
}
END_TEST

static void *
cancel_main(void *arg)
{
    test_operations_await(&test_script.nstreams, 1);
    amdrpc_watch_cancel(arg);
    return NULL;
}

START_TEST(cancel_wakes_the_reader)
{
    pthread_t thread;
    test_script.never_ends = true;
    amdrpc_watch *watch = watch_open("operations/1", TEST_NEVENTS - 1);
    ck_assert_int_eq(pthread_create(&thread, NULL, cancel_main, watch), 0);

    assert_watch_ended(watch, AMDRPC_STATUS_CANCELLED);

    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_uint_eq(test_script.ncancels, 0);
    amdrpc_watch_close(watch);
}
END_TEST

START_TEST(cancel_before_reading_ends_the_watch)
{
    amdrpc_watch *watch = watch_open("operations/9", 0);

    amdrpc_watch_cancel(watch);

    assert_watch_ended(watch, AMDRPC_STATUS_CANCELLED);
    amdrpc_watch_close(watch);
}
END_TEST

START_TEST(close_of_nothing_is_harmless)
{
    amdrpc_watch_close(NULL);
}
END_TEST

/* ---- no memory ---- */

/** Lets one allocation of all threads fail; tells whether there was one. */
static bool
fail_one(int64_t n)
{
    amdrpc_watch *watch = NULL;
    const amdrpc_watch_event *event = NULL;
    bool has_failed = false;

    amdi_cache_thread_flush();
    amdi_alloc_fail_at(n);
    amdrpc_err err = amdrpc_watch_open(
            test_channel, NULL, "operations/1", 0, NULL, &watch);
    while (err == AMDRPC_OK) {
        err = amdrpc_watch_next(watch, TEST_WAIT_MS, &event);
    }
    has_failed = amdi_alloc_has_failed();
    amdi_alloc_fail_at(-1);
    ck_assert(err == AMDRPC_EEND || (err == AMDRPC_ENOMEM && has_failed));
    amdrpc_watch_close(watch);
    return has_failed;
}

START_TEST(no_memory_ends_the_watch_or_makes_none)
{
    int64_t n = 0;

    while (fail_one(n)) {
        n++;
    }
    ck_assert_int_gt(n, 3);
}
END_TEST

static Suite *
client_watch_suite(void)
{
    Suite *suite = suite_create("client_watch");
    TCase *tcase = tcase_create("watch");

    tcase_add_checked_fixture(
            tcase, test_operations_setup, test_operations_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, every_event_comes_once_and_in_order);
    tcase_add_test(tcase, kinds_of_events_tell_what_they_hold);
    tcase_add_test(tcase, end_tells_response_and_status);
    tcase_add_test(tcase, end_with_an_error_tells_it);
    tcase_add_test(tcase, broken_streams_leave_no_gap);
    tcase_add_test(tcase, events_that_are_sent_twice_come_once);
    tcase_add_test(tcase, restart_of_the_server_leaves_no_gap);
    tcase_add_test(tcase, watch_without_a_method_gives_bytes);
    tcase_add_test(tcase, unknown_name_ends_the_watch);
    tcase_add_test(tcase, server_that_is_away_for_too_long_ends_the_watch);
    tcase_add_test(tcase, nothing_to_read_is_a_timeout);
    tcase_add_test(tcase, server_that_is_away_is_a_timeout);
    tcase_add_test(tcase, cancel_wakes_the_reader);
    tcase_add_test(tcase, cancel_before_reading_ends_the_watch);
    tcase_add_test(tcase, close_of_nothing_is_harmless);
    tcase_add_test(tcase, no_memory_ends_the_watch_or_makes_none);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(client_watch_suite)
