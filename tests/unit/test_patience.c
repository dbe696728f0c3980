/** Tests for how long a server that is away is asked. */
#include "client/operation/patience.h"
#include "tests/support/runner.h"

#include <check.h>

static struct amdi_patience patience;
static uint64_t delay_ms;

static bool
fails_at(amdrpc_status_code status, uint64_t now_ms)
{
    return amdi_patience_may_go_on(&patience, status, now_ms, &delay_ms);
}

START_TEST(only_passing_failures_are_retried)
{
    static const bool is_passing[17] = {
            [AMDRPC_STATUS_UNAVAILABLE] = true,
            [AMDRPC_STATUS_DEADLINE_EXCEEDED] = true,
    };

    amdi_patience_init(&patience, -1);

    ck_assert(fails_at((amdrpc_status_code)_i, 1) == is_passing[_i]);
}
END_TEST

START_TEST(first_delay_is_an_eighth_of_a_second)
{
    amdi_patience_init(&patience, 0);

    ck_assert(fails_at(AMDRPC_STATUS_UNAVAILABLE, 1000));

    ck_assert_uint_ge(delay_ms, 100);
    ck_assert_uint_le(delay_ms, 150);
}
END_TEST

START_TEST(delays_grow_to_a_bound)
{
    amdi_patience_init(&patience, -1);

    for (int i = 0; i < 100; i++) {
        ck_assert(fails_at(AMDRPC_STATUS_UNAVAILABLE, 1000));
    }

    ck_assert_uint_ge(delay_ms, 12000);
    ck_assert_uint_le(delay_ms, 18000);
}
END_TEST

START_TEST(patience_ends_when_its_time_has_passed)
{
    amdi_patience_init(&patience, 500);
    ck_assert(fails_at(AMDRPC_STATUS_UNAVAILABLE, 1000));
    ck_assert(fails_at(AMDRPC_STATUS_UNAVAILABLE, 1499));

    ck_assert(!fails_at(AMDRPC_STATUS_UNAVAILABLE, 1500));
}
END_TEST

START_TEST(answer_gives_new_patience)
{
    amdi_patience_init(&patience, 500);
    ck_assert(fails_at(AMDRPC_STATUS_UNAVAILABLE, 1000));
    amdi_patience_reset(&patience);

    ck_assert(fails_at(AMDRPC_STATUS_UNAVAILABLE, 9000));

    ck_assert_uint_le(delay_ms, 150);
}
END_TEST

START_TEST(default_patience_is_minutes)
{
    amdi_patience_init(&patience, 0);
    ck_assert(fails_at(AMDRPC_STATUS_UNAVAILABLE, 0));

    ck_assert(
            fails_at(AMDRPC_STATUS_UNAVAILABLE, AMDI_PATIENCE_DEFAULT_MS - 1));
    ck_assert(!fails_at(AMDRPC_STATUS_UNAVAILABLE, AMDI_PATIENCE_DEFAULT_MS));
}
END_TEST

static Suite *
patience_suite(void)
{
    Suite *suite = suite_create("patience");
    TCase *tcase = tcase_create("judge");

    tcase_add_loop_test(tcase, only_passing_failures_are_retried, 0, 17);
    tcase_add_test(tcase, first_delay_is_an_eighth_of_a_second);
    tcase_add_test(tcase, delays_grow_to_a_bound);
    tcase_add_test(tcase, patience_ends_when_its_time_has_passed);
    tcase_add_test(tcase, answer_gives_new_patience);
    tcase_add_test(tcase, default_patience_is_minutes);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(patience_suite)
