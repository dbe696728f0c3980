/** Conformance: what clients of operations ask. */
#include <amdrpc/status.h>

#include "server/store/id.h"
#include "tests/store/backend.h"
#include "tests/store/probe.h"
#include "tests/support/runner.h"

#include <string.h>

static const struct amdi_store_filter everything;
static const struct amdi_bytes nothing;

/* ---- submit and get ---- */

START_TEST(get_tells_how_many_go_before)
{
    struct amdi_new_op other = {
            .method = BYTES("/test/Do"), .queue = BYTES("other")};
    uint64_t first = probe_add();
    uint64_t last;

    probe_advance_us(1);
    ck_assert_int_eq(probe_submit(&other), AMDI_STORE_OK);
    (void)probe_add();
    probe_advance_us(1);
    last = probe_add();

    ck_assert_int_eq(probe_get(last), AMDI_STORE_OK);
    ck_assert_uint_eq(probe.ops[0].nahead, 2);
    ck_assert_int_eq(probe_get(first), AMDI_STORE_OK);
    ck_assert_uint_eq(probe.ops[0].nahead, 0);
    (void)probe_take("n"); // what runs is not before it
    ck_assert_int_eq(probe_get(last), AMDI_STORE_OK);
    ck_assert_uint_eq(probe.ops[0].nahead, 1);
}
END_TEST

START_TEST(submitted_operation_can_be_read)
{
    struct amdi_new_op new_op = {.principal = BYTES("alice"),
            .request_id = BYTES("r1"),
            .method = BYTES("/test/Do"),
            .payload = BYTES("work"),
            .metadata = BYTES("meta"),
            .deadline_at_us = PROBE_START_US * 2,
            .max_attempts = 3};
    struct amdi_op *op = &probe.ops[0];

    ck_assert_int_eq(probe_submit(&new_op), AMDI_STORE_OK);
    ck_assert_int_eq(probe_get(op->id), AMDI_STORE_OK);

    ck_assert_uint_eq(probe.nops, 1);
    ck_assert_int_eq(op->state, AMDI_OP_QUEUED);
    ck_assert_uint_eq(op->attempt, 0);
    ck_assert_uint_eq(op->max_attempts, 3);
    ck_assert_uint_eq(op->last_seq, 0);
    ck_assert_int_eq(op->created_at_us, probe_now_us());
    ck_assert_int_eq(op->ready_at_us, probe_now_us());
    ck_assert_int_eq(op->deadline_at_us, PROBE_START_US * 2);
    ck_assert(probe_is_text(op->principal, "alice"));
    ck_assert(probe_is_text(op->request_id, "r1"));
    ck_assert(probe_is_text(op->method, "/test/Do"));
    ck_assert(probe_is_text(op->metadata, "meta"));
    ck_assert_uint_eq(op->payload.len, 0);
}
END_TEST

START_TEST(unknown_operation_is_not_found)
{
    ck_assert_int_eq(probe_get(12345), AMDI_STORE_NOTFOUND);
    ck_assert_int_eq(probe_cancel(12345), AMDI_STORE_NOTFOUND);
    ck_assert_int_eq(probe_remove(12345), AMDI_STORE_NOTFOUND);
    ck_assert_int_eq(probe_append((struct amdi_fence){12345, 1},
                             AMDI_EVENT_MESSAGE, BYTES("m")),
            AMDI_STORE_NOTFOUND);
}
END_TEST

START_TEST(same_request_id_gives_the_same_operation)
{
    struct amdi_new_op new_op = {.principal = BYTES("alice"),
            .request_id = BYTES("r1"),
            .method = BYTES("/test/Do"),
            .payload = BYTES("work")};
    uint64_t id;

    ck_assert_int_eq(probe_submit(&new_op), AMDI_STORE_OK);
    id = probe.ops[0].id;

    ck_assert_int_eq(probe_submit(&new_op), AMDI_STORE_EXISTS);
    ck_assert_uint_eq(probe.ops[0].id, id);
}
END_TEST

START_TEST(same_request_id_with_another_body_is_a_conflict)
{
    struct amdi_new_op new_op = {.request_id = BYTES("r1"),
            .method = BYTES("/test/Do"),
            .payload = BYTES("work")};

    ck_assert_int_eq(probe_submit(&new_op), AMDI_STORE_OK);

    new_op.payload = BYTES("other");
    ck_assert_int_eq(probe_submit(&new_op), AMDI_STORE_CONFLICT);
    new_op.payload = BYTES("work");
    new_op.method = BYTES("/test/Other");
    ck_assert_int_eq(probe_submit(&new_op), AMDI_STORE_CONFLICT);
}
END_TEST

START_TEST(request_ids_of_two_principals_are_two)
{
    struct amdi_new_op new_op = {.principal = BYTES("alice"),
            .request_id = BYTES("r1"),
            .method = BYTES("/test/Do")};
    uint64_t id;

    ck_assert_int_eq(probe_submit(&new_op), AMDI_STORE_OK);
    id = probe.ops[0].id;

    new_op.principal = BYTES("bob");
    ck_assert_int_eq(probe_submit(&new_op), AMDI_STORE_OK);
    ck_assert_uint_ne(probe.ops[0].id, id);
}
END_TEST

START_TEST(impossible_arguments_are_refused)
{
    static char big[6000];
    struct amdi_new_op no_method = {.payload = BYTES("work")};
    struct amdi_new_op too_big = {
            .method = BYTES("/test/Do"), .payload = {big, sizeof(big)}};
    struct amdi_new_op long_id = {
            .method = BYTES("/test/Do"), .request_id = {big, sizeof(big)}};

    ck_assert_int_eq(probe_submit(&no_method), AMDI_STORE_INVALID);
    ck_assert_int_eq(probe_submit(&too_big), AMDI_STORE_INVALID);
    ck_assert_int_eq(probe_submit(&long_id), AMDI_STORE_INVALID);
    ck_assert_int_eq(probe_lease("n", 0), AMDI_STORE_INVALID);
    ck_assert_int_eq(probe_sweep(0), AMDI_STORE_INVALID);
    ck_assert_int_eq(probe_list(&everything, AMDI_STORE_MAX_PAGE + 1, nothing),
            AMDI_STORE_INVALID);
}
END_TEST

/* ---- cancel and remove ---- */

START_TEST(cancelling_what_is_queued_ends_it)
{
    uint64_t id = probe_add();

    ck_assert_int_eq(probe_cancel(id), AMDI_STORE_OK);
    ck_assert_int_eq(probe.ops[0].state, AMDI_OP_DONE);
    ck_assert_int_eq(probe.ops[0].code, AMDRPC_STATUS_CANCELLED);
    ck_assert_int_eq(probe_lease("n", 1), AMDI_STORE_OK);
    ck_assert_uint_eq(probe.nops, 0);
}
END_TEST

START_TEST(cancelling_what_runs_marks_it)
{
    uint64_t id = probe_add();

    (void)probe_take("n");
    probe.hints = 0;

    ck_assert_int_eq(probe_cancel(id), AMDI_STORE_OK);
    ck_assert_int_eq(probe.ops[0].state, AMDI_OP_RUNNING);
    ck_assert(probe.ops[0].is_cancelled);
}
END_TEST

START_TEST(cancelling_what_has_ended_changes_nothing)
{
    uint64_t id = probe_add();

    ck_assert_int_eq(probe_finish(probe_take("n"), 0, BYTES("result"), nothing),
            AMDI_STORE_OK);

    ck_assert_int_eq(probe_cancel(id), AMDI_STORE_DONE);
    ck_assert_int_eq(probe.ops[0].code, 0);
    ck_assert(probe_is_text(probe.ops[0].result, "result"));
}
END_TEST

START_TEST(only_what_has_ended_can_be_removed)
{
    struct amdi_new_op new_op = {
            .request_id = BYTES("r1"), .method = BYTES("/test/Do")};
    uint64_t id;

    ck_assert_int_eq(probe_submit(&new_op), AMDI_STORE_OK);
    id = probe.ops[0].id;

    ck_assert_int_eq(probe_remove(id), AMDI_STORE_UNFINISHED);
    ck_assert_int_eq(probe_cancel(id), AMDI_STORE_OK);
    ck_assert_int_eq(probe_remove(id), AMDI_STORE_OK);
    ck_assert_int_eq(probe_get(id), AMDI_STORE_NOTFOUND);
    // Its request id is free again.
    ck_assert_int_eq(probe_submit(&new_op), AMDI_STORE_OK);
}
END_TEST

/* ---- list ---- */

START_TEST(list_shows_all_in_pages_newest_first)
{
    uint64_t ids[7];
    struct amdi_bytes token = nothing;
    size_t nseen = 0;

    for (size_t i = 0; i < 7; i++) {
        ids[i] = probe_add();
        probe_advance_us(1000);
    }

    do {
        ck_assert_int_eq(probe_list(&everything, 3, token), AMDI_STORE_OK);
        ck_assert_uint_eq(probe.nops, nseen == 6 ? 1 : 3);
        for (size_t i = 0; i < probe.nops; i++) {
            ck_assert_uint_eq(probe.ops[i].id, ids[6 - nseen]);
            nseen++;
        }
        token = probe.token;
    } while (token.len > 0);
    ck_assert_uint_eq(nseen, 7);
}
END_TEST

START_TEST(token_serves_only_its_own_list)
{
    struct amdi_store_filter other = {.method = BYTES("/test/Do")};
    char token[64];
    size_t len;

    (void)probe_add();
    (void)probe_add();
    ck_assert_int_eq(probe_list(&everything, 1, nothing), AMDI_STORE_OK);
    len = probe.token.len;
    memcpy(token, probe.token.data, len);

    ck_assert_int_eq(probe_list(&other, 1, (struct amdi_bytes){token, len}),
            AMDI_STORE_INVALID);
    ck_assert_int_eq(
            probe_list(&everything, 1, BYTES("made up")), AMDI_STORE_INVALID);
    token[3] = token[3] == 'A' ? 'B' : 'A';
    ck_assert_int_eq(
            probe_list(&everything, 1, (struct amdi_bytes){token, len}),
            AMDI_STORE_INVALID);
}
END_TEST

/** One of each: queued, running, succeeded, failed, cancelled. */
static void
add_one_of_each_state(void)
{
    (void)probe_add();
    ck_assert_int_eq(
            probe_finish(probe_take("n"), 0, nothing, nothing), AMDI_STORE_OK);
    (void)probe_add();
    ck_assert_int_eq(probe_finish(probe_take("n"), AMDRPC_STATUS_INTERNAL,
                             nothing, BYTES("why")),
            AMDI_STORE_OK);
    ck_assert_int_eq(probe_cancel(probe_add()), AMDI_STORE_OK);
    (void)probe_add();
    (void)probe_take("n");
    (void)probe_add();
}

START_TEST(filter_selects_states)
{
    add_one_of_each_state();

    for (unsigned state = AMDI_FILTER_QUEUED; state <= AMDI_FILTER_CANCELLED;
            state *= 2) {
        struct amdi_store_filter filter = {.states = state};

        ck_assert_int_eq(probe_list(&filter, 10, nothing), AMDI_STORE_OK);
        ck_assert_uint_eq(probe.nops, 1);
    }
    ck_assert_int_eq(probe_list(
                             &(struct amdi_store_filter){
                                     .states = AMDI_FILTER_SUCCEEDED |
                                             AMDI_FILTER_FAILED},
                             10, nothing),
            AMDI_STORE_OK);
    ck_assert_uint_eq(probe.nops, 2);
}
END_TEST

START_TEST(filter_selects_states_of_one_principal)
{
    struct amdi_new_op new_op = {
            .principal = BYTES("bob"), .method = BYTES("/test/Do")};

    add_one_of_each_state();
    ck_assert_int_eq(probe_submit(&new_op), AMDI_STORE_OK);
    ck_assert_int_eq(probe_cancel(probe.ops[0].id), AMDI_STORE_OK);
    ck_assert_int_eq(probe_submit(&new_op), AMDI_STORE_OK);

    for (unsigned state = AMDI_FILTER_QUEUED; state <= AMDI_FILTER_CANCELLED;
            state *= 2) {
        struct amdi_store_filter filter = {.states = state,
                .has_principal = true,
                .principal = BYTES("bob")};
        bool is_bobs =
                state == AMDI_FILTER_QUEUED || state == AMDI_FILTER_CANCELLED;

        ck_assert_int_eq(probe_list(&filter, 10, nothing), AMDI_STORE_OK);
        ck_assert_uint_eq(probe.nops, is_bobs ? 1 : 0);
        filter.principal = BYTES("");
        ck_assert_int_eq(probe_list(&filter, 10, nothing), AMDI_STORE_OK);
        ck_assert_uint_eq(probe.nops, 1);
    }
}
END_TEST

START_TEST(filter_selects_method_principal_and_time)
{
    struct amdi_new_op new_op = {
            .principal = BYTES("bob"), .method = BYTES("/test/Other")};
    struct amdi_store_filter by_method = {.method = BYTES("/test/Other")};
    struct amdi_store_filter by_principal = {
            .has_principal = true, .principal = BYTES("")};
    struct amdi_store_filter by_time = {0};
    uint64_t id;

    id = probe_add();
    probe_advance_us(1500);
    by_time.created_from_us = probe_now_us();
    ck_assert_int_eq(probe_submit(&new_op), AMDI_STORE_OK);
    probe_advance_us(1500);
    by_time.created_to_us = probe_now_us();
    (void)probe_add();

    ck_assert_int_eq(probe_list(&by_method, 10, nothing), AMDI_STORE_OK);
    ck_assert_uint_eq(probe.nops, 1);
    ck_assert(probe_is_text(probe.ops[0].method, "/test/Other"));
    ck_assert_int_eq(probe_list(&by_principal, 10, nothing), AMDI_STORE_OK);
    ck_assert_uint_eq(probe.nops, 2);
    ck_assert_uint_eq(probe.ops[1].id, id);
    ck_assert_int_eq(probe_list(&by_time, 10, nothing), AMDI_STORE_OK);
    ck_assert_uint_eq(probe.nops, 1);
    ck_assert(probe_is_text(probe.ops[0].principal, "bob"));
}
END_TEST

/* ---- retention ---- */

START_TEST(sweep_removes_what_has_expired)
{
    struct amdi_new_op new_op = {.method = BYTES("/test/Do"),
            .request_id = BYTES("r1"),
            .retain_us = 1000000};
    uint64_t id;

    (void)probe_add();
    (void)probe_take("n");
    ck_assert_int_eq(probe_submit(&new_op), AMDI_STORE_OK);
    id = probe.ops[0].id;
    ck_assert_int_eq(probe_finish(probe_take("n"), 0, BYTES("result"), nothing),
            AMDI_STORE_OK);

    ck_assert_int_eq(probe_sweep(10), AMDI_STORE_OK);
    ck_assert_uint_eq(probe.nremoved, 0);
    probe_advance_us(1000000);
    ck_assert_int_eq(probe_sweep(10), AMDI_STORE_OK);
    ck_assert_uint_eq(probe.nremoved, 1);
    ck_assert_int_eq(probe_get(id), AMDI_STORE_NOTFOUND);
    ck_assert_int_eq(probe_submit(&new_op), AMDI_STORE_OK);
}
END_TEST

START_TEST(sweep_removes_no_more_than_it_is_asked_to)
{
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(probe_cancel(probe_add()), AMDI_STORE_OK);
    }
    probe_advance_us(INT64_C(25) * 3600 * 1000000);

    ck_assert_int_eq(probe_sweep(3), AMDI_STORE_OK);
    ck_assert_uint_eq(probe.nremoved, 3);
    ck_assert_int_eq(probe_sweep(3), AMDI_STORE_OK);
    ck_assert_uint_eq(probe.nremoved, 2);
}
END_TEST

static void
add_tests(TCase *tests)
{
    tcase_add_test(tests, get_tells_how_many_go_before);
    tcase_add_test(tests, submitted_operation_can_be_read);
    tcase_add_test(tests, unknown_operation_is_not_found);
    tcase_add_test(tests, same_request_id_gives_the_same_operation);
    tcase_add_test(tests, same_request_id_with_another_body_is_a_conflict);
    tcase_add_test(tests, request_ids_of_two_principals_are_two);
    tcase_add_test(tests, impossible_arguments_are_refused);
    tcase_add_test(tests, cancelling_what_is_queued_ends_it);
    tcase_add_test(tests, cancelling_what_runs_marks_it);
    tcase_add_test(tests, cancelling_what_has_ended_changes_nothing);
    tcase_add_test(tests, only_what_has_ended_can_be_removed);
    tcase_add_test(tests, list_shows_all_in_pages_newest_first);
    tcase_add_test(tests, token_serves_only_its_own_list);
    tcase_add_test(tests, filter_selects_states);
    tcase_add_test(tests, filter_selects_states_of_one_principal);
    tcase_add_test(tests, filter_selects_method_principal_and_time);
    tcase_add_test(tests, sweep_removes_what_has_expired);
    tcase_add_test(tests, sweep_removes_no_more_than_it_is_asked_to);
}

static Suite *
client_suite(void)
{
    return backend_create_suite("store_client", add_tests);
}

TEST_MAIN(client_suite)
