/** Tests memory that is freed all at once. */
#include "common/alloc.h"
#include "common/arena.h"
#include "common/cache.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"

#include <check.h>

#include <pthread.h>
#include <stdint.h>
#include <string.h>

static struct amdi_arena arena;

static void
arena_set_up(void)
{
    amdi_arena_init(&arena, /*max_bytes=*/0);
}

static void
arena_tear_down(void)
{
    amdi_alloc_fail_at(-1);
    amdi_arena_fini(&arena);
    amdi_cache_thread_flush();
}

START_TEST(allocations_are_aligned_and_apart)
{
    static const size_t sizes[] = {0, 1, 3, 16, 17, 100, 300, 2048, 2049, 9000};
    unsigned char *pieces[sizeof(sizes) / sizeof(sizes[0])];

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        pieces[i] = amdi_arena_alloc(&arena, sizes[i]);
        ck_assert_ptr_nonnull(pieces[i]);
        ck_assert_uint_eq((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
        memset(pieces[i], (int)i, sizes[i]);
    }

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (size_t j = 0; j < sizes[i]; j++) {
            ck_assert_uint_eq(pieces[i][j], i);
        }
    }
}
END_TEST

START_TEST(many_small_allocations_take_few_blocks)
{
    // 1000 × 16 bytes lie in 256, 512 … 8192 bytes: six blocks and one more.
    amdi_alloc_fail_at(7);
    for (size_t i = 0; i < 1000; i++) {
        ck_assert_ptr_nonnull(amdi_arena_alloc(&arena, 16));
    }
    ck_assert(!amdi_alloc_has_failed());
}
END_TEST

START_TEST(big_allocation_leaves_the_block_in_use)
{
    char *before = amdi_arena_alloc(&arena, 16);
    void *big = amdi_arena_alloc(&arena, 100000);
    char *after = amdi_arena_alloc(&arena, 16);

    ck_assert_ptr_nonnull(big);
    ck_assert_ptr_eq(after, before + 16);
}
END_TEST

START_TEST(big_allocation_may_be_the_first)
{
    ck_assert_ptr_nonnull(amdi_arena_alloc(&arena, 100000));
    ck_assert_ptr_nonnull(amdi_arena_alloc(&arena, 10));
    amdi_arena_reset(&arena);
    ck_assert_ptr_nonnull(amdi_arena_alloc(&arena, 10));
}
END_TEST

START_TEST(texts_are_copied_and_packed)
{
    char *first = amdi_arena_strndup(&arena, "hello", 4);
    char *second = amdi_arena_strndup(&arena, "world", 5);
    char *empty = amdi_arena_strndup(&arena, NULL, 0);

    ck_assert_str_eq(first, "hell");
    ck_assert_str_eq(second, "world");
    ck_assert_str_eq(empty, "");
    ck_assert_ptr_eq(second, first + 5);
}
END_TEST

START_TEST(limit_is_the_most_it_gives_out)
{
    amdi_arena_init(&arena, /*max_bytes=*/64);

    ck_assert_ptr_nonnull(amdi_arena_alloc(&arena, 32));
    ck_assert_ptr_nonnull(amdi_arena_alloc(&arena, 32));
    ck_assert_ptr_null(amdi_arena_alloc(&arena, 1));
    ck_assert_uint_eq(arena.used_bytes, 64);
    amdi_arena_reset(&arena);
    ck_assert_ptr_nonnull(amdi_arena_alloc(&arena, 64));
}
END_TEST

START_TEST(padding_counts_against_the_limit)
{
    amdi_arena_init(&arena, /*max_bytes=*/1024);

    for (size_t i = 0; i < 64; i++) {
        ck_assert_ptr_nonnull(amdi_arena_alloc(&arena, 1));
    }
    ck_assert_ptr_null(amdi_arena_alloc(&arena, 1));
}
END_TEST

START_TEST(size_that_overflows_fails)
{
    ck_assert_ptr_nonnull(amdi_arena_alloc(&arena, 1));

    ck_assert_ptr_null(amdi_arena_alloc(&arena, SIZE_MAX));
    ck_assert_ptr_null(amdi_arena_alloc(&arena, SIZE_MAX - 8));
    ck_assert_ptr_null(amdi_arena_strndup(&arena, "", SIZE_MAX));
}
END_TEST

START_TEST(reset_keeps_the_first_block)
{
    void *first = amdi_arena_alloc(&arena, 10);

    ck_assert_ptr_nonnull(amdi_arena_alloc(&arena, 1000));
    amdi_arena_reset(&arena);

    ck_assert_uint_eq(arena.used_bytes, 0);
    ck_assert_ptr_eq(amdi_arena_alloc(&arena, 10), first);
}
END_TEST

START_TEST(freed_blocks_serve_the_next_arena)
{
    ck_assert_ptr_nonnull(amdi_arena_alloc(&arena, 10));
    ck_assert_ptr_nonnull(amdi_arena_alloc(&arena, 1000));
    amdi_arena_fini(&arena);

    amdi_alloc_fail_at(0);
    // Under AddressSanitizer the cache keeps nothing.
    ck_assert_int_eq(
            amdi_arena_alloc(&arena, 10) != NULL, AMDI_CACHE_BYTES > 0);
    ck_assert_int_eq(amdi_alloc_has_failed(), AMDI_CACHE_BYTES == 0);
}
END_TEST

/** Uses an arena of the main thread, and one of its own. */
static void *
arena_thread(void *arg)
{
    struct amdi_arena own;

    amdi_arena_init(&own, 0);
    for (size_t i = 0; i < 100; i++) {
        ck_assert_ptr_nonnull(amdi_arena_alloc(&own, 100));
    }
    amdi_arena_fini(&own);
    ck_assert_ptr_nonnull(amdi_arena_alloc(arg, 500));
    amdi_arena_fini(arg);
    return NULL;
}

START_TEST(arena_may_be_freed_by_another_thread)
{
    for (size_t i = 0; i < 10; i++) {
        pthread_t thread;

        ck_assert_ptr_nonnull(amdi_arena_alloc(&arena, 100));
        ck_assert_int_eq(
                pthread_create(&thread, NULL, arena_thread, &arena), 0);
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
    }
    ck_assert_uint_eq(arena.used_bytes, 0);
}
END_TEST

START_TEST(protobuf_allocates_from_it)
{
    ProtobufCAllocator allocator = amdi_arena_allocator(&arena);
    void *ptr = allocator.alloc(allocator.allocator_data, 40);

    ck_assert_ptr_nonnull(ptr);
    ck_assert_uint_eq(arena.used_bytes, 40);
    allocator.free(allocator.allocator_data, ptr);
    ck_assert_uint_eq(arena.used_bytes, 40);
}
END_TEST

static amdrpc_err
arena_fill(void *unused)
{
    static const size_t sizes[] = {10, 400, 5000, 100, 2000, 8000};
    struct amdi_arena filled;
    amdrpc_err err = AMDRPC_OK;

    (void)unused;
    amdi_arena_init(&filled, 0);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        if (amdi_arena_alloc(&filled, sizes[i]) == NULL) {
            err = AMDRPC_ENOMEM;
        }
    }
    amdi_arena_fini(&filled);
    return err;
}

START_TEST(failed_allocation_leaves_a_usable_arena)
{
    ck_assert_uint_ge(test_sweep_allocations(arena_fill, NULL), 5);
}
END_TEST

static Suite *
arena_suite(void)
{
    Suite *suite = suite_create("arena");
    TCase *giving = tcase_create("giving");
    TCase *limit = tcase_create("limit");
    TCase *blocks = tcase_create("blocks");

    tcase_add_checked_fixture(giving, arena_set_up, arena_tear_down);
    tcase_add_test(giving, allocations_are_aligned_and_apart);
    tcase_add_test(giving, many_small_allocations_take_few_blocks);
    tcase_add_test(giving, big_allocation_leaves_the_block_in_use);
    tcase_add_test(giving, big_allocation_may_be_the_first);
    tcase_add_test(giving, texts_are_copied_and_packed);
    tcase_add_test(giving, protobuf_allocates_from_it);
    suite_add_tcase(suite, giving);
    tcase_add_checked_fixture(limit, arena_set_up, arena_tear_down);
    tcase_add_test(limit, limit_is_the_most_it_gives_out);
    tcase_add_test(limit, padding_counts_against_the_limit);
    tcase_add_test(limit, size_that_overflows_fails);
    tcase_add_test(limit, failed_allocation_leaves_a_usable_arena);
    suite_add_tcase(suite, limit);
    tcase_add_checked_fixture(blocks, arena_set_up, arena_tear_down);
    tcase_add_test(blocks, reset_keeps_the_first_block);
    tcase_add_test(blocks, freed_blocks_serve_the_next_arena);
    tcase_add_test(blocks, arena_may_be_freed_by_another_thread);
    suite_add_tcase(suite, blocks);
    return suite;
}

TEST_MAIN(arena_suite)
