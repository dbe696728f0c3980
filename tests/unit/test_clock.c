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

static uint64_t
ns_of(struct timespec at)
{
    return (uint64_t)at.tv_sec * 1000000000 + (uint64_t)at.tv_nsec;
}

/** @_i: hundreds of milliseconds, of which some carry into the seconds. */
START_TEST(deadline_is_as_far_as_told)
{
    uint64_t ms = (uint64_t)_i * 100;
    uint64_t before_ns = amdi_clock_now_ns();
    struct timespec at = amdi_clock_deadline(ms);
    uint64_t after_ns = amdi_clock_now_ns();

    ck_assert_uint_ge(ns_of(at), before_ns + ms * 1000000);
    ck_assert_uint_le(ns_of(at), after_ns + ms * 1000000);
    ck_assert_int_ge(at.tv_nsec, 0);
    ck_assert_int_lt(at.tv_nsec, 1000000000);
}
END_TEST

START_TEST(deadline_is_of_the_systems_clock)
{
    uint64_t before_ns = ns_of(amdi_clock_deadline(0));

    test_clock_start();
    test_clock_advance_ms(3600 * 1000);

    ck_assert_uint_lt(ns_of(amdi_clock_deadline(0)),
            before_ns + UINT64_C(3600) * 1000000000);
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
    tcase_add_loop_test(clocks, deadline_is_as_far_as_told, 0, 25);
    tcase_add_test(clocks, deadline_is_of_the_systems_clock);
    suite_add_tcase(suite, clocks);
    return suite;
}

TEST_MAIN(clock_suite)
