/** Tests the blocks that a thread keeps. */
#include "common/alloc.h"
#include "common/cache.h"
#include "tests/support/runner.h"

#include <check.h>

#include <pthread.h>
#include <stdlib.h>

static void
cache_tear_down(void)
{
    amdi_alloc_fail_at(-1);
    amdi_cache_thread_flush();
}

START_TEST(small_class_holds_its_size)
{
    for (size_t size = 1; size <= AMDI_CACHE_SMALL_BYTES; size++) {
        unsigned class = amdi_cache_small_class(size);

        ck_assert_uint_ge(amdi_cache_bytes(class), size);
        ck_assert_uint_lt(amdi_cache_bytes(class), size + 32);
    }
}
END_TEST

START_TEST(block_given_is_taken_again_unless_sanitized)
{
    void *block = amdi_cache_take(3);
    bool keeps = AMDI_CACHE_BYTES > 0;

    ck_assert_ptr_nonnull(block);
    amdi_cache_give(3, block);
    amdi_alloc_fail_at(0);
    block = amdi_cache_take(3);

    ck_assert(keeps == (block != NULL));
    if (block != NULL) {
        amdi_cache_give(3, block);
    }
}
END_TEST

/** How many blocks of a class fit what is kept. */
static size_t
max_blocks(unsigned class)
{
    return AMDI_CACHE_BYTES / amdi_cache_bytes(class);
}

/** Takes @n blocks from malloc and gives them all back. */
static void
take_and_give(unsigned class, size_t n)
{
    void **blocks = calloc(n, sizeof(*blocks));

    ck_assert_ptr_nonnull(blocks);
    for (size_t i = 0; i < n; i++) {
        blocks[i] = amdi_cache_take(class);
        ck_assert_ptr_nonnull(blocks[i]);
    }
    for (size_t i = 0; i < n; i++) {
        amdi_cache_give(class, blocks[i]);
    }
    free(blocks);
}

/** Tells how many blocks can be had without malloc; they are freed. */
static size_t
count_kept(unsigned class)
{
    void *block;
    size_t n = 0;

    amdi_alloc_fail_at(0);
    while ((block = amdi_cache_take(class)) != NULL) {
        amdi_free(block);
        n++;
    }
    amdi_alloc_fail_at(-1);
    return n;
}

START_TEST(thread_keeps_a_bounded_number_of_bytes)
{
    take_and_give(0, max_blocks(0) + 100);

    ck_assert_uint_le(amdi_cache_thread_bytes(), AMDI_CACHE_BYTES);
    ck_assert_uint_ge(amdi_cache_thread_bytes(), AMDI_CACHE_BYTES / 4 * 3);
}
END_TEST

START_TEST(what_is_left_to_others_is_bounded_too)
{
    unsigned class = (unsigned)_i;
    size_t n = 0;

    take_and_give(class, 6 * max_blocks(class) + 1);
    n = count_kept(class);

    ck_assert_uint_ge(n, 4 * max_blocks(class));
    ck_assert_uint_le(n, 5 * max_blocks(class) + 4);
}
END_TEST

static void *
thread_counts_kept(void *n)
{
    *(size_t *)n = count_kept(1);
    return NULL;
}

START_TEST(blocks_over_what_a_thread_keeps_are_another_threads)
{
    size_t n = 0;
    pthread_t thread;

    take_and_give(1, max_blocks(1) + max_blocks(1) / 2);
    ck_assert_int_eq(pthread_create(&thread, NULL, thread_counts_kept, &n), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);

    ck_assert_uint_ge(n, max_blocks(1) / 2);
    ck_assert_uint_le(n, max_blocks(1));
}
END_TEST

START_TEST(flush_frees_what_is_left_to_others)
{
    take_and_give(1, 2 * max_blocks(1));
    amdi_cache_thread_flush();

    ck_assert_uint_eq(count_kept(1), 0);
}
END_TEST

static void *
thread_gives(void *block)
{
    amdi_cache_give(1, block);
    return NULL;
}

START_TEST(block_of_another_thread_is_freed_with_that_thread)
{
    // A leak checker sees it if not.
    void *block = amdi_cache_take(1);
    pthread_t thread;

    ck_assert_ptr_nonnull(block);
    ck_assert_int_eq(pthread_create(&thread, NULL, thread_gives, block), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

static Suite *
cache_suite(void)
{
    Suite *suite = suite_create("cache");
    TCase *blocks = tcase_create("blocks");

    tcase_add_checked_fixture(blocks, NULL, cache_tear_down);
    tcase_add_test(blocks, small_class_holds_its_size);
    tcase_add_test(blocks, block_given_is_taken_again_unless_sanitized);
    tcase_add_test(blocks, thread_keeps_a_bounded_number_of_bytes);
    tcase_add_loop_test(blocks, what_is_left_to_others_is_bounded_too, 0,
            AMDI_CACHE_NCLASSES);
    tcase_add_test(blocks, blocks_over_what_a_thread_keeps_are_another_threads);
    tcase_add_test(blocks, flush_frees_what_is_left_to_others);
    tcase_add_test(blocks, block_of_another_thread_is_freed_with_that_thread);
    suite_add_tcase(suite, blocks);
    return suite;
}

TEST_MAIN(cache_suite)
