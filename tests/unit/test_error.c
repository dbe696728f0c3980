/** Tests sentences about what went wrong. */
#include "common/error.h"
#include "tests/support/runner.h"

#include <check.h>

#include <string.h>

static struct amdi_error error;

static void
set_up(void)
{
    memset(&error, 'x', sizeof(error));
}

START_TEST(sentence_is_written)
{
    ck_assert_int_eq(amdi_error_set(&error, AMDRPC_EINVAL, "%s: no %d", "a", 7),
            AMDRPC_EINVAL);

    ck_assert_str_eq(error.text, "a: no 7");
}
END_TEST

START_TEST(long_sentence_is_cut)
{
    ck_assert_int_eq(
            amdi_error_set(&error, AMDRPC_EIO, "%1000d", 7), AMDRPC_EIO);

    ck_assert_uint_eq(strlen(error.text), sizeof(error.text) - 1);
}
END_TEST

START_TEST(nobody_need_ask)
{
    ck_assert_int_eq(amdi_error_set(NULL, AMDRPC_EINVAL, "no"), AMDRPC_EINVAL);
    ck_assert_int_eq(amdi_error_nomem(NULL), AMDRPC_ENOMEM);
    ck_assert_int_eq(amdi_error_tell(&error, AMDRPC_EIO, NULL, 0), AMDRPC_EIO);
}
END_TEST

START_TEST(sentence_is_told)
{
    char reason[64] = "";

    ck_assert_int_eq(amdi_error_nomem(&error), AMDRPC_ENOMEM);
    ck_assert_int_eq(
            amdi_error_tell(&error, AMDRPC_ENOMEM, reason, sizeof(reason)),
            AMDRPC_ENOMEM);

    ck_assert_str_eq(reason, "out of memory");
}
END_TEST

START_TEST(told_sentence_is_cut)
{
    char reason[4] = "";

    ck_assert_int_eq(amdi_error_nomem(&error), AMDRPC_ENOMEM);
    ck_assert_int_eq(
            amdi_error_tell(&error, AMDRPC_ENOMEM, reason, sizeof(reason)),
            AMDRPC_ENOMEM);

    ck_assert_str_eq(reason, "out");
}
END_TEST

START_TEST(success_has_nothing_to_tell)
{
    char reason[] = "as it was";

    ck_assert_int_eq(amdi_error_tell(&error, AMDRPC_OK, reason, sizeof(reason)),
            AMDRPC_OK);

    ck_assert_str_eq(reason, "as it was");
}
END_TEST

static Suite *
error_suite(void)
{
    Suite *suite = suite_create("error");
    TCase *sentences = tcase_create("sentences");

    tcase_add_checked_fixture(sentences, set_up, NULL);
    tcase_add_test(sentences, sentence_is_written);
    tcase_add_test(sentences, long_sentence_is_cut);
    tcase_add_test(sentences, nobody_need_ask);
    tcase_add_test(sentences, sentence_is_told);
    tcase_add_test(sentences, told_sentence_is_cut);
    tcase_add_test(sentences, success_has_nothing_to_tell);
    suite_add_tcase(suite, sentences);
    return suite;
}

TEST_MAIN(error_suite)
