/** Tests amdrpc.v1.Operations: submit. Guarantee G2 as clients see it. */
#include "google/protobuf/any.pb-c.h"
#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "tests/integration/ops.h"
#include "tests/support/runner.h"

#include <check.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#define NCONNS 8
#define NIDS 16

typedef Amdrpc__V1__SubmitRequest submit_request;

/** A submission of TEST_UNARY, and what it points to. */
struct submission {
    submit_request request;
    uint8_t packed[128];
};

static void
submission_init(struct submission *out, const char *request_id,
        Amdrpc__TestCalls__V1__How how)
{
    test_request request = AMDRPC__TEST_CALLS__V1__REQUEST__INIT;

    request.how = how;
    request.text = (char *)(uintptr_t) "hello";
    amdrpc__v1__submit_request__init(&out->request);
    out->request.method = (char *)(uintptr_t)TEST_UNARY;
    out->request.request_id = (char *)(uintptr_t)request_id;
    out->request.request.data = out->packed;
    out->request.request.len =
            protobuf_c_message_pack(&request.base, out->packed);
}

static struct test_rpc *
start_submit(const char *request_id, Amdrpc__TestCalls__V1__How how)
{
    struct submission submission;

    submission_init(&submission, request_id, how);
    return ops_call(OPS_SUBMIT, &submission.request.base);
}

/** @_i: of enum ops_store, here and below. */
START_TEST(submitted_call_is_executed)
{
    operation *submitted;
    operation *done;
    test_response *response;

    ops_start(_i);
    submitted = ops_expect_operation(start_submit("", TEST_HOW(REPLY)));
    ck_assert_ptr_nonnull(strstr(submitted->name, "operations/"));

    done = ops_expect_operation(ops_call_name(OPS_WAIT, submitted->name));

    ck_assert(done->done);
    response = amdrpc__test_calls__v1__response__unpack(
            NULL, done->response->value.len, done->response->value.data);
    ck_assert_str_eq(response->text, "hello");
    ops_free(response);
    ops_free(done);
    ops_free(submitted);
}
END_TEST

START_TEST(same_request_id_is_the_same_operation)
{
    operation *first;
    operation *second;
    operation *other;

    ops_start(_i);

    first = ops_expect_operation(start_submit("id-1", TEST_HOW(REPLY)));
    second = ops_expect_operation(start_submit("id-1", TEST_HOW(REPLY)));
    other = ops_expect_operation(start_submit("id-2", TEST_HOW(REPLY)));

    ck_assert_str_eq(first->name, second->name);
    ck_assert_str_ne(first->name, other->name);
    ops_expect_refusal(start_submit("id-1", TEST_HOW(FAIL)),
            AMDRPC_STATUS_INVALID_ARGUMENT, "REQUEST_ID_REUSED");
    ops_free(other);
    ops_free(second);
    ops_free(first);
}
END_TEST

/** Submits each id, beginning with the @first. */
static void
begin_all_ids(struct test_rpc_conn *conn, int first)
{
    for (int k = 0; k < NIDS; k++) {
        struct submission submission;
        char id[16];
        struct test_rpc *rpc = test_rpc_begin(conn, OPS_SUBMIT, NULL, 0);

        (void)snprintf(id, sizeof(id), "id-%d", (k + first) % NIDS);
        submission_init(&submission, id, TEST_HOW(REPLY));
        test_rpc_send(rpc, &submission.request.base);
        test_rpc_end(rpc);
    }
}

/** Each of many connections submits all ids; half of them do not wait. */
START_TEST(ids_from_many_connections_exist_once)
{
    struct test_rpc_conn *conns[NCONNS];
    Google__Longrunning__ListOperationsRequest request =
            GOOGLE__LONGRUNNING__LIST_OPERATIONS_REQUEST__INIT;
    Google__Longrunning__ListOperationsResponse *response;

    ops_start(_i);
    for (int i = 0; i < NCONNS; i++) {
        conns[i] = test_rpc_connect(test_port);
        begin_all_ids(conns[i], i);
        test_rpc_flush(conns[i]);
    }
    for (int i = 0; i < NCONNS; i++) {
        if (i % 2 == 0) {
            test_rpc_await_all(conns[i]);
        } else {
            test_rpc_hang_up(conns[i]);
        }
        test_rpc_close(conns[i]);
    }

    response = ops_expect(ops_call(OPS_LIST, &request.base),
            &google__longrunning__list_operations_response__descriptor);
    ck_assert_uint_eq(response->n_operations, NIDS);
    ops_free(response);
}
END_TEST

START_TEST(start_in_the_future_is_waited_for)
{
    Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    struct submission submission;
    operation *submitted;
    operation_metadata *metadata;

    ops_start(_i);
    at.seconds = time(NULL) + 3600;
    submission_init(&submission, "", TEST_HOW(REPLY));
    submission.request.start_at = &at;

    submitted = ops_expect_operation(
            ops_call(OPS_SUBMIT, &submission.request.base));

    metadata = ops_metadata(submitted);
    ck_assert_int_eq(
            metadata->state, AMDRPC__V1__OPERATION_METADATA__STATE__QUEUED);
    ck_assert_int_eq(metadata->expected_start_time->seconds, at.seconds);
    ops_free(metadata);
    ops_free(submitted);
}
END_TEST

/* ---- what is too much ---- */

START_TEST(full_store_refuses_until_there_is_room)
{
    Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    struct submission submission;
    operation *first;
    operation *again;
    struct test_rpc *refused;

    ops_start_with_room(_i, 1);
    at.seconds = time(NULL) + 3600;
    submission_init(&submission, "id-1", TEST_HOW(REPLY));
    submission.request.start_at = &at;
    first = ops_expect_operation(
            ops_call(OPS_SUBMIT, &submission.request.base));

    refused = start_submit("id-2", TEST_HOW(REPLY));
    ops_expect_refusal(refused, AMDRPC_STATUS_RESOURCE_EXHAUSTED, "STORE_FULL");
    ck_assert_ptr_nonnull(
            strstr(refused->fields, "grpc-retry-pushback-ms: 1000\n"));
    again = ops_expect_operation(start_submit("id-1", TEST_HOW(REPLY)));
    ck_assert_str_eq(again->name, first->name);
    ops_free(again);

    test_rpc_await(ops_call_name(OPS_CANCEL, first->name));
    ops_free(ops_expect_operation(start_submit("id-2", TEST_HOW(REPLY))));
    ops_free(first);
}
END_TEST

/* ---- what is wrong ---- */

static const struct {
    const char *method;
    const char *request;
    size_t request_id_len;
    int priority;
    int64_t timeout_s; // 0: none
    int64_t ttl_s;
    int64_t start_s;
    const char *reason;
} bad_requests[] = {
        {"", "", 0, 0, 0, 0, 0, "METHOD_UNKNOWN"},
        {"/a.B/C", "", 0, 0, 0, 0, 0, "METHOD_UNKNOWN"},
        {TEST_UNWRITTEN, "", 0, 0, 0, 0, 0, "METHOD_UNKNOWN"},
        {TEST_CHAT, "", 0, 0, 0, 0, 0, "METHOD_UNSUITABLE"},
        {TEST_UPLOAD, "", 0, 0, 0, 0, 0, "METHOD_UNSUITABLE"},
        {OPS_SUBMIT, "", 0, 0, 0, 0, 0, "METHOD_UNSUITABLE"},
        {TEST_UNARY, "\x12\x01\xff", 0, 0, 0, 0, 0, "REQUEST_UNREADABLE"},
        {TEST_UNARY, "", 257, 0, 0, 0, 0, "REQUEST_ID_INVALID"},
        {TEST_UNARY, "", 0, 9, 0, 0, 0, "PRIORITY_INVALID"},
        {TEST_UNARY, "", 0, 0, -1, 0, 0, "DURATION_INVALID"},
        {TEST_UNARY, "", 0, 0, 40000000, 0, 0, "DURATION_INVALID"},
        {TEST_UNARY, "", 0, 0, 0, -1, 0, "DURATION_INVALID"},
        {TEST_UNARY, "", 0, 0, 0, 0, 253402300799, "TIME_INVALID"},
};

START_TEST(bad_submission_is_refused)
{
    submit_request request = AMDRPC__V1__SUBMIT_REQUEST__INIT;
    Google__Protobuf__Duration timeout = GOOGLE__PROTOBUF__DURATION__INIT;
    Google__Protobuf__Duration ttl = GOOGLE__PROTOBUF__DURATION__INIT;
    Google__Protobuf__Timestamp start = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    char request_id[300] = "";

    ops_start(OPS_MEMORY);
    memset(request_id, 'i', bad_requests[_i].request_id_len);
    request.method = (char *)(uintptr_t)bad_requests[_i].method;
    request.request.data = (uint8_t *)(uintptr_t)bad_requests[_i].request;
    request.request.len = strlen(bad_requests[_i].request);
    request.request_id = request_id;
    request.priority = (Amdrpc__V1__Priority)bad_requests[_i].priority;
    timeout.seconds = bad_requests[_i].timeout_s;
    ttl.seconds = bad_requests[_i].ttl_s;
    start.seconds = bad_requests[_i].start_s;
    request.timeout = timeout.seconds == 0 ? NULL : &timeout;
    request.ttl = ttl.seconds == 0 ? NULL : &ttl;
    request.start_at = start.seconds == 0 ? NULL : &start;

    ops_expect_refusal(ops_call(OPS_SUBMIT, &request.base),
            AMDRPC_STATUS_INVALID_ARGUMENT, bad_requests[_i].reason);
}
END_TEST

START_TEST(who_may_not_call_may_not_submit)
{
    ops_start_allowing(OPS_MEMORY, "alice");

    ops_expect_refusal(start_submit("", TEST_HOW(REPLY)),
            AMDRPC_STATUS_UNAUTHENTICATED, "CALLER_NOT_ALLOWED");
}
END_TEST

static Suite *
ops_submit_suite(void)
{
    Suite *suite = suite_create("ops_submit");
    TCase *tests = tcase_create("submit");

    tcase_add_checked_fixture(tests, test_server_setup, ops_teardown);
    tcase_add_loop_test(tests, submitted_call_is_executed, 0, OPS_NSTORES);
    tcase_add_loop_test(
            tests, same_request_id_is_the_same_operation, 0, OPS_NSTORES);
    tcase_add_loop_test(
            tests, ids_from_many_connections_exist_once, 0, OPS_NSTORES);
    tcase_add_loop_test(
            tests, start_in_the_future_is_waited_for, 0, OPS_NSTORES);
    tcase_add_loop_test(
            tests, full_store_refuses_until_there_is_room, 0, OPS_NSTORES);
    tcase_add_loop_test(tests, bad_submission_is_refused, 0,
            sizeof(bad_requests) / sizeof(bad_requests[0]));
    tcase_add_test(tests, who_may_not_call_may_not_submit);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(ops_submit_suite)
