/** Tests futures of operations, over broken answers, servers and channels. */
#include "common/alloc.h"
#include "common/cache.h"
#include "tests/integration/operations.h"
#include "tests/support/runner.h"

#include <check.h>

#include <semaphore.h>
#include <string.h>

static const amdrpc_method_desc *
echo_method(void)
{
    return &amdrpc_bench_v1_bench_service.methods[AMDRPC_BENCH_V1_BENCH_ECHO];
}

static amdrpc_future *
submit(const amdrpc_operation_options *options)
{
    Amdrpc__Bench__V1__EchoRequest request =
            AMDRPC__BENCH__V1__ECHO_REQUEST__INIT;
    amdrpc_future *future = NULL;

    ck_assert_int_eq(amdrpc_operation_submit(test_channel, echo_method(),
                             &request.base, options, &future),
            AMDRPC_OK);
    return future;
}

static amdrpc_future *
come_back(const char *name)
{
    amdrpc_future *future = NULL;

    ck_assert_int_eq(amdrpc_future_from_name(
                             test_channel, echo_method(), name, NULL, &future),
            AMDRPC_OK);
    return future;
}

static void
assert_ends(amdrpc_future *future, amdrpc_status_code status)
{
    ck_assert_int_eq(amdrpc_future_wait(future, TEST_WAIT_MS), AMDRPC_OK);
    ck_assert_msg(amdrpc_future_get_status(future) == status, "%s: %s",
            amdrpc_status_name(amdrpc_future_get_status(future)),
            amdrpc_future_get_status_message(future));
}

/** Checks that it ends with the response of the script. */
static void
assert_done(amdrpc_future *future)
{
    assert_ends(future, AMDRPC_STATUS_OK);

    const Amdrpc__Bench__V1__EchoResponse *response =
            (const Amdrpc__Bench__V1__EchoResponse *)amdrpc_future_get_message(
                    future);
    ck_assert_ptr_nonnull(response);
    ck_assert_uint_eq(response->payload.len, 4);
    ck_assert_mem_eq(response->payload.data, "done", 4);
}

/* ---- submitting ---- */

START_TEST(submission_ends_with_the_response)
{
    amdrpc_future *future = submit(NULL);

    assert_done(future);

    ck_assert_str_eq(amdrpc_future_get_operation_name(future), "operations/1");
    amdrpc_future_unref(future);
}
END_TEST

START_TEST(lost_acknowledgement_is_asked_for_with_the_same_id)
{
    test_script.nlost_submits = 2;

    amdrpc_future *future = submit(NULL);
    assert_done(future);

    ck_assert_uint_eq(test_script.nsubmits, 3);
    ck_assert_uint_eq(test_script.noperations, 1);
    amdrpc_future_unref(future);
}
END_TEST

START_TEST(submission_carries_the_id_it_was_given)
{
    const amdrpc_operation_options options = {.request_id = "mine"};

    amdrpc_future *future = submit(&options);
    assert_done(future);

    ck_assert_str_eq(test_script.request_ids[0], "mine");
    amdrpc_future_unref(future);
}
END_TEST

START_TEST(every_submission_has_an_id_of_its_own)
{
    for (int i = 0; i < 2; i++) {
        amdrpc_future *future = submit(NULL);

        assert_done(future);
        amdrpc_future_unref(future);
    }

    ck_assert_uint_eq(test_script.noperations, 2);
}
END_TEST

START_TEST(submission_that_is_not_waited_for_ends_with_its_name)
{
    const amdrpc_operation_options options = {.no_wait = true};
    test_script.nwaits_before_end = -1;

    amdrpc_future *future = submit(&options);
    assert_ends(future, AMDRPC_STATUS_OK);

    ck_assert_ptr_null(amdrpc_future_get_message(future));
    ck_assert_str_eq(amdrpc_future_get_operation_name(future), "operations/1");
    ck_assert_uint_eq(test_script.nwaits, 0);
    amdrpc_future_unref(future);
}
END_TEST

START_TEST(submission_with_impossible_options_is_refused)
{
    static const amdrpc_method_desc upload = {
            .path = "/a.B/C", .kind = AMDRPC_CLIENT_STREAMING};
    const amdrpc_operation_options negative = {.timeout_ms = -1};
    amdrpc_future *future = NULL;

    ck_assert_int_eq(amdrpc_operation_submit_bytes(
                             test_channel, &upload, "", 0, NULL, &future),
            AMDRPC_EINVAL);
    ck_assert_int_eq(amdrpc_operation_submit_bytes(test_channel, echo_method(),
                             "", 0, &negative, &future),
            AMDRPC_EINVAL);
}
END_TEST

/* ---- waiting ---- */

START_TEST(wait_goes_on_until_the_operation_is_done)
{
    test_script.nwaits_before_end = 3;

    amdrpc_future *future = submit(NULL);
    assert_done(future);

    ck_assert_uint_eq(test_script.nwaits, 4);
    amdrpc_future_unref(future);
}
END_TEST

START_TEST(restart_of_the_server_is_survived)
{
    test_script.nwaits_before_end = -1;
    amdrpc_future *future = submit(NULL);
    test_operations_await(&test_script.nwaits, 1);

    test_operations_stop();
    test_operations_start();
    test_operations_end();
    assert_done(future);

    ck_assert_uint_eq(test_script.nsubmits, 1);
    amdrpc_future_unref(future);
}
END_TEST

START_TEST(server_that_is_away_for_too_long_is_unavailable)
{
    const amdrpc_operation_options options = {.max_unavailable_ms = 1};
    test_operations_stop();

    amdrpc_future *future = submit(&options);
    assert_ends(future, AMDRPC_STATUS_UNAVAILABLE);

    ck_assert_ptr_null(amdrpc_future_get_operation_name(future));
    amdrpc_future_unref(future);
}
END_TEST

START_TEST(error_of_the_operation_is_the_status)
{
    test_script.end_status = AMDRPC_STATUS_DATA_LOSS;

    amdrpc_future *future = submit(NULL);
    assert_ends(future, AMDRPC_STATUS_DATA_LOSS);

    ck_assert_str_eq(
            amdrpc_future_get_status_message(future), "as the script says");
    ck_assert_ptr_null(amdrpc_future_get_message(future));
    amdrpc_future_unref(future);
}
END_TEST

START_TEST(response_of_another_type_is_an_error)
{
    test_script.has_other_response = true;

    amdrpc_future *future = submit(NULL);
    assert_ends(future, AMDRPC_STATUS_INTERNAL);

    amdrpc_future_unref(future);
}
END_TEST

/* ---- coming back ---- */

START_TEST(name_gives_the_response)
{
    amdrpc_future *future = come_back("operations/1");
    ck_assert_str_eq(amdrpc_future_get_operation_name(future), "operations/1");

    assert_done(future);

    ck_assert_uint_eq(test_script.nsubmits, 0);
    amdrpc_future_unref(future);
}
END_TEST

START_TEST(unknown_name_is_not_found)
{
    amdrpc_future *future = come_back("operations/9");

    assert_ends(future, AMDRPC_STATUS_NOT_FOUND);

    amdrpc_future_unref(future);
}
END_TEST

START_TEST(name_without_a_method_gives_the_status)
{
    amdrpc_future *future = NULL;

    ck_assert_int_eq(amdrpc_future_from_name(
                             test_channel, NULL, "operations/1", NULL, &future),
            AMDRPC_OK);
    assert_ends(future, AMDRPC_STATUS_OK);

    ck_assert_ptr_null(amdrpc_future_get_message(future));
    amdrpc_future_unref(future);
}
END_TEST

/* ---- the end before the end ---- */

START_TEST(cancel_reaches_the_operation)
{
    test_script.nwaits_before_end = -1;
    amdrpc_future *future = submit(NULL);
    test_operations_await(&test_script.nwaits, 1);

    amdrpc_future_cancel(future);
    assert_ends(future, AMDRPC_STATUS_CANCELLED);

    ck_assert_uint_eq(test_script.ncancels, 1);
    amdrpc_future_unref(future);
}
END_TEST

START_TEST(cancel_before_the_acknowledgement_follows_it)
{
    test_script.nlost_submits = 1;
    test_script.nwaits_before_end = -1;
    amdrpc_future *future = submit(NULL);

    amdrpc_future_cancel(future);
    assert_ends(future, AMDRPC_STATUS_CANCELLED);

    ck_assert_uint_eq(test_script.nsubmits, 2);
    ck_assert_uint_eq(test_script.ncancels, 1);
    amdrpc_future_unref(future);
}
END_TEST

START_TEST(closed_channel_ends_the_future_and_not_the_operation)
{
    test_script.nwaits_before_end = -1;
    amdrpc_future *future = submit(NULL);
    test_operations_await(&test_script.nwaits, 1);

    amdrpc_channel_unref(test_channel);
    test_channel = NULL;
    assert_ends(future, AMDRPC_STATUS_CANCELLED);

    ck_assert_uint_eq(test_script.ncancels, 0);
    amdrpc_future_cancel(future); // too late
    amdrpc_future_unref(future);
}
END_TEST

START_TEST(dropped_future_leaves_the_operation_alone)
{
    test_script.nwaits_before_end = -1;
    amdrpc_future *future = submit(NULL);
    amdrpc_future_unref(future);

    test_operations_await(&test_script.nwaits, 2);

    ck_assert_uint_eq(test_script.ncancels, 0);
}
END_TEST

/* ---- one call each ---- */

static amdrpc_future *submitted_later;
static sem_t is_submitted;

static void
submit_later(amdrpc_future *future, void *arg)
{
    (void)future;
    (void)arg;
    submitted_later = submit(NULL);
    (void)sem_post(&is_submitted);
}

START_TEST(submission_from_a_callback_is_made)
{
    ck_assert_int_eq(sem_init(&is_submitted, 0, 0), 0);
    amdrpc_future *future = submit(NULL);

    ck_assert_int_eq(amdrpc_future_then(future, submit_later, NULL), AMDRPC_OK);
    ck_assert_int_eq(sem_wait(&is_submitted), 0);
    assert_done(submitted_later);

    amdrpc_future_unref(submitted_later);
    amdrpc_future_unref(future);
    ck_assert_int_eq(sem_destroy(&is_submitted), 0);
}
END_TEST

START_TEST(get_tells_what_is_known)
{
    amdrpc_future *future = NULL;

    ck_assert_int_eq(
            amdrpc_operation_get(test_channel, "operations/1", NULL, &future),
            AMDRPC_OK);
    assert_ends(future, AMDRPC_STATUS_OK);

    const amdrpc_operation *operation = amdrpc_future_get_operation(future);
    ck_assert_str_eq(operation->name, "operations/1");
    ck_assert_str_eq(operation->method, "/amdrpc.bench.v1.Bench/Echo");
    ck_assert_int_eq(operation->state, AMDRPC_OPERATION_RUNNING);
    ck_assert(!operation->is_done);
    ck_assert_uint_eq(operation->progress_done, 3);
    ck_assert_uint_eq(operation->progress_total, 5);
    ck_assert_str_eq(operation->progress_note, "half way");
    ck_assert_int_eq(operation->create_at_ms, 12345);
    ck_assert_int_eq(operation->end_at_ms, 0);
    ck_assert_uint_eq(operation->attempt, 2);
    amdrpc_future_unref(future);
}
END_TEST

START_TEST(get_of_a_done_operation_tells_its_response)
{
    amdrpc_future *future = NULL;
    test_operations_end();

    ck_assert_int_eq(
            amdrpc_operation_get(test_channel, "operations/1", NULL, &future),
            AMDRPC_OK);
    assert_ends(future, AMDRPC_STATUS_OK);

    const amdrpc_operation *operation = amdrpc_future_get_operation(future);
    ck_assert(operation->is_done);
    ck_assert_int_eq(operation->status, AMDRPC_STATUS_OK);
    ck_assert_str_eq(operation->response_type, "amdrpc.bench.v1.EchoResponse");
    ck_assert_mem_eq(operation->response,
            "\x0a\x04"
            "done",
            6);
    amdrpc_future_unref(future);
}
END_TEST

START_TEST(get_of_an_unknown_name_is_not_found)
{
    amdrpc_future *future = NULL;

    ck_assert_int_eq(
            amdrpc_operation_get(test_channel, "operations/9", NULL, &future),
            AMDRPC_OK);
    assert_ends(future, AMDRPC_STATUS_NOT_FOUND);

    ck_assert_ptr_null(amdrpc_future_get_operation(future));
    amdrpc_future_unref(future);
}
END_TEST

START_TEST(list_gives_a_page)
{
    const amdrpc_operation_query query = {
            .filter = "state=RUNNING", .page_size = 2};
    amdrpc_future *future = NULL;

    ck_assert_int_eq(amdrpc_operation_list(test_channel, &query, NULL, &future),
            AMDRPC_OK);
    assert_ends(future, AMDRPC_STATUS_OK);

    const amdrpc_operation_page *page = amdrpc_future_get_operations(future);
    ck_assert_uint_eq(page->noperations, 2);
    ck_assert_str_eq(page->operations[1].name, "operations/1");
    ck_assert_str_eq(page->next_page_token, "state=RUNNING");
    amdrpc_future_unref(future);
}
END_TEST

START_TEST(cancel_and_delete_are_calls)
{
    amdrpc_future *future = NULL;

    ck_assert_int_eq(amdrpc_operation_cancel(
                             test_channel, "operations/1", NULL, &future),
            AMDRPC_OK);
    assert_ends(future, AMDRPC_STATUS_OK);
    amdrpc_future_unref(future);
    ck_assert_int_eq(amdrpc_operation_delete(
                             test_channel, "operations/1", NULL, &future),
            AMDRPC_OK);
    assert_ends(future, AMDRPC_STATUS_OK);
    amdrpc_future_unref(future);

    ck_assert_uint_eq(test_script.ncancels, 1);
    ck_assert_uint_eq(test_script.ndeletes, 1);
}
END_TEST

START_TEST(plain_future_has_no_name)
{
    amdrpc_future *future = NULL;

    ck_assert_int_eq(
            amdrpc_operation_get(test_channel, "operations/1", NULL, &future),
            AMDRPC_OK);

    ck_assert_ptr_null(amdrpc_future_get_operation_name(future));
    ck_assert_ptr_null(amdrpc_future_get_operation_name(NULL));
    amdrpc_future_cancel(future);
    amdrpc_future_unref(future);
}
END_TEST

/* ---- no memory ---- */

static amdrpc_err
try_submit(amdrpc_future **out)
{
    Amdrpc__Bench__V1__EchoRequest request =
            AMDRPC__BENCH__V1__ECHO_REQUEST__INIT;
    const amdrpc_operation_options options = {.request_id = "same"};

    return amdrpc_operation_submit(
            test_channel, echo_method(), &request.base, &options, out);
}

static amdrpc_err
try_name(amdrpc_future **out)
{
    return amdrpc_future_from_name(
            test_channel, echo_method(), "operations/1", NULL, out);
}

/** Lets one allocation of all threads fail; tells whether there was one. */
static bool
fail_one(amdrpc_err (*make)(amdrpc_future **out), int64_t n)
{
    amdrpc_future *future = NULL;
    bool has_failed = false;

    amdi_cache_thread_flush();
    amdi_alloc_fail_at(n);
    amdrpc_err err = make(&future);
    if (err == AMDRPC_OK) {
        ck_assert_int_eq(amdrpc_future_wait(future, TEST_WAIT_MS), AMDRPC_OK);
    }
    has_failed = amdi_alloc_has_failed();
    amdi_alloc_fail_at(-1);
    ck_assert(err == AMDRPC_OK || (err == AMDRPC_ENOMEM && has_failed));
    if (!has_failed) {
        assert_done(future);
    }
    amdrpc_future_unref(future);
    return has_failed;
}

/** @_i: a submission, or a name. */
START_TEST(no_memory_ends_the_future_or_makes_none)
{
    amdrpc_future *future = submit(NULL); // connects, and makes operations/1
    int64_t n = 0;

    assert_done(future);
    amdrpc_future_unref(future);
    while (fail_one(_i == 0 ? try_submit : try_name, n)) {
        n++;
    }
    ck_assert_int_gt(n, 5);
}
END_TEST

static TCase *
case_create(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);

    tcase_add_checked_fixture(
            tcase, test_operations_setup, test_operations_teardown);
    tcase_set_timeout(tcase, 60);
    suite_add_tcase(suite, tcase);
    return tcase;
}

static Suite *
client_operation_suite(void)
{
    Suite *suite = suite_create("client_operation");
    TCase *tcase = case_create(suite, "submit");

    tcase_add_test(tcase, submission_ends_with_the_response);
    tcase_add_test(tcase, lost_acknowledgement_is_asked_for_with_the_same_id);
    tcase_add_test(tcase, submission_carries_the_id_it_was_given);
    tcase_add_test(tcase, every_submission_has_an_id_of_its_own);
    tcase_add_test(tcase, submission_that_is_not_waited_for_ends_with_its_name);
    tcase_add_test(tcase, submission_with_impossible_options_is_refused);
    tcase_add_test(tcase, submission_from_a_callback_is_made);
    tcase = case_create(suite, "wait");
    tcase_add_test(tcase, wait_goes_on_until_the_operation_is_done);
    tcase_add_test(tcase, restart_of_the_server_is_survived);
    tcase_add_test(tcase, server_that_is_away_for_too_long_is_unavailable);
    tcase_add_test(tcase, error_of_the_operation_is_the_status);
    tcase_add_test(tcase, response_of_another_type_is_an_error);
    tcase = case_create(suite, "name");
    tcase_add_test(tcase, name_gives_the_response);
    tcase_add_test(tcase, unknown_name_is_not_found);
    tcase_add_test(tcase, name_without_a_method_gives_the_status);
    tcase = case_create(suite, "end");
    tcase_add_test(tcase, cancel_reaches_the_operation);
    tcase_add_test(tcase, cancel_before_the_acknowledgement_follows_it);
    tcase_add_test(tcase, closed_channel_ends_the_future_and_not_the_operation);
    tcase_add_test(tcase, dropped_future_leaves_the_operation_alone);
    tcase = case_create(suite, "look");
    tcase_add_test(tcase, get_tells_what_is_known);
    tcase_add_test(tcase, get_of_a_done_operation_tells_its_response);
    tcase_add_test(tcase, get_of_an_unknown_name_is_not_found);
    tcase_add_test(tcase, list_gives_a_page);
    tcase_add_test(tcase, cancel_and_delete_are_calls);
    tcase_add_test(tcase, plain_future_has_no_name);
    tcase = case_create(suite, "memory");
    tcase_add_loop_test(tcase, no_memory_ends_the_future_or_makes_none, 0, 2);
    return suite;
}

TEST_MAIN(client_operation_suite)
