/** Tests what is asked for when an operation is submitted. */
#include "amdrpc/v1/operations.pb-c.h"
#include "client/operation/submission.h"
#include "tests/support/runner.h"

#include <check.h>

static const amdrpc_method_desc method = {.path = "/a.B/C"};

static struct amdi_arena arena;

static void
setup(void)
{
    amdi_arena_init(&arena, /*max_bytes=*/0);
}

static void
teardown(void)
{
    amdi_arena_fini(&arena);
}

static Amdrpc__V1__SubmitRequest *
pack(const amdrpc_operation_options *options)
{
    const void *bytes = NULL;
    size_t len = 0;

    ck_assert_int_eq(amdi_submission_pack(
                             &method, "xy", 2, options, &arena, &bytes, &len),
            AMDRPC_OK);

    Amdrpc__V1__SubmitRequest *request =
            amdrpc__v1__submit_request__unpack(NULL, len, bytes);
    ck_assert_ptr_nonnull(request);
    return request;
}

START_TEST(defaults_are_left_to_the_server)
{
    const amdrpc_operation_options options = {.request_id = "id"};

    Amdrpc__V1__SubmitRequest *request = pack(&options);

    ck_assert_str_eq(request->method, "/a.B/C");
    ck_assert_uint_eq(request->request.len, 2);
    ck_assert_str_eq(request->request_id, "id");
    ck_assert_ptr_null(request->timeout);
    ck_assert_ptr_null(request->ttl);
    ck_assert_ptr_null(request->start_at);
    ck_assert_uint_eq(request->max_attempts, 0);
    amdrpc__v1__submit_request__free_unpacked(request, NULL);
}
END_TEST

START_TEST(options_are_carried_over)
{
    const amdrpc_operation_options options = {
            .priority = AMDRPC_OPERATION_LOW,
            .timeout_ms = 1500,
            .ttl_ms = 2000,
            .start_at_ms = INT64_C(1700000000250),
            .max_attempts = 3,
    };

    Amdrpc__V1__SubmitRequest *request = pack(&options);

    ck_assert_int_eq(request->priority, AMDRPC__V1__PRIORITY__PRIORITY_LOW);
    ck_assert_int_eq(request->timeout->seconds, 1);
    ck_assert_int_eq(request->timeout->nanos, 500000000);
    ck_assert_int_eq(request->ttl->seconds, 2);
    ck_assert_int_eq(request->start_at->seconds, 1700000000);
    ck_assert_int_eq(request->start_at->nanos, 250000000);
    ck_assert_uint_eq(request->max_attempts, 3);
    ck_assert_str_ne(request->request_id, "");
    amdrpc__v1__submit_request__free_unpacked(request, NULL);
}
END_TEST

static const amdrpc_operation_options impossible[] = {
        {.timeout_ms = -1},
        {.ttl_ms = -1},
        {.start_at_ms = -1},
};

START_TEST(negative_times_are_refused)
{
    const void *bytes = NULL;
    size_t len = 0;

    ck_assert_int_eq(amdi_submission_pack(&method, "", 0, &impossible[_i],
                             &arena, &bytes, &len),
            AMDRPC_EINVAL);
}
END_TEST

static Suite *
submission_suite(void)
{
    Suite *suite = suite_create("submission");
    TCase *tcase = tcase_create("pack");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, defaults_are_left_to_the_server);
    tcase_add_test(tcase, options_are_carried_over);
    tcase_add_loop_test(tcase, negative_times_are_refused, 0, 3);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(submission_suite)
