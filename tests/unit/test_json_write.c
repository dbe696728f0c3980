/** Tests JSON of wire forms that only others write, and of broken ones. */
#include "common/json/json.h"
#include "tests/proto/json_fixture.h"
#include "tests/support/runner.h"

#include <check.h>

#include <string.h>

/* ---- wire forms that only others write ---- */

#define WRITTEN(wire) test_json_written(wire, sizeof(wire) - 1)

START_TEST(repeated_numbers_are_read_packed_and_loose)
{
    ck_assert_str_eq(WRITTEN("\xa8\x01\x01\xaa\x01\x02\x02\x03\xa8\x01\x04"),
            "{\"numbers\":[1,2,3,4]}");
    ck_assert_str_eq(
            WRITTEN("\xb2\x01\x02\x02\x03"), "{\"looseNumbers\":[2,3]}");
}
END_TEST

START_TEST(fields_in_any_order_are_gathered)
{
    ck_assert_str_eq(WRITTEN("\xba\x01\x01x\x28\x05\xba\x01\x01y"),
            "{\"anInt32\":5,\"words\":[\"x\",\"y\"]}");
}
END_TEST

START_TEST(last_value_of_a_single_field_counts)
{
    ck_assert_str_eq(WRITTEN("\x28\x05\x28\x06"), "{\"anInt32\":6}");
    ck_assert_str_eq(WRITTEN("\x28\x05\x28\x00"), "{}");
}
END_TEST

START_TEST(message_in_parts_is_merged)
{
    ck_assert_str_eq(WRITTEN("\x52\x03\x0a\x01x\x52\x02\x10\x07"),
            "{\"anItem\":{\"name\":\"x\",\"count\":7}}");
}
END_TEST

START_TEST(last_field_of_a_oneof_counts)
{
    ck_assert_str_eq(
            WRITTEN("\xc8\x02\x05\xc2\x02\x01x"), "{\"choiceString\":\"x\"}");
    ck_assert_str_eq(
            WRITTEN("\xc2\x02\x01x\xc8\x02\x05"), "{\"choiceInt32\":5}");
}
END_TEST

START_TEST(last_entry_of_a_map_key_counts)
{
    ck_assert_str_eq(WRITTEN("\xf2\x01\x05\x0a\x01x\x10\x01"
                             "\xf2\x01\x03\x0a\x01y"
                             "\xf2\x01\x05\x0a\x01x\x10\x02"),
            "{\"counts\":{\"y\":0,\"x\":2}}");
}
END_TEST

START_TEST(map_key_written_in_two_ways_is_one)
{
    ck_assert_str_eq(WRITTEN("\x82\x02\x05\x08\x01\x12\x01x"
                             "\x82\x02\x05\x08\x02\x12\x01y"),
            "{\"byBool\":{\"true\":\"y\"}}");
}
END_TEST

START_TEST(unknown_fields_and_types_are_passed_over)
{
    ck_assert_str_eq(WRITTEN("\xf8\x3f\x01\x2d\x01\x02\x03\x04\x40\x01"),
            "{\"aBool\":true}");
}
END_TEST

START_TEST(broken_wire_forms_are_refused)
{
    static const struct {
        const char *data;
        size_t len;
        const char *sentence;
    } cases[] = {
            {"\x28", 1, "the bytes are no amdrpc.test.v1.AllTypes"},
            {"\x07", 1, "the bytes are no amdrpc.test.v1.AllTypes"},
            {"\x4a\x05x", 3, "the bytes are no amdrpc.test.v1.AllTypes"},
            {"\x4a\x01\xff", 3, "a_string: is not UTF-8"},
            {"\xa2\x01\x03\x0a\x01\xff", 6, "items[0].name: is not UTF-8"},
            {"\xaa\x01\x01\x80", 4, "numbers is cut short"},
            {"\x92\x03\x06\x10\x80\x94\xeb\xdc\x03", 9,
                    "a_timestamp: 0 s and 1000000000 ns are no "
                    "google.protobuf.Timestamp"},
            {"\x9a\x03\x0d\x08\x01\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff"
             "\x01",
                    16,
                    "a_duration: 1 s and -1 ns are no "
                    "google.protobuf.Duration"},
            {"\xa2\x03\x03\x0a\x01X", 6,
                    "a_mask: 'X' is no path of lower-case names"},
            {"\xa2\x03\x05\x0a\x03"
             "a,b",
                    8, "a_mask: 'a,b' is no path of lower-case names"},
            {"\xc2\x03\x03\x12\x01x", 6,
                    "an_any: is a google.protobuf.Any without type"},
            {"\xc2\x03\x05\x0a\x03x/N", 8,
                    "an_any: the type 'x/N' is not known here"},
            {"\xb2\x03\x09\x11\x00\x00\x00\x00\x00\x00\xf0\x7f", 12,
                    "a_value: holds NaN or infinity, which "
                    "google.protobuf.Value may not"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        ck_assert_int_eq(
                test_json_write(cases[i].data, cases[i].len), AMDRPC_EINVAL);
        ck_assert_str_eq(test_json.error.text, cases[i].sentence);
        ck_assert_uint_eq(amdi_buf_len(&test_json.text), 0);
    }
}
END_TEST

START_TEST(depth_is_limited_when_writing)
{
    char data[2 + 3 * 200];
    size_t len = 0;

    for (unsigned i = 0; i < 200; i++) {
        size_t head = len < 128 ? 3 : 4;

        ck_assert_uint_le(len + head, sizeof(data));
        memmove(data + head, data, len);
        data[0] = (char)0xb2; // child = 70
        data[1] = 0x04;
        data[2] = (char)(len < 128 ? len : len | 0x80);
        if (len >= 128) {
            data[3] = (char)(len >> 7);
        }
        len += head;
        if (len > 500) {
            break;
        }
    }
    ck_assert_int_eq(test_json_write(data, len), AMDRPC_ELIMIT);
}
END_TEST

static const char everything[] =
        "{\"aString\":\"x\",\"aBytes\":\"AAAA\",\"items\":[{\"count\":1}],"
        "\"numbers\":[1,2],\"counts\":{\"a\":1,\"b\":2},\"itemsById\":{\"7\":{}"
        "},"
        "\"aStruct\":{\"a\":[null,1]},\"aMask\":\"a.b\",\"aDuration\":\"1s\","
        "\"anAny\":{\"@type\":\"x/amdrpc.test.v1.Item\",\"count\":3}}";

START_TEST(spoilt_bytes_never_crash)
{
    uint8_t copy[400];
    size_t len;

    (void)test_json_there_and_back(everything);
    len = amdi_buf_len(&test_json.wire);
    ck_assert_uint_le(len, sizeof(copy));
    for (size_t i = 0; i < len * 8; i++) {
        memcpy(copy, amdi_buf_peek(&test_json.wire), len);
        copy[i / 8] ^= (uint8_t)(1 << i % 8);
        (void)!test_json_write(copy, len);
        (void)!test_json_write(copy, i / 8);
    }
}
END_TEST

static Suite *
json_write_suite(void)
{
    Suite *suite = suite_create("json_write");
    TCase *wire = tcase_create("wire");
    TCase *spoilt = tcase_create("spoilt");

    tcase_add_checked_fixture(wire, test_json_setup, test_json_teardown);
    tcase_add_test(wire, repeated_numbers_are_read_packed_and_loose);
    tcase_add_test(wire, fields_in_any_order_are_gathered);
    tcase_add_test(wire, last_value_of_a_single_field_counts);
    tcase_add_test(wire, message_in_parts_is_merged);
    tcase_add_test(wire, last_field_of_a_oneof_counts);
    tcase_add_test(wire, last_entry_of_a_map_key_counts);
    tcase_add_test(wire, map_key_written_in_two_ways_is_one);
    tcase_add_test(wire, unknown_fields_and_types_are_passed_over);
    tcase_add_test(wire, broken_wire_forms_are_refused);
    tcase_add_test(wire, depth_is_limited_when_writing);
    suite_add_tcase(suite, wire);
    tcase_add_checked_fixture(spoilt, test_json_setup, test_json_teardown);
    tcase_add_test(spoilt, spoilt_bytes_never_crash);
    suite_add_tcase(suite, spoilt);
    return suite;
}

TEST_MAIN(json_write_suite)
