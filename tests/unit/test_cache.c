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

START_TEST(thread_keeps_a_bounded_number_of_bytes)
{
    size_t nblocks = AMDI_CACHE_BYTES / amdi_cache_bytes(0) + 100;
    void **blocks = calloc(nblocks, sizeof(*blocks));
    size_t nkept = 0;

    ck_assert_ptr_nonnull(blocks);
    for (size_t i = 0; i < nblocks; i++) {
        blocks[i] = amdi_cache_take(0);
        ck_assert_ptr_nonnull(blocks[i]);
    }
    for (size_t i = 0; i < nblocks; i++) {
        amdi_cache_give(0, blocks[i]);
    }
    amdi_alloc_fail_at(0);
    while ((blocks[nkept] = amdi_cache_take(0)) != NULL) {
        nkept++;
    }

    ck_assert_uint_eq(nkept, AMDI_CACHE_BYTES / amdi_cache_bytes(0));
    for (size_t i = 0; i < nkept; i++) {
        amdi_cache_give(0, blocks[i]);
    }
    free(blocks);
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
    tcase_add_test(blocks, block_of_another_thread_is_freed_with_that_thread);
    suite_add_tcase(suite, blocks);
    return suite;
}

TEST_MAIN(cache_suite)
