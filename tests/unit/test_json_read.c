/** Tests what the JSON mapping refuses to read. */
#include "common/json/json.h"
#include "tests/proto/json_fixture.h"
#include "tests/support/runner.h"

#include <check.h>

#include <stdlib.h>
#include <string.h>

struct pair {
    const char *in;
    const char *out;
};

/* ---- refused texts ---- */

static void
assert_refused(const char *json, const char *sentence)
{
    ck_assert_int_eq(test_json_read(json, strlen(json)), AMDRPC_EINVAL);
    ck_assert_str_eq(test_json.error.text, sentence);
    ck_assert_uint_eq(amdi_buf_len(&test_json.wire), 0);
}

START_TEST(wrong_values_are_named_with_their_path)
{
    static const struct pair cases[] = {
            {"{\"items\":[{},{},{\"count\":\"abc\"}]}",
                    "items[2].count: 'abc' is no uint32"},
            {"{\"counts\":{\"a b\":1.5}}",
                    "counts[\"a b\"]: '1.5' is no int32"},
            {"{\"itemsById\":{\"x\":{}}}", "itemsById[\"x\"]: 'x' is no int64"},
            {"{\"byBool\":{\"1\":\"\"}}", "byBool[\"1\"]: '1' is no bool"},
            {"{\"child\":{\"aBool\":1}}", "child.aBool: '1' is no bool"},
            {"{\"aString\":1}", "aString: '1' is no string"},
            {"{\"aBytes\":\"A\"}", "aBytes: 'A' is no base64 text"},
            {"{\"aColour\":\"GREEN\"}",
                    "aColour: 'GREEN' is no amdrpc.test.v1.Colour"},
            {"{\"anItem\":[]}", "anItem: '[]' is no amdrpc.test.v1.Item"},
            {"{\"items\":{}}", "items: '{}' is no array"},
            {"{\"counts\":[]}", "counts: '[]' is no object"},
            {"{\"items\":[null]}", "items[0]: may not be null"},
            {"{\"counts\":{\"a\":null}}", "counts[\"a\"]: may not be null"},
            {"[]", "'[]' is no amdrpc.test.v1.AllTypes"},
            {"{\"nothing\":1}",
                    "amdrpc.test.v1.AllTypes has no field 'nothing'"},
            {"{\"aString\":\"x\",\"a_string\":\"y\"}",
                    "a_string: is set twice"},
            {"{\"choiceString\":\"x\",\"choiceInt32\":1}",
                    "choiceInt32: another field of the oneof choice is set "
                    "too"},
            {"{\"anInt32\":\"0123456789012345678901234567890123456789"
             "01234567890123456789x\"}",
                    "anInt32: '0123456789012345678901234567890123456789"
                    "01234567890123456789...' is no int32"},
            {"{\"aString\":[\"0123456789012345678901234567890123456789"
             "01234567890123456789\"]}",
                    "aString: '[...]' is no string"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_refused(cases[i].in, cases[i].out);
    }
}
END_TEST

START_TEST(numbers_out_of_range_are_refused)
{
    static const char *const texts[] = {"{\"anInt32\":2147483648}",
            "{\"anInt32\":-2147483649}", "{\"anInt32\":1.5}",
            "{\"anInt32\":\"\"}", "{\"anInt32\":\" 1\"}",
            "{\"anInt32\":\"0x1\"}", "{\"anInt32\":true}", "{\"aUint32\":-1}",
            "{\"aUint32\":4294967296}", "{\"aUint64\":-1}",
            "{\"aUint64\":\"18446744073709551616\"}",
            "{\"anInt64\":\"9223372036854775808\"}", "{\"anInt64\":1e19}",
            "{\"aFixed32\":-1}", "{\"anSint32\":2147483648}",
            "{\"anSfixed64\":\"-9223372036854775809\"}", "{\"aFloat\":3.5e38}",
            "{\"aFloat\":\"nan\"}", "{\"aDouble\":\"1e400\"}",
            "{\"aDouble\":\"0x1p3\"}", "{\"aDouble\":\"1 \"}",
            "{\"aDouble\":\"\"}", "{\"aDouble\":true}",
            "{\"aColour\":2147483648}"};

    for (size_t i = 0; i < COUNT(texts); i++) {
        ck_assert_msg(
                test_json_read(texts[i], strlen(texts[i])) == AMDRPC_EINVAL,
                "%s", texts[i]);
    }
}
END_TEST

START_TEST(special_messages_refuse_what_they_are_not)
{
    static const char *const texts[] = {"{\"aTimestamp\":1}",
            "{\"aTimestamp\":\"\"}",
            "{\"aTimestamp\":\"2001-02-29T00:00:00Z\"}",
            "{\"aTimestamp\":\"2001-01-01T24:00:00Z\"}",
            "{\"aTimestamp\":\"2001-01-01T00:00:00\"}",
            "{\"aTimestamp\":\"2001-01-01t00:00:00Z\"}",
            "{\"aTimestamp\":\"2001-01-01T00:00:00.Z\"}",
            "{\"aTimestamp\":\"2001-01-01T00:00:00.0000000001Z\"}",
            "{\"aTimestamp\":\"2001-01-01T00:00:00+24:00\"}",
            "{\"aTimestamp\":\"0000-12-31T23:59:59Z\"}",
            "{\"aTimestamp\":\"0001-01-01T00:00:00+00:01\"}",
            "{\"aTimestamp\":\"2001-01-01T00:00:00Z\\u0000\"}",
            "{\"aDuration\":\"1\"}", "{\"aDuration\":\"s\"}",
            "{\"aDuration\":\"1.s\"}", "{\"aDuration\":\"--1s\"}",
            "{\"aDuration\":\"315576000001s\"}",
            "{\"aDuration\":\"99999999999999999999s\"}",
            "{\"aMask\":\"foo_bar\"}", "{\"aMask\":\"\\u007f\"}",
            "{\"aMask\":1}", "{\"aStruct\":[]}", "{\"aList\":{}}",
            "{\"anEmpty\":[]}", "{\"anEmpty\":{\"a\":1}}",
            "{\"wrappedInt64\":{}}", "{\"anAny\":{\"name\":\"x\"}}",
            "{\"anAny\":[]}", "{\"anAny\":{\"@type\":1}}",
            "{\"anAny\":{\"@type\":\"x/No\"}}",
            "{\"anAny\":{\"@type\":\"amdrpc.test.v1.Item\"}}",
            "{\"anAny\":{\"@type\":\"x/google.protobuf.Duration\"}}",
            ("{\"anAny\":{\"@type\":\"x/google.protobuf.Duration\","
             "\"value\":\"1s\",\"more\":1}}"),
            "{\"anAny\":{\"@type\":\"x/amdrpc.test.v1.Item\",\"no\":1}}"};

    for (size_t i = 0; i < COUNT(texts); i++) {
        ck_assert_msg(
                test_json_read(texts[i], strlen(texts[i])) == AMDRPC_EINVAL,
                "%s", texts[i]);
    }
}
END_TEST

START_TEST(text_that_is_no_json_is_refused)
{
    static const char *const texts[] = {"", "{", "{}x", "{} {}",
            "{\"aString\":\"\\ud83d\"}", "{\"aString\":\"\xff\"}",
            "{\"aDouble\":1e400}", "{\"aString\":\"x\",\"aString\":\"y\"}",
            "{\"aDouble\":NaN}", "{'aString':1}", "{\"aBool\":true,}"};

    for (size_t i = 0; i < COUNT(texts); i++) {
        ck_assert_msg(
                test_json_read(texts[i], strlen(texts[i])) == AMDRPC_EINVAL,
                "%s", texts[i]);
        ck_assert_ptr_nonnull(strstr(test_json.error.text, "line 1, column "));
    }
}
END_TEST

START_TEST(unknown_fields_can_be_passed_over)
{
    test_json.options.ignore_unknown = true;

    ck_assert_str_eq(test_json_there_and_back(
                             "{\"x\":{\"y\":[1]},\"items\":[{\"z\":1}]}"),
            "{\"items\":[{}]}");
}
END_TEST

/* "{"child":{"child": … {}}}" with @depth messages. */
static char *
nested_text(unsigned depth)
{
    static const char opening[] = "{\"child\":";
    size_t size = (size_t)depth * (sizeof(opening) + 1) + 3;
    char *nested = malloc(size);
    char *end = nested;

    ck_assert_ptr_nonnull(nested);
    for (unsigned i = 1; i < depth; i++) {
        end = stpcpy(end, opening);
    }
    end = stpcpy(end, "{}");
    for (unsigned i = 1; i < depth; i++) {
        end = stpcpy(end, "}");
    }
    return nested;
}

START_TEST(depth_is_limited_when_reading)
{
    char *nested = nested_text(AMDI_JSON_MAX_DEPTH);

    ck_assert_str_eq(test_json_there_and_back(nested), nested);
    free(nested);

    nested = nested_text(AMDI_JSON_MAX_DEPTH + 1);
    ck_assert_int_eq(test_json_read(nested, strlen(nested)), AMDRPC_ELIMIT);
    free(nested);

    nested = nested_text(100000);
    ck_assert_int_ne(test_json_read(nested, strlen(nested)), AMDRPC_OK);
    free(nested);
}
END_TEST

START_TEST(length_is_limited_when_reading)
{
    char *blanks = malloc(AMDI_JSON_MAX_BYTES + 1);

    ck_assert_ptr_nonnull(blanks);
    memset(blanks, ' ', AMDI_JSON_MAX_BYTES + 1);
    memcpy(blanks, "{}", 2);
    ck_assert_int_eq(test_json_read(blanks, AMDI_JSON_MAX_BYTES), AMDRPC_OK);
    ck_assert_int_eq(
            test_json_read(blanks, AMDI_JSON_MAX_BYTES + 1), AMDRPC_ELIMIT);
    free(blanks);
}
END_TEST

static Suite *
json_read_suite(void)
{
    Suite *suite = suite_create("json_read");
    TCase *refused = tcase_create("refused");

    tcase_add_checked_fixture(refused, test_json_setup, test_json_teardown);
    tcase_add_test(refused, wrong_values_are_named_with_their_path);
    tcase_add_test(refused, numbers_out_of_range_are_refused);
    tcase_add_test(refused, special_messages_refuse_what_they_are_not);
    tcase_add_test(refused, text_that_is_no_json_is_refused);
    tcase_add_test(refused, unknown_fields_can_be_passed_over);
    tcase_add_test(refused, depth_is_limited_when_reading);
    tcase_add_test(refused, length_is_limited_when_reading);
    suite_add_tcase(suite, refused);
    return suite;
}

TEST_MAIN(json_read_suite)
