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

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("admission");
    TCase *wait = tcase_create("wait");

    tcase_add_loop_test(wait, wait_is_what_is_ahead_by_workers, 0,
            (int)(sizeof(waits) / sizeof(waits[0])));
    tcase_add_test(wait, retry_is_in_reasonable_time);
    tcase_add_test(wait, methods_share_the_workers);
    suite_add_tcase(suite, wait);
    return suite;
}

TEST_MAIN(make_suite)
