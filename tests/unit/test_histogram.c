/** Tests the latency histogram. */
#include "common/histogram.h"
#include "tests/support/runner.h"

#include <check.h>

#include <math.h>

static struct amdi_histogram histogram;

static void
histogram_set_up(void)
{
    amdi_histogram_init(&histogram);
}

START_TEST(empty_histogram_has_no_percentiles)
{
    ck_assert_uint_eq(amdi_histogram_percentile(&histogram, 50), 0);
    ck_assert_uint_eq(amdi_histogram_percentile(&histogram, 100), 0);
}
END_TEST

START_TEST(one_value_is_every_percentile)
{
    amdi_histogram_add(&histogram, 123456789);

    ck_assert_uint_eq(amdi_histogram_percentile(&histogram, 0), 123456789);
    ck_assert_uint_eq(amdi_histogram_percentile(&histogram, 50), 123456789);
    ck_assert_uint_eq(amdi_histogram_percentile(&histogram, 100), 123456789);
}
END_TEST

START_TEST(small_values_are_exact)
{
    for (uint64_t i = 1; i <= 60; i++) {
        amdi_histogram_add(&histogram, i);
    }

    ck_assert_uint_eq(amdi_histogram_percentile(&histogram, 50), 30);
    ck_assert_uint_eq(amdi_histogram_percentile(&histogram, 100), 60);
    ck_assert_uint_eq(amdi_histogram_percentile(&histogram, 0.1), 1);
    ck_assert_uint_eq(histogram.sum, 1830);
    ck_assert_uint_eq(histogram.min, 1);
    ck_assert_uint_eq(histogram.max, 60);
}
END_TEST

START_TEST(error_is_bounded_over_the_whole_range)
{
    for (uint64_t value = 1; value < UINT64_MAX / 3; value = value * 3 + 1) {
        uint64_t half;

        amdi_histogram_init(&histogram);
        amdi_histogram_add(&histogram, value);
        amdi_histogram_add(&histogram, UINT64_MAX);
        half = amdi_histogram_percentile(&histogram, 50);

        ck_assert_uint_ge(half, value);
        ck_assert_uint_le(half - value, value / 64);
    }
    ck_assert_uint_eq(amdi_histogram_percentile(&histogram, 99), UINT64_MAX);
}
END_TEST

START_TEST(odd_percentages_are_the_ends)
{
    amdi_histogram_add(&histogram, 5);
    amdi_histogram_add(&histogram, 10);

    ck_assert_uint_eq(amdi_histogram_percentile(&histogram, -1), 5);
    ck_assert_uint_eq(amdi_histogram_percentile(&histogram, (double)NAN), 5);
    ck_assert_uint_eq(amdi_histogram_percentile(&histogram, 1e9), 10);
}
END_TEST

START_TEST(merged_histograms_count_both)
{
    static struct amdi_histogram other;

    amdi_histogram_init(&other);
    amdi_histogram_merge(&histogram, &other);
    ck_assert_uint_eq(histogram.count, 0);
    amdi_histogram_add(&histogram, 10);
    amdi_histogram_add(&other, 1);
    amdi_histogram_add(&other, 20);
    amdi_histogram_merge(&histogram, &other);

    ck_assert_uint_eq(histogram.count, 3);
    ck_assert_uint_eq(histogram.sum, 31);
    ck_assert_uint_eq(amdi_histogram_percentile(&histogram, 0), 1);
    ck_assert_uint_eq(amdi_histogram_percentile(&histogram, 50), 10);
    ck_assert_uint_eq(amdi_histogram_percentile(&histogram, 100), 20);
}
END_TEST

static Suite *
histogram_suite(void)
{
    Suite *suite = suite_create("histogram");
    TCase *values = tcase_create("values");

    tcase_add_checked_fixture(values, histogram_set_up, NULL);
    tcase_add_test(values, empty_histogram_has_no_percentiles);
    tcase_add_test(values, one_value_is_every_percentile);
    tcase_add_test(values, small_values_are_exact);
    tcase_add_test(values, error_is_bounded_over_the_whole_range);
    tcase_add_test(values, odd_percentages_are_the_ends);
    tcase_add_test(values, merged_histograms_count_both);
    suite_add_tcase(suite, values);
    return suite;
}

TEST_MAIN(histogram_suite)
