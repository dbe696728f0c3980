/** Tests what a peer may do only so often. */
#include "common/h2/h2_guard.h"
#include "tests/support/runner.h"

#include <check.h>

#include <string.h>

static struct amdi_h2_limits limits;
static struct amdi_h2_guard guard;

static void
set_up(void)
{
    limits = amdi_h2_default_limits;
    memset(&guard, 0, sizeof(guard));
    guard.limits = &limits;
}

/** How many of @n may be taken at that time. */
static unsigned
take(enum amdi_h2_guarded what, unsigned n, uint64_t now_ms)
{
    unsigned ntaken = 0;

    while (ntaken < n && amdi_h2_guard_take(&guard, what, now_ms)) {
        ntaken++;
    }
    return ntaken;
}

START_TEST(burst_is_all_there_is_at_once)
{
    limits.rates[_i] = (struct amdi_h2_rate){.burst = 7, .per_second = 2};

    ck_assert_uint_eq(take((enum amdi_h2_guarded)_i, 100, 1000), 7);
    ck_assert_uint_eq(take((enum amdi_h2_guarded)_i, 100, 1000), 0);
}
END_TEST

START_TEST(budget_refills_with_time)
{
    limits.rates[AMDI_H2_GUARD_PING] =
            (struct amdi_h2_rate){.burst = 4, .per_second = 2};
    ck_assert_uint_eq(take(AMDI_H2_GUARD_PING, 100, 1000), 4);

    ck_assert_uint_eq(take(AMDI_H2_GUARD_PING, 100, 1499), 0);
    ck_assert_uint_eq(take(AMDI_H2_GUARD_PING, 100, 1500), 1);
    ck_assert_uint_eq(take(AMDI_H2_GUARD_PING, 100, 2500), 2);
}
END_TEST

START_TEST(budget_is_never_more_than_the_burst)
{
    limits.rates[AMDI_H2_GUARD_PING] =
            (struct amdi_h2_rate){.burst = 4, .per_second = 1000};
    ck_assert_uint_eq(take(AMDI_H2_GUARD_PING, 100, 0), 4);

    ck_assert_uint_eq(take(AMDI_H2_GUARD_PING, 100, UINT32_MAX), 4);
}
END_TEST

START_TEST(budgets_are_apart)
{
    (void)take(AMDI_H2_GUARD_PING, 10000, 0);

    ck_assert(amdi_h2_guard_take(&guard, AMDI_H2_GUARD_SETTINGS, 0));
}
END_TEST

START_TEST(empty_frames_count_in_a_row)
{
    limits.max_empty_frames = 2;

    for (int i = 0; i < 10; i++) {
        ck_assert(amdi_h2_guard_content(&guard, true));
        ck_assert(amdi_h2_guard_content(&guard, true));
        ck_assert(amdi_h2_guard_content(&guard, false));
    }
    ck_assert(amdi_h2_guard_content(&guard, true));
    ck_assert(amdi_h2_guard_content(&guard, true));
    ck_assert(!amdi_h2_guard_content(&guard, true));
}
END_TEST

START_TEST(few_streams_may_all_be_reset_early)
{
    limits.early_reset_streams = 10;

    for (guard.nstreams = 1; guard.nstreams < 10; guard.nstreams++) {
        ck_assert(amdi_h2_guard_reset(&guard, 0));
    }
    ck_assert(!amdi_h2_guard_reset(&guard, 0));
}
END_TEST

START_TEST(half_of_many_streams_may_be_reset_early)
{
    limits.early_reset_streams = 10;
    guard.nstreams = 100;

    for (int i = 0; i < 50; i++) {
        ck_assert(amdi_h2_guard_reset(&guard, 999));
    }
    ck_assert(!amdi_h2_guard_reset(&guard, 999));
}
END_TEST

START_TEST(late_resets_are_no_matter)
{
    limits.early_reset_streams = 1;
    guard.nstreams = 100;

    for (int i = 0; i < 100; i++) {
        ck_assert(amdi_h2_guard_reset(&guard, 1000));
    }
}
END_TEST

START_TEST(each_stream_allows_priorities)
{
    unsigned n = 0;

    limits.priorities_per_stream = 3;
    guard.nstreams = (uint64_t)_i;

    while (amdi_h2_guard_priority(&guard)) {
        n++;
    }
    ck_assert_uint_eq(n, 3 * ((unsigned)_i + 1));
}
END_TEST

START_TEST(streams_and_data_allow_window_updates)
{
    unsigned n = 0;

    limits.window_updates_per_frame = 10;
    guard.nstreams = 3;
    guard.ndata_sent = (uint64_t)_i;

    while (amdi_h2_guard_window_update(&guard)) {
        n++;
    }
    ck_assert_uint_eq(n, 5 + 2 * (3 + 10 * (unsigned)_i));
}
END_TEST

static Suite *
h2_guard_suite(void)
{
    Suite *suite = suite_create("h2_guard");
    TCase *budgets = tcase_create("budgets");
    TCase *counts = tcase_create("counts");

    tcase_add_checked_fixture(budgets, set_up, NULL);
    tcase_add_loop_test(
            budgets, burst_is_all_there_is_at_once, 0, AMDI_H2_NGUARDS);
    tcase_add_test(budgets, budget_refills_with_time);
    tcase_add_test(budgets, budget_is_never_more_than_the_burst);
    tcase_add_test(budgets, budgets_are_apart);
    suite_add_tcase(suite, budgets);

    tcase_add_checked_fixture(counts, set_up, NULL);
    tcase_add_test(counts, empty_frames_count_in_a_row);
    tcase_add_test(counts, few_streams_may_all_be_reset_early);
    tcase_add_test(counts, half_of_many_streams_may_be_reset_early);
    tcase_add_test(counts, late_resets_are_no_matter);
    tcase_add_loop_test(counts, each_stream_allows_priorities, 0, 3);
    tcase_add_loop_test(counts, streams_and_data_allow_window_updates, 0, 3);
    suite_add_tcase(suite, counts);
    return suite;
}

TEST_MAIN(h2_guard_suite)
