/** Tests the waits between attempts to connect. */
#include "client/backoff.h"
#include "tests/support/runner.h"

#include <check.h>

#define MIDDLE (UINT32_MAX / 2)

START_TEST(first_wait_is_a_second)
{
    uint64_t ms = amdi_backoff_ms(1, MIDDLE);

    ck_assert_uint_ge(ms, 999);
    ck_assert_uint_le(ms, 1001);
}
END_TEST

START_TEST(waits_grow_by_three_fifths)
{
    uint64_t ms = amdi_backoff_ms(3, MIDDLE);

    ck_assert_uint_ge(ms, 2558);
    ck_assert_uint_le(ms, 2562);
}
END_TEST

START_TEST(waits_are_spread_by_a_fifth)
{
    ck_assert_uint_eq(amdi_backoff_ms(1, 0), 800);
    ck_assert_uint_eq(amdi_backoff_ms(1, UINT32_MAX), 1200);
}
END_TEST

START_TEST(wait_has_an_upper_bound)
{
    ck_assert_uint_le(amdi_backoff_ms(UINT32_MAX, UINT32_MAX),
            AMDI_BACKOFF_MAX_MS * 12 / 10);
    ck_assert_uint_ge(
            amdi_backoff_ms(UINT32_MAX, 0), AMDI_BACKOFF_MAX_MS * 8 / 10);
}
END_TEST

START_TEST(multiplier_of_one_keeps_the_first_wait)
{
    const struct amdi_backoff backoff = {
            .first_ms = 100, .max_ms = 1000, .multiplier = 1};

    ck_assert_uint_eq(amdi_backoff_after_ms(&backoff, UINT32_MAX, 0), 80);
}
END_TEST

static Suite *
backoff_suite(void)
{
    Suite *suite = suite_create("backoff");
    TCase *tcase = tcase_create("wait");

    tcase_add_test(tcase, first_wait_is_a_second);
    tcase_add_test(tcase, waits_grow_by_three_fifths);
    tcase_add_test(tcase, waits_are_spread_by_a_fifth);
    tcase_add_test(tcase, wait_has_an_upper_bound);
    tcase_add_test(tcase, multiplier_of_one_keeps_the_first_wait);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(backoff_suite)
