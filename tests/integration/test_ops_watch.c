/** Tests amdrpc.v1.Operations: watch. Guarantee G5 as clients see it. */
#include "google/protobuf/any.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "tests/integration/ops.h"
#include "tests/support/runner.h"

#include <check.h>

#include <string.h>

#define KIND(name) AMDRPC__V1__WATCH_RESPONSE__EVENT_##name

// More than a client's window, the server's outbox and one look at the store.
#define NMANY 100u
#define MANY_BYTES 50000u

static struct test_rpc *
start_watch(uint64_t id, uint64_t after_seq)
{
    Amdrpc__V1__WatchRequest request = AMDRPC__V1__WATCH_REQUEST__INIT;

    request.name = ops_name(id);
    request.after_seq = after_seq;
    return ops_call(OPS_WATCH, &request.base);
}

/** The next message that is there, or NULL. */
static watch_response *
take(struct test_rpc *rpc)
{
    return (watch_response *)test_rpc_take(
            rpc, &amdrpc__v1__watch_response__descriptor);
}

struct taken {
    struct test_rpc *rpc;
    watch_response *msg;
};

static bool
has_taken(const void *arg)
{
    // The goal is const for those that only look.
    struct taken *taken = (struct taken *)(uintptr_t)arg;

    taken->msg = take(taken->rpc);
    return taken->msg != NULL;
}

/** Waits for the next message. */
static watch_response *
await_next(struct test_rpc *rpc)
{
    struct taken taken = {.rpc = rpc};

    test_rpc_run(rpc->conn, has_taken, &taken);
    return taken.msg;
}

static void
expect_next(struct test_rpc *rpc, uint64_t seq,
        Amdrpc__V1__WatchResponse__EventCase kind)
{
    watch_response *msg = await_next(rpc);

    ck_assert_uint_eq(msg->seq, seq);
    ck_assert_int_eq(msg->event_case, kind);
    ck_assert_uint_eq(msg->attempt, 1);
    ck_assert_ptr_nonnull(msg->time);
    ops_free(msg);
}

/** The last message, and the end of the call. */
static void
expect_end(struct test_rpc *rpc, uint64_t seq, amdrpc_status_code code)
{
    watch_response *msg = await_next(rpc);

    ck_assert_uint_eq(msg->seq, seq);
    ck_assert_int_eq(msg->event_case, KIND(END));
    ck_assert(msg->end->done);
    if (code != AMDRPC_STATUS_OK) {
        ck_assert_int_eq(msg->end->error->code, (int)code);
    }
    ops_free(msg);
    test_rpc_expect(rpc, AMDRPC_STATUS_OK);
}

/* ---- events ---- */

START_TEST(events_come_in_order_and_then_the_end)
{
    struct test_rpc *rpc;
    struct amdi_fence fence;

    ops_start(_i);
    fence = ops_add();
    ops_append_message(fence, 0, 10);
    rpc = start_watch(fence.id, 0);
    expect_next(rpc, 1, KIND(MESSAGE));

    ops_append_progress(fence, 1);
    expect_next(rpc, 2, KIND(PROGRESS));
    ops_append_message(fence, 1, 10);
    expect_next(rpc, 3, KIND(MESSAGE));
    ops_finish(fence, AMDRPC_STATUS_OK);

    expect_end(rpc, 4, AMDRPC_STATUS_OK);
}
END_TEST

START_TEST(failure_is_in_the_end)
{
    struct test_rpc *rpc;
    struct amdi_fence fence;

    ops_start(_i);
    fence = ops_add();
    rpc = start_watch(fence.id, 0);

    ops_finish(fence, AMDRPC_STATUS_DATA_LOSS);

    expect_end(rpc, 1, AMDRPC_STATUS_DATA_LOSS);
}
END_TEST

START_TEST(failed_attempt_is_told)
{
    struct test_rpc *rpc;
    struct amdi_fence fence;
    watch_response *msg;

    ops_start(_i);
    fence = ops_add();
    rpc = start_watch(fence.id, 0);

    ck_assert_int_eq(probe_retry(fence, INT64_MAX / 2, BYTES("it was tired")),
            AMDI_STORE_OK);

    msg = await_next(rpc);
    ck_assert_int_eq(msg->event_case, KIND(RETRY));
    ck_assert_str_eq(msg->retry->reason, "it was tired");
    ops_free(msg);
}
END_TEST

START_TEST(watch_resumes_after_what_was_seen)
{
    struct amdi_fence fence;
    struct test_rpc *rpc;

    ops_start(_i);
    fence = ops_add();
    for (uint32_t n = 0; n < 5; n++) {
        ops_append_message(fence, n, 10);
    }

    rpc = start_watch(fence.id, 3);
    expect_next(rpc, 4, KIND(MESSAGE));
    expect_next(rpc, 5, KIND(MESSAGE));
    ops_finish(fence, AMDRPC_STATUS_OK);
    expect_end(rpc, 6, AMDRPC_STATUS_OK);
}
END_TEST

START_TEST(end_is_told_again)
{
    struct amdi_fence fence;

    ops_start(_i);
    fence = ops_add();
    ops_finish(fence, AMDRPC_STATUS_OK);

    expect_end(start_watch(fence.id, 1), 1, AMDRPC_STATUS_OK);
}
END_TEST

START_TEST(number_that_has_not_come_is_refused)
{
    struct amdi_fence fence;

    ops_start(_i);
    fence = ops_add();
    ops_append_message(fence, 0, 10);

    ops_expect_refusal(start_watch(fence.id, 2), AMDRPC_STATUS_INVALID_ARGUMENT,
            "AFTER_SEQ_INVALID");
}
END_TEST

START_TEST(events_that_are_gone_are_refused)
{
    struct amdi_fence fence;
    struct test_rpc *rpc;

    ops_start(OPS_MEMORY);
    fence = ops_add();
    for (uint32_t n = 0; n < 6; n++) {
        ops_append_message(fence, n, 4000000); // 16 MiB are kept
    }

    rpc = start_watch(fence.id, 0);

    ops_expect_refusal(rpc, AMDRPC_STATUS_OUT_OF_RANGE, "EVENTS_GONE");
    ck_assert_ptr_nonnull(strstr(rpc->message, "the first one kept is 3"));
}
END_TEST

START_TEST(watch_of_a_deleted_operation_ends)
{
    struct amdi_fence fence;
    struct test_rpc *rpc;

    ops_start(_i);
    fence = ops_add();
    rpc = start_watch(fence.id, 0);
    ops_append_message(fence, 0, 10);
    expect_next(rpc, 1, KIND(MESSAGE));

    // The end and the deletion may come together.
    ops_finish(fence, AMDRPC_STATUS_OK);
    ck_assert_int_eq(probe_remove(fence.id), AMDI_STORE_OK);

    test_rpc_await(rpc);
    ck_assert(rpc->status == AMDRPC_STATUS_OK ||
            rpc->status == AMDRPC_STATUS_NOT_FOUND);
}
END_TEST

/* ---- progress ---- */

/** Steps are left out, never the last before something else. */
START_TEST(progress_is_coalesced_and_keeps_its_place)
{
    struct amdi_fence fence;
    struct test_rpc *rpc;
    uint64_t last_done = 0;
    uint64_t last_seq = 0;
    unsigned nsteps = 0;

    ops_start(_i);
    fence = ops_add();
    for (uint64_t n = 1; n <= 200; n++) {
        ops_append_progress(fence, n);
    }
    ops_append_message(fence, 0, 10);
    ops_finish(fence, AMDRPC_STATUS_OK);

    rpc = start_watch(fence.id, 0);
    for (;;) {
        watch_response *msg = await_next(rpc);
        bool is_step = msg->event_case == KIND(PROGRESS);

        ck_assert_uint_gt(msg->seq, last_seq);
        last_seq = msg->seq;
        last_done = is_step ? msg->progress->done : last_done;
        ops_free(msg);
        if (!is_step) {
            break;
        }
        nsteps++;
    }

    ck_assert_uint_eq(last_seq, 201); // the message
    ck_assert_uint_eq(last_done, 200);
    ck_assert_uint_lt(nsteps, 100);
    expect_end(rpc, 202, AMDRPC_STATUS_OK);
}
END_TEST

START_TEST(step_that_waits_comes_by_itself)
{
    struct amdi_fence fence;
    struct test_rpc *rpc;
    uint64_t done = 0;

    ops_start(OPS_MEMORY);
    fence = ops_add();
    rpc = start_watch(fence.id, 0);
    for (uint64_t n = 1; n <= 20; n++) {
        ops_append_progress(fence, n);
    }

    while (done < 20) {
        watch_response *msg = await_next(rpc);

        done = msg->progress->done;
        ops_free(msg);
    }
}
END_TEST

/* ---- slow clients ---- */

/** An operation that runs, and has sent more than a window takes. */
static struct amdi_fence
add_many(void)
{
    struct amdi_fence fence = ops_add();

    for (uint32_t n = 0; n < NMANY; n++) {
        ops_append_message(fence, n, MANY_BYTES);
    }
    return fence;
}

/** One that takes no more than its first window. */
static struct test_rpc *
start_slow_watch(uint64_t id)
{
    Amdrpc__V1__WatchRequest request = AMDRPC__V1__WATCH_REQUEST__INIT;
    struct test_rpc *rpc = test_rpc_begin(test_conn, OPS_WATCH, NULL, 0);

    rpc->keeps_window = true;
    request.name = ops_name(id);
    test_rpc_send(rpc, &request.base);
    test_rpc_end(rpc);
    test_rpc_await_bytes(rpc, 65535);
    return rpc;
}

START_TEST(slow_client_misses_nothing)
{
    struct amdi_fence fence;
    struct test_rpc *rpc;

    ops_start(_i);
    fence = add_many();
    ops_finish(fence, AMDRPC_STATUS_OK);
    rpc = start_slow_watch(fence.id);
    ck_assert_int_eq(ops_state(fence.id),
            AMDRPC__V1__OPERATION_METADATA__STATE__SUCCEEDED);
    ck_assert(!rpc->has_ended);
    rpc->keeps_window = false;
    test_rpc_open_window(rpc);

    for (uint64_t seq = 1; seq <= NMANY; seq++) {
        expect_next(rpc, seq, KIND(MESSAGE));
    }
    expect_end(rpc, NMANY + 1, AMDRPC_STATUS_OK);
}
END_TEST

START_TEST(slow_client_that_goes_away_leaves_nothing)
{
    struct amdi_fence fence;
    struct test_rpc *rpc;

    ops_start(_i);
    fence = add_many();
    rpc = start_slow_watch(fence.id);

    test_rpc_cancel(rpc);

    ck_assert_int_eq(ops_state(fence.id),
            AMDRPC__V1__OPERATION_METADATA__STATE__RUNNING);
}
END_TEST

/* ---- drain, limits ---- */

START_TEST(watch_does_not_hold_up_a_drain)
{
    struct amdi_fence fence;
    struct test_rpc *rpc;

    ops_start(_i);
    fence = ops_add();
    ops_append_message(fence, 0, 10);
    rpc = start_watch(fence.id, 0);
    expect_next(rpc, 1, KIND(MESSAGE));

    amdrpc_server_drain(test_server);

    ops_expect_refusal(rpc, AMDRPC_STATUS_UNAVAILABLE, "SERVER_STOPPING");
}
END_TEST

/** Stopped while watches begin, in any state. */
START_TEST(drain_ends_watches_that_begin)
{
    struct amdi_fence fence;

    ops_start(OPS_MEMORY);
    fence = ops_add();
    for (int i = 0; i < 50; i++) {
        (void)start_watch(fence.id, 0);
    }
    for (int i = 0; i < 20; i++) {
        ops_append_progress(fence, (uint64_t)i);
    }

    amdrpc_server_drain(test_server);
    ops_append_message(fence, 0, 10);

    test_rpc_await_lost(test_conn);
}
END_TEST

static Suite *
operations_watch_suite(void)
{
    Suite *suite = suite_create("ops_watch");
    TCase *tests = tcase_create("watch");

    tcase_add_checked_fixture(tests, test_server_setup, ops_teardown);
    tcase_add_loop_test(
            tests, events_come_in_order_and_then_the_end, 0, OPS_NSTORES);
    tcase_add_loop_test(tests, failure_is_in_the_end, 0, OPS_NSTORES);
    tcase_add_loop_test(tests, failed_attempt_is_told, 0, OPS_NSTORES);
    tcase_add_loop_test(
            tests, watch_resumes_after_what_was_seen, 0, OPS_NSTORES);
    tcase_add_loop_test(tests, end_is_told_again, 0, OPS_NSTORES);
    tcase_add_loop_test(
            tests, number_that_has_not_come_is_refused, 0, OPS_NSTORES);
    tcase_add_test(tests, events_that_are_gone_are_refused);
    tcase_add_loop_test(
            tests, watch_of_a_deleted_operation_ends, 0, OPS_NSTORES);
    tcase_add_loop_test(
            tests, progress_is_coalesced_and_keeps_its_place, 0, OPS_NSTORES);
    tcase_add_test(tests, step_that_waits_comes_by_itself);
    tcase_add_loop_test(tests, slow_client_misses_nothing, 0, OPS_NSTORES);
    tcase_add_loop_test(
            tests, slow_client_that_goes_away_leaves_nothing, 0, OPS_NSTORES);
    tcase_add_loop_test(tests, watch_does_not_hold_up_a_drain, 0, OPS_NSTORES);
    tcase_add_test(tests, drain_ends_watches_that_begin);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(operations_watch_suite)
