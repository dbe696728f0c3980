/** Tests whether calls may wait. */
#include "server/dispatch/admission.h"
#include "tests/support/runner.h"

#include <check.h>

#define MS UINT64_C(1000000)

/* ---- the expected wait ---- */

static const struct {
    struct amdi_load load;
    uint64_t wait_ns;
} waits[] = {
        {{.nahead = 0, .service_ns = MS, .nworkers = 4, .has_idle = true}, 0},
        {{.nahead = 0, .service_ns = 4 * MS, .nworkers = 4}, MS},
        {{.nahead = 99, .service_ns = 10 * MS, .nworkers = 10}, 100 * MS},
        {{.nahead = 5, .service_ns = 0, .nworkers = 1}, 0},
        {{.nahead = 1, .service_ns = MS, .nworkers = 0, .has_idle = true}, MS},
        {{.nahead = UINT64_MAX / 2, .service_ns = MS, .nworkers = 1},
                UINT64_MAX},
};

START_TEST(wait_is_what_is_ahead_by_workers)
{
    ck_assert_uint_eq(amdi_load_wait_ns(&waits[_i].load), waits[_i].wait_ns);
}
END_TEST

START_TEST(retry_is_in_reasonable_time)
{
    ck_assert_uint_eq(amdi_retry_after_ms(0), 10);
    ck_assert_uint_eq(amdi_retry_after_ms(1234 * MS), 1234);
    ck_assert_uint_eq(amdi_retry_after_ms(UINT64_MAX), 30000);
}
END_TEST

START_TEST(methods_share_the_workers)
{
    ck_assert_uint_eq(amdi_worker_share(8, 0, 100), 8);
    ck_assert_uint_eq(amdi_worker_share(8, 1, 100), 8);
    ck_assert_uint_eq(amdi_worker_share(8, 4, 100), 2);
    ck_assert_uint_eq(amdi_worker_share(8, 100, 100), 1);
    ck_assert_uint_eq(amdi_worker_share(8, 1, 3), 3);
}
END_TEST

/* ---- CoDel ---- */

static struct amdi_codel codel;
static uint64_t now_ns;

static void
set_up(void)
{
    codel = (struct amdi_codel){0};
    now_ns = 3600 * 1000 * MS;
}

/** Lets calls leave every 10 ms for @ms; returns how many were shed. */
static int
leave(uint64_t ms, uint64_t wait_ms)
{
    int nshed = 0;

    for (uint64_t i = 0; i < ms; i += 10) {
        nshed += amdi_codel_sheds(&codel, wait_ms * MS, now_ns) ? 1 : 0;
        now_ns += 10 * MS;
    }
    return nshed;
}

START_TEST(short_waits_shed_nothing)
{
    ck_assert_int_eq(leave(10000, 49), 0);
}
END_TEST

START_TEST(burst_shorter_than_an_interval_sheds_nothing)
{
    ck_assert_int_eq(leave(200, 400), 0);
    ck_assert_int_eq(leave(300, 1), 0);
    ck_assert_int_eq(leave(200, 400), 0);
}
END_TEST

START_TEST(lasting_overload_sheds_after_an_interval)
{
    ck_assert_int_eq(leave(500, 200), 0);
    ck_assert_int_eq(leave(500, 200), 50);
}
END_TEST

START_TEST(overload_sheds_only_who_waited_twice_the_target)
{
    (void)leave(500, 200);

    ck_assert_int_eq(leave(250, 100), 0);
    ck_assert_int_eq(leave(250, 101), 25);
}
END_TEST

START_TEST(some_short_waits_do_not_end_the_overload)
{
    (void)leave(500, 200);
    (void)leave(200, 20);

    ck_assert_int_eq(leave(300, 200), 30);
    ck_assert_int_eq(leave(500, 200), 50);
}
END_TEST

START_TEST(mostly_short_waits_end_the_overload)
{
    (void)leave(500, 200);
    (void)leave(250, 20);
    (void)leave(250, 200);

    ck_assert_int_eq(leave(500, 200), 0);
}
END_TEST

START_TEST(silence_ends_the_overload)
{
    (void)leave(1000, 200);
    now_ns += 5000 * MS;

    ck_assert_int_eq(leave(500, 200), 0);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("admission");
    TCase *wait = tcase_create("wait");
    TCase *shed = tcase_create("codel");

    tcase_add_loop_test(wait, wait_is_what_is_ahead_by_workers, 0,
            (int)(sizeof(waits) / sizeof(waits[0])));
    tcase_add_test(wait, retry_is_in_reasonable_time);
    tcase_add_test(wait, methods_share_the_workers);
    suite_add_tcase(suite, wait);
    tcase_add_checked_fixture(shed, set_up, NULL);
    tcase_add_test(shed, short_waits_shed_nothing);
    tcase_add_test(shed, burst_shorter_than_an_interval_sheds_nothing);
    tcase_add_test(shed, lasting_overload_sheds_after_an_interval);
    tcase_add_test(shed, overload_sheds_only_who_waited_twice_the_target);
    tcase_add_test(shed, some_short_waits_do_not_end_the_overload);
    tcase_add_test(shed, mostly_short_waits_end_the_overload);
    tcase_add_test(shed, silence_ends_the_overload);
    suite_add_tcase(suite, shed);
    return suite;
}

TEST_MAIN(make_suite)
