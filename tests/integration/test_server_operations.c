/** Operations are executed: their answers, their ends, and who comes first. */
#include "common/clock.h"
#include "common/metadata.h"
#include "tests/integration/server_operations.h"
#include "tests/support/runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ops_request
request_of(Amdrpc__TestCalls__V1__How how, const char *text)
{
    ops_request request = AMDRPC__TEST_CALLS__V1__REQUEST__INIT;

    request.how = how;
    request.text = (char *)text;
    return request;
}

static ops_request
request_fail(uint32_t code, uint32_t until_attempt, const char *text)
{
    ops_request request = request_of(OPS_HOW(FAIL), text);

    request.code = code;
    request.count = until_attempt;
    return request;
}

/* ---- answers ---- */

START_TEST(unary_answer_is_kept)
{
    ops_request request = request_of(OPS_HOW(REPLY), "done");
    struct ops_state state;
    struct ops_start start;
    uint64_t id = 0;

    ops_start(_i);
    id = ops_add(OPS_UNARY, &request);

    ops_expect_end(id, AMDRPC_STATUS_OK, &state);
    ck_assert_str_eq(state.result, "done");
    ck_assert_uint_eq(state.op.attempt, 1);
    start = ops_get_start(0);
    ck_assert_uint_eq(start.attempt, 1);
    ck_assert_uint_eq(start.delivered, 0);
    ck_assert_str_eq(start.peer, "192.0.2.1:1000");
    ck_assert_str_eq(start.identity, "tester");
    ck_assert(strncmp(start.operation, "operations/", 11) == 0);
}
END_TEST

START_TEST(handler_sees_metadata)
{
    ops_request request = request_of(OPS_HOW(METADATA), "");
    struct amdrpc_metadata metadata;
    struct amdi_submission submission;
    struct amdi_arena arena;
    struct ops_state state;
    uint64_t id = 0;

    amdi_arena_init(&arena, 0);
    amdi_metadata_init(&metadata, &arena);
    ck_assert_int_eq(
            amdrpc_metadata_add(&metadata, "x-test", "seen", 4), AMDRPC_OK);
    ops_start(_i);
    submission = ops_submission(OPS_UNARY, &request);
    submission.metadata = &metadata;
    ck_assert_int_eq(ops_submit(&submission, &id), AMDI_STORE_OK);

    ops_expect_end(id, AMDRPC_STATUS_OK, &state);
    ck_assert_str_eq(state.result, "seen");
    amdi_arena_fini(&arena);
}
END_TEST

START_TEST(failure_is_kept_and_final)
{
    ops_request request =
            request_fail(AMDRPC_STATUS_NOT_FOUND, 0, "no such thing");
    struct ops_state state;

    ops_start(_i);

    ops_expect_end(
            ops_add(OPS_UNARY, &request), AMDRPC_STATUS_NOT_FOUND, &state);
    ck_assert_str_eq(state.status, "no such thing");
    ck_assert_uint_eq(ops_nstarts(), 1);
}
END_TEST

START_TEST(request_that_cannot_be_read_fails_with_details)
{
    ops_request request = request_of(OPS_HOW(REPLY), "");
    struct amdi_submission submission;
    struct ops_state state;
    uint64_t id = 0;

    ops_start(_i);
    submission = ops_submission(OPS_UNARY, &request);
    submission.request = (struct amdi_bytes){"\xff\xff", 2};
    ck_assert_int_eq(ops_submit(&submission, &id), AMDI_STORE_OK);

    ops_expect_end(id, AMDRPC_STATUS_INTERNAL, &state);
    ck_assert_uint_eq(state.ndetails, 1);
}
END_TEST

START_TEST(stream_becomes_events)
{
    ops_request request = request_of(OPS_HOW(REPLY), "part");
    struct ops_event events[OPS_MAX_EVENTS];
    struct ops_state state;
    uint64_t id = 0;
    size_t n = 0;

    request.count = 300;
    ops_start(_i);
    id = ops_add(OPS_DOWNLOAD, &request);

    ops_expect_end(id, AMDRPC_STATUS_OK, &state);
    ck_assert_str_eq(state.result, "300");
    ck_assert_uint_eq(state.op.nmessages, 300);
    n = ops_read_events(id, events);
    ck_assert_uint_eq(n, 301);
    for (size_t i = 0; i < 300; i++) {
        ck_assert_int_eq(events[i].kind, AMDI_EVENT_MESSAGE);
        ck_assert_uint_eq(events[i].number, i + 1);
    }
    ck_assert_int_eq(events[300].kind, AMDI_EVENT_END);
}
END_TEST

START_TEST(steps_are_coalesced_and_the_last_is_told)
{
    ops_request request = request_of(OPS_HOW(LATER), "copying");
    struct ops_event events[OPS_MAX_EVENTS];
    size_t n = 0;

    request.count = 20000;
    ops_start(_i);
    n = ops_read_events(ops_add(OPS_UNARY, &request), events);

    ck_assert_uint_ge(n, 2);
    ck_assert_uint_lt(n, OPS_MAX_EVENTS);
    ck_assert_int_eq(events[n - 2].kind, AMDI_EVENT_PROGRESS);
    ck_assert_uint_eq(events[n - 2].number, 20000);
    ck_assert_str_eq(events[n - 2].text, "copying");
}
END_TEST

START_TEST(many_operations_all_end)
{
    ops_request request = request_of(OPS_HOW(REPLY), "many");
    uint64_t ids[500];

    ops_start(_i);
    for (size_t i = 0; i < 500; i++) {
        ids[i] = ops_add(OPS_UNARY, &request);
    }

    for (size_t i = 0; i < 500; i++) {
        ops_expect_end(ids[i], AMDRPC_STATUS_OK, NULL);
    }
    ck_assert_uint_eq(ops_nstarts(), 500);
}
END_TEST

START_TEST(inline_methods_are_executed)
{
    const amdrpc_policy policy = {.dispatch = AMDRPC_DISPATCH_INLINE};
    amdrpc_operations_options options = ops_options();
    ops_request request = request_of(OPS_HOW(REPLY), "inline");
    ops_request failing = request_fail(AMDRPC_STATUS_UNAVAILABLE, 2, "later");
    struct ops_state state;

    ops_start_with(_i, &options, NULL, &policy);

    ops_expect_end(ops_add(OPS_UNARY, &request), AMDRPC_STATUS_OK, &state);
    ck_assert_str_eq(state.result, "inline");
    request.count = 10;
    ops_expect_end(ops_add(OPS_DOWNLOAD, &request), AMDRPC_STATUS_OK, &state);
    ck_assert_str_eq(state.result, "10");
    ops_expect_end(ops_add(OPS_UNARY, &failing), AMDRPC_STATUS_OK, &state);
}
END_TEST

START_TEST(same_request_id_is_one_operation)
{
    ops_request request = request_of(OPS_HOW(REPLY), "once");
    struct amdi_submission submission;
    uint64_t first = 0;
    uint64_t second = 0;

    ops_start(_i);
    submission = ops_submission(OPS_UNARY, &request);
    submission.request_id = (struct amdi_bytes){"id-1", 4};
    ck_assert_int_eq(ops_submit(&submission, &first), AMDI_STORE_OK);
    ops_expect_end(first, AMDRPC_STATUS_OK, NULL);
    ck_assert_int_eq(ops_submit(&submission, &second), AMDI_STORE_EXISTS);

    ck_assert_uint_eq(first, second);
    ck_assert_uint_eq(ops_nstarts(), 1);
}
END_TEST

/* ---- attempts ---- */

START_TEST(unavailable_is_tried_again)
{
    ops_request request = request_fail(AMDRPC_STATUS_UNAVAILABLE, 2, "later");
    struct ops_event events[OPS_MAX_EVENTS];
    struct ops_state state;
    uint64_t id = 0;

    ops_start(_i);
    id = ops_add(OPS_UNARY, &request);

    ops_expect_end(id, AMDRPC_STATUS_OK, &state);
    ck_assert_uint_eq(state.op.attempt, 3);
    ck_assert_uint_eq(ops_get_start(2).attempt, 3);
    ck_assert_uint_eq(ops_read_events(id, events), 3);
    ck_assert_int_eq(events[0].kind, AMDI_EVENT_RETRY);
    ck_assert_str_eq(events[0].text, "UNAVAILABLE: later");
}
END_TEST

START_TEST(last_attempt_ends_with_its_own_status)
{
    ops_request request = request_fail(AMDRPC_STATUS_UNAVAILABLE, 0, "never");
    struct amdi_submission submission;
    struct ops_state state;
    uint64_t id = 0;

    ops_start(_i);
    submission = ops_submission(OPS_UNARY, &request);
    submission.max_attempts = 3;
    ck_assert_int_eq(ops_submit(&submission, &id), AMDI_STORE_OK);

    ops_expect_end(id, AMDRPC_STATUS_UNAVAILABLE, &state);
    ck_assert_str_eq(state.status, "never");
    ck_assert_uint_eq(ops_nstarts(), 3);
}
END_TEST

START_TEST(policy_can_say_never_again)
{
    const amdrpc_policy policy = {.max_attempts = 1};
    amdrpc_operations_options options = ops_options();
    ops_request request = request_fail(AMDRPC_STATUS_UNAVAILABLE, 0, "no");

    ops_start_with(_i, &options, NULL, &policy);

    ops_expect_end(
            ops_add(OPS_UNARY, &request), AMDRPC_STATUS_UNAVAILABLE, NULL);
    ck_assert_uint_eq(ops_nstarts(), 1);
}
END_TEST

START_TEST(refusal_uses_no_attempt_up)
{
    // One worker, and nothing may wait.
    const amdrpc_policy policy = {
            .max_running = 1, .max_queued = 1, .max_attempts = 1};
    amdrpc_operations_options options = ops_options();
    ops_request blocked = request_of(OPS_HOW(BLOCK), "blocked");
    ops_request request = request_of(OPS_HOW(REPLY), "then");
    uint64_t ids[8];
    struct ops_state state;

    ops_start_with(_i, &options, NULL, &policy);
    ids[0] = ops_add(OPS_UNARY, &blocked);
    ops_await_starts(1);
    for (size_t i = 1; i < 8; i++) {
        ids[i] = ops_add(OPS_UNARY, &request);
    }
    ops_let_go();

    for (size_t i = 0; i < 8; i++) {
        ops_expect_end(ids[i], AMDRPC_STATUS_OK, &state);
        ck_assert_uint_eq(state.op.attempt - state.op.nreleased, 1);
    }
    ck_assert_uint_eq(ops_nstarts(), 8);
}
END_TEST

/* ---- stopping ---- */

START_TEST(cancel_ends_what_runs)
{
    ops_request request = request_of(OPS_HOW(BLOCK), "blocked");
    uint64_t id = 0;
    struct ops_state state;

    ops_start(_i);
    id = ops_add(OPS_UNARY, &request);
    ops_await_starts(1);
    ck_assert_int_eq(ops_cancel(id), AMDI_STORE_OK);

    ops_expect_end(id, AMDRPC_STATUS_CANCELLED, &state);
    ck_assert_str_eq(state.status, "the operation was cancelled");
}
END_TEST

START_TEST(cancel_is_told_to_who_waits_without_a_worker)
{
    ops_request request = request_of(OPS_HOW(HOLD), "held");
    uint64_t id = 0;

    ops_start(_i);
    id = ops_add(OPS_UNARY, &request);
    ops_await_starts(1);
    ck_assert_int_eq(ops_cancel(id), AMDI_STORE_OK);

    ops_expect_end(id, AMDRPC_STATUS_CANCELLED, NULL);
}
END_TEST

START_TEST(cancel_ends_what_waits_for_a_worker)
{
    ops_request request = request_of(OPS_HOW(BLOCK), "blocked");
    uint64_t ids[8];

    ops_start(_i);
    for (size_t i = 0; i < 8; i++) {
        ids[i] = ops_add(OPS_UNARY, &request);
    }
    ops_await_starts(2);
    for (size_t i = 8; i-- > 0;) {
        ck_assert_int_eq(ops_cancel(ids[i]), AMDI_STORE_OK);
    }

    for (size_t i = 0; i < 8; i++) {
        ops_expect_end(ids[i], AMDRPC_STATUS_CANCELLED, NULL);
    }
}
END_TEST

START_TEST(deadline_ends_it_although_the_handler_goes_on)
{
    ops_request request = request_of(OPS_HOW(HOLD), "held");
    ops_request blocked = request_of(OPS_HOW(BLOCK), "blocked");
    struct amdi_submission submission;
    uint64_t ids[2];

    ops_start(_i);
    submission = ops_submission(OPS_UNARY, &request);
    submission.timeout_us = 50000;
    ck_assert_int_eq(ops_submit(&submission, &ids[0]), AMDI_STORE_OK);
    submission = ops_submission(OPS_UNARY, &blocked);
    submission.timeout_us = 50000;
    ck_assert_int_eq(ops_submit(&submission, &ids[1]), AMDI_STORE_OK);

    ops_expect_end(ids[0], AMDRPC_STATUS_DEADLINE_EXCEEDED, NULL);
    ops_expect_end(ids[1], AMDRPC_STATUS_DEADLINE_EXCEEDED, NULL);
}
END_TEST

START_TEST(lost_lease_drops_the_result)
{
    ops_request request = request_of(OPS_HOW(BLOCK), "first");
    struct ops_state state;
    uint64_t id = 0;

    ops_start(_i);
    id = ops_add(OPS_UNARY, &request);
    ops_await_starts(1);
    ops_steal(id);

    // The handler is told to stop, and the thief's word counts.
    ops_expect_end(id, AMDRPC_STATUS_DATA_LOSS, &state);
    ops_stop();
}
END_TEST

/* ---- times and order ---- */

START_TEST(start_at_is_waited_for)
{
    ops_request request = request_of(OPS_HOW(REPLY), "late");
    struct amdi_submission submission;
    struct ops_state state;
    int64_t start_at_us = amdi_clock_wall_us() + 200000;
    uint64_t id = 0;

    ops_start(_i);
    submission = ops_submission(OPS_UNARY, &request);
    submission.start_at_us = start_at_us;
    ck_assert_int_eq(ops_submit(&submission, &id), AMDI_STORE_OK);

    ops_expect_end(id, AMDRPC_STATUS_OK, &state);
    ck_assert_int_ge(state.op.started_at_us, start_at_us);
}
END_TEST

START_TEST(high_priority_goes_first)
{
    const amdrpc_policy policy = {.max_running = 1};
    amdrpc_operations_options options = ops_options();
    ops_request blocked = request_of(OPS_HOW(BLOCK), "blocked");
    ops_request low = request_of(OPS_HOW(REPLY), "low");
    ops_request high = request_of(OPS_HOW(REPLY), "high");
    struct amdi_submission submission;
    uint64_t ids[20];

    options.max_running = 1;
    ops_start_with(_i, &options, NULL, &policy);
    (void)ops_add(OPS_UNARY, &blocked);
    ops_await_starts(1);
    for (size_t i = 0; i < 20; i++) {
        submission = ops_submission(OPS_UNARY, i < 10 ? &low : &high);
        submission.priority = i < 10 ? AMDI_OP_LOW : AMDI_OP_HIGH;
        ck_assert_int_eq(ops_submit(&submission, &ids[i]), AMDI_STORE_OK);
    }
    ops_let_go();
    for (size_t i = 0; i < 20; i++) {
        ops_expect_end(ids[i], AMDRPC_STATUS_OK, NULL);
    }

    for (size_t i = 1; i <= 10; i++) {
        ck_assert_str_eq(ops_get_start(i).text, "high");
    }
}
END_TEST

START_TEST(metrics_count_what_became_of_them)
{
    ops_request request = request_fail(AMDRPC_STATUS_UNAVAILABLE, 1, "later");
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);

    ops_start(_i);
    ops_expect_end(ops_add(OPS_UNARY, &request), AMDRPC_STATUS_OK, NULL);
    ops_stop_running();
    amdrpc_server_write_metrics(ops_server(), file);
    (void)fclose(file);

    ck_assert_ptr_nonnull(
            strstr(text, "\namdrpc_operations_submitted_total 1\n"));
    ck_assert_ptr_nonnull(strstr(text, "\namdrpc_operations_running 0\n"));
    ck_assert_ptr_nonnull(strstr(text, "\namdrpc_operations_unfinished 0\n"));
    ck_assert_ptr_nonnull(strstr(text, "\namdrpc_operations_kept 1\n"));
    ck_assert_ptr_nonnull(strstr(text, "\namdrpc_operations_store_bytes "));
    ck_assert_ptr_nonnull(strstr(
            text, "\namdrpc_operations_ended_total{grpc_status=\"OK\"} 1\n"));
    ck_assert_ptr_nonnull(strstr(text, "\namdrpc_operation_retries_total 1\n"));
    free(text);
}
END_TEST

/* ---- the next server ---- */

START_TEST(drain_gives_back_and_the_next_server_goes_on)
{
    const amdrpc_policy policy = {.max_attempts = 1};
    amdrpc_operations_options options = ops_options();
    ops_request request = request_of(OPS_HOW(REPLY), "part");
    struct ops_event events[OPS_MAX_EVENTS];
    struct ops_state state;
    uint64_t id = 0;

    request.count = 10;
    request.size = 4;
    ops_start_with(/*store=*/1, &options, NULL, &policy);
    id = ops_add(OPS_DOWNLOAD, &request);
    ops_await_sent(4);
    ops_stop();

    ops_start_with(/*store=*/1, &options, NULL, &policy);
    ops_expect_end(id, AMDRPC_STATUS_OK, &state);
    ck_assert_str_eq(state.result, "10");
    ck_assert_uint_eq(state.op.attempt, 2);
    ck_assert_uint_eq(ops_get_start(1).attempt, 2);
    ck_assert_uint_eq(ops_get_start(1).delivered, 4);
    for (size_t i = 0, n = 0; i < ops_read_events(id, events); i++) {
        if (events[i].kind == AMDI_EVENT_MESSAGE) {
            ck_assert_uint_eq(events[i].number, ++n);
        }
    }
}
END_TEST

START_TEST(drain_keeps_what_is_queued)
{
    ops_request blocked = request_of(OPS_HOW(BLOCK), "blocked");
    uint64_t ids[50];

    ops_start(/*store=*/1);
    for (size_t i = 0; i < 50; i++) {
        ids[i] = ops_add(OPS_UNARY, &blocked);
    }
    ops_await_starts(2);
    ops_stop();

    ops_let_go();
    ops_start(/*store=*/1);
    for (size_t i = 0; i < 50; i++) {
        ops_expect_end(ids[i], AMDRPC_STATUS_OK, NULL);
    }
}
END_TEST

START_TEST(server_that_never_ran_closes_its_store)
{
    amdrpc_operations_options options = ops_options();
    amdrpc_server *server = NULL;

    ck_assert_int_eq(amdrpc_server_create(NULL, &server), AMDRPC_OK);
    ck_assert_int_eq(
            amdrpc_operations_add(server, &options, NULL, 0), AMDRPC_OK);
    ck_assert_int_eq(
            amdrpc_operations_add(server, &options, NULL, 0), AMDRPC_EEXIST);

    amdrpc_server_destroy(server);
}
END_TEST

START_TEST(store_that_cannot_be_opened_is_told)
{
    amdrpc_operations_options options = {.store = "sqlite:/nonexistent/dir"};
    amdrpc_server *server = NULL;
    char why[128] = "";

    ck_assert_int_eq(amdrpc_server_create(NULL, &server), AMDRPC_OK);
    ck_assert_int_ne(amdrpc_operations_add(server, &options, why, sizeof(why)),
            AMDRPC_OK);

    ck_assert_str_ne(why, "");
    amdrpc_server_destroy(server);
}
END_TEST

static Suite *
create_suite(void)
{
    Suite *suite = suite_create("server_operations");
    TCase *tests = tcase_create("exec");

    tcase_add_checked_fixture(tests, ops_setup, ops_teardown);
    tcase_set_timeout(tests, 60);
#define ADD(test) tcase_add_loop_test(tests, test, 0, OPS_NSTORES)
    ADD(unary_answer_is_kept);
    ADD(handler_sees_metadata);
    ADD(failure_is_kept_and_final);
    ADD(request_that_cannot_be_read_fails_with_details);
    ADD(stream_becomes_events);
    ADD(steps_are_coalesced_and_the_last_is_told);
    ADD(many_operations_all_end);
    ADD(inline_methods_are_executed);
    ADD(same_request_id_is_one_operation);
    ADD(unavailable_is_tried_again);
    ADD(last_attempt_ends_with_its_own_status);
    ADD(policy_can_say_never_again);
    ADD(refusal_uses_no_attempt_up);
    ADD(cancel_ends_what_runs);
    ADD(cancel_is_told_to_who_waits_without_a_worker);
    ADD(cancel_ends_what_waits_for_a_worker);
    ADD(deadline_ends_it_although_the_handler_goes_on);
    ADD(lost_lease_drops_the_result);
    ADD(start_at_is_waited_for);
    ADD(high_priority_goes_first);
    ADD(metrics_count_what_became_of_them);
#undef ADD
    tcase_add_test(tests, drain_gives_back_and_the_next_server_goes_on);
    tcase_add_test(tests, drain_keeps_what_is_queued);
    tcase_add_test(tests, server_that_never_ran_closes_its_store);
    tcase_add_test(tests, store_that_cannot_be_opened_is_told);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(create_suite)
