/** Tests calls that are detached: amdrpc-detach. */
#include "google/protobuf/any.pb-c.h"
#include "server/store/id.h"
#include "tests/integration/ops.h"
#include "tests/support/runner.h"

#include <check.h>

#include <stdlib.h>
#include <string.h>

#define STATE(name) AMDRPC__V1__OPERATION_METADATA__STATE__##name
#define FIELD(field, text)                                               \
    {                                                                    \
        .name = (field), .name_len = sizeof(field) - 1, .value = (text), \
        .value_len = sizeof(text) - 1                                    \
    }

static const struct amdi_h2_field now[] = {FIELD("amdrpc-detach", "now")};
static const struct amdi_h2_field on_disconnect[] = {
        FIELD("amdrpc-detach", "on-disconnect")};

static struct test_rpc *
start(const char *path, const struct amdi_h2_field *fields, size_t nfields,
        const test_request *request)
{
    struct test_rpc *rpc = test_rpc_begin(test_conn, path, fields, nfields);

    test_rpc_send(rpc, &request->base);
    test_rpc_end(rpc);
    test_rpc_flush(test_conn);
    return rpc;
}

static bool
has_headers(const void *arg)
{
    return ((const struct test_rpc *)arg)->has_headers;
}

/** The name in the initial metadata; returned owned. */
static char *
await_name(struct test_rpc *rpc)
{
    static const char field[] = "amdrpc-operation: ";
    const char *at;

    test_rpc_run(rpc->conn, has_headers, rpc);
    at = strstr(rpc->fields, field);
    ck_assert_ptr_nonnull(at);
    at += sizeof(field) - 1;
    return strndup(at, strcspn(at, "\n"));
}

static test_response *
take(struct test_rpc *rpc)
{
    return (test_response *)test_rpc_take(
            rpc, &amdrpc__test_calls__v1__response__descriptor);
}

static void
expect_response(struct test_rpc *rpc, const char *text)
{
    test_response *response =
            ops_expect(rpc, &amdrpc__test_calls__v1__response__descriptor);

    ck_assert_str_eq(response->text, text);
    ops_free(response);
}

/** Waits for an operation; returns its state. */
static Amdrpc__V1__OperationMetadata__State
await_done(char *name)
{
    operation *op = ops_expect_operation(ops_call_name(OPS_WAIT, name));
    operation_metadata *metadata = ops_metadata(op);
    Amdrpc__V1__OperationMetadata__State state = metadata->state;

    ck_assert(op->done);
    ops_free(metadata);
    ops_free(op);
    return state;
}

/** @_i: of enum ops_store, here and below. */
START_TEST(now_answers_with_the_name)
{
    test_request request = AMDRPC__TEST_CALLS__V1__REQUEST__INIT;
    struct test_rpc *rpc;
    char *name;

    ops_start(_i);
    request.text = (char *)(uintptr_t) "later";

    rpc = start(TEST_UNARY, now, 1, &request);

    name = await_name(rpc);
    expect_response(rpc, "");
    ck_assert_int_eq(await_done(name), STATE(SUCCEEDED));
    free(name);
}
END_TEST

START_TEST(full_store_refuses_both_kinds)
{
    test_request request = AMDRPC__TEST_CALLS__V1__REQUEST__INIT;
    char *name;

    ops_start_with_room(_i, 1);
    request.how = TEST_HOW(HOLD);
    name = await_name(start(TEST_UNARY, now, 1, &request));

    ops_expect_refusal(start(TEST_UNARY, now, 1, &request),
            AMDRPC_STATUS_RESOURCE_EXHAUSTED, "STORE_FULL");
    ops_expect_refusal(start(TEST_DOWNLOAD, on_disconnect, 1, &request),
            AMDRPC_STATUS_RESOURCE_EXHAUSTED, "STORE_FULL");
    free(name);
}
END_TEST

START_TEST(now_leaves_a_stream_to_watchers)
{
    test_request request = AMDRPC__TEST_CALLS__V1__REQUEST__INIT;
    struct test_rpc *rpc;
    char *name;

    ops_start(_i);
    request.count = 3;
    request.size = 10;

    rpc = start(TEST_DOWNLOAD, now, 1, &request);

    name = await_name(rpc);
    test_rpc_expect(rpc, AMDRPC_STATUS_OK);
    ck_assert_ptr_null(take(rpc));
    ck_assert_int_eq(await_done(name), STATE(SUCCEEDED));
    free(name);
}
END_TEST

START_TEST(client_that_stays_gets_the_answer)
{
    test_request request = AMDRPC__TEST_CALLS__V1__REQUEST__INIT;
    struct test_rpc *rpc;
    char *name;

    ops_start(_i);
    request.text = (char *)(uintptr_t) "hello";

    rpc = start(TEST_UNARY, on_disconnect, 1, &request);

    name = await_name(rpc);
    expect_response(rpc, "hello");
    free(name);
}
END_TEST

START_TEST(client_that_stays_gets_every_message)
{
    test_request request = AMDRPC__TEST_CALLS__V1__REQUEST__INIT;
    struct test_rpc *rpc;
    uint32_t n = 0;
    test_response *response;

    ops_start(_i);
    request.count = 40;
    request.size = 40000;

    rpc = start(TEST_DOWNLOAD, on_disconnect, 1, &request);

    test_rpc_expect(rpc, AMDRPC_STATUS_OK);
    while ((response = take(rpc)) != NULL) {
        ck_assert_uint_eq(response->count, n);
        n++;
        ops_free(response);
    }
    ck_assert_uint_eq(n, 40);
}
END_TEST

START_TEST(client_that_stays_gets_the_status)
{
    test_request request = AMDRPC__TEST_CALLS__V1__REQUEST__INIT;
    struct test_rpc *rpc;

    ops_start(_i);
    request.how = TEST_HOW(FAIL);
    request.code = AMDRPC_STATUS_DATA_LOSS;
    request.text = (char *)(uintptr_t) "all is lost";

    rpc = start(TEST_UNARY, on_disconnect, 1, &request);

    test_rpc_expect(rpc, AMDRPC_STATUS_DATA_LOSS);
    ck_assert_str_eq(rpc->message, "all is lost");
}
END_TEST

START_TEST(client_that_goes_away_loses_nothing)
{
    test_request request = AMDRPC__TEST_CALLS__V1__REQUEST__INIT;
    test_response response = AMDRPC__TEST_CALLS__V1__RESPONSE__INIT;
    struct test_rpc *rpc;
    char *name;

    ops_start(_i);
    request.how = TEST_HOW(HOLD);
    rpc = start(TEST_UNARY, on_disconnect, 1, &request);
    name = await_name(rpc);
    test_server_await(TEST_NHELD, 1);

    test_rpc_hang_up(test_conn);
    test_rpc_close(test_conn);
    test_conn = test_rpc_connect(test_port);
    test_server_await_conns(1);

    ck_assert_uint_eq(test_server_get(TEST_NCANCELS), 0);
    amdrpc_call_reply(test_server_take_held(), &response.base);
    ck_assert_int_eq(await_done(name), STATE(SUCCEEDED));
    free(name);
}
END_TEST

START_TEST(operation_is_cancelled_by_its_name)
{
    test_request request = AMDRPC__TEST_CALLS__V1__REQUEST__INIT;
    struct test_rpc *rpc;
    char *name;

    ops_start(_i);
    request.how = TEST_HOW(BLOCK);
    rpc = start(TEST_UNARY, on_disconnect, 1, &request);
    name = await_name(rpc);
    test_server_await(TEST_NSTARTED, 1);

    test_rpc_await(ops_call_name(OPS_CANCEL, name));

    test_rpc_expect(rpc, AMDRPC_STATUS_CANCELLED);
    ck_assert_int_eq(await_done(name), STATE(CANCELLED));
    free(name);
}
END_TEST

START_TEST(request_id_makes_it_the_same_operation)
{
    static const struct amdi_h2_field fields[] = {
            FIELD("amdrpc-detach", "now"), FIELD("amdrpc-request-id", "id-1")};
    test_request request = AMDRPC__TEST_CALLS__V1__REQUEST__INIT;
    char *first;
    char *second;

    ops_start(_i);

    first = await_name(start(TEST_UNARY, fields, 2, &request));
    second = await_name(start(TEST_UNARY, fields, 2, &request));

    ck_assert_str_eq(first, second);
    free(second);
    free(first);
}
END_TEST

/** The detached call's own metadata is not the operation's. */
START_TEST(secrets_are_not_kept)
{
    static const struct amdi_h2_field fields[] = {FIELD("amdrpc-detach", "now"),
            FIELD("authorization", "Bearer hush"), FIELD("x-a", "kept")};
    test_request request = AMDRPC__TEST_CALLS__V1__REQUEST__INIT;
    uint64_t id = 0;
    char *name;

    ops_start(_i);
    name = await_name(start(TEST_UNARY, fields, 3, &request));

    ck_assert_int_eq(amdi_op_name_parse(name, strlen(name), &id), AMDRPC_OK);
    ck_assert_int_eq(probe_get(id), AMDI_STORE_OK);
    ck_assert_ptr_nonnull(memmem(
            probe.ops[0].metadata.data, probe.ops[0].metadata.len, "kept", 4));
    ck_assert_ptr_null(memmem(
            probe.ops[0].metadata.data, probe.ops[0].metadata.len, "hush", 4));
    ck_assert_ptr_null(memmem(probe.ops[0].metadata.data,
            probe.ops[0].metadata.len, "amdrpc-detach", 13));
    free(name);
}
END_TEST

START_TEST(detached_call_does_not_hold_up_a_drain)
{
    test_request request = AMDRPC__TEST_CALLS__V1__REQUEST__INIT;
    struct test_rpc *rpc;
    char *name;

    ops_start(_i);
    request.how = TEST_HOW(BLOCK);
    rpc = start(TEST_UNARY, on_disconnect, 1, &request);
    name = await_name(rpc);

    amdrpc_server_drain(test_server);

    ops_expect_refusal(rpc, AMDRPC_STATUS_UNAVAILABLE, "SERVER_STOPPING");
    free(name);
}
END_TEST

static Suite *
ops_detach_suite(void)
{
    Suite *suite = suite_create("ops_detach");
    TCase *tests = tcase_create("detach");

    tcase_add_checked_fixture(tests, test_server_setup, ops_teardown);
    tcase_add_loop_test(tests, now_answers_with_the_name, 0, OPS_NSTORES);
    tcase_add_loop_test(tests, now_leaves_a_stream_to_watchers, 0, OPS_NSTORES);
    tcase_add_loop_test(tests, full_store_refuses_both_kinds, 0, OPS_NSTORES);
    tcase_add_loop_test(
            tests, client_that_stays_gets_the_answer, 0, OPS_NSTORES);
    tcase_add_loop_test(
            tests, client_that_stays_gets_every_message, 0, OPS_NSTORES);
    tcase_add_loop_test(
            tests, client_that_stays_gets_the_status, 0, OPS_NSTORES);
    tcase_add_loop_test(
            tests, client_that_goes_away_loses_nothing, 0, OPS_NSTORES);
    tcase_add_loop_test(
            tests, operation_is_cancelled_by_its_name, 0, OPS_NSTORES);
    tcase_add_loop_test(
            tests, request_id_makes_it_the_same_operation, 0, OPS_NSTORES);
    tcase_add_loop_test(tests, secrets_are_not_kept, 0, OPS_NSTORES);
    tcase_add_loop_test(
            tests, detached_call_does_not_hold_up_a_drain, 0, OPS_NSTORES);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(ops_detach_suite)
