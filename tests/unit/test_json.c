/** Tests the JSON mapping there and back, on every kind of field. */
#include "common/alloc.h"
#include "common/json/json.h"
#include "tests/proto/json_fixture.h"
#include "tests/support/runner.h"

#include <check.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct pair {
    const char *in;
    const char *out;
};

static void
assert_pairs(const struct pair *pairs, size_t npairs)
{
    for (size_t i = 0; i < npairs; i++) {
        ck_assert_str_eq(test_json_there_and_back(pairs[i].in), pairs[i].out);
    }
}

/* ---- there and back ---- */

START_TEST(canonical_numbers_come_back_as_they_were)
{
    static const char *const texts[] = {
            "{\"aDouble\":1.5,\"aFloat\":-0.25}",
            "{\"aDouble\":0.1,\"aFloat\":0.1}",
            "{\"aDouble\":1e+300,\"aFloat\":3.4028235e+38}",
            "{\"aDouble\":-0.0}",
            "{\"aDouble\":1.7976931348623157e+308}",
            "{\"aDouble\":\"NaN\",\"aFloat\":\"-Infinity\"}",
            "{\"anInt64\":\"-9223372036854775808\"}",
            "{\"aUint64\":\"18446744073709551615\"}",
            "{\"anInt32\":-2147483648,\"aUint32\":4294967295}",
            "{\"aFixed64\":\"18446744073709551615\",\"aFixed32\":4294967295}",
            "{\"anSfixed32\":-1,\"anSfixed64\":\"-1\"}",
            "{\"anSint32\":-2147483648}",
            "{\"anSint64\":\"-9223372036854775808\"}",
    };

    for (size_t i = 0; i < COUNT(texts); i++) {
        ck_assert_str_eq(test_json_there_and_back(texts[i]), texts[i]);
    }
}
END_TEST

START_TEST(canonical_text_comes_back_as_it_was)
{
    static const char *const texts[] = {
            "{}",
            "{\"aBool\":true}",
            "{\"aString\":\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001 \xc3\xa4\"}",
            "{\"aString\":\"\xf0\x9f\x98\x80\"}",
            "{\"aBytes\":\"AA==\"}",
            "{\"aBytes\":\"+/8=\"}",
            "{\"aBytes\":\"AAAA\"}",
            "{\"aColour\":\"COLOUR_BLUE\"}",
            "{\"aColour\":7}",
            "{\"anItem\":{}}",
            "{\"items\":[{\"name\":\"a\",\"count\":1},{}]}",
            "{\"numbers\":[1,-2,0],\"looseNumbers\":[3,4]}",
            "{\"words\":[\"\",\"b\"],\"colours\":[\"COLOUR_NONE\"]}",
            "{\"counts\":{\"a\":1,\"\":0}}",
            "{\"itemsById\":{\"-1\":{\"count\":2},\"5\":{}}}",
            "{\"byBool\":{\"true\":\"yes\",\"false\":\"no\"}}",
            "{\"choiceString\":\"\"}",
            "{\"choiceInt32\":0}",
            "{\"choiceItem\":{}}",
            "{\"choiceNull\":null}",
            "{\"child\":{\"child\":{\"aBool\":true}}}",
            "{\"other-name\":\"x\"}",
    };

    for (size_t i = 0; i < COUNT(texts); i++) {
        ck_assert_str_eq(test_json_there_and_back(texts[i]), texts[i]);
    }
}
END_TEST

START_TEST(other_forms_become_canonical)
{
    static const struct pair pairs[] = {
            {" { \"a_string\" : \"x\" } ", "{\"aString\":\"x\"}"},
            {"{\"renamed\":\"x\"}", "{\"other-name\":\"x\"}"},
            {"{\"anInt32\":\"12\"}", "{\"anInt32\":12}"},
            {"{\"anInt32\":1e3}", "{\"anInt32\":1000}"},
            {"{\"anInt32\":\"1.0e1\"}", "{\"anInt32\":10}"},
            {"{\"anInt64\":5}", "{\"anInt64\":\"5\"}"},
            {"{\"anInt64\":-1.0}", "{\"anInt64\":\"-1\"}"},
            {"{\"aDouble\":\"2.5\"}", "{\"aDouble\":2.5}"},
            {"{\"aDouble\":3}", "{\"aDouble\":3}"},
            {"{\"aFloat\":\"Infinity\"}", "{\"aFloat\":\"Infinity\"}"},
            {"{\"aBytes\":\"-_8\"}", "{\"aBytes\":\"+/8=\"}"},
            {"{\"aColour\":1}", "{\"aColour\":\"COLOUR_RED\"}"},
            {"{\"aString\":\"\\u00e4\\ud83d\\ude00\"}",
                    "{\"aString\":\"\xc3\xa4\xf0\x9f\x98\x80\"}"},
            {"{\"aString\":\"a\\u0000b\"}", "{\"aString\":\"a\\u0000b\"}"},
            {"{\"itemsById\":{\"5\":{}}}", "{\"itemsById\":{\"5\":{}}}"},
    };

    assert_pairs(pairs, COUNT(pairs));
}
END_TEST

START_TEST(null_and_defaults_are_left_out)
{
    static const struct pair pairs[] = {
            {"{\"aString\":null,\"items\":null,\"counts\":null,"
             "\"anItem\":null,\"choiceString\":null,\"aTimestamp\":null}",
                    "{}"},
            {"{\"aString\":\"\",\"anInt64\":0,\"aBool\":false,"
             "\"aDouble\":0.0,\"aColour\":\"COLOUR_NONE\",\"aBytes\":\"\","
             "\"items\":[],\"counts\":{}}",
                    "{}"},
    };

    assert_pairs(pairs, COUNT(pairs));
    ck_assert_uint_eq(amdi_buf_len(&test_json.wire), 0);
}
END_TEST

START_TEST(special_messages_have_their_own_form)
{
    static const char *const texts[] = {
            "{\"aTimestamp\":\"1972-01-01T10:00:20.021Z\"}",
            "{\"aTimestamp\":\"0001-01-01T00:00:00Z\"}",
            "{\"aTimestamp\":\"9999-12-31T23:59:59.999999999Z\"}",
            "{\"aTimestamp\":\"1969-12-31T23:59:59.000001Z\"}",
            "{\"aDuration\":\"1.500s\"}",
            "{\"aDuration\":\"-0.000001s\"}",
            "{\"aDuration\":\"315576000000s\"}",
            "{\"aMask\":\"fooBar.baz,x\"}",
            "{\"aMask\":\"\"}",
            "{\"aStruct\":{\"a\":1,\"b\":[null,true,\"x\",{}],\"c\":{\"d\":-0."
            "5}}}",
            "{\"aStruct\":{}}",
            "{\"aValue\":null}",
            "{\"aValue\":[1,\"2\"]}",
            "{\"aList\":[]}",
            "{\"someValues\":[null,1]}",
            "{\"valuesByName\":{\"n\":null,\"t\":true}}",
            "{\"anEmpty\":{}}",
            "{\"wrappedInt64\":\"0\",\"wrappedString\":\"\","
            "\"wrappedBool\":false,\"wrappedBytes\":\"AA==\"}",
            "{\"anAny\":{}}",
            "{\"anAny\":{\"@type\":\"type.googleapis.com/"
            "amdrpc.test.v1.Item\",\"name\":\"x\"}}",
            "{\"anAny\":{\"@type\":\"x/google.protobuf.Duration\","
            "\"value\":\"1s\"}}",
            "{\"anAny\":{\"@type\":\"x/google.protobuf.Empty\"}}",
            "{\"anys\":[{\"@type\":\"x/google.protobuf.Any\",\"value\":"
            "{\"@type\":\"x/google.protobuf.Int64Value\",\"value\":\"7\"}}]}",
    };

    for (size_t i = 0; i < COUNT(texts); i++) {
        ck_assert_str_eq(test_json_there_and_back(texts[i]), texts[i]);
    }
}
END_TEST

START_TEST(times_are_read_in_every_form)
{
    static const struct pair pairs[] = {
            {"{\"aTimestamp\":\"2000-01-01T01:30:00+01:30\"}",
                    "{\"aTimestamp\":\"2000-01-01T00:00:00Z\"}"},
            {"{\"aTimestamp\":\"2000-02-29T00:00:00.1-23:59\"}",
                    "{\"aTimestamp\":\"2000-02-29T23:59:00.100Z\"}"},
            {"{\"aDuration\":\"0.5s\"}", "{\"aDuration\":\"0.500s\"}"},
            {"{\"aDuration\":\"-3.000000001s\"}",
                    "{\"aDuration\":\"-3.000000001s\"}"},
    };

    assert_pairs(pairs, COUNT(pairs));
}
END_TEST

/* ---- options ---- */

START_TEST(pretty_text_has_a_field_a_line)
{
    test_json.options.pretty = true;

    ck_assert_str_eq(
            test_json_there_and_back("{\"items\":[{\"count\":1},{}],"
                                     "\"counts\":{\"a\":1},\"aList\":[]}"),
            "{\n  \"items\": [\n    {\n      \"count\": 1\n    },\n    {}\n  "
            "],\n  \"counts\": {\n    \"a\": 1\n  },\n  \"aList\": []\n}");
}
END_TEST

START_TEST(original_names_can_be_kept)
{
    test_json.options.original_names = true;

    ck_assert_str_eq(
            test_json_there_and_back("{\"aBool\":true,\"other-name\":\"x\"}"),
            "{\"a_bool\":true,\"renamed\":\"x\"}");
}
END_TEST

START_TEST(defaults_can_be_shown)
{
    test_json.options.emit_defaults = true;

    ck_assert_str_eq(test_json_there_and_back("{\"anItem\":{}}"),
            "{\"aDouble\":0,\"aFloat\":0,\"anInt64\":\"0\",\"aUint64\":\"0\","
            "\"anInt32\":0,\"aFixed64\":\"0\",\"aFixed32\":0,\"aBool\":false,"
            "\"aString\":\"\",\"anItem\":{\"name\":\"\",\"count\":0},"
            "\"aBytes\":\"\",\"aUint32\":0,\"aColour\":\"COLOUR_NONE\","
            "\"anSfixed32\":0,\"anSfixed64\":\"0\",\"anSint32\":0,"
            "\"anSint64\":\"0\",\"items\":[],\"numbers\":[],"
            "\"looseNumbers\":[],\"words\":[],\"colours\":[],\"doubles\":[],"
            "\"counts\":{},\"itemsById\":{},\"byBool\":{},"
            "\"valuesByName\":{},\"anys\":[],\"someValues\":[],"
            "\"other-name\":\"\"}");
}
END_TEST

/* ---- no memory ---- */

static const char everything[] =
        "{\"aString\":\"x\",\"aBytes\":\"AAAA\",\"items\":[{\"count\":1}],"
        "\"numbers\":[1,2],\"counts\":{\"a\":1,\"b\":2},\"itemsById\":{\"7\":{}"
        "},"
        "\"aStruct\":{\"a\":[null,1]},\"aMask\":\"a.b\",\"aDuration\":\"1s\","
        "\"anAny\":{\"@type\":\"x/amdrpc.test.v1.Item\",\"count\":3}}";

/* Runs one direction with the n-th allocation failing, for every n. */
static void
sweep(bool is_reading)
{
    for (int64_t n = 0;; n++) {
        struct amdi_buf out;
        amdrpc_err err;

        amdi_buf_init(&out);
        amdi_alloc_fail_at(n);
        if (is_reading) {
            err = amdi_json_read(test_json.descriptors, test_json.all_types,
                    everything, strlen(everything), NULL, &out,
                    &test_json.error);
        } else {
            err = amdi_json_write(test_json.descriptors, test_json.all_types,
                    amdi_buf_peek(&test_json.wire),
                    amdi_buf_len(&test_json.wire), NULL, &out,
                    &test_json.error);
        }
        if (!amdi_alloc_has_failed()) {
            ck_assert_int_eq(err, AMDRPC_OK);
            ck_assert_uint_gt(amdi_buf_len(&out), 0);
            amdi_buf_fini(&out);
            break;
        }
        ck_assert_int_ne(err, AMDRPC_OK);
        ck_assert_uint_eq(amdi_buf_len(&out), 0);
        amdi_buf_fini(&out);
    }
    amdi_alloc_fail_at(-1);
}

START_TEST(no_memory_is_an_ordinary_error)
{
    json_malloc_t old_malloc;
    json_free_t old_free;

    (void)test_json_there_and_back(everything);
    sweep(false);
    // jansson's own allocations fail too.
    json_get_alloc_funcs(&old_malloc, &old_free);
    json_set_alloc_funcs(amdi_alloc, amdi_free);
    sweep(true);
    json_set_alloc_funcs(old_malloc, old_free);
}
END_TEST

static Suite *
json_suite(void)
{
    Suite *suite = suite_create("json");
    TCase *both = tcase_create("both ways");
    TCase *options = tcase_create("options");
    TCase *memory = tcase_create("memory");

    tcase_add_checked_fixture(both, test_json_setup, test_json_teardown);
    tcase_add_test(both, canonical_numbers_come_back_as_they_were);
    tcase_add_test(both, canonical_text_comes_back_as_it_was);
    tcase_add_test(both, other_forms_become_canonical);
    tcase_add_test(both, null_and_defaults_are_left_out);
    tcase_add_test(both, special_messages_have_their_own_form);
    tcase_add_test(both, times_are_read_in_every_form);
    suite_add_tcase(suite, both);
    tcase_add_checked_fixture(options, test_json_setup, test_json_teardown);
    tcase_add_test(options, pretty_text_has_a_field_a_line);
    tcase_add_test(options, original_names_can_be_kept);
    tcase_add_test(options, defaults_can_be_shown);
    suite_add_tcase(suite, options);
    tcase_add_checked_fixture(memory, test_json_setup, test_json_teardown);
    tcase_add_test(memory, no_memory_is_an_ordinary_error);
    suite_add_tcase(suite, memory);
    return suite;
}

TEST_MAIN(json_suite)
