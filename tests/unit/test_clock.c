/** Tests the clocks. */
#include "common/clock.h"
#include "tests/support/fake_clock.h"
#include "tests/support/runner.h"

#include <check.h>

START_TEST(monotonic_time_does_not_go_back)
{
    uint64_t before_ns = amdi_clock_now_ns();
    uint64_t now_ms = amdi_clock_now_ms();
    uint64_t after_ns = amdi_clock_now_ns();

    ck_assert_uint_le(before_ns / 1000000, now_ms);
    ck_assert_uint_le(now_ms, after_ns / 1000000);
}
END_TEST

START_TEST(wall_clock_is_in_this_century)
{
    ck_assert_int_gt(amdi_clock_wall_us(), INT64_C(1577836800000000));
    ck_assert_int_lt(amdi_clock_wall_us(), INT64_C(4102444800000000));
}
END_TEST

START_TEST(replaced_clock_moves_as_told)
{
    uint64_t start_ns;

    test_clock_start();
    start_ns = amdi_clock_now_ns();
    test_clock_advance_ms(5);

    ck_assert_uint_eq(amdi_clock_now_ns(), start_ns + 5000000);
    ck_assert_uint_eq(amdi_clock_now_ms(), start_ns / 1000000 + 5);
}
END_TEST

static Suite *
clock_suite(void)
{
    Suite *suite = suite_create("clock");
    TCase *clocks = tcase_create("clocks");

    tcase_add_checked_fixture(clocks, NULL, test_clock_stop);
    tcase_add_test(clocks, monotonic_time_does_not_go_back);
    tcase_add_test(clocks, wall_clock_is_in_this_century);
    tcase_add_test(clocks, replaced_clock_moves_as_told);
    suite_add_tcase(suite, clocks);
    return suite;
}

TEST_MAIN(clock_suite)
