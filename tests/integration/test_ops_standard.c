/** Tests google.longrunning.Operations: get, cancel, delete, wait. */
#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/empty.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "tests/integration/ops.h"
#include "tests/support/runner.h"

#include <check.h>

#include <stdio.h>

#define STATE(name) AMDRPC__V1__OPERATION_METADATA__STATE__##name
#define HAS(name) GOOGLE__LONGRUNNING__OPERATION__RESULT_##name

// Valid, and of no operation.
static char unknown_name[] = "operations/0000000000001";

/* ---- get ---- */

/** @_i: of enum ops_store, here and below. */
START_TEST(running_operation_is_shown)
{
    struct amdi_fence fence;
    operation *op;
    operation_metadata *metadata;

    ops_start(_i);
    fence = ops_add();
    ops_append_progress(fence, 500);

    op = ops_get(ops_name(fence.id));

    ck_assert_str_eq(op->name, ops_name(fence.id));
    ck_assert(!op->done);
    ck_assert_int_eq(
            op->result_case, GOOGLE__LONGRUNNING__OPERATION__RESULT__NOT_SET);
    metadata = ops_metadata(op);
    ck_assert_int_eq(metadata->state, STATE(RUNNING));
    ck_assert_str_eq(metadata->method, TEST_UNARY);
    ck_assert_uint_eq(metadata->progress->done, 500);
    ck_assert_uint_eq(metadata->attempt, 1);
    ck_assert_uint_eq(metadata->first_seq, 1);
    ck_assert_uint_eq(metadata->last_seq, 1);
    ck_assert_ptr_nonnull(metadata->create_time);
    ck_assert_ptr_nonnull(metadata->start_time);
    ck_assert_ptr_null(metadata->end_time);
    ops_free(metadata);
    ops_free(op);
}
END_TEST

START_TEST(success_has_a_response)
{
    struct amdi_fence fence;
    operation *op;
    operation_metadata *metadata;

    ops_start(_i);
    fence = ops_add();
    ops_finish(fence, AMDRPC_STATUS_OK);

    op = ops_get(ops_name(fence.id));

    ck_assert(op->done);
    ck_assert_int_eq(op->result_case, HAS(RESPONSE));
    ck_assert_str_eq(op->response->type_url,
            "type.googleapis.com/amdrpc.testCalls.v1.Response");
    metadata = ops_metadata(op);
    ck_assert_int_eq(metadata->state, STATE(SUCCEEDED));
    ck_assert_ptr_nonnull(metadata->end_time);
    ck_assert_ptr_nonnull(metadata->expire_time);
    ops_free(metadata);
    ops_free(op);
}
END_TEST

START_TEST(failure_has_an_error)
{
    struct amdi_fence fence;
    operation *op;

    ops_start(_i);
    fence = ops_add();
    ops_finish(fence, AMDRPC_STATUS_DATA_LOSS);

    op = ops_get(ops_name(fence.id));

    ck_assert(op->done);
    ck_assert_int_eq(op->result_case, HAS(ERROR));
    ck_assert_int_eq(op->error->code, AMDRPC_STATUS_DATA_LOSS);
    ck_assert_str_eq(op->error->message, "failed");
    ops_free(op);
}
END_TEST

static const char *const by_name[] = {
        OPS_GET, OPS_CANCEL, OPS_DELETE, OPS_WAIT, OPS_WATCH};

START_TEST(name_that_cannot_be_is_refused)
{
    ops_start(OPS_MEMORY);

    ops_expect_refusal(ops_call_name(by_name[_i], "operations/me"),
            AMDRPC_STATUS_INVALID_ARGUMENT, "NAME_INVALID");
}
END_TEST

START_TEST(unknown_operation_is_not_found)
{
    ops_start(OPS_MEMORY);

    ops_expect_refusal(ops_call_name(by_name[_i], unknown_name),
            AMDRPC_STATUS_NOT_FOUND, "OPERATION_UNKNOWN");
}
END_TEST

START_TEST(operation_of_another_is_not_found)
{
    struct amdi_fence fence;

    ops_start(OPS_MEMORY);
    fence = ops_add_for("alice");

    ops_expect_refusal(ops_call_name(by_name[_i], ops_name(fence.id)),
            AMDRPC_STATUS_NOT_FOUND, "OPERATION_UNKNOWN");

    ck_assert_int_eq(probe_get(fence.id), AMDI_STORE_OK);
    ck_assert_int_eq(probe.ops[0].state, AMDI_OP_RUNNING);
    ck_assert(!probe.ops[0].is_cancelled);
}
END_TEST

/* ---- cancel ---- */

static void
expect_empty(struct test_rpc *rpc)
{
    ops_free(ops_expect(rpc, &google__protobuf__empty__descriptor));
}

START_TEST(running_operation_is_asked_to_stop)
{
    struct amdi_fence fence;
    operation *op;
    operation_metadata *metadata;

    ops_start(_i);
    fence = ops_add();

    expect_empty(ops_call_name(OPS_CANCEL, ops_name(fence.id)));

    op = ops_get(ops_name(fence.id));
    metadata = ops_metadata(op);
    ck_assert(!op->done);
    ck_assert(metadata->cancel_requested);
    ops_free(metadata);
    ops_free(op);
}
END_TEST

START_TEST(queued_operation_is_cancelled_at_once)
{
    const struct amdi_new_op new_op = {
            .method = BYTES(TEST_UNARY), .ready_at_us = INT64_MAX / 2};
    operation *op;

    ops_start(_i);
    ck_assert_int_eq(probe_submit(&new_op), AMDI_STORE_OK);

    expect_empty(ops_call_name(OPS_CANCEL, ops_name(probe.ops[0].id)));

    op = ops_get(ops_name(probe.ops[0].id));
    ck_assert(op->done);
    ck_assert_int_eq(op->error->code, AMDRPC_STATUS_CANCELLED);
    ck_assert_str_eq(op->error->message, "the operation was cancelled");
    ops_free(op);
}
END_TEST

START_TEST(cancel_of_what_has_ended_does_nothing)
{
    struct amdi_fence fence;

    ops_start(_i);
    fence = ops_add();
    ops_finish(fence, AMDRPC_STATUS_OK);

    expect_empty(ops_call_name(OPS_CANCEL, ops_name(fence.id)));

    ck_assert_int_eq(ops_state(fence.id), STATE(SUCCEEDED));
}
END_TEST

/* ---- delete ---- */

START_TEST(deleted_operation_is_not_found)
{
    struct amdi_fence fence;

    ops_start(_i);
    fence = ops_add();
    ops_finish(fence, AMDRPC_STATUS_OK);

    expect_empty(ops_call_name(OPS_DELETE, ops_name(fence.id)));

    ops_expect_refusal(ops_call_name(OPS_GET, ops_name(fence.id)),
            AMDRPC_STATUS_NOT_FOUND, "OPERATION_UNKNOWN");
}
END_TEST

START_TEST(unfinished_operation_is_not_deleted)
{
    struct amdi_fence fence;

    ops_start(_i);
    fence = ops_add();

    ops_expect_refusal(ops_call_name(OPS_DELETE, ops_name(fence.id)),
            AMDRPC_STATUS_FAILED_PRECONDITION, "OPERATION_UNFINISHED");

    ck_assert_int_eq(ops_state(fence.id), STATE(RUNNING));
}
END_TEST

/* ---- wait ---- */

/** @timeout_ms: negative: none is given. */
static struct test_rpc *
start_wait(uint64_t id, int timeout_ms)
{
    Google__Longrunning__WaitOperationRequest request =
            GOOGLE__LONGRUNNING__WAIT_OPERATION_REQUEST__INIT;
    Google__Protobuf__Duration timeout = GOOGLE__PROTOBUF__DURATION__INIT;

    request.name = ops_name(id);
    timeout.seconds = timeout_ms / 1000;
    timeout.nanos = timeout_ms % 1000 * 1000000;
    request.timeout = timeout_ms < 0 ? NULL : &timeout;
    return ops_call(OPS_WAIT, &request.base);
}

static void
expect_wait(struct test_rpc *rpc, bool is_done)
{
    operation *op = ops_expect_operation(rpc);

    ck_assert_int_eq(op->done, is_done);
    ops_free(op);
}

START_TEST(wait_ends_with_the_operation)
{
    struct test_rpc *waiting;
    struct amdi_fence fence;

    ops_start(_i);
    fence = ops_add();
    waiting = start_wait(fence.id, -1);
    ops_append_message(fence, 0, 10);
    ops_append_progress(fence, 1);
    ck_assert_int_eq(ops_state(fence.id), STATE(RUNNING));
    ck_assert(!waiting->has_ended);

    ops_finish(fence, AMDRPC_STATUS_OK);

    expect_wait(waiting, true);
}
END_TEST

START_TEST(wait_for_what_has_ended_is_over_at_once)
{
    struct amdi_fence fence;

    ops_start(_i);
    fence = ops_add();
    ops_finish(fence, AMDRPC_STATUS_OK);

    expect_wait(start_wait(fence.id, -1), true);
}
END_TEST

static const int timeouts_ms[] = {0, 1, 20};

START_TEST(wait_ends_with_its_timeout)
{
    struct amdi_fence fence;

    ops_start(OPS_MEMORY);
    fence = ops_add();

    expect_wait(start_wait(fence.id, timeouts_ms[_i]), false);
}
END_TEST

START_TEST(wait_for_a_negative_time_is_refused)
{
    Google__Longrunning__WaitOperationRequest request =
            GOOGLE__LONGRUNNING__WAIT_OPERATION_REQUEST__INIT;
    Google__Protobuf__Duration timeout = GOOGLE__PROTOBUF__DURATION__INIT;

    ops_start(OPS_MEMORY);
    request.name = unknown_name;
    timeout.seconds = -1;
    request.timeout = &timeout;

    ops_expect_refusal(ops_call(OPS_WAIT, &request.base),
            AMDRPC_STATUS_INVALID_ARGUMENT, "TIMEOUT_INVALID");
}
END_TEST

START_TEST(wait_returns_early_when_the_server_drains)
{
    struct test_rpc *waiting;
    struct amdi_fence fence;

    ops_start(_i);
    fence = ops_add();
    waiting = start_wait(fence.id, -1);
    ck_assert_int_eq(ops_state(fence.id), STATE(RUNNING)); // it has come

    amdrpc_server_drain(test_server);

    expect_wait(waiting, false);
}
END_TEST

START_TEST(clients_that_go_away_leave_nothing)
{
    struct amdi_fence fence;

    ops_start(_i);
    fence = ops_add();
    for (int i = 0; i < 20; i++) {
        test_rpc_cancel(start_wait(fence.id, -1));
        test_rpc_cancel(ops_call_name(OPS_WATCH, ops_name(fence.id)));
        test_rpc_cancel(ops_call_name(OPS_GET, ops_name(fence.id)));
    }
    test_rpc_flush(test_conn);

    ck_assert_int_eq(ops_state(fence.id), STATE(RUNNING));
    test_rpc_hang_up(test_conn);
    ops_finish(fence, AMDRPC_STATUS_OK);
}
END_TEST

static Suite *
operations_standard_suite(void)
{
    Suite *suite = suite_create("ops_standard");
    TCase *tests = tcase_create("standard");
    int nnames = sizeof(by_name) / sizeof(by_name[0]);

    tcase_add_checked_fixture(tests, test_server_setup, ops_teardown);
    tcase_add_loop_test(tests, running_operation_is_shown, 0, OPS_NSTORES);
    tcase_add_loop_test(tests, success_has_a_response, 0, OPS_NSTORES);
    tcase_add_loop_test(tests, failure_has_an_error, 0, OPS_NSTORES);
    tcase_add_loop_test(tests, name_that_cannot_be_is_refused, 0, nnames);
    tcase_add_loop_test(tests, unknown_operation_is_not_found, 0, nnames);
    tcase_add_loop_test(tests, operation_of_another_is_not_found, 0, nnames);
    tcase_add_loop_test(
            tests, running_operation_is_asked_to_stop, 0, OPS_NSTORES);
    tcase_add_loop_test(
            tests, queued_operation_is_cancelled_at_once, 0, OPS_NSTORES);
    tcase_add_loop_test(
            tests, cancel_of_what_has_ended_does_nothing, 0, OPS_NSTORES);
    tcase_add_loop_test(tests, deleted_operation_is_not_found, 0, OPS_NSTORES);
    tcase_add_loop_test(
            tests, unfinished_operation_is_not_deleted, 0, OPS_NSTORES);
    tcase_add_loop_test(tests, wait_ends_with_the_operation, 0, OPS_NSTORES);
    tcase_add_loop_test(
            tests, wait_for_what_has_ended_is_over_at_once, 0, OPS_NSTORES);
    tcase_add_loop_test(tests, wait_ends_with_its_timeout, 0, 3);
    tcase_add_test(tests, wait_for_a_negative_time_is_refused);
    tcase_add_loop_test(
            tests, wait_returns_early_when_the_server_drains, 0, OPS_NSTORES);
    tcase_add_loop_test(
            tests, clients_that_go_away_leave_nothing, 0, OPS_NSTORES);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(operations_standard_suite)
