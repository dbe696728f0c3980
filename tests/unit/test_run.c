/** Tests how an execution is made from what the store showed. */
#include "server/operation/executor.h"
#include "server/operation/lane.h"
#include "server/operation/record.h"
#include "server/operation/run.h"
#include "server/server.h"
#include "server/service.h"
#include "tests/proto/calls.amdrpc.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"

#include <string.h>

static struct amdrpc_server server;
static struct amdi_executor executor;
static struct amdi_method method;
static struct amdi_op_lane lane;
static struct amdi_arena arena;
static struct amdi_op op;

static struct amdi_bytes
bytes_of(const char *text)
{
    return (struct amdi_bytes){text, strlen(text)};
}

static void
setup(void)
{
    struct amdi_submission submission = {.peer = "192.0.2.1:7"};

    amdi_arena_init(&arena, 0);
    executor.server = &server;
    method.desc = &amdrpc_test_calls_v1_calls_service.methods[0];
    lane.executor = &executor;
    lane.method = &method;
    op = (struct amdi_op){.id = 77,
            .attempt = 4,
            .nreleased = 1,
            .max_attempts = 5,
            .nmessages = 9,
            .principal = bytes_of("someone"),
            .payload = bytes_of("request")};
    ck_assert_int_eq(
            amdi_op_record_pack(&submission, &arena, &op.metadata), AMDRPC_OK);
}

static void
teardown(void)
{
    amdi_arena_fini(&arena);
}

START_TEST(call_shows_the_operation)
{
    struct amdi_run *run = NULL;

    ck_assert_int_eq(amdi_run_create(&lane, &op, &run), AMDRPC_OK);

    ck_assert_uint_eq(amdrpc_call_get_attempt(&run->call), 4);
    ck_assert_uint_eq(amdrpc_call_get_delivered(&run->call), 9);
    ck_assert_str_eq(amdrpc_call_get_peer(&run->call), "192.0.2.1:7");
    ck_assert_str_eq(amdrpc_call_get_identity(&run->call), "someone");
    ck_assert_str_eq(
            amdrpc_call_get_operation(&run->call), "operations/000000000002d");
    ck_assert_uint_eq(run->nfailed, 2); // the released one does not count
    ck_assert_int_gt(amdrpc_call_time_left_ms(&run->call), 1000000);
    amdi_run_destroy(run);
}
END_TEST

START_TEST(deadline_that_has_passed_leaves_no_time)
{
    struct amdi_run *run = NULL;

    op.deadline_at_us = 1;
    ck_assert_int_eq(amdi_run_create(&lane, &op, &run), AMDRPC_OK);

    ck_assert_int_eq(amdrpc_call_time_left_ms(&run->call), 0);
    amdi_run_destroy(run);
}
END_TEST

START_TEST(damaged_record_is_refused)
{
    struct amdi_run *run = NULL;

    op.metadata = bytes_of("\xff\xff");
    ck_assert_int_eq(amdi_run_create(&lane, &op, &run), AMDRPC_EPROTO);
    ck_assert_ptr_null(run);
}
END_TEST

static amdrpc_err
make_run(void *arg)
{
    struct amdi_run *run = NULL;
    amdrpc_err err = amdi_run_create(&lane, &op, &run);

    (void)arg;
    if (err == AMDRPC_OK) {
        amdi_run_destroy(run);
    }
    return err;
}

START_TEST(no_memory_is_an_error)
{
    (void)test_sweep_allocations(make_run, NULL);
}
END_TEST

static Suite *
run_suite(void)
{
    Suite *suite = suite_create("run");
    TCase *tcase = tcase_create("make");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, call_shows_the_operation);
    tcase_add_test(tcase, deadline_that_has_passed_leaves_no_time);
    tcase_add_test(tcase, damaged_record_is_refused);
    tcase_add_test(tcase, no_memory_is_an_error);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(run_suite)
