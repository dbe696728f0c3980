/** Tests metadata as people write and read it. */
#include "client/cli/metadata_text.h"
#include "common/alloc.h"
#include "tests/support/runner.h"

#include <check.h>

#include <stdlib.h>
#include <string.h>

static amdrpc_metadata *metadata;

static void
setup(void)
{
    ck_assert_int_eq(amdrpc_metadata_create(&metadata), AMDRPC_OK);
}

static void
teardown(void)
{
    amdrpc_metadata_destroy(metadata);
}

START_TEST(pair_is_added)
{
    ck_assert_int_eq(amdi_metadata_add_pair(metadata, "name=a=b"), AMDRPC_OK);

    ck_assert_str_eq(amdrpc_metadata_get(metadata, "name")->value, "a=b");
}
END_TEST

START_TEST(binary_value_is_base64)
{
    const amdrpc_metadata_field *field;

    ck_assert_int_eq(amdi_metadata_add_pair(metadata, "x-bin=AAH/"), AMDRPC_OK);

    field = amdrpc_metadata_get(metadata, "x-bin");
    ck_assert_uint_eq(field->value_len, 3);
    ck_assert_mem_eq(field->value, "\0\1\xff", 3);
}
END_TEST

static const char *const bad_pairs[] = {
        "", "name", "=value", "a b=c", "x-bin=?", "grpc-timeout=1S", ":path=x"};

START_TEST(bad_pair_is_refused)
{
    ck_assert_int_eq(
            amdi_metadata_add_pair(metadata, bad_pairs[_i]), AMDRPC_EINVAL);
}
END_TEST

START_TEST(every_failed_allocation_is_an_error)
{
    amdrpc_err err = AMDRPC_ENOMEM;

    for (int64_t n = 0; err != AMDRPC_OK; n++) {
        ck_assert_int_lt(n, 100);
        amdi_alloc_fail_at(n);
        err = amdi_metadata_add_pair(metadata, "x-bin=AAH/");
        amdi_alloc_fail_at(-1);
        ck_assert(err == AMDRPC_OK || err == AMDRPC_ENOMEM);
    }
}
END_TEST

START_TEST(fields_are_printed_as_they_are_written)
{
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);

    ck_assert_int_eq(amdi_metadata_add_pair(metadata, "name=v w"), AMDRPC_OK);
    ck_assert_int_eq(amdi_metadata_add_pair(metadata, "x-bin=AAH/"), AMDRPC_OK);
    amdi_metadata_print(metadata, "title", file);
    amdi_metadata_print(NULL, "none", file);
    (void)fclose(file);

    ck_assert_str_eq(text, "title: name=v w\ntitle: x-bin=AAH/\n");
    free(text);
}
END_TEST

static Suite *
metadata_text_suite(void)
{
    Suite *suite = suite_create("metadata_text");
    TCase *text = tcase_create("text");

    tcase_add_checked_fixture(text, setup, teardown);
    tcase_add_test(text, pair_is_added);
    tcase_add_test(text, binary_value_is_base64);
    tcase_add_loop_test(text, bad_pair_is_refused, 0,
            sizeof(bad_pairs) / sizeof(bad_pairs[0]));
    tcase_add_test(text, every_failed_allocation_is_an_error);
    tcase_add_test(text, fields_are_printed_as_they_are_written);
    suite_add_tcase(suite, text);
    return suite;
}

TEST_MAIN(metadata_text_suite)
