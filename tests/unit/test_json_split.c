/** Tests the cutting of a text into JSON values. */
#include "client/cli/json_split.h"
#include "common/alloc.h"
#include "tests/support/runner.h"

#include <check.h>

#include <stdio.h>
#include <string.h>

static struct amdi_json_split split;

static void
setup(void)
{
    amdi_json_split_init(&split);
}

static void
teardown(void)
{
    amdi_json_split_fini(&split);
}

// Appends "value|" for every value that is there.
static void
take_all(bool at_end, char *out)
{
    const char *value;
    size_t len;

    while (amdi_json_split_next(&split, at_end, &value, &len)) {
        strncat(out, value, len);
        strcat(out, "|");
    }
}

// @values: each followed by a "|".
static const struct {
    const char *text;
    const char *values;
} texts[] = {
        {"", ""},
        {" \n\t ", ""},
        {"{}", "{}|"},
        {"{}{}", "{}|{}|"},
        {" {\"a\": 1}\n\n{\"b\": [1, {}]} ", "{\"a\": 1}|{\"b\": [1, {}]}|"},
        {"{\"a\": \"}\"}{}", "{\"a\": \"}\"}|{}|"},
        {"{\"a\": \"\\\"}\"}{}", "{\"a\": \"\\\"}\"}|{}|"},
        {"{\"a\": \"\\\\\"}{}", "{\"a\": \"\\\\\"}|{}|"},
        {"\"1s\" \"2s\"\"3s\"", "\"1s\"|\"2s\"|\"3s\"|"},
        {"1 -2.5e3 true null", "1|-2.5e3|true|null|"},
        {"1{}2", "1|{}|2|"},
        {"[1,2][3]", "[1,2]|[3]|"},
        {"{\"a\":", "{\"a\":|"},
        {"\"abc", "\"abc|"},
        {"}{}", "}|{}|"},
};

START_TEST(text_is_cut_into_its_values)
{
    char out[256] = "";

    ck_assert_int_eq(amdi_json_split_push(
                             &split, texts[_i].text, strlen(texts[_i].text)),
            AMDRPC_OK);
    take_all(/*at_end=*/true, out);

    ck_assert_str_eq(out, texts[_i].values);
}
END_TEST

START_TEST(byte_by_byte_gives_the_same)
{
    char out[256] = "";

    for (const char *c = texts[_i].text; *c != '\0'; c++) {
        ck_assert_int_eq(amdi_json_split_push(&split, c, 1), AMDRPC_OK);
        take_all(/*at_end=*/false, out);
    }
    take_all(/*at_end=*/true, out);

    ck_assert_str_eq(out, texts[_i].values);
}
END_TEST

START_TEST(value_is_there_with_its_last_byte)
{
    char out[64] = "";

    ck_assert_int_eq(amdi_json_split_push(&split, "{\"a\":1", 6), AMDRPC_OK);
    take_all(/*at_end=*/false, out);
    ck_assert_str_eq(out, "");

    ck_assert_int_eq(amdi_json_split_push(&split, "}", 1), AMDRPC_OK);
    take_all(/*at_end=*/false, out);
    ck_assert_str_eq(out, "{\"a\":1}|");
}
END_TEST

START_TEST(too_long_a_value_is_refused)
{
    static char blanks[1024 * 1024];
    amdrpc_err err = amdi_json_split_push(&split, "{", 1);

    memset(blanks, ' ', sizeof(blanks));
    for (size_t i = 0; i < 8 && err == AMDRPC_OK; i++) {
        err = amdi_json_split_push(&split, blanks, sizeof(blanks));
    }

    ck_assert_int_eq(err, AMDRPC_ELIMIT);
}
END_TEST

START_TEST(space_between_values_does_not_count)
{
    static char blanks[1024 * 1024];

    memset(blanks, ' ', sizeof(blanks));
    for (size_t i = 0; i < 16; i++) {
        ck_assert_int_eq(amdi_json_split_push(&split, blanks, sizeof(blanks)),
                AMDRPC_OK);
    }
}
END_TEST

START_TEST(no_memory_is_an_error)
{
    amdi_alloc_fail_at(0);
    ck_assert_int_eq(amdi_json_split_push(&split, "{}", 2), AMDRPC_ENOMEM);
    amdi_alloc_fail_at(-1);
}
END_TEST

static Suite *
json_split_suite(void)
{
    Suite *suite = suite_create("json_split");
    TCase *cut = tcase_create("cut");
    int ntexts = sizeof(texts) / sizeof(texts[0]);

    tcase_add_checked_fixture(cut, setup, teardown);
    tcase_add_loop_test(cut, text_is_cut_into_its_values, 0, ntexts);
    tcase_add_loop_test(cut, byte_by_byte_gives_the_same, 0, ntexts);
    tcase_add_test(cut, value_is_there_with_its_last_byte);
    tcase_add_test(cut, too_long_a_value_is_refused);
    tcase_add_test(cut, space_between_values_does_not_count);
    tcase_add_test(cut, no_memory_is_an_error);
    suite_add_tcase(suite, cut);
    return suite;
}

TEST_MAIN(json_split_suite)
