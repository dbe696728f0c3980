/** Tests the waits between attempts of an operation. */
#include "server/operation/op_backoff.h"
#include "tests/support/runner.h"

#include <check.h>

#define MIDDLE 200u // no jitter

START_TEST(waits_double)
{
    ck_assert_uint_eq(amdi_op_backoff_ms(1, 1000, 120000, MIDDLE), 1000);
    ck_assert_uint_eq(amdi_op_backoff_ms(2, 1000, 120000, MIDDLE), 2000);
    ck_assert_uint_eq(amdi_op_backoff_ms(5, 1000, 120000, MIDDLE), 16000);
}
END_TEST

START_TEST(wait_has_an_upper_bound)
{
    ck_assert_uint_eq(
            amdi_op_backoff_ms(UINT32_MAX, 1000, 120000, MIDDLE), 120000);
    ck_assert_uint_eq(amdi_op_backoff_ms(1, 9000, 500, MIDDLE), 500);
    ck_assert_uint_eq(
            amdi_op_backoff_ms(UINT32_MAX, UINT32_MAX, UINT32_MAX, MIDDLE),
            UINT32_MAX);
}
END_TEST

START_TEST(waits_are_spread_by_a_fifth)
{
    ck_assert_uint_eq(amdi_op_backoff_ms(1, 1000, 120000, 0), 800);
    ck_assert_uint_eq(amdi_op_backoff_ms(1, 1000, 120000, 400), 1200);
}
END_TEST

static Suite *
op_backoff_suite(void)
{
    Suite *suite = suite_create("op_backoff");
    TCase *tcase = tcase_create("wait");

    tcase_add_test(tcase, waits_double);
    tcase_add_test(tcase, wait_has_an_upper_bound);
    tcase_add_test(tcase, waits_are_spread_by_a_fifth);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(op_backoff_suite)
