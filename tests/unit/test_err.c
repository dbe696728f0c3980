/** Tests the names of errors. */
#include <amdrpc/err.h>

#include "tests/support/runner.h"

#include <check.h>

#include <string.h>

START_TEST(name_is_the_constant)
{
    ck_assert_str_eq(amdrpc_err_name(AMDRPC_OK), "AMDRPC_OK");
    ck_assert_str_eq(amdrpc_err_name(AMDRPC_ELIMIT), "AMDRPC_ELIMIT");
    ck_assert_str_eq(amdrpc_err_name(AMDRPC_EIO), "AMDRPC_EIO");
}
END_TEST

START_TEST(every_error_has_a_name_and_a_text)
{
    for (int i = AMDRPC_OK; i <= AMDRPC_EIO; i++) {
        ck_assert_str_ne(amdrpc_err_name((amdrpc_err)i), "AMDRPC_E?");
        ck_assert_uint_gt(strlen(amdrpc_err_text((amdrpc_err)i)), 0);
    }
}
END_TEST

START_TEST(number_that_is_no_error_is_named_so)
{
    ck_assert_str_eq(
            amdrpc_err_name((amdrpc_err)(AMDRPC_EIO + 1)), "AMDRPC_E?");
    ck_assert_str_eq(amdrpc_err_name((amdrpc_err)-1), "AMDRPC_E?");
    ck_assert_str_eq(amdrpc_err_text((amdrpc_err)1000), "unknown error");
}
END_TEST

static Suite *
err_suite(void)
{
    Suite *suite = suite_create("err");
    TCase *names = tcase_create("names");

    tcase_add_test(names, name_is_the_constant);
    tcase_add_test(names, every_error_has_a_name_and_a_text);
    tcase_add_test(names, number_that_is_no_error_is_named_so);
    suite_add_tcase(suite, names);
    return suite;
}

TEST_MAIN(err_suite)
