/** Tests allocation and the failures that tests ask for. */
#include "common/alloc.h"
#include "tests/support/runner.h"

#include <check.h>

#include <string.h>

START_TEST(zalloc_and_calloc_give_zero_bytes)
{
    unsigned char *bytes = amdi_zalloc(100);
    unsigned char *items = amdi_calloc(10, 10);

    for (size_t i = 0; i < 100; i++) {
        ck_assert_uint_eq(bytes[i], 0);
        ck_assert_uint_eq(items[i], 0);
    }
    amdi_free(bytes);
    amdi_free(items);
}
END_TEST

START_TEST(calloc_that_overflows_fails)
{
    volatile size_t huge = SIZE_MAX / 2;

    ck_assert_ptr_null(amdi_calloc(huge, 3));
}
END_TEST

START_TEST(realloc_to_nothing_keeps_an_allocation)
{
    void *ptr = amdi_realloc(amdi_alloc(10), 0);

    ck_assert_ptr_nonnull(ptr);
    amdi_free(ptr);
}
END_TEST

START_TEST(strndup_copies_and_terminates)
{
    char *cut = amdi_strndup("hello", 4);
    char *whole = amdi_strdup("hello");
    char *empty = amdi_strndup(NULL, 0);

    ck_assert_str_eq(cut, "hell");
    ck_assert_str_eq(whole, "hello");
    ck_assert_str_eq(empty, "");
    ck_assert_ptr_null(amdi_strndup("x", SIZE_MAX));
    amdi_free(cut);
    amdi_free(whole);
    amdi_free(empty);
}
END_TEST

START_TEST(asked_for_allocation_fails_once)
{
    void *first;
    void *third;

    amdi_alloc_fail_at(1);
    first = amdi_alloc(1);
    ck_assert(!amdi_alloc_has_failed());
    ck_assert_ptr_null(amdi_zalloc(1));
    ck_assert(amdi_alloc_has_failed());
    third = amdi_alloc(1);

    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_nonnull(third);
    amdi_free(first);
    amdi_free(third);
}
END_TEST

START_TEST(every_function_can_fail)
{
    void *ptr = amdi_alloc(1);

    amdi_alloc_fail_at(0);
    ck_assert_ptr_null(amdi_alloc(1));
    amdi_alloc_fail_at(0);
    ck_assert_ptr_null(amdi_calloc(1, 1));
    amdi_alloc_fail_at(0);
    ck_assert_ptr_null(amdi_realloc(ptr, 2));
    amdi_alloc_fail_at(0);
    ck_assert_ptr_null(amdi_strdup("x"));
    amdi_free(ptr); // realloc left it alone
}
END_TEST

START_TEST(negative_number_takes_the_failure_back)
{
    void *ptr;

    amdi_alloc_fail_at(0);
    amdi_alloc_fail_at(-1);
    ptr = amdi_alloc(1);

    ck_assert_ptr_nonnull(ptr);
    ck_assert(!amdi_alloc_has_failed());
    amdi_free(ptr);
}
END_TEST

static void
alloc_tear_down(void)
{
    amdi_alloc_fail_at(-1);
}

static Suite *
alloc_suite(void)
{
    Suite *suite = suite_create("alloc");
    TCase *memory = tcase_create("memory");
    TCase *failure = tcase_create("failure");

    tcase_add_test(memory, zalloc_and_calloc_give_zero_bytes);
    tcase_add_test(memory, calloc_that_overflows_fails);
    tcase_add_test(memory, realloc_to_nothing_keeps_an_allocation);
    tcase_add_test(memory, strndup_copies_and_terminates);
    suite_add_tcase(suite, memory);
    tcase_add_checked_fixture(failure, NULL, alloc_tear_down);
    tcase_add_test(failure, asked_for_allocation_fails_once);
    tcase_add_test(failure, every_function_can_fail);
    tcase_add_test(failure, negative_number_takes_the_failure_back);
    suite_add_tcase(suite, failure);
    return suite;
}

TEST_MAIN(alloc_suite)
