/** Tests how calls end before their handlers end them. */
#include "tests/integration/server.h"
#include "tests/support/h2_raw.h"
#include "tests/support/runner.h"

#include <check.h>

#include <string.h>

/** Where the call is … */
enum phase {
    READING,  // its request is not complete
    QUEUED,   // no worker is free
    RUNNING,  // on a worker
    DEFERRED, // with nobody
    NPHASES,
};

/** … when this happens. */
enum cause {
    DEADLINE,
    RESET,
    LOST,
    NCAUSES,
};

static const struct amdi_h2_field soon = TEST_RAW_FIELD("grpc-timeout", "40m");

static void
start_single_worker(void)
{
    const amdrpc_server_options options = {.workers = 1, .max_workers = 1};

    test_server_start_with(&options, NULL);
}

/** What was sent on the connection before has been looked at. */
static void
sync_with_server(struct test_rpc_conn *conn)
{
    struct test_rpc *rpc = test_rpc_begin(conn, "/none/None", NULL, 0);

    test_rpc_end(rpc);
    test_rpc_expect(rpc, AMDRPC_STATUS_UNIMPLEMENTED);
}

/** A call that has come so far; @has_deadline: and ends soon. */
static struct test_rpc *
begin_in_phase(enum phase phase, bool has_deadline)
{
    test_request request = AMDRPC__TEST_CALLS__V1__REQUEST__INIT;
    struct test_rpc *rpc = NULL;

    if (phase == QUEUED) {
        (void)test_call_how(test_conn, TEST_HOW(BLOCK));
        test_server_await(TEST_NSTARTED, 1);
    }
    request.how = phase == RUNNING ? TEST_HOW(BLOCK)
            : phase == DEFERRED    ? TEST_HOW(HOLD)
                                   : TEST_HOW(REPLY);
    rpc = test_rpc_begin(test_conn, TEST_UNARY, &soon, has_deadline ? 1 : 0);
    test_rpc_send(rpc, &request.base);
    if (phase != READING) {
        test_rpc_end(rpc);
    }
    test_rpc_flush(test_conn);
    if (phase == RUNNING || phase == DEFERRED) {
        test_server_await(TEST_NSTARTED, 1);
    } else {
        sync_with_server(test_conn);
    }
    return rpc;
}

static void
bring_about(struct test_rpc *rpc, enum cause cause)
{
    switch (cause) {
    case DEADLINE:
        test_rpc_expect(rpc, AMDRPC_STATUS_DEADLINE_EXCEEDED);
        break;
    case RESET:
        test_rpc_cancel(rpc);
        sync_with_server(test_conn);
        break;
    case LOST:
        test_rpc_hang_up(test_conn);
        test_server_await_conns(0);
        break;
    case NCAUSES:
        break;
    }
}

/** @_i: phase and cause. */
START_TEST(call_ends_wherever_it_is)
{
    enum phase phase = (enum phase)(_i / NCAUSES);
    enum cause cause = (enum cause)(_i % NCAUSES);
    struct test_rpc *rpc = NULL;
    struct test_rpc_conn *other = NULL;

    start_single_worker();
    rpc = begin_in_phase(phase, cause == DEADLINE);

    bring_about(rpc, cause);

    if (phase == RUNNING || phase == DEFERRED) {
        test_server_await(TEST_NCANCELS, 1);
    }
    if (phase == DEFERRED) {
        // Too late for the client, but it is what gives the call back.
        amdrpc_call_finish(test_server_take_held(), AMDRPC_STATUS_OK, "late");
    }
    test_server_let_go();
    other = test_rpc_connect(test_port);
    test_expect_service(other);
    // The one after it, and what held the worker or was ended itself.
    ck_assert_uint_eq(test_server_get(TEST_NSTARTED), phase == READING ? 1 : 2);
    test_rpc_close(other);
}
END_TEST

START_TEST(late_reply_is_dropped)
{
    test_response response = AMDRPC__TEST_CALLS__V1__RESPONSE__INIT;
    struct test_rpc *rpc = NULL;

    test_server_start(_i);
    rpc = test_call_how(test_conn, TEST_HOW(HOLD));
    test_server_await(TEST_NHELD, 1);
    test_rpc_cancel(rpc);
    test_server_await(TEST_NCANCELS, 1);

    amdrpc_call_reply(test_server_take_held(), &response.base);

    test_expect_service(test_conn);
    ck_assert_uint_eq(rpc->nbody, 0);
}
END_TEST

START_TEST(deferred_call_knows_that_it_is_cancelled)
{
    struct test_rpc *rpc = NULL;
    amdrpc_call *call = NULL;

    test_server_start(_i);
    rpc = test_call_how(test_conn, TEST_HOW(HOLD));
    test_server_await(TEST_NHELD, 1);
    call = test_server_take_held();
    ck_assert(!amdrpc_call_is_cancelled(call));
    ck_assert_int_gt(amdrpc_call_time_left_ms(call), 1000);

    test_rpc_cancel(rpc);
    test_server_await(TEST_NCANCELS, 1);

    ck_assert(amdrpc_call_is_cancelled(call));
    ck_assert(!amdrpc_call_checkpoint(call, 1, 2));
    amdrpc_call_finish(call, AMDRPC_STATUS_CANCELLED, NULL);
}
END_TEST

START_TEST(timer_of_a_cancelled_call_runs_at_once)
{
    test_request request = AMDRPC__TEST_CALLS__V1__REQUEST__INIT;
    struct test_rpc *rpc = NULL;

    test_server_start(_i);
    request.how = TEST_HOW(LATER);
    request.count = 600000;
    rpc = test_call(test_conn, TEST_UNARY, &request);
    test_server_await(TEST_NSTARTED, 1);

    test_rpc_cancel(rpc);

    test_server_await(TEST_NFINISHED, 1);
}
END_TEST

START_TEST(default_deadline_ends_a_call)
{
    const amdrpc_policy policy = {.default_deadline_ms = 30};
    struct test_rpc *rpc = NULL;

    test_server_start_with(NULL, &policy);
    rpc = test_call_how(test_conn, TEST_HOW(HOLD));

    test_rpc_expect(rpc, AMDRPC_STATUS_DEADLINE_EXCEEDED);
    test_server_await(TEST_NCANCELS, 1);
}
END_TEST

START_TEST(deadline_that_has_passed_ends_the_call)
{
    const struct amdi_h2_field none = AMDI_H2_FIELD("grpc-timeout", "0n");
    test_request request = AMDRPC__TEST_CALLS__V1__REQUEST__INIT;
    struct test_rpc *rpc = NULL;

    test_server_start(_i);
    request.how = TEST_HOW(HOLD);
    rpc = test_rpc_begin(test_conn, TEST_UNARY, &none, 1);
    test_rpc_send(rpc, &request.base);
    test_rpc_end(rpc);

    test_rpc_expect(rpc, AMDRPC_STATUS_DEADLINE_EXCEEDED);
    test_expect_service(test_conn);
}
END_TEST

START_TEST(full_queue_refuses)
{
    const amdrpc_server_options options = {.workers = 1, .max_workers = 1};
    const amdrpc_policy policy = {.max_queued = 2};
    struct test_rpc *rpcs[5];

    test_server_start_with(&options, &policy);
    rpcs[0] = test_call_how(test_conn, TEST_HOW(BLOCK));
    test_server_await(TEST_NSTARTED, 1);
    for (int i = 1; i < 5; i++) {
        rpcs[i] = test_call_how(test_conn, TEST_HOW(REPLY));
        sync_with_server(test_conn);
    }

    test_rpc_expect(rpcs[3], AMDRPC_STATUS_RESOURCE_EXHAUSTED);
    test_rpc_expect(rpcs[4], AMDRPC_STATUS_RESOURCE_EXHAUSTED);
    test_server_let_go();
    for (int i = 0; i < 3; i++) {
        test_rpc_expect(rpcs[i], AMDRPC_STATUS_OK);
    }
}
END_TEST

START_TEST(queued_call_that_is_reset_leaves_its_place)
{
    const amdrpc_server_options options = {.workers = 1, .max_workers = 1};
    const amdrpc_policy policy = {.max_queued = 1};
    struct test_rpc *queued = NULL;

    test_server_start_with(&options, &policy);
    (void)test_call_how(test_conn, TEST_HOW(BLOCK));
    test_server_await(TEST_NSTARTED, 1);
    for (int i = 0; i < 10; i++) {
        queued = test_call_how(test_conn, TEST_HOW(REPLY));
        sync_with_server(test_conn);
        ck_assert(!queued->has_ended);
        test_rpc_cancel(queued);
        sync_with_server(test_conn);
    }
    queued = test_call_how(test_conn, TEST_HOW(REPLY));
    test_server_let_go();

    test_rpc_expect(queued, AMDRPC_STATUS_OK);
    ck_assert_uint_eq(test_server_get(TEST_NSTARTED), 2);
}
END_TEST

/** The loop is held while the handler finishes and the reset comes. */
START_TEST(finished_call_hears_of_no_cancel)
{
    const amdrpc_server_options options = {
            .loops = 1, .dispatch = AMDRPC_DISPATCH_INLINE};
    struct test_rpc *rpc = NULL;
    struct test_rpc_conn *other = NULL;

    test_server_start_with(&options, NULL);
    rpc = test_call_how(test_conn, TEST_HOW(HOLD));
    test_server_await(TEST_NHELD, 1);
    other = test_rpc_connect(test_port);
    (void)test_call_how(other, TEST_HOW(BLOCK));
    test_server_await(TEST_NSTARTED, 2);

    test_rpc_cancel(rpc);
    amdrpc_call_finish(test_server_take_held(), AMDRPC_STATUS_OK, NULL);
    test_server_let_go();

    test_expect_service(test_conn);
    ck_assert_uint_eq(test_server_get(TEST_NCANCELS), 0);
    test_rpc_close(other);
}
END_TEST

START_TEST(connection_with_many_calls_is_lost)
{
    test_request request = AMDRPC__TEST_CALLS__V1__REQUEST__INIT;
    struct test_rpc_conn *other = NULL;

    test_server_start(_i);
    request.count = 100000;
    request.size = 1000;
    for (int i = 0; i < 20; i++) {
        (void)test_call_how(test_conn, TEST_HOW(HOLD));
        (void)test_rpc_begin(test_conn, TEST_UPLOAD, NULL, 0);
        (void)test_call(test_conn, TEST_DOWNLOAD, &request);
    }
    test_server_await(TEST_NSTARTED, 2);

    test_rpc_hang_up(test_conn);
    test_server_await_conns(0);

    other = test_rpc_connect(test_port);
    test_expect_service(other);
    test_rpc_close(other);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("server_cancel");
    TCase *cancel = tcase_create("cancel");
    TCase *queue = tcase_create("queue");
    const int n = TEST_NPLACES;

    tcase_set_timeout(cancel, 60);
    tcase_add_checked_fixture(cancel, test_server_setup, test_server_teardown);
    tcase_add_loop_test(cancel, call_ends_wherever_it_is, 0, NPHASES * NCAUSES);
    tcase_add_loop_test(cancel, late_reply_is_dropped, 0, n);
    tcase_add_loop_test(cancel, deferred_call_knows_that_it_is_cancelled, 0, n);
    tcase_add_loop_test(cancel, timer_of_a_cancelled_call_runs_at_once, 0, n);
    tcase_add_test(cancel, default_deadline_ends_a_call);
    tcase_add_loop_test(cancel, deadline_that_has_passed_ends_the_call, 0, n);
    tcase_add_test(cancel, finished_call_hears_of_no_cancel);
    tcase_add_loop_test(cancel, connection_with_many_calls_is_lost, 0, n);
    suite_add_tcase(suite, cancel);

    tcase_set_timeout(queue, 60);
    tcase_add_checked_fixture(queue, test_server_setup, test_server_teardown);
    tcase_add_test(queue, full_queue_refuses);
    tcase_add_test(queue, queued_call_that_is_reset_leaves_its_place);
    suite_add_tcase(suite, queue);
    return suite;
}

TEST_MAIN(make_suite)
