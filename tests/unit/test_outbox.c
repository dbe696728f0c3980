/** Tests the outbox: framing, packing, the high-water mark, its threads. */
#include "common/arena.h"
#include "common/frame.h"
#include "common/outbox.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"

#include <check.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#define MARK_BYTES 100000u
#define SCRATCH_BYTES 65536u

static struct amdi_outbox outbox;
static struct amdi_out out;
static uint8_t scratch[SCRATCH_BYTES];

static void
outbox_set_up(void)
{
    amdi_outbox_init(&outbox, MARK_BYTES);
    amdi_out_init(&out, scratch, sizeof(scratch));
}

static void
outbox_tear_down(void)
{
    amdi_outbox_fini(&outbox);
}

struct text {
    const char *bytes;
    size_t len;
};

static void
text_write(uint8_t *to, const void *arg)
{
    const struct text *text = arg;

    memcpy(to, text->bytes, text->len);
}

static amdrpc_err
push_text(const char *bytes)
{
    struct text text = {.bytes = bytes, .len = strlen(bytes)};

    return amdi_outbox_push(
            &outbox, text.len, /*may_block=*/false, NULL, text_write, &text);
}

struct fill {
    uint8_t byte;
    size_t len;
};

static void
fill_write(uint8_t *to, const void *arg)
{
    const struct fill *fill = arg;

    memset(to, fill->byte, fill->len);
}

static amdrpc_err
push_fill(uint8_t byte, size_t len, bool may_block)
{
    struct fill fill = {.byte = byte, .len = len};

    return amdi_outbox_push(&outbox, len, may_block, NULL, fill_write, &fill);
}

/** Takes everything, in one write. */
static size_t
outbox_take_all(void)
{
    size_t len = amdi_outbox_collect(&outbox);

    amdi_out_init(&out, scratch, sizeof(scratch));
    amdi_outbox_take(&outbox, &out, len);
    return len;
}

/* ---- framing ---- */

START_TEST(empty_outbox_has_nothing_to_send)
{
    ck_assert_uint_eq(amdi_outbox_collect(&outbox), 0);
    ck_assert(!amdi_outbox_release(&outbox));
}
END_TEST

START_TEST(message_has_its_prefix)
{
    ck_assert_int_eq(push_text("hello"), AMDRPC_OK);

    ck_assert_uint_eq(outbox_take_all(), 10);
    ck_assert_int_eq(out.niov, 1);
    ck_assert_mem_eq(out.iov[0].iov_base, "\0\0\0\0\5hello", 10);
}
END_TEST

START_TEST(compressed_message_is_marked)
{
    struct amdi_message *message = amdi_message_create(/*room=*/2);

    ck_assert_ptr_nonnull(message);
    message->len = 2;
    message->is_compressed = true;
    memcpy(message->data, "hi", 2);

    ck_assert_int_eq(
            amdi_outbox_push_message(&outbox, message, false), AMDRPC_OK);
    amdi_message_free(message);

    ck_assert_uint_eq(outbox_take_all(), 7);
    ck_assert_mem_eq(out.iov[0].iov_base, "\1\0\0\0\2hi", 7);
}
END_TEST

START_TEST(empty_message_is_a_prefix)
{
    ck_assert_int_eq(push_text(""), AMDRPC_OK);

    ck_assert_uint_eq(outbox_take_all(), 5);
    ck_assert_mem_eq(out.iov[0].iov_base, "\0\0\0\0\0", 5);
}
END_TEST

START_TEST(message_too_long_for_a_prefix_is_refused)
{
    ck_assert_int_eq(amdi_outbox_push(&outbox, (size_t)UINT32_MAX + 1, false,
                             NULL, fill_write, NULL),
            AMDRPC_ELIMIT);
}
END_TEST

START_TEST(small_messages_share_a_chunk)
{
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(push_fill((uint8_t)i, 95, false), AMDRPC_OK);
    }

    ck_assert_uint_eq(outbox_take_all(), 10000);
    // The first is alone, then 5, 20 … share a chunk: few pieces, not 100.
    ck_assert_int_le(out.niov, 8);
    amdi_outbox_release(&outbox);
}
END_TEST

START_TEST(order_is_kept_between_small_and_big)
{
    static uint8_t joined[8192];
    size_t len = 0;

    ck_assert_int_eq(push_text("a"), AMDRPC_OK);
    ck_assert_int_eq(push_fill('B', 4000, false), AMDRPC_OK);
    ck_assert_int_eq(push_text("c"), AMDRPC_OK);
    ck_assert_uint_eq(outbox_take_all(), 6 + 4005 + 6);

    for (int i = 0; i < out.niov; i++) {
        memcpy(joined + len, out.iov[i].iov_base, out.iov[i].iov_len);
        len += out.iov[i].iov_len;
    }
    ck_assert_uint_eq(len, out.nbytes);
    ck_assert_mem_eq(joined,
            "\0\0\0\0\1a\0\0\0\x0f\xa0"
            "B",
            12);
    ck_assert_mem_eq(joined + 4010, "B\0\0\0\0\1c", 7);
}
END_TEST

START_TEST(big_message_is_referenced)
{
    ck_assert_int_eq(push_fill('x', 65536, false), AMDRPC_OK);

    ck_assert_uint_eq(outbox_take_all(), 65541);
    ck_assert_int_eq(out.niov, 1);
    ck_assert_uint_eq(out.used, 0);
}
END_TEST

START_TEST(message_is_taken_in_pieces)
{
    size_t len = 0;

    ck_assert_int_eq(push_fill('x', 10000, false), AMDRPC_OK);
    ck_assert_uint_eq(amdi_outbox_collect(&outbox), 10005);
    while (len < 10005) {
        size_t piece = 10005 - len < 3000 ? 10005 - len : 3000;

        amdi_out_init(&out, scratch, sizeof(scratch));
        // It counts with its last byte.
        ck_assert_uint_eq(amdi_outbox_take(&outbox, &out, piece),
                len + piece == 10005 ? 1 : 0);
        ck_assert_uint_eq(out.nbytes, piece);
        (void)amdi_outbox_release(&outbox);
        len += piece;
        ck_assert_uint_eq(amdi_outbox_collect(&outbox), 10005 - len);
    }
}
END_TEST

// More pieces than an amdi_out has places: the last ones are copied.
START_TEST(many_middling_messages_fit_into_one_write)
{
    int npushed = 0;

    while (npushed < 30 && push_fill('m', 2100, false) == AMDRPC_OK &&
            push_text("s") == AMDRPC_OK) {
        npushed++;
    }
    ck_assert_int_eq(npushed, 30);
    ck_assert_uint_eq(outbox_take_all(), 30 * (2105 + 6));

    ck_assert_uint_eq(out.nbytes, 30 * (2105 + 6));
    ck_assert_int_le(out.niov, AMDI_OUT_NIOV);
}
END_TEST

START_TEST(only_message_may_lie_in_the_arena)
{
    struct amdi_arena arena;
    struct text text = {.bytes = "hello", .len = 5};

    amdi_arena_init(&arena, 0);
    ck_assert_int_eq(amdi_outbox_push(&outbox, text.len, false, &arena,
                             text_write, &text),
            AMDRPC_OK);
    ck_assert_uint_gt(arena.used_bytes, 10);

    ck_assert_uint_eq(outbox_take_all(), 10);
    ck_assert_mem_eq(out.iov[0].iov_base, "\0\0\0\0\5hello", 10);
    (void)amdi_outbox_release(&outbox);
    amdi_arena_fini(&arena);
}
END_TEST

START_TEST(arena_that_is_full_is_no_obstacle)
{
    struct amdi_arena arena;
    struct text text = {.bytes = "hello", .len = 5};

    amdi_arena_init(&arena, 1);
    ck_assert_int_eq(amdi_outbox_push(&outbox, text.len, false, &arena,
                             text_write, &text),
            AMDRPC_OK);
    ck_assert_uint_eq(outbox_take_all(), 10);
    amdi_arena_fini(&arena);
}
END_TEST

/* ---- the mark ---- */

START_TEST(what_was_not_looked_at_is_taken_again)
{
    // Three chunks, the last one taken in part.
    ck_assert_int_eq(push_text("first"), AMDRPC_OK);
    (void)amdi_outbox_collect(&outbox);
    ck_assert_int_eq(push_fill('b', 3000, false), AMDRPC_OK);
    (void)amdi_outbox_collect(&outbox);
    ck_assert_int_eq(push_text("third"), AMDRPC_OK);
    size_t nready = amdi_outbox_collect(&outbox);
    amdi_outbox_take(&outbox, &out, nready - 2);

    amdi_outbox_rewind(&outbox);

    ck_assert_uint_eq(amdi_outbox_collect(&outbox), nready);
    amdi_out_init(&out, scratch, sizeof(scratch));
    ck_assert_uint_eq(amdi_outbox_take(&outbox, &out, nready), 3);
    ck_assert_uint_eq(out.nbytes, nready);
    ck_assert_mem_eq(scratch, "\0\0\0\0\5first", 10);
    ck_assert_mem_eq(scratch + out.used - 10, "\0\0\0\0\5third", 10);
    ck_assert(!amdi_outbox_release(&outbox));
    ck_assert_uint_eq(outbox.nwaiting, 0);
}
END_TEST

START_TEST(full_outbox_says_again)
{
    ck_assert_int_eq(push_fill('x', MARK_BYTES - 5, false), AMDRPC_OK);
    ck_assert_int_eq(push_text("y"), AMDRPC_EAGAIN);

    // What was collected and taken counts until it is released.
    ck_assert_uint_eq(amdi_outbox_collect(&outbox), MARK_BYTES);
    ck_assert_int_eq(push_text("y"), AMDRPC_EAGAIN);
    amdi_outbox_take(&outbox, &out, MARK_BYTES);
    ck_assert_int_eq(push_text("y"), AMDRPC_EAGAIN);
    ck_assert(amdi_outbox_release(&outbox));
    ck_assert_int_eq(push_text("y"), AMDRPC_OK);
}
END_TEST

START_TEST(release_tells_of_room_once)
{
    ck_assert_int_eq(push_fill('x', MARK_BYTES - 5, false), AMDRPC_OK);
    ck_assert_int_eq(push_text("y"), AMDRPC_EAGAIN);
    ck_assert_uint_eq(outbox_take_all(), MARK_BYTES);

    ck_assert(amdi_outbox_release(&outbox));
    ck_assert(!amdi_outbox_release(&outbox));
    ck_assert_int_eq(push_text("y"), AMDRPC_OK);
    (void)outbox_take_all();
    ck_assert(!amdi_outbox_release(&outbox));
}
END_TEST

START_TEST(message_above_the_mark_goes_alone)
{
    ck_assert_int_eq(push_text("y"), AMDRPC_OK);
    ck_assert_int_eq(push_fill('x', 2 * MARK_BYTES, false), AMDRPC_EAGAIN);
    (void)outbox_take_all();
    ck_assert(amdi_outbox_release(&outbox));

    ck_assert_int_eq(push_fill('x', 2 * MARK_BYTES, false), AMDRPC_OK);
    ck_assert_int_eq(push_text("y"), AMDRPC_EAGAIN);
}
END_TEST

/* ---- the end ---- */

START_TEST(closed_outbox_takes_nothing)
{
    ck_assert_int_eq(push_text("a"), AMDRPC_OK);
    amdi_outbox_close(&outbox);
    amdi_outbox_close(&outbox);

    ck_assert_uint_eq(amdi_outbox_collect(&outbox), 0);
    ck_assert_int_eq(push_text("b"), AMDRPC_ECANCELED);
    ck_assert_int_eq(push_fill('x', 4000, true), AMDRPC_ECANCELED);
}
END_TEST

START_TEST(what_was_collected_survives_the_close)
{
    ck_assert_int_eq(push_text("a"), AMDRPC_OK);
    ck_assert_uint_eq(amdi_outbox_collect(&outbox), 6);
    ck_assert_int_eq(push_text("b"), AMDRPC_OK);
    amdi_outbox_close(&outbox);

    ck_assert_uint_eq(outbox_take_all(), 6);
    ck_assert_mem_eq(out.iov[0].iov_base, "\0\0\0\0\1a", 6);
}
END_TEST

START_TEST(fini_frees_all_stages)
{
    ck_assert_int_eq(push_fill('1', 3000, false), AMDRPC_OK);
    ck_assert_int_eq(push_fill('2', 3000, false), AMDRPC_OK);
    (void)amdi_outbox_collect(&outbox);
    amdi_outbox_take(&outbox, &out, 3005);
    ck_assert_int_eq(push_fill('3', 3000, false), AMDRPC_OK);
    // The tear-down must free a spent, a sending and a queued chunk.
}
END_TEST

static amdrpc_err
outbox_fill_and_empty(void *arg)
{
    struct amdi_outbox swept;
    struct fill small = {.byte = 's', .len = 100};
    struct fill big = {.byte = 'b', .len = 5000};
    amdrpc_err err;

    (void)arg;
    amdi_outbox_init(&swept, MARK_BYTES);
    err = amdi_outbox_push(&swept, 100, false, NULL, fill_write, &small);
    if (err == AMDRPC_OK) {
        err = amdi_outbox_push(&swept, 100, false, NULL, fill_write, &small);
    }
    if (err == AMDRPC_OK) {
        err = amdi_outbox_push(&swept, 5000, false, NULL, fill_write, &big);
    }
    ck_assert(
            err == AMDRPC_OK || amdi_outbox_collect(&swept) == swept.nwaiting);
    amdi_outbox_fini(&swept);
    return err;
}

START_TEST(failed_allocation_takes_no_room)
{
    ck_assert_uint_eq(test_sweep_allocations(outbox_fill_and_empty, NULL), 3);
}
END_TEST

/* ---- threads ---- */

/** Waits, without sleeping, until a producer waits for room. */
static void
outbox_await_waiter(void)
{
    bool is_waiting = false;

    while (!is_waiting) {
        sched_yield();
        pthread_mutex_lock(&outbox.mtx);
        is_waiting = outbox.nblocked > 0;
        pthread_mutex_unlock(&outbox.mtx);
    }
}

static void *
blocked_producer_main(void *arg)
{
    amdrpc_err *err = arg;

    *err = push_fill('z', 60000, /*may_block=*/true);
    return NULL;
}

START_TEST(producer_that_waits_is_woken_by_release)
{
    amdrpc_err err = AMDRPC_EIO;
    pthread_t thread;

    ck_assert_int_eq(push_fill('x', 70000, false), AMDRPC_OK);
    ck_assert_int_eq(
            pthread_create(&thread, NULL, blocked_producer_main, &err), 0);
    outbox_await_waiter();
    (void)outbox_take_all();
    ck_assert(!amdi_outbox_release(&outbox));
    ck_assert_int_eq(pthread_join(thread, NULL), 0);

    ck_assert_int_eq(err, AMDRPC_OK);
    ck_assert_uint_eq(amdi_outbox_collect(&outbox), 60005);
}
END_TEST

START_TEST(producers_that_wait_are_woken_by_close)
{
    amdrpc_err errs[3] = {AMDRPC_OK, AMDRPC_OK, AMDRPC_OK};
    pthread_t threads[3];

    ck_assert_int_eq(push_fill('x', 70000, false), AMDRPC_OK);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL,
                                 blocked_producer_main, &errs[i]),
                0);
    }
    outbox_await_waiter();
    amdi_outbox_close(&outbox);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        ck_assert_int_eq(errs[i], AMDRPC_ECANCELED);
    }
}
END_TEST

#define NPRODUCERS 3
#define NMESSAGES 3000

static atomic_int nproducers_left;

/** Sends messages of all sizes, each filled with the producer's letter. */
static void *
stream_producer_main(void *arg)
{
    const uint8_t *letter = arg;

    for (size_t i = 0; i < NMESSAGES; i++) {
        // Some are large enough for their memory to be used again.
        size_t len = i % 20 == 0 ? 17000 + i : i * 37 % 3000;

        ck_assert_int_eq(push_fill(*letter, len, true), AMDRPC_OK);
    }
    atomic_fetch_sub(&nproducers_left, 1);
    return NULL;
}

/** Reads frames back and counts them; a reader of the other side. */
static size_t
frames_count(struct amdi_frame_reader *reader, const struct amdi_out *written)
{
    size_t nmessages = 0;

    for (int i = 0; i < written->niov; i++) {
        const uint8_t *data = written->iov[i].iov_base;
        size_t len = written->iov[i].iov_len;

        while (len > 0) {
            struct amdi_message *message = NULL;
            size_t taken = 0;

            ck_assert_int_eq(
                    amdi_frame_reader_push(reader, data, len, &taken, &message),
                    AMDRPC_OK);
            data += taken;
            len -= taken;
            if (message != NULL) {
                ck_assert(message->len == 0 ||
                        message->data[0] == message->data[message->len - 1]);
                amdi_message_free(message);
                nmessages++;
            }
        }
    }
    return nmessages;
}

START_TEST(messages_of_many_threads_arrive_whole)
{
    static uint8_t letters[NPRODUCERS] = {'a', 'b', 'c'};
    struct amdi_frame_reader reader;
    pthread_t threads[NPRODUCERS];
    size_t nmessages = 0;

    amdi_frame_reader_init(&reader, 1000000);
    atomic_store(&nproducers_left, NPRODUCERS);
    for (int i = 0; i < NPRODUCERS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, stream_producer_main,
                                 &letters[i]),
                0);
    }
    while (nmessages < (size_t)NPRODUCERS * NMESSAGES) {
        size_t ready = amdi_outbox_collect(&outbox);

        amdi_out_init(&out, scratch, sizeof(scratch));
        amdi_outbox_take(&outbox, &out, ready < 16384 ? ready : 16384);
        nmessages += frames_count(&reader, &out);
        (void)amdi_outbox_release(&outbox);
    }
    for (int i = 0; i < NPRODUCERS; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    }
    ck_assert_uint_eq(amdi_outbox_collect(&outbox), 0);
    ck_assert_uint_eq(outbox.nwaiting, 0);
    amdi_frame_reader_fini(&reader);
}
END_TEST

static TCase *
outbox_case(const char *name)
{
    TCase *tcase = tcase_create(name);

    tcase_add_checked_fixture(tcase, outbox_set_up, outbox_tear_down);
    return tcase;
}

static void
outbox_add_framing_tests(Suite *suite)
{
    TCase *framing = outbox_case("framing");

    tcase_add_test(framing, empty_outbox_has_nothing_to_send);
    tcase_add_test(framing, message_has_its_prefix);
    tcase_add_test(framing, compressed_message_is_marked);
    tcase_add_test(framing, empty_message_is_a_prefix);
    tcase_add_test(framing, message_too_long_for_a_prefix_is_refused);
    tcase_add_test(framing, small_messages_share_a_chunk);
    tcase_add_test(framing, order_is_kept_between_small_and_big);
    tcase_add_test(framing, big_message_is_referenced);
    tcase_add_test(framing, message_is_taken_in_pieces);
    tcase_add_test(framing, many_middling_messages_fit_into_one_write);
    tcase_add_test(framing, only_message_may_lie_in_the_arena);
    tcase_add_test(framing, arena_that_is_full_is_no_obstacle);
    tcase_add_test(framing, what_was_not_looked_at_is_taken_again);
    suite_add_tcase(suite, framing);
}

static Suite *
outbox_suite(void)
{
    Suite *suite = suite_create("outbox");
    TCase *mark = outbox_case("mark");
    TCase *end = outbox_case("end");
    TCase *threads = outbox_case("threads");

    outbox_add_framing_tests(suite);
    tcase_add_test(mark, full_outbox_says_again);
    tcase_add_test(mark, release_tells_of_room_once);
    tcase_add_test(mark, message_above_the_mark_goes_alone);
    suite_add_tcase(suite, mark);
    tcase_add_test(end, closed_outbox_takes_nothing);
    tcase_add_test(end, what_was_collected_survives_the_close);
    tcase_add_test(end, fini_frees_all_stages);
    tcase_add_test(end, failed_allocation_takes_no_room);
    suite_add_tcase(suite, end);
    tcase_add_test(threads, producer_that_waits_is_woken_by_release);
    tcase_add_test(threads, producers_that_wait_are_woken_by_close);
    tcase_add_test(threads, messages_of_many_threads_arrive_whole);
    suite_add_tcase(suite, threads);
    return suite;
}

TEST_MAIN(outbox_suite)
