/** Tests the counts and times of calls. */
#include "server/metrics/stats.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"

#include <check.h>

#include <stdlib.h>

static struct amdi_stats stats;

static void
stats_set_up(void)
{
    stats = (struct amdi_stats){0};
    ck_assert_int_eq(amdi_stats_init(&stats, 2), AMDRPC_OK);
}

static void
stats_tear_down(void)
{
    amdi_stats_fini(&stats);
}

static uint64_t
number(const atomic_ullong *n)
{
    return atomic_load(n);
}

START_TEST(bounds_ascend_and_say_what_they_are)
{
    for (size_t i = 0; i < AMDI_STATS_NBOUNDS; i++) {
        double seconds = strtod(amdi_stats_bounds_text[i], NULL);
        double ns = (double)amdi_stats_bounds_ns[i];

        ck_assert_double_eq_tol(seconds * 1e9, ns, 0.5);
        if (i > 0) {
            ck_assert_uint_gt(
                    amdi_stats_bounds_ns[i], amdi_stats_bounds_ns[i - 1]);
        }
    }
}
END_TEST

START_TEST(call_counts_for_its_method_and_status)
{
    amdi_stats_call_started(&stats, 1, 5);
    amdi_stats_call_ended(&stats, 1, AMDRPC_STATUS_NOT_FOUND, 1, 1);

    ck_assert_uint_eq(number(&stats.methods[1].nstarted), 1);
    ck_assert_uint_eq(
            number(&stats.methods[1].nended[AMDRPC_STATUS_NOT_FOUND]), 1);
    ck_assert_uint_eq(number(&stats.methods[0].nstarted), 0);
}
END_TEST

START_TEST(calls_of_all_methods_are_summed)
{
    struct amdi_stats_calls sum = {.nstarted = 1, .started_at_ns = 6};

    amdi_stats_call_started(&stats, 0, 5);
    amdi_stats_call_started(&stats, 1, 7);
    amdi_stats_call_started(&stats, stats.nmethods, 9);
    amdi_stats_call_ended(&stats, 1, AMDRPC_STATUS_OK, 1, 1);
    amdi_stats_call_ended(&stats, 0, AMDRPC_STATUS_NOT_FOUND, 1, 1);
    amdi_stats_call_ended(
            &stats, stats.nmethods, AMDRPC_STATUS_UNIMPLEMENTED, 1, 1);

    amdi_stats_sum_calls(&stats, &sum);

    ck_assert_uint_eq(sum.nstarted, 4);
    ck_assert_uint_eq(sum.nsucceeded, 1);
    ck_assert_uint_eq(sum.nfailed, 2);
    ck_assert_uint_eq(sum.started_at_ns, 9);
}
END_TEST

START_TEST(later_call_of_another_loop_stays_the_last)
{
    struct amdi_stats_calls sum = {.started_at_ns = 6};

    amdi_stats_call_started(&stats, 0, 5);

    amdi_stats_sum_calls(&stats, &sum);

    ck_assert_uint_eq(sum.started_at_ns, 6);
}
END_TEST

START_TEST(unknown_method_has_the_last_place)
{
    amdi_stats_call_started(&stats, stats.nmethods, 5);

    ck_assert_uint_eq(number(&stats.methods[2].nstarted), 1);
}
END_TEST

START_TEST(code_beyond_the_last_counts_as_unknown)
{
    amdi_stats_call_ended(&stats, 0, (amdrpc_status_code)99, 1, 1);

    ck_assert_uint_eq(
            number(&stats.methods[0].nended[AMDRPC_STATUS_UNKNOWN]), 1);
}
END_TEST

START_TEST(time_falls_into_the_bucket_that_ends_with_it)
{
    amdi_stats_call_ended(&stats, 0, AMDRPC_STATUS_OK, 10000, 10001);

    ck_assert_uint_eq(number(&stats.methods[0].duration.counts[0]), 1);
    ck_assert_uint_eq(number(&stats.methods[0].waited.counts[1]), 1);
    ck_assert_uint_eq(number(&stats.methods[0].duration.sum_ns), 10000);
}
END_TEST

START_TEST(time_beyond_the_last_bound_has_a_bucket)
{
    amdi_stats_call_ended(&stats, 0, AMDRPC_STATUS_OK, UINT64_MAX, 0);

    ck_assert_uint_eq(
            number(&stats.methods[0].duration.counts[AMDI_STATS_NBOUNDS]), 1);
}
END_TEST

static amdrpc_err
stats_make(void *unused)
{
    struct amdi_stats made = {0};
    amdrpc_err err = amdi_stats_init(&made, 3);

    (void)unused;
    amdi_stats_fini(&made);
    return err;
}

START_TEST(failed_allocation_is_an_error)
{
    ck_assert_uint_eq(test_sweep_allocations(stats_make, NULL), 1);
}
END_TEST

static Suite *
stats_suite(void)
{
    Suite *suite = suite_create("stats");
    TCase *counts = tcase_create("counts");

    tcase_add_checked_fixture(counts, stats_set_up, stats_tear_down);
    tcase_add_test(counts, bounds_ascend_and_say_what_they_are);
    tcase_add_test(counts, call_counts_for_its_method_and_status);
    tcase_add_test(counts, unknown_method_has_the_last_place);
    tcase_add_test(counts, calls_of_all_methods_are_summed);
    tcase_add_test(counts, later_call_of_another_loop_stays_the_last);
    tcase_add_test(counts, code_beyond_the_last_counts_as_unknown);
    tcase_add_test(counts, time_falls_into_the_bucket_that_ends_with_it);
    tcase_add_test(counts, time_beyond_the_last_bound_has_a_bucket);
    tcase_add_test(counts, failed_allocation_is_an_error);
    suite_add_tcase(suite, counts);
    return suite;
}

TEST_MAIN(stats_suite)
