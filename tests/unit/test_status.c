/** Tests the names of statuses and what errors become. */
#include <amdrpc/status.h>

#include "tests/support/runner.h"

#include <check.h>

START_TEST(name_is_the_one_of_the_grpc_documents)
{
    ck_assert_str_eq(amdrpc_status_name(AMDRPC_STATUS_OK), "OK");
    ck_assert_str_eq(amdrpc_status_name(AMDRPC_STATUS_NOT_FOUND), "NOT_FOUND");
    ck_assert_str_eq(amdrpc_status_name(AMDRPC_STATUS_UNAUTHENTICATED),
            "UNAUTHENTICATED");
}
END_TEST

START_TEST(number_that_is_no_code_is_unknown)
{
    ck_assert_str_eq(amdrpc_status_name((amdrpc_status_code)17), "UNKNOWN");
    ck_assert_str_eq(amdrpc_status_name((amdrpc_status_code)-1), "UNKNOWN");
}
END_TEST

START_TEST(error_becomes_the_status_that_says_it)
{
    static const struct {
        amdrpc_err err;
        amdrpc_status_code code;
    } cases[] = {
            {AMDRPC_OK, AMDRPC_STATUS_OK},
            {AMDRPC_ENOMEM, AMDRPC_STATUS_RESOURCE_EXHAUSTED},
            {AMDRPC_ECANCELED, AMDRPC_STATUS_CANCELLED},
            {AMDRPC_ETIMEDOUT, AMDRPC_STATUS_DEADLINE_EXCEEDED},
            {AMDRPC_ENOTFOUND, AMDRPC_STATUS_NOT_FOUND},
            {AMDRPC_EACCES, AMDRPC_STATUS_PERMISSION_DENIED},
            {AMDRPC_EUNSUPPORTED, AMDRPC_STATUS_UNIMPLEMENTED},
            {AMDRPC_EPROTO, AMDRPC_STATUS_INTERNAL},
            {AMDRPC_ECLOSED, AMDRPC_STATUS_UNAVAILABLE},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_int_eq(amdrpc_status_from_err(cases[i].err), cases[i].code);
    }
}
END_TEST

START_TEST(every_failure_becomes_a_failure)
{
    for (int i = AMDRPC_OK + 1; i <= AMDRPC_EIO; i++) {
        ck_assert_int_ne(
                amdrpc_status_from_err((amdrpc_err)i), AMDRPC_STATUS_OK);
    }
    ck_assert_int_eq(
            amdrpc_status_from_err((amdrpc_err)1000), AMDRPC_STATUS_UNKNOWN);
}
END_TEST

static Suite *
status_suite(void)
{
    Suite *suite = suite_create("status");
    TCase *names = tcase_create("names");
    TCase *conversion = tcase_create("conversion");

    tcase_add_test(names, name_is_the_one_of_the_grpc_documents);
    tcase_add_test(names, number_that_is_no_code_is_unknown);
    suite_add_tcase(suite, names);
    tcase_add_test(conversion, error_becomes_the_status_that_says_it);
    tcase_add_test(conversion, every_failure_becomes_a_failure);
    suite_add_tcase(suite, conversion);
    return suite;
}

TEST_MAIN(status_suite)
