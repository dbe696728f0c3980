/** Tests how points in time are read. */
#include "client/cli/operations/start_at.h"
#include "common/clock.h"
#include "tests/support/runner.h"

#include <check.h>

START_TEST(time_of_day_is_read)
{
    int64_t ms = 0;

    ck_assert(amdi_start_at_parse("2023-11-14T22:13:20.250Z", &ms));

    ck_assert_int_eq(ms, INT64_C(1700000000250));
}
END_TEST

START_TEST(plus_counts_from_now)
{
    int64_t before_ms = amdi_clock_wall_us() / 1000;
    int64_t ms = 0;

    ck_assert(amdi_start_at_parse("+1h", &ms));

    ck_assert_int_ge(ms, before_ms + 3600000);
    ck_assert_int_le(ms, amdi_clock_wall_us() / 1000 + 3600000);
}
END_TEST

static const char *const odd[] = {"", "+", "10m", "+x", "+-1s", "tomorrow",
        "2023-11-14", "1969-01-01T00:00:00Z", "2023-11-14T22:13:20"};

START_TEST(other_texts_are_no_times)
{
    int64_t ms = 0;

    ck_assert(!amdi_start_at_parse(odd[_i], &ms));
}
END_TEST

static Suite *
start_at_suite(void)
{
    Suite *suite = suite_create("start_at");
    TCase *tcase = tcase_create("parse");

    tcase_add_test(tcase, time_of_day_is_read);
    tcase_add_test(tcase, plus_counts_from_now);
    tcase_add_loop_test(
            tcase, other_texts_are_no_times, 0, sizeof(odd) / sizeof(odd[0]));
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(start_at_suite)
