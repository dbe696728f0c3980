/** Tests what an execution may have on its way to the store. */
#include "server/operation/run_flow.h"
#include "tests/support/runner.h"

#include <check.h>

static struct amdi_run_flow flow;

static void
setup(void)
{
    amdi_run_flow_init(&flow, 100);
}

static void
teardown(void)
{
    amdi_run_flow_fini(&flow);
}

static void *
take_on_worker(void *arg)
{
    *(amdrpc_err *)arg = amdi_run_flow_take(&flow, 1, /*may_block=*/true);
    return NULL;
}

START_TEST(message_of_any_size_passes_first)
{
    ck_assert_int_eq(amdi_run_flow_take(&flow, 5000, false), AMDRPC_OK);
    ck_assert(amdi_run_flow_is_busy(&flow));
}
END_TEST

START_TEST(full_flow_says_again_and_tells_when)
{
    ck_assert_int_eq(amdi_run_flow_take(&flow, 60, false), AMDRPC_OK);
    ck_assert_int_eq(amdi_run_flow_take(&flow, 60, false), AMDRPC_OK);
    ck_assert_int_eq(amdi_run_flow_take(&flow, 1, false), AMDRPC_EAGAIN);

    ck_assert(amdi_run_flow_give(&flow, 60));
    ck_assert_int_eq(amdi_run_flow_take(&flow, 1, false), AMDRPC_OK);
    ck_assert(!amdi_run_flow_give(&flow, 60)); // nobody asked
}
END_TEST

START_TEST(room_that_is_given_back_is_free)
{
    ck_assert_int_eq(amdi_run_flow_take(&flow, 10, false), AMDRPC_OK);
    ck_assert(!amdi_run_flow_give(&flow, 10));

    ck_assert(!amdi_run_flow_is_busy(&flow));
}
END_TEST

START_TEST(closed_flow_takes_nothing)
{
    amdi_run_flow_close(&flow);

    ck_assert_int_eq(amdi_run_flow_take(&flow, 1, false), AMDRPC_ECANCELED);
    ck_assert_int_eq(amdi_run_flow_take(&flow, 1, true), AMDRPC_ECANCELED);
}
END_TEST

/** @_i: the flow gets room, or is closed. */
START_TEST(worker_waits)
{
    amdrpc_err err = AMDRPC_ESTATE;
    pthread_t worker;

    ck_assert_int_eq(amdi_run_flow_take(&flow, 100, false), AMDRPC_OK);
    ck_assert_int_eq(pthread_create(&worker, NULL, take_on_worker, &err), 0);
    if (_i == 0) {
        (void)amdi_run_flow_give(&flow, 100);
    } else {
        amdi_run_flow_close(&flow);
    }
    ck_assert_int_eq(pthread_join(worker, NULL), 0);

    ck_assert_int_eq(err, _i == 0 ? AMDRPC_OK : AMDRPC_ECANCELED);
}
END_TEST

static Suite *
run_flow_suite(void)
{
    Suite *suite = suite_create("run_flow");
    TCase *tcase = tcase_create("flow");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, message_of_any_size_passes_first);
    tcase_add_test(tcase, full_flow_says_again_and_tells_when);
    tcase_add_test(tcase, room_that_is_given_back_is_free);
    tcase_add_test(tcase, closed_flow_takes_nothing);
    tcase_add_loop_test(tcase, worker_waits, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(run_flow_suite)
