/** Conformance: how much may wait, and the numbers that tell. */
#include "tests/store/backend.h"
#include "tests/store/many.h"
#include "tests/store/probe.h"
#include "tests/support/runner.h"

#include <stdio.h>
#include <string.h>

static const struct amdi_bytes nothing;

static enum amdi_store_result
submit_with_id(const char *request_id, const char *payload)
{
    struct amdi_new_op new_op = {.method = BYTES("/test/Do"),
            .request_id = {request_id, strlen(request_id)},
            .payload = {payload, strlen(payload)}};

    return probe_submit(&new_op);
}

/* ---- what waits ---- */

START_TEST(unfinished_are_bounded)
{
    (void)backend_open_again(&(struct amdi_store_options){.max_unfinished = 2});
    ck_assert_int_eq(submit_with_id("a", "work"), AMDI_STORE_OK);
    many_ids[0] = probe.ops[0].id;
    ck_assert_int_eq(submit_with_id("", "work"), AMDI_STORE_OK);

    ck_assert_int_eq(submit_with_id("b", "work"), AMDI_STORE_FULL);
    ck_assert_int_eq(submit_with_id("", "work"), AMDI_STORE_FULL);
    (void)probe_take("n"); // what runs has not ended either
    ck_assert_int_eq(submit_with_id("b", "work"), AMDI_STORE_FULL);
    many_expect_usage(2, 0);
}
END_TEST

START_TEST(full_store_tells_what_it_has)
{
    (void)backend_open_again(&(struct amdi_store_options){.max_unfinished = 1});
    ck_assert_int_eq(submit_with_id("a", "work"), AMDI_STORE_OK);
    many_ids[0] = probe.ops[0].id;

    ck_assert_int_eq(submit_with_id("a", "work"), AMDI_STORE_EXISTS);
    ck_assert_uint_eq(probe.ops[0].id, many_ids[0]);
    ck_assert_int_eq(submit_with_id("a", "other"), AMDI_STORE_CONFLICT);
}
END_TEST

START_TEST(refused_request_id_can_be_used_later)
{
    (void)backend_open_again(&(struct amdi_store_options){.max_unfinished = 1});
    ck_assert_int_eq(submit_with_id("a", "work"), AMDI_STORE_OK);
    ck_assert_int_eq(submit_with_id("b", "work"), AMDI_STORE_FULL);

    many_end(1);
    ck_assert_int_eq(submit_with_id("b", "work"), AMDI_STORE_OK);
    ck_assert_int_eq(submit_with_id("c", "work"), AMDI_STORE_FULL);
}
END_TEST

START_TEST(cancel_makes_room)
{
    (void)backend_open_again(&(struct amdi_store_options){.max_unfinished = 2});
    many_add(0, 2);
    ck_assert_int_eq(submit_with_id("", "work"), AMDI_STORE_FULL);
    ck_assert_int_eq(probe_cancel(many_ids[0]), AMDI_STORE_OK);

    many_add(2, 3);
    ck_assert_int_eq(submit_with_id("", "work"), AMDI_STORE_FULL);
}
END_TEST

/* ---- the numbers ---- */

/** One of each thing that changes a number. */
static void
change_all_numbers(void)
{
    many_add(0, 8);
    many_end(2);
    ck_assert_int_eq(probe_cancel(many_ids[2]), AMDI_STORE_OK);
    ck_assert_int_eq(probe_remove(many_ids[0]), AMDI_STORE_OK);
    ck_assert_int_eq(probe_remove(many_ids[0]), AMDI_STORE_NOTFOUND);
    ck_assert_int_eq(probe_remove(many_ids[7]), AMDI_STORE_UNFINISHED);
    ck_assert_int_eq(probe_retry(probe_take("n"), 0, nothing), AMDI_STORE_OK);
    ck_assert_int_eq(probe_release(probe_take("n"), 0), AMDI_STORE_OK);
    ck_assert_int_eq(submit_with_id("a", "work"), AMDI_STORE_OK);
    ck_assert_int_eq(submit_with_id("a", "work"), AMDI_STORE_EXISTS);
    ck_assert_int_eq(submit_with_id("a", "other"), AMDI_STORE_CONFLICT);
}

START_TEST(numbers_follow_every_change)
{
    many_expect_usage(0, 0);
    change_all_numbers();
    many_expect_usage(6, 2);
}
END_TEST

START_TEST(numbers_follow_what_a_lease_ends)
{
    struct amdi_new_op late = {
            .method = BYTES("/test/Do"), .deadline_at_us = probe_now_us() + 10};

    ck_assert_int_eq(probe_submit(&late), AMDI_STORE_OK);
    probe_advance_us(100);
    many_add(0, 1);
    (void)probe_take("n");

    many_expect_usage(1, 1);
}
END_TEST

START_TEST(numbers_are_right_when_opened_again)
{
    bool is_durable = false;

    change_all_numbers();
    (void)probe_take("n");
    is_durable = backend_open_again(NULL);

    many_expect_usage(is_durable ? 6 : 0, is_durable ? 2 : 0);
    ck_assert_uint_gt(amdi_store_get_usage(probe.store).nbytes, 0);
}
END_TEST

/* ---- backlog ---- */

struct backlog {
    bool is_there;
    char text[128]; // "queue:number " of each
};

static void
backlog_keep(void *arg, enum amdi_store_result result,
        const struct amdi_backlog *queues, size_t nqueues)
{
    struct backlog *self = arg;
    size_t len = 0;

    ck_assert_int_eq(result, AMDI_STORE_OK);
    for (size_t i = 0; i < nqueues; i++) {
        len += (size_t)snprintf(self->text + len, sizeof(self->text) - len,
                "%s:%u ", (const char *)queues[i].queue.data,
                (unsigned)queues[i].nops);
    }
    self->is_there = true;
}

static bool
backlog_is_there(void *arg)
{
    return ((const struct backlog *)arg)->is_there;
}

static void
expect_backlog(const char *text)
{
    struct backlog backlog = {0};

    ck_assert_int_eq(amdi_store_get_backlog(
                             probe.store, probe.loop, backlog_keep, &backlog),
            AMDI_STORE_OK);
    probe_await(backlog_is_there, &backlog);
    ck_assert_str_eq(backlog.text, text);
}

START_TEST(backlog_counts_by_queue)
{
    struct amdi_new_op other = {
            .method = BYTES("/test/Do"), .queue = BYTES("other")};

    expect_backlog("");
    many_add(0, 3);
    many_end(1);
    (void)probe_take("n");
    ck_assert_int_eq(probe_submit(&other), AMDI_STORE_OK);

    expect_backlog(":2 other:1 ");
}
END_TEST

static void
add_tests(TCase *tests)
{
    tcase_add_test(tests, unfinished_are_bounded);
    tcase_add_test(tests, full_store_tells_what_it_has);
    tcase_add_test(tests, refused_request_id_can_be_used_later);
    tcase_add_test(tests, cancel_makes_room);
    tcase_add_test(tests, numbers_follow_every_change);
    tcase_add_test(tests, numbers_follow_what_a_lease_ends);
    tcase_add_test(tests, numbers_are_right_when_opened_again);
    tcase_add_test(tests, backlog_counts_by_queue);
}

static Suite *
room_suite(void)
{
    return backend_create_suite("store_room", add_tests);
}

TEST_MAIN(room_suite)
