/** Tests the inbox: messages, the window, the end, its threads. */
#include "common/frame.h"
#include "common/inbox.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"

#include <check.h>

#include <pthread.h>
#include <sched.h>
#include <string.h>

#define MAX_MESSAGE_BYTES 100000u
#define KEEP_BYTES 100u

static struct amdi_inbox inbox;
static size_t nfed;
static size_t nconsumed;

static void
inbox_set_up(void)
{
    amdi_inbox_init(&inbox, MAX_MESSAGE_BYTES, KEEP_BYTES);
    nfed = 0;
    nconsumed = 0;
}

static void
inbox_tear_down(void)
{
    amdi_inbox_fini(&inbox);
}

/** Feeds bytes; returns the number of messages completed. */
static size_t
feed(const void *data, size_t len)
{
    size_t nmessages = 0;
    size_t consume = 0;

    ck_assert_int_eq(amdi_inbox_feed(&inbox, data, len, &nmessages, &consume),
            AMDRPC_OK);
    nfed += len;
    nconsumed += consume;
    return nmessages;
}

/** Feeds one message of @len zero bytes. */
static void
feed_message(uint32_t len)
{
    static const uint8_t zeros[1000];
    uint8_t prefix[AMDI_FRAME_PREFIX_BYTES];

    amdi_frame_write_prefix(prefix, false, len);
    (void)feed(prefix, sizeof(prefix));
    while (len > 0) {
        uint32_t piece = len < sizeof(zeros) ? len : (uint32_t)sizeof(zeros);

        (void)feed(zeros, piece);
        len -= piece;
    }
}

/** Takes a message and returns its length. */
static uint32_t
take(void)
{
    struct amdi_message *message = NULL;
    size_t consume = 0;
    uint32_t len;

    ck_assert_int_eq(amdi_inbox_take(&inbox, 0, &message, &consume), AMDRPC_OK);
    nconsumed += consume;
    len = message->len;
    amdi_message_free(message);
    return len;
}

static amdrpc_err
take_err(int64_t timeout_ms)
{
    struct amdi_message *message = NULL;
    size_t consume = 0;
    amdrpc_err err = amdi_inbox_take(&inbox, timeout_ms, &message, &consume);

    amdi_message_free(message);
    return err;
}

/* ---- messages ---- */

START_TEST(message_in_pieces_is_one_message)
{
    static const uint8_t wire[] = {0, 0, 0, 0, 2, 'h', 'i'};
    struct amdi_message *message = NULL;
    size_t consume = 0;

    for (size_t i = 0; i < sizeof(wire); i++) {
        ck_assert_int_eq(take_err(0), AMDRPC_EAGAIN);
        ck_assert(!amdi_inbox_is_readable(&inbox));
        ck_assert_uint_eq(feed(&wire[i], 1), i + 1 == sizeof(wire) ? 1 : 0);
    }

    ck_assert(amdi_inbox_is_readable(&inbox));
    ck_assert_int_eq(amdi_inbox_take(&inbox, 0, &message, &consume), AMDRPC_OK);
    ck_assert_uint_eq(message->len, 2);
    ck_assert_mem_eq(message->data, "hi", 2);
    amdi_message_free(message);
}
END_TEST

START_TEST(several_messages_come_in_order)
{
    static const uint8_t wire[] = {
            0, 0, 0, 0, 1, 'a', 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 'a', 'b', 'c', 0};

    ck_assert_uint_eq(feed(wire, sizeof(wire)), 3);

    ck_assert_uint_eq(take(), 1);
    ck_assert_uint_eq(take(), 0);
    ck_assert_uint_eq(take(), 3);
    ck_assert_int_eq(take_err(0), AMDRPC_EAGAIN);
    ck_assert(amdi_inbox_is_partial(&inbox));
}
END_TEST

START_TEST(error_of_the_frames_is_told)
{
    size_t nmessages = 0;
    size_t consume = 0;

    ck_assert_int_eq(amdi_inbox_feed(&inbox, (const uint8_t *)"\0\0\0\0\1a\7",
                             7, &nmessages, &consume),
            AMDRPC_EPROTO);
    ck_assert(!amdi_inbox_is_readable(&inbox));
}
END_TEST

/* ---- the window ---- */

START_TEST(message_in_progress_is_given_window)
{
    uint8_t prefix[AMDI_FRAME_PREFIX_BYTES];
    static const uint8_t piece[1000];

    amdi_frame_write_prefix(prefix, false, 50000);
    (void)feed(prefix, sizeof(prefix));
    for (int i = 0; i < 49; i++) {
        (void)feed(piece, sizeof(piece));
        ck_assert_uint_eq(nconsumed, nfed);
    }
}
END_TEST

START_TEST(messages_that_wait_hold_the_window)
{
    feed_message(95); // with its prefix, as much as is kept
    ck_assert_uint_eq(nconsumed, 100);
    feed_message(1);
    ck_assert_uint_eq(nconsumed, 105);
    feed_message(500);
    ck_assert_uint_eq(nconsumed, 105);

    (void)take();
    ck_assert_uint_eq(nconsumed, 105);
    (void)take();
    ck_assert_uint_eq(nconsumed, 105);
    (void)take();
    ck_assert_uint_eq(nconsumed, nfed);
}
END_TEST

START_TEST(window_opens_when_little_enough_waits)
{
    feed_message(300);
    feed_message(50);
    ck_assert_uint_lt(nconsumed, nfed);

    (void)take();
    ck_assert_uint_eq(nconsumed, nfed);
}
END_TEST

START_TEST(all_is_given_back_in_the_end)
{
    for (uint32_t i = 0; i < 200; i++) {
        feed_message(i * 31 % 700);
        if (i % 3 != 0) {
            (void)take();
        }
    }
    while (amdi_inbox_is_readable(&inbox)) {
        (void)take();
    }
    ck_assert_uint_eq(nconsumed, nfed);
}
END_TEST

/* ---- the end ---- */

START_TEST(good_end_comes_after_the_messages)
{
    feed_message(3);
    amdi_inbox_end(&inbox, AMDRPC_EEND);
    amdi_inbox_end(&inbox, AMDRPC_ECANCELED);

    ck_assert_uint_eq(take(), 3);
    ck_assert(amdi_inbox_is_readable(&inbox));
    ck_assert_int_eq(take_err(0), AMDRPC_EEND);
    ck_assert_int_eq(take_err(-1), AMDRPC_EEND);
}
END_TEST

START_TEST(error_drops_the_messages)
{
    feed_message(300);
    amdi_inbox_end(&inbox, AMDRPC_ECANCELED);
    amdi_inbox_end(&inbox, AMDRPC_EEND);

    ck_assert_int_eq(take_err(-1), AMDRPC_ECANCELED);
}
END_TEST

START_TEST(bytes_after_an_error_are_given_back_at_once)
{
    feed_message(300);
    amdi_inbox_end(&inbox, AMDRPC_ECANCELED);

    ck_assert_uint_eq(feed("\0\0\0\0\1a", 6), 0);
    ck_assert_uint_eq(nconsumed, nfed);
    ck_assert_int_eq(take_err(0), AMDRPC_ECANCELED);
}
END_TEST

START_TEST(messages_left_are_freed)
{
    feed_message(10);
    feed_message(10);
    (void)feed("\0\0\0\1\0half", 9);
    // The tear-down must free two messages and a half.
}
END_TEST

static amdrpc_err
inbox_fill(void *arg)
{
    static const uint8_t wire[] = {0, 0, 0, 0, 1, 'a', 0, 0, 0, 0, 1, 'b'};
    struct amdi_inbox swept;
    size_t nmessages;
    size_t consume;
    amdrpc_err err;

    (void)arg;
    amdi_inbox_init(&swept, MAX_MESSAGE_BYTES, KEEP_BYTES);
    err = amdi_inbox_feed(&swept, wire, sizeof(wire), &nmessages, &consume);
    amdi_inbox_fini(&swept);
    return err;
}

START_TEST(failed_allocation_is_an_error_and_leaks_nothing)
{
    ck_assert_uint_eq(test_sweep_allocations(inbox_fill, NULL), 2);
}
END_TEST

/* ---- threads ---- */

START_TEST(wait_ends_with_the_time)
{
    ck_assert_int_eq(take_err(2), AMDRPC_ETIMEDOUT);
}
END_TEST

struct reading {
    amdrpc_err err;
    int64_t timeout_ms;
};

static void *
reader_main(void *arg)
{
    struct reading *reading = arg;

    reading->err = take_err(reading->timeout_ms);
    return NULL;
}

/** Waits, without sleeping, until the reader waits. */
static void
inbox_await_waiter(void)
{
    bool is_waiting = false;

    while (!is_waiting) {
        sched_yield();
        pthread_mutex_lock(&inbox.mtx);
        is_waiting = inbox.waiter != NULL;
        pthread_mutex_unlock(&inbox.mtx);
    }
}

START_TEST(message_wakes_the_reader)
{
    struct reading reading = {.timeout_ms = _i == 0 ? -1 : 600000};
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, reader_main, &reading), 0);
    inbox_await_waiter();
    feed_message(5);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);

    ck_assert_int_eq(reading.err, AMDRPC_OK);
}
END_TEST

START_TEST(end_wakes_the_reader)
{
    struct reading reading = {.timeout_ms = -1};
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, reader_main, &reading), 0);
    inbox_await_waiter();
    amdi_inbox_end(&inbox, AMDRPC_ECANCELED);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);

    ck_assert_int_eq(reading.err, AMDRPC_ECANCELED);
}
END_TEST

#define NMESSAGES 20000

static size_t reader_nconsumed;
static size_t reader_nmessages;

static void *
stream_reader_main(void *arg)
{
    struct amdi_message *message = NULL;
    size_t consume = 0;
    amdrpc_err *end = arg;

    while ((*end = amdi_inbox_take(&inbox, -1, &message, &consume)) ==
            AMDRPC_OK) {
        amdi_message_free(message);
        reader_nconsumed += consume;
        reader_nmessages++;
    }
    return NULL;
}

START_TEST(reader_of_another_thread_gets_all)
{
    amdrpc_err end = AMDRPC_OK;
    pthread_t thread;

    reader_nconsumed = 0;
    reader_nmessages = 0;
    ck_assert_int_eq(
            pthread_create(&thread, NULL, stream_reader_main, &end), 0);
    for (uint32_t i = 0; i < NMESSAGES; i++) {
        feed_message(i % 200);
    }
    amdi_inbox_end(&inbox, AMDRPC_EEND);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);

    ck_assert_int_eq(end, AMDRPC_EEND);
    ck_assert_uint_eq(reader_nmessages, NMESSAGES);
    ck_assert_uint_eq(nconsumed + reader_nconsumed, nfed);
}
END_TEST

static TCase *
inbox_case(const char *name)
{
    TCase *tcase = tcase_create(name);

    tcase_add_checked_fixture(tcase, inbox_set_up, inbox_tear_down);
    return tcase;
}

static Suite *
inbox_suite(void)
{
    Suite *suite = suite_create("inbox");
    TCase *messages = inbox_case("messages");
    TCase *window = inbox_case("window");
    TCase *end = inbox_case("end");
    TCase *threads = inbox_case("threads");

    tcase_add_test(messages, message_in_pieces_is_one_message);
    tcase_add_test(messages, several_messages_come_in_order);
    tcase_add_test(messages, error_of_the_frames_is_told);
    suite_add_tcase(suite, messages);
    tcase_add_test(window, message_in_progress_is_given_window);
    tcase_add_test(window, messages_that_wait_hold_the_window);
    tcase_add_test(window, window_opens_when_little_enough_waits);
    tcase_add_test(window, all_is_given_back_in_the_end);
    suite_add_tcase(suite, window);
    tcase_add_test(end, good_end_comes_after_the_messages);
    tcase_add_test(end, error_drops_the_messages);
    tcase_add_test(end, bytes_after_an_error_are_given_back_at_once);
    tcase_add_test(end, messages_left_are_freed);
    tcase_add_test(end, failed_allocation_is_an_error_and_leaks_nothing);
    suite_add_tcase(suite, end);
    tcase_add_test(threads, wait_ends_with_the_time);
    tcase_add_loop_test(threads, message_wakes_the_reader, 0, 2);
    tcase_add_test(threads, end_wakes_the_reader);
    tcase_add_test(threads, reader_of_another_thread_gets_all);
    suite_add_tcase(suite, threads);
    return suite;
}

TEST_MAIN(inbox_suite)
