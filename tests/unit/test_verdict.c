/** Tests what becomes of operations, by how their executions ended. */
#include "common/clock.h"
#include "server/operation/executor.h"
#include "server/operation/lane.h"
#include "tests/support/runner.h"

static struct amdi_executor executor;
static struct amdi_op_lane lane;
static struct amdi_run run;

static void
setup(void)
{
    executor.options.backoff_ms = 1000;
    executor.options.max_backoff_ms = 4000;
    lane.executor = &executor;
    run = (struct amdi_run){.lane = &lane,
            .work = AMDI_RUN_DONE,
            .max_attempts = 3,
            .call = {.code = AMDRPC_STATUS_OK}};
}

static void
expect_finish(amdrpc_status_code code)
{
    struct amdi_run_verdict verdict = amdi_run_judge(&run);

    ck_assert_int_eq(verdict.kind, AMDI_VERDICT_FINISH);
    ck_assert_int_eq(verdict.code, code);
}

static struct amdi_run_verdict
expect(enum amdi_run_verdict_kind kind)
{
    struct amdi_run_verdict verdict = amdi_run_judge(&run);

    ck_assert_int_eq(verdict.kind, kind);
    return verdict;
}

START_TEST(handlers_status_counts)
{
    expect_finish(AMDRPC_STATUS_OK);
    run.call.code = AMDRPC_STATUS_RESOURCE_EXHAUSTED;
    expect_finish(AMDRPC_STATUS_RESOURCE_EXHAUSTED);
    ck_assert(amdi_run_judge(&run).is_handlers);
}
END_TEST

START_TEST(success_counts_whatever_was_asked)
{
    for (int reason = AMDI_REASON_NONE; reason <= AMDI_REASON_DRAIN; reason++) {
        run.reason = (enum amdi_run_reason)reason;
        if (run.reason != AMDI_REASON_DEADLINE) {
            expect_finish(AMDRPC_STATUS_OK);
        }
    }
}
END_TEST

START_TEST(unavailable_is_tried_again_until_the_last_attempt)
{
    int64_t now_us = amdi_clock_wall_us();
    struct amdi_run_verdict verdict;

    run.call.code = AMDRPC_STATUS_UNAVAILABLE;
    verdict = expect(AMDI_VERDICT_RETRY);
    ck_assert_int_ge(verdict.ready_at_us, now_us + 800000);
    run.nfailed = 1;
    verdict = expect(AMDI_VERDICT_RETRY);
    ck_assert_int_ge(verdict.ready_at_us, now_us + 1600000);
    run.nfailed = 2;
    expect_finish(AMDRPC_STATUS_UNAVAILABLE);
    run.max_attempts = 0;
    (void)expect(AMDI_VERDICT_RETRY);
}
END_TEST

START_TEST(no_attempt_begins_behind_the_deadline)
{
    run.call.code = AMDRPC_STATUS_UNAVAILABLE;
    run.deadline_at_us = amdi_clock_wall_us() + 1000;

    ck_assert_int_eq(
            expect(AMDI_VERDICT_RETRY).ready_at_us, run.deadline_at_us);
}
END_TEST

START_TEST(cancelled_handler_is_cancelled)
{
    run.reason = AMDI_REASON_CANCELLED;
    run.call.code = AMDRPC_STATUS_INTERNAL;
    expect_finish(AMDRPC_STATUS_CANCELLED);
    run.is_unstarted = true;
    expect_finish(AMDRPC_STATUS_CANCELLED);
}
END_TEST

START_TEST(incomplete_success_is_none)
{
    run.is_incomplete = true;
    run.reason = AMDI_REASON_TROUBLE;
    (void)expect(AMDI_VERDICT_RETRY);
    run.reason = AMDI_REASON_CANCELLED;
    expect_finish(AMDRPC_STATUS_CANCELLED);
    run.reason = AMDI_REASON_DRAIN;
    (void)expect(AMDI_VERDICT_RELEASE);
}
END_TEST

START_TEST(deadline_counts_wherever_the_handler_is)
{
    run.reason = AMDI_REASON_DEADLINE;
    expect_finish(AMDRPC_STATUS_DEADLINE_EXCEEDED);
    run.work = AMDI_RUN_OUT;
    run.reason = AMDI_REASON_DRAIN;
    expect_finish(AMDRPC_STATUS_DEADLINE_EXCEEDED);
    run.reason = AMDI_REASON_CANCELLED;
    expect_finish(AMDRPC_STATUS_CANCELLED);
}
END_TEST

START_TEST(drained_handler_is_given_back)
{
    run.reason = AMDI_REASON_DRAIN;
    run.call.code = AMDRPC_STATUS_ABORTED;
    (void)expect(AMDI_VERDICT_RELEASE);
    run.is_unstarted = true;
    run.call.code = AMDRPC_STATUS_OK;
    (void)expect(AMDI_VERDICT_RELEASE);
}
END_TEST

START_TEST(refused_call_is_given_back_for_later)
{
    int64_t now_us = amdi_clock_wall_us();

    run.call.refusal = AMDI_REFUSAL_FULL;
    run.call.code = AMDRPC_STATUS_RESOURCE_EXHAUSTED;
    run.call.wait_ms = 2000;

    ck_assert_int_ge(
            expect(AMDI_VERDICT_RELEASE).ready_at_us, now_us + 2000000);
    run.call.wait_ms = 1;
    ck_assert_int_ge(expect(AMDI_VERDICT_RELEASE).ready_at_us, now_us + 500000);
}
END_TEST

START_TEST(lost_message_means_another_attempt)
{
    run.reason = AMDI_REASON_TROUBLE;
    (void)expect(AMDI_VERDICT_RETRY);
}
END_TEST

static Suite *
verdict_suite(void)
{
    Suite *suite = suite_create("verdict");
    TCase *tcase = tcase_create("judge");

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, handlers_status_counts);
    tcase_add_test(tcase, success_counts_whatever_was_asked);
    tcase_add_test(tcase, unavailable_is_tried_again_until_the_last_attempt);
    tcase_add_test(tcase, no_attempt_begins_behind_the_deadline);
    tcase_add_test(tcase, cancelled_handler_is_cancelled);
    tcase_add_test(tcase, deadline_counts_wherever_the_handler_is);
    tcase_add_test(tcase, incomplete_success_is_none);
    tcase_add_test(tcase, drained_handler_is_given_back);
    tcase_add_test(tcase, refused_call_is_given_back_for_later);
    tcase_add_test(tcase, lost_message_means_another_attempt);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(verdict_suite)
