/** Operations over a store that fails: nothing is lost, and nothing doubled. */
#include "common/alloc.h"
#include "common/clock.h"
#include "server/operation/executor.h"
#include "tests/integration/server_operations.h"
#include "tests/store/fault.h"
#include "tests/support/runner.h"

#include <sched.h>

#define SHORT_LEASE_MS 300u

// What the store says when it cannot.
static const enum amdi_store_result troubles[] = {
        AMDI_STORE_BUSY,
        AMDI_STORE_NOMEM,
        AMDI_STORE_UNKNOWN,
        AMDI_STORE_DOWN,
};
#define NTROUBLES (sizeof(troubles) / sizeof(troubles[0]))

static struct amdi_store *fault;

static void
start_with(uint32_t lease_ms, uint32_t max_running)
{
    amdrpc_operations_options options = ops_options();
    struct amdi_store *memory = NULL;

    options.lease_ms = lease_ms;
    options.max_running = max_running;
    ck_assert_int_eq(
            amdi_store_open("memory:", NULL, &memory, NULL), AMDRPC_OK);
    fault = fault_wrap(memory);
    ops_start_over(fault, &options);
}

static void
start(void)
{
    start_with(/*lease_ms=*/15000, /*max_running=*/0);
}

static ops_request
request_of(Amdrpc__TestCalls__V1__How how)
{
    ops_request request = AMDRPC__TEST_CALLS__V1__REQUEST__INIT;

    request.how = how;
    request.text = (char *)"text";
    return request;
}

/** Submits it for a moment later: it is leased, not run at once. */
static uint64_t
add_for_later(const ops_request *request)
{
    struct amdi_submission submission = ops_submission(OPS_UNARY, request);
    uint64_t id = 0;

    submission.start_at_us = amdi_clock_wall_us() + 20000;
    ck_assert_int_eq(ops_submit(&submission, &id), AMDI_STORE_OK);
    return id;
}

/** It has one end, after each of its messages once. */
static void
expect_messages(uint64_t id, uint64_t nmessages)
{
    static struct ops_event events[OPS_MAX_EVENTS];
    size_t n = ops_read_events(id, events);
    uint64_t number = 0;

    ck_assert_uint_gt(n, 0);
    for (size_t i = 0; i < n; i++) {
        if (events[i].kind == AMDI_EVENT_MESSAGE) {
            ck_assert_uint_eq(events[i].number, ++number);
        }
        ck_assert_int_eq(events[i].kind == AMDI_EVENT_END, i == n - 1);
    }
    ck_assert_uint_eq(number, nmessages);
}

/* ---- submissions ---- */

START_TEST(refused_submission_leaves_nothing)
{
    ops_request request = request_of(OPS_HOW(REPLY));
    struct amdi_submission submission;

    // One place: whoever does not give it back blocks the last one.
    start_with(/*lease_ms=*/15000, /*max_running=*/1);
    fault_refuse_kind(fault, AMDI_REQUEST_SUBMIT, 5, troubles[_i]);
    submission = ops_submission(OPS_UNARY, &request);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(ops_submit(&submission, NULL), troubles[_i]);
    }

    ops_expect_end(ops_add(OPS_UNARY, &request), AMDRPC_STATUS_OK, NULL);
    ck_assert_uint_eq(ops_nstarts(), 1);
}
END_TEST

START_TEST(submission_whose_answer_was_lost_is_executed)
{
    ops_request request = request_of(OPS_HOW(REPLY));
    struct amdi_submission submission;
    uint64_t id = 0;

    start_with(SHORT_LEASE_MS, /*max_running=*/0);
    ops_expect_end(ops_add(OPS_UNARY, &request), AMDRPC_STATUS_OK, NULL);
    fault_lose_answers_of(fault, AMDI_REQUEST_SUBMIT, 1);
    submission = ops_submission(OPS_UNARY, &request);
    submission.request_id = (struct amdi_bytes){"id", 2};
    ck_assert_int_eq(ops_submit(&submission, NULL), AMDI_STORE_UNKNOWN);
    ck_assert_int_eq(ops_submit(&submission, &id), AMDI_STORE_EXISTS);

    ops_expect_end(id, AMDRPC_STATUS_OK, NULL);
    ck_assert_uint_eq(ops_nstarts(), 2);
}
END_TEST

/* ---- leases ---- */

START_TEST(lease_that_failed_is_asked_again)
{
    ops_request request = request_of(OPS_HOW(REPLY));
    uint64_t id = 0;

    start();
    id = add_for_later(&request);
    fault_refuse_kind(fault, AMDI_REQUEST_LEASE, 1, troubles[_i]);

    ops_expect_end(id, AMDRPC_STATUS_OK, NULL);
    ck_assert_uint_eq(ops_nstarts(), 1);
}
END_TEST

START_TEST(lease_whose_answer_was_lost_runs_out)
{
    ops_request request = request_of(OPS_HOW(REPLY));
    uint64_t id = 0;

    start_with(SHORT_LEASE_MS, /*max_running=*/0);
    id = add_for_later(&request);
    fault_lose_answers_of(fault, AMDI_REQUEST_LEASE, 1);

    ops_expect_end(id, AMDRPC_STATUS_OK, NULL);
    ck_assert_uint_eq(ops_nstarts(), 1);
}
END_TEST

START_TEST(beats_that_fail_stop_nothing)
{
    ops_request request = request_of(OPS_HOW(BLOCK));
    struct ops_state state;
    uint64_t id = 0;

    start_with(/*lease_ms=*/60, /*max_running=*/0);
    fault_refuse_kind(fault, AMDI_REQUEST_BEAT, FAULT_ALWAYS, troubles[_i]);
    id = ops_add(OPS_UNARY, &request);
    ops_await_starts(1);
    while (fault_count(fault) < 4) {
        ops_get(id, &state); // longer than the lease
    }
    ops_let_go();

    ops_expect_end(id, AMDRPC_STATUS_OK, &state);
    ck_assert_uint_eq(ops_nstarts(), state.op.attempt);
    expect_messages(id, 0);
}
END_TEST

/* ---- ends ---- */

START_TEST(end_that_failed_is_written_again)
{
    ops_request request = request_of(OPS_HOW(REPLY));
    struct ops_state state;
    uint64_t id = 0;

    start();
    fault_refuse_kind(fault, AMDI_REQUEST_FINISH, 2, troubles[_i]);
    id = ops_add(OPS_UNARY, &request);

    ops_expect_end(id, AMDRPC_STATUS_OK, &state);
    ck_assert_str_eq(state.result, "text");
    ck_assert_uint_eq(ops_nstarts(), 1);
    expect_messages(id, 0);
}
END_TEST

START_TEST(end_whose_answer_was_lost_is_the_end)
{
    ops_request request = request_of(OPS_HOW(REPLY));
    uint64_t id = 0;

    start();
    fault_lose_answers_of(fault, AMDI_REQUEST_FINISH, 1);
    id = ops_add(OPS_UNARY, &request);

    ops_expect_end(id, AMDRPC_STATUS_OK, NULL);
    ops_stop(); // which waits for every lease
    ck_assert_uint_eq(ops_nstarts(), 1);
}
END_TEST

START_TEST(end_that_was_lost_with_its_lease_is_made_again)
{
    ops_request request = request_of(OPS_HOW(BLOCK));
    struct ops_state state;
    uint64_t id = 0;

    start_with(SHORT_LEASE_MS, /*max_running=*/0);
    id = ops_add(OPS_UNARY, &request);
    ops_await_starts(1);
    fault_refuse(fault, FAULT_ALWAYS, troubles[_i]);
    ops_let_go();
    while (fault_count(fault) < 8) {
        (void)sched_yield(); // beats fail, and then the lease has ended
    }
    fault_refuse(fault, 0, AMDI_STORE_OK);

    ops_expect_end(id, AMDRPC_STATUS_OK, &state);
    ck_assert_str_eq(state.result, "text");
    ck_assert_uint_eq(ops_nstarts(), state.op.attempt);
    expect_messages(id, 0);
}
END_TEST

START_TEST(retry_whose_answer_was_lost_is_one_retry)
{
    ops_request request = request_of(OPS_HOW(FAIL));
    struct ops_state state;

    request.code = AMDRPC_STATUS_UNAVAILABLE;
    request.count = 1;
    start();
    fault_lose_answers_of(fault, AMDI_REQUEST_RETRY, 1);

    ops_expect_end(ops_add(OPS_UNARY, &request), AMDRPC_STATUS_OK, &state);
    ck_assert_uint_eq(state.op.attempt, 2);
    ck_assert_uint_eq(ops_nstarts(), 2);
}
END_TEST

START_TEST(retry_that_failed_is_written_again)
{
    ops_request request = request_of(OPS_HOW(FAIL));

    request.code = AMDRPC_STATUS_UNAVAILABLE;
    request.count = 1;
    start();
    fault_refuse_kind(fault, AMDI_REQUEST_RETRY, 2, troubles[_i]);

    ops_expect_end(ops_add(OPS_UNARY, &request), AMDRPC_STATUS_OK, NULL);
    ck_assert_uint_eq(ops_nstarts(), 2);
}
END_TEST

/* ---- messages ---- */

START_TEST(message_that_failed_leaves_no_gap)
{
    ops_request request = request_of(OPS_HOW(REPLY));
    struct ops_state state;
    uint64_t id = 0;

    request.count = 50;
    start();
    fault_refuse_kind(fault, AMDI_REQUEST_APPEND, 1, troubles[_i]);
    id = ops_add(OPS_DOWNLOAD, &request);

    ops_expect_end(id, AMDRPC_STATUS_OK, &state);
    ck_assert_str_eq(state.result, "50");
    ck_assert_uint_eq(state.op.attempt, 2);
    expect_messages(id, 50);
}
END_TEST

START_TEST(message_whose_answer_was_lost_is_sent_once)
{
    ops_request request = request_of(OPS_HOW(REPLY));
    uint64_t id = 0;

    request.count = 50;
    start();
    fault_lose_answers_of(fault, AMDI_REQUEST_APPEND, 1);
    id = ops_add(OPS_DOWNLOAD, &request);

    ops_expect_end(id, AMDRPC_STATUS_OK, NULL);
    expect_messages(id, 50);
}
END_TEST

START_TEST(progress_that_failed_is_no_loss)
{
    ops_request request = request_of(OPS_HOW(LATER));

    request.count = 10;
    start();
    fault_refuse_kind(fault, AMDI_REQUEST_APPEND, FAULT_ALWAYS, troubles[_i]);

    ops_expect_end(ops_add(OPS_UNARY, &request), AMDRPC_STATUS_OK, NULL);
    ck_assert_uint_eq(ops_nstarts(), 1);
}
END_TEST

/* ---- memory ---- */

/** How many operations have ended. */
static unsigned long long
count_ends(void)
{
    const struct amdi_op_stats *stats =
            amdi_operations_stats(amdi_operations_of(ops_server()));
    unsigned long long n = 0;

    for (size_t i = 0; i < AMDI_STATS_NCODES; i++) {
        n += atomic_load(&stats->nended[i]);
    }
    return n;
}

/** Lets one allocation of all threads fail; tells whether there was one. */
static bool
fail_one(int64_t n)
{
    ops_request request = request_of(OPS_HOW(REPLY));
    struct amdi_submission submission = ops_submission(OPS_UNARY, &request);
    unsigned long long before = count_ends();
    enum amdi_store_result result = AMDI_STORE_OK;
    bool has_failed = false;
    uint64_t id = 0;

    amdi_alloc_fail_at(n);
    result = ops_submit(&submission, &id);
    while (result == AMDI_STORE_OK && count_ends() == before) {
        (void)sched_yield(); // asking would allocate too
    }
    has_failed = amdi_alloc_has_failed();
    amdi_alloc_fail_at(-1);
    ck_assert(result == AMDI_STORE_OK || has_failed);
    if (!has_failed) {
        ops_expect_end(id, AMDRPC_STATUS_OK, NULL);
    }
    return has_failed;
}

START_TEST(no_memory_refuses_or_is_survived)
{
    int64_t n = 0;

    start_with(SHORT_LEASE_MS, /*max_running=*/0);
    while (fail_one(n)) {
        n++;
    }
    ck_assert_int_gt(n, 3);
}
END_TEST

/* ---- the end of the server ---- */

START_TEST(drain_ends_though_nothing_can_be_written)
{
    ops_request request = request_of(OPS_HOW(BLOCK));

    start_with(SHORT_LEASE_MS, /*max_running=*/0);
    for (int i = 0; i < 8; i++) {
        (void)ops_add(OPS_UNARY, &request);
    }
    ops_await_starts(2);
    fault_refuse(fault, FAULT_ALWAYS, troubles[_i]);

    ops_stop();
}
END_TEST

static Suite *
create_suite(void)
{
    Suite *suite = suite_create("server_operations_fault");
    TCase *tests = tcase_create("fault");

    tcase_add_checked_fixture(tests, ops_setup, ops_teardown);
    tcase_set_timeout(tests, 60);
#define ADD(test) tcase_add_loop_test(tests, test, 0, (int)NTROUBLES)
    ADD(refused_submission_leaves_nothing);
    ADD(lease_that_failed_is_asked_again);
    ADD(beats_that_fail_stop_nothing);
    ADD(end_that_failed_is_written_again);
    ADD(end_that_was_lost_with_its_lease_is_made_again);
    ADD(retry_that_failed_is_written_again);
    ADD(message_that_failed_leaves_no_gap);
    ADD(progress_that_failed_is_no_loss);
    ADD(drain_ends_though_nothing_can_be_written);
#undef ADD
    tcase_add_test(tests, no_memory_refuses_or_is_survived);
    tcase_add_test(tests, submission_whose_answer_was_lost_is_executed);
    tcase_add_test(tests, lease_whose_answer_was_lost_runs_out);
    tcase_add_test(tests, end_whose_answer_was_lost_is_the_end);
    tcase_add_test(tests, retry_whose_answer_was_lost_is_one_retry);
    tcase_add_test(tests, message_whose_answer_was_lost_is_sent_once);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(create_suite)
