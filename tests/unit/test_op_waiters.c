/** Tests how those who wait for operations are counted. */
#include "server/services/operations/waiters.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"

#include <check.h>

static struct amdi_op_waiters waiters;

static void
set_up(void)
{
    amdi_op_waiters_init(&waiters);
}

static void
tear_down(void)
{
    amdi_op_waiters_fini(&waiters);
}

START_TEST(bound_is_kept_for_each_operation)
{
    for (unsigned i = 0; i < AMDI_OP_MAX_WAITERS; i++) {
        ck_assert_int_eq(amdi_op_waiters_enter(&waiters, 7), AMDRPC_OK);
    }

    ck_assert_int_eq(amdi_op_waiters_enter(&waiters, 7), AMDRPC_ELIMIT);
    ck_assert_int_eq(amdi_op_waiters_enter(&waiters, 8), AMDRPC_OK);
    amdi_op_waiters_leave(&waiters, 7);
    ck_assert_int_eq(amdi_op_waiters_enter(&waiters, 7), AMDRPC_OK);

    for (unsigned i = 0; i < AMDI_OP_MAX_WAITERS; i++) {
        amdi_op_waiters_leave(&waiters, 7);
    }
    amdi_op_waiters_leave(&waiters, 8);
}
END_TEST

START_TEST(ids_that_share_a_bucket_are_counted_apart)
{
    for (uint64_t i = 0; i < 600; i++) {
        ck_assert_int_eq(amdi_op_waiters_enter(&waiters, i << 8), AMDRPC_OK);
    }
    for (uint64_t i = 0; i < 600; i++) {
        amdi_op_waiters_leave(&waiters, i << 8);
    }
}
END_TEST

static amdrpc_err
enter_once(void *arg)
{
    amdrpc_err err = amdi_op_waiters_enter(&waiters, 1);

    (void)arg;
    if (err == AMDRPC_OK) {
        amdi_op_waiters_leave(&waiters, 1);
    }
    return err;
}

START_TEST(failed_allocation_is_told)
{
    ck_assert_uint_eq(test_sweep_allocations(enter_once, NULL), 1);
}
END_TEST

static Suite *
op_waiters_suite(void)
{
    Suite *suite = suite_create("op_waiters");
    TCase *tests = tcase_create("count");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, bound_is_kept_for_each_operation);
    tcase_add_test(tests, ids_that_share_a_bucket_are_counted_apart);
    tcase_add_test(tests, failed_allocation_is_told);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(op_waiters_suite)
