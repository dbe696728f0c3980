/** Conformance: what executors of operations ask. Guarantees G3, G4 and G6. */
#include <amdrpc/status.h>

#include "tests/store/backend.h"
#include "tests/store/probe.h"
#include "tests/support/runner.h"

static const struct amdi_bytes nothing;

static void
expect_end(uint64_t id, int code)
{
    ck_assert_int_eq(probe_get(id), AMDI_STORE_OK);
    ck_assert_int_eq(probe.ops[0].state, AMDI_OP_DONE);
    ck_assert_int_eq(probe.ops[0].code, code);
}

static void
expect_nothing_to_lease(void)
{
    ck_assert_int_eq(probe_lease("n", 10), AMDI_STORE_OK);
    ck_assert_uint_eq(probe.nops, 0);
}

/* ---- lease ---- */

START_TEST(lease_gives_the_oldest_with_its_payload)
{
    uint64_t first = probe_add();
    uint64_t second;

    probe_advance_us(1);
    second = probe_add();

    ck_assert_int_eq(probe_lease("n", 10), AMDI_STORE_OK);
    ck_assert_uint_eq(probe.nops, 2);
    ck_assert_uint_eq(probe.ops[0].id, first);
    ck_assert_uint_eq(probe.ops[1].id, second);
    ck_assert_int_eq(probe.ops[0].state, AMDI_OP_RUNNING);
    ck_assert_uint_eq(probe.ops[0].attempt, 1);
    ck_assert(probe_is_text(probe.ops[0].payload, "work"));
    ck_assert(probe_is_text(probe.ops[0].owner, "n"));
    ck_assert_int_eq(probe.ops[0].started_at_us, probe_now_us());
    expect_nothing_to_lease();
}
END_TEST

START_TEST(submit_can_lease_at_once)
{
    struct amdi_new_op new_op = {.method = BYTES("/test/Do"),
            .payload = BYTES("work"),
            .node = "n",
            .lease_us = PROBE_LEASE_US};

    ck_assert_int_eq(probe_submit(&new_op), AMDI_STORE_OK);
    ck_assert_int_eq(probe.ops[0].state, AMDI_OP_RUNNING);
    ck_assert_uint_eq(probe.ops[0].attempt, 1);
    ck_assert(probe_is_text(probe.ops[0].payload, "work"));
    expect_nothing_to_lease();
    probe_advance_us(PROBE_LEASE_US);
    ck_assert_uint_eq(probe_take("m").attempt, 2);
}
END_TEST

START_TEST(delayed_operation_waits_for_its_time)
{
    struct amdi_new_op new_op = {.method = BYTES("/test/Do"),
            .ready_at_us = probe_now_us() + 5000000,
            .node = "n",
            .lease_us = PROBE_LEASE_US};

    ck_assert_int_eq(probe_submit(&new_op), AMDI_STORE_OK);
    ck_assert_int_eq(probe.ops[0].state, AMDI_OP_QUEUED);
    expect_nothing_to_lease();
    ck_assert_int_eq(probe.next_ready_at_us, probe_now_us() + 5000000);
    probe_advance_us(5000000);
    ck_assert_uint_eq(probe_take("n").attempt, 1);
}
END_TEST

START_TEST(queues_are_apart)
{
    struct amdi_new_op new_op = {
            .method = BYTES("/test/Do"), .queue = BYTES("slow")};

    ck_assert_int_eq(probe_submit(&new_op), AMDI_STORE_OK);
    expect_nothing_to_lease();
}
END_TEST

START_TEST(deadline_ends_what_was_not_started)
{
    struct amdi_new_op new_op = {.method = BYTES("/test/Do"),
            .deadline_at_us = probe_now_us() + 1000};
    uint64_t id;

    ck_assert_int_eq(probe_submit(&new_op), AMDI_STORE_OK);
    id = probe.ops[0].id;
    probe_advance_us(1000);

    expect_nothing_to_lease();
    expect_end(id, AMDRPC_STATUS_DEADLINE_EXCEEDED);
}
END_TEST

START_TEST(last_attempt_that_dies_aborts)
{
    struct amdi_new_op new_op = {
            .method = BYTES("/test/Do"), .max_attempts = 2};
    uint64_t id;

    ck_assert_int_eq(probe_submit(&new_op), AMDI_STORE_OK);
    id = probe.ops[0].id;
    for (unsigned attempt = 1; attempt <= 2; attempt++) {
        ck_assert_uint_eq(probe_take("n").attempt, attempt);
        probe_advance_us(PROBE_LEASE_US);
    }

    expect_nothing_to_lease();
    expect_end(id, AMDRPC_STATUS_ABORTED);
}
END_TEST

/* ---- fences ---- */

START_TEST(frozen_worker_cannot_overwrite_the_result)
{
    uint64_t id = probe_add();
    struct amdi_fence frozen = probe_take("frozen");
    struct amdi_fence other;

    probe_advance_us(PROBE_LEASE_US);
    other = probe_take("other");

    ck_assert_uint_eq(other.attempt, 2);
    ck_assert_int_eq(probe_append(frozen, AMDI_EVENT_MESSAGE, BYTES("old")),
            AMDI_STORE_LOST);
    ck_assert_int_eq(
            probe_finish(frozen, 0, BYTES("old"), nothing), AMDI_STORE_LOST);
    ck_assert_int_eq(probe_retry(frozen, 0, nothing), AMDI_STORE_LOST);
    ck_assert_int_eq(
            probe_finish(other, 0, BYTES("new"), nothing), AMDI_STORE_OK);
    ck_assert_int_eq(
            probe_finish(frozen, 0, BYTES("old"), nothing), AMDI_STORE_DONE);
    expect_end(id, 0);
    ck_assert(probe_is_text(probe.ops[0].result, "new"));
}
END_TEST

START_TEST(worker_past_its_lease_may_finish_when_nobody_else_has_it)
{
    uint64_t id = probe_add();
    struct amdi_fence fence = probe_take("n");

    probe_advance_us(2 * PROBE_LEASE_US);

    ck_assert_int_eq(
            probe_finish(fence, 0, BYTES("late"), nothing), AMDI_STORE_OK);
    expect_end(id, 0);
}
END_TEST

START_TEST(finish_keeps_result_and_status)
{
    uint64_t id = probe_add();

    ck_assert_int_eq(probe_finish(probe_take("n"), AMDRPC_STATUS_INTERNAL,
                             BYTES("half"), BYTES("status")),
            AMDI_STORE_OK);

    expect_end(id, AMDRPC_STATUS_INTERNAL);
    ck_assert(probe_is_text(probe.ops[0].result, "half"));
    ck_assert(probe_is_text(probe.ops[0].status, "status"));
    ck_assert_int_eq(probe.ops[0].done_at_us, probe_now_us());
    ck_assert_int_gt(probe.ops[0].expire_at_us, probe_now_us());
    ck_assert_uint_eq(probe.ops[0].owner.len, 0);
}
END_TEST

/* ---- beat ---- */

START_TEST(beat_keeps_the_lease)
{
    struct amdi_fence fence;

    (void)probe_add();
    fence = probe_take("n");
    for (int i = 0; i < 5; i++) {
        probe_advance_us(PROBE_LEASE_US - 1);
        ck_assert_int_eq(probe_beat("n", &fence, 1), AMDI_STORE_OK);
        ck_assert_uint_eq(probe.nlost, 0);
    }
    expect_nothing_to_lease();
}
END_TEST

START_TEST(beat_tells_what_was_lost)
{
    struct amdi_fence fences[2];

    (void)probe_add();
    fences[0] = probe_take("n");
    probe_advance_us(PROBE_LEASE_US);
    (void)probe_take("m");
    fences[1] = (struct amdi_fence){4711, 1};

    ck_assert_int_eq(probe_beat("n", fences, 2), AMDI_STORE_OK);
    ck_assert_uint_eq(probe.nlost, 2);
    ck_assert_uint_eq(probe.lost[0].id, fences[0].id);
    ck_assert_uint_eq(probe.lost[1].id, 4711);
}
END_TEST

START_TEST(beat_without_leases_is_possible)
{
    ck_assert_int_eq(probe_beat("n", NULL, 0), AMDI_STORE_OK);
}
END_TEST

START_TEST(beat_tells_of_a_cancel)
{
    uint64_t id = probe_add();
    struct amdi_fence fence = probe_take("n");

    ck_assert_int_eq(probe_cancel(id), AMDI_STORE_OK);

    ck_assert_int_eq(probe_beat("n", &fence, 1), AMDI_STORE_OK);
    ck_assert_uint_eq(probe.ncancelled, 1);
    ck_assert_uint_eq(probe.cancelled[0], id);
}
END_TEST

/* ---- retry ---- */

START_TEST(retry_waits_and_counts)
{
    uint64_t id = probe_add();

    ck_assert_int_eq(probe_retry(probe_take("n"), probe_now_us() + 1000,
                             BYTES("try again")),
            AMDI_STORE_OK);

    ck_assert_int_eq(probe_get(id), AMDI_STORE_OK);
    ck_assert_int_eq(probe.ops[0].state, AMDI_OP_QUEUED);
    expect_nothing_to_lease();
    probe_advance_us(1000);
    ck_assert_uint_eq(probe_take("n").attempt, 2);
}
END_TEST

START_TEST(retry_of_the_last_attempt_aborts)
{
    struct amdi_new_op new_op = {
            .method = BYTES("/test/Do"), .max_attempts = 1};
    uint64_t id;

    ck_assert_int_eq(probe_submit(&new_op), AMDI_STORE_OK);
    id = probe.ops[0].id;

    ck_assert_int_eq(probe_retry(probe_take("n"), 0, nothing), AMDI_STORE_OK);
    expect_end(id, AMDRPC_STATUS_ABORTED);
}
END_TEST

START_TEST(retry_of_what_shall_stop_cancels)
{
    uint64_t id = probe_add();
    struct amdi_fence fence = probe_take("n");

    ck_assert_int_eq(probe_cancel(id), AMDI_STORE_OK);
    ck_assert_int_eq(probe_retry(fence, 0, nothing), AMDI_STORE_OK);

    expect_end(id, AMDRPC_STATUS_CANCELLED);
}
END_TEST

/* ---- release ---- */

START_TEST(released_attempt_does_not_count)
{
    struct amdi_new_op new_op = {
            .method = BYTES("/test/Do"), .max_attempts = 1};
    uint64_t id;

    ck_assert_int_eq(probe_submit(&new_op), AMDI_STORE_OK);
    id = probe.ops[0].id;
    ck_assert_int_eq(probe_release(probe_take("n"), probe_now_us() + 1000),
            AMDI_STORE_OK);

    expect_nothing_to_lease();
    probe_advance_us(1000);
    ck_assert_uint_eq(probe_take("n").attempt, 2);
    ck_assert_uint_eq(probe.ops[0].nreleased, 1);
    ck_assert_int_eq(probe_get(id), AMDI_STORE_OK);
    ck_assert_uint_eq(probe.ops[0].last_seq, 0);
    probe_advance_us(PROBE_LEASE_US);
    expect_nothing_to_lease();
    expect_end(id, AMDRPC_STATUS_ABORTED);
}
END_TEST

START_TEST(release_of_what_shall_stop_cancels)
{
    uint64_t id = probe_add();
    struct amdi_fence fence = probe_take("n");

    ck_assert_int_eq(probe_cancel(id), AMDI_STORE_OK);
    ck_assert_int_eq(probe_release(fence, 0), AMDI_STORE_OK);

    expect_end(id, AMDRPC_STATUS_CANCELLED);
    ck_assert_int_eq(probe_release(fence, 0), AMDI_STORE_DONE);
}
END_TEST

START_TEST(messages_are_counted_over_attempts)
{
    uint64_t id = probe_add();
    struct amdi_fence fence = probe_take("n");

    ck_assert_int_eq(
            probe_append(fence, AMDI_EVENT_MESSAGE, BYTES("1")), AMDI_STORE_OK);
    ck_assert_int_eq(probe_append(fence, AMDI_EVENT_PROGRESS, BYTES("p")),
            AMDI_STORE_OK);
    ck_assert_int_eq(probe_release(fence, 0), AMDI_STORE_OK);
    fence = probe_take("n");
    ck_assert_uint_eq(probe.ops[0].nmessages, 1);
    ck_assert_int_eq(
            probe_append(fence, AMDI_EVENT_MESSAGE, BYTES("2")), AMDI_STORE_OK);

    ck_assert_int_eq(probe_get(id), AMDI_STORE_OK);
    ck_assert_uint_eq(probe.ops[0].nmessages, 2);
}
END_TEST

START_TEST(message_after_a_missing_one_is_refused)
{
    uint64_t id = probe_add();
    struct amdi_fence fence = probe_take("n");

    ck_assert_int_eq(
            probe_append_number(fence, AMDI_EVENT_MESSAGE, 2, BYTES("2")),
            AMDI_STORE_INVALID);
    ck_assert_int_eq(
            probe_append_number(fence, AMDI_EVENT_MESSAGE, 1, BYTES("1")),
            AMDI_STORE_OK);
    ck_assert_int_eq(
            probe_append_number(fence, AMDI_EVENT_MESSAGE, 1, BYTES("1")),
            AMDI_STORE_INVALID);
    ck_assert_int_eq(
            probe_append_number(fence, AMDI_EVENT_MESSAGE, 2, BYTES("2")),
            AMDI_STORE_OK);

    ck_assert_int_eq(probe_get(id), AMDI_STORE_OK);
    ck_assert_uint_eq(probe.ops[0].nmessages, 2);
}
END_TEST

/* ---- hints ---- */

START_TEST(submit_and_retry_hint_at_work)
{
    (void)probe_add();
    probe_settle();
    ck_assert_uint_eq(probe.hints, AMDI_HINT_WORK);

    probe.hints = 0;
    ck_assert_int_eq(probe_retry(probe_take("n"), 0, nothing), AMDI_STORE_OK);
    probe_settle();
    ck_assert_uint_eq(probe.hints, AMDI_HINT_WORK);
}
END_TEST

START_TEST(cancel_hints_at_a_beat)
{
    uint64_t id = probe_add();

    (void)probe_take("n");
    probe_settle();
    probe.hints = 0;

    ck_assert_int_eq(probe_cancel(id), AMDI_STORE_OK);
    probe_settle();
    ck_assert_uint_eq(probe.hints, AMDI_HINT_CANCEL);
}
END_TEST

static void
add_tests(TCase *tests)
{
    tcase_add_test(tests, lease_gives_the_oldest_with_its_payload);
    tcase_add_test(tests, submit_can_lease_at_once);
    tcase_add_test(tests, delayed_operation_waits_for_its_time);
    tcase_add_test(tests, queues_are_apart);
    tcase_add_test(tests, deadline_ends_what_was_not_started);
    tcase_add_test(tests, last_attempt_that_dies_aborts);
    tcase_add_test(tests, frozen_worker_cannot_overwrite_the_result);
    tcase_add_test(
            tests, worker_past_its_lease_may_finish_when_nobody_else_has_it);
    tcase_add_test(tests, finish_keeps_result_and_status);
    tcase_add_test(tests, beat_keeps_the_lease);
    tcase_add_test(tests, beat_tells_what_was_lost);
    tcase_add_test(tests, beat_without_leases_is_possible);
    tcase_add_test(tests, beat_tells_of_a_cancel);
    tcase_add_test(tests, retry_waits_and_counts);
    tcase_add_test(tests, retry_of_the_last_attempt_aborts);
    tcase_add_test(tests, retry_of_what_shall_stop_cancels);
    tcase_add_test(tests, released_attempt_does_not_count);
    tcase_add_test(tests, release_of_what_shall_stop_cancels);
    tcase_add_test(tests, messages_are_counted_over_attempts);
    tcase_add_test(tests, message_after_a_missing_one_is_refused);
    tcase_add_test(tests, submit_and_retry_hint_at_work);
    tcase_add_test(tests, cancel_hints_at_a_beat);
}

static Suite *
worker_suite(void)
{
    return backend_create_suite("store_worker", add_tests);
}

TEST_MAIN(worker_suite)
