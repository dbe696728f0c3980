/** Tests the wire form's values and the look before unpacking. */
#include "amdrpc/bench/v1/bench.pb-c.h"
#include "common/alloc.h"
#include "common/wire.h"
#include "google/protobuf/descriptor.pb-c.h"
#include "tests/support/runner.h"

#include <check.h>

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct amdi_buf buf;

static void
setup(void)
{
    amdi_buf_init(&buf);
}

static void
teardown(void)
{
    amdi_buf_fini(&buf);
}

static struct amdi_buf_reader
reader_of(const void *data, size_t len)
{
    return (struct amdi_buf_reader){.data = data, .len = len};
}

START_TEST(varint_that_was_written_is_read)
{
    static const uint64_t values[] = {0, 1, 127, 128, 300, 16383, 16384,
            UINT32_MAX, UINT64_C(1) << 63, UINT64_MAX};

    for (size_t i = 0; i < COUNT(values); i++) {
        struct amdi_buf_reader reader;
        uint64_t value = 42;

        amdi_buf_clear(&buf);
        ck_assert_int_eq(amdi_wire_put_varint(&buf, values[i]), AMDRPC_OK);
        reader = reader_of(amdi_buf_peek(&buf), amdi_buf_len(&buf));
        ck_assert(amdi_wire_read_varint(&reader, &value));
        ck_assert_uint_eq(value, values[i]);
        ck_assert_uint_eq(reader.len, 0);
    }
}
END_TEST

START_TEST(varint_without_end_is_refused)
{
    static const uint8_t too_long[] = {
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02};
    uint64_t value;

    for (size_t len = 0; len <= sizeof(too_long); len++) {
        struct amdi_buf_reader reader = reader_of(too_long, len);

        ck_assert(!amdi_wire_read_varint(&reader, &value));
        ck_assert_uint_eq(reader.len, len);
    }
}
END_TEST

START_TEST(zigzag_goes_there_and_back)
{
    static const int64_t values[] = {0, -1, 1, -2, INT64_MAX, INT64_MIN};

    for (size_t i = 0; i < COUNT(values); i++) {
        ck_assert_int_eq(
                amdi_wire_unzigzag(amdi_wire_zigzag(values[i])), values[i]);
    }
    ck_assert_uint_eq(amdi_wire_zigzag(-1), 1);
    ck_assert_uint_eq(amdi_wire_zigzag(INT64_MIN), UINT64_MAX);
}
END_TEST

START_TEST(fixed_values_are_little_endian)
{
    static const uint8_t expected[] = {4, 3, 2, 1, 8, 7, 6, 5, 4, 3, 2, 1};
    struct amdi_buf_reader reader;
    uint32_t four;
    uint64_t eight;

    ck_assert_int_eq(amdi_wire_put_fixed32(&buf, 0x01020304), AMDRPC_OK);
    ck_assert_int_eq(amdi_wire_put_fixed64(&buf, UINT64_C(0x0102030405060708)),
            AMDRPC_OK);
    ck_assert_uint_eq(amdi_buf_len(&buf), sizeof(expected));
    ck_assert_mem_eq(amdi_buf_peek(&buf), expected, sizeof(expected));

    reader = reader_of(expected, sizeof(expected));
    ck_assert(amdi_wire_read_fixed32(&reader, &four));
    ck_assert(amdi_wire_read_fixed64(&reader, &eight));
    ck_assert_uint_eq(four, 0x01020304);
    ck_assert_uint_eq(eight, UINT64_C(0x0102030405060708));
    ck_assert(!amdi_wire_read_fixed32(&reader, &four));
    ck_assert(!amdi_wire_read_fixed64(&reader, &eight));
}
END_TEST

START_TEST(tag_of_no_field_is_refused)
{
    // Number 0, both group types, the two types that are none, and a number
    // beyond 2^29 - 1.
    static const uint64_t tags[] = {
            0x02, 0x0b, 0x0c, 0x0e, 0x0f, UINT64_C(1) << 32};

    for (size_t i = 0; i < COUNT(tags); i++) {
        struct amdi_buf_reader reader;
        enum amdi_wire_type type;
        uint32_t number;

        amdi_buf_clear(&buf);
        ck_assert_int_eq(amdi_wire_put_varint(&buf, tags[i]), AMDRPC_OK);
        reader = reader_of(amdi_buf_peek(&buf), amdi_buf_len(&buf));
        ck_assert(!amdi_wire_read_tag(&reader, &number, &type));
    }
}
END_TEST

START_TEST(every_type_is_skipped_whole)
{
    static const uint8_t values[] = {
            0x80, 0x01, 1, 2, 3, 4, 5, 6, 7, 8, 2, 'h', 'i', 1, 2, 3, 4};
    struct amdi_buf_reader reader = reader_of(values, sizeof(values));

    ck_assert(amdi_wire_skip(&reader, AMDI_WIRE_VARINT));
    ck_assert(amdi_wire_skip(&reader, AMDI_WIRE_FIXED64));
    ck_assert(amdi_wire_skip(&reader, AMDI_WIRE_BYTES));
    ck_assert(amdi_wire_skip(&reader, AMDI_WIRE_FIXED32));
    ck_assert_uint_eq(reader.len, 0);
    ck_assert(!amdi_wire_skip(&reader, AMDI_WIRE_VARINT));
    ck_assert(!amdi_wire_skip(&reader, AMDI_WIRE_BYTES));
}
END_TEST

START_TEST(failed_put_of_bytes_appends_nothing)
{
    amdi_alloc_fail_at(0);

    ck_assert_int_eq(amdi_wire_put_bytes(&buf, "hello", 5), AMDRPC_ENOMEM);
    ck_assert_uint_eq(amdi_buf_len(&buf), 0);
}
END_TEST

/* ---- the look before unpacking ---- */

/* What amdi_wire_check says about a FileDescriptorProto, as text. */
static const char *
fault_of(const void *data, size_t len, amdrpc_err expected)
{
    static char text[200];
    struct amdi_wire_fault fault = {0};

    ck_assert_int_eq(
            amdi_wire_check(
                    &google__protobuf__file_descriptor_proto__descriptor, data,
                    len, AMDI_WIRE_MAX_DEPTH, &fault),
            expected);
    ck_assert_int_eq(
            amdi_wire_check(
                    &google__protobuf__file_descriptor_proto__descriptor, data,
                    len, AMDI_WIRE_MAX_DEPTH, NULL),
            expected);
    if (expected == AMDRPC_OK) {
        return "";
    }
    amdi_wire_fault_print(&fault, text, sizeof(text));
    return text;
}

START_TEST(good_message_passes)
{
    // name "a", an unknown field 100, message_type { name "M" }.
    static const uint8_t wire[] = {
            0x0a, 1, 'a', 0xa0, 0x06, 5, 0x22, 3, 0x0a, 1, 'M'};

    (void)fault_of(wire, sizeof(wire), AMDRPC_OK);
    (void)fault_of(wire, 0, AMDRPC_OK);
}
END_TEST

START_TEST(bytes_field_may_hold_anything)
{
    static const uint8_t wire[] = {0x0a, 2, 0xff, 0xfe};

    ck_assert_int_eq(
            amdi_wire_check(&amdrpc__bench__v1__echo_request__descriptor, wire,
                    sizeof(wire), 1, NULL),
            AMDRPC_OK);
}
END_TEST

START_TEST(string_that_is_not_utf8_is_named)
{
    static const uint8_t wire[] = {0x22, 3, 0x0a, 1, 0xff};

    ck_assert_str_eq(fault_of(wire, sizeof(wire), AMDRPC_EINVAL),
            "google.protobuf.DescriptorProto.name is not UTF-8");
}
END_TEST

START_TEST(truncated_message_is_named)
{
    static const uint8_t wire[] = {0x22, 3, 0x0a, 1, 'M'};

    ck_assert_str_eq(fault_of(wire, 4, AMDRPC_EINVAL),
            "google.protobuf.FileDescriptorProto.message_type is cut short");
    ck_assert_str_eq(fault_of("\x0f", 1, AMDRPC_EINVAL),
            "google.protobuf.FileDescriptorProto holds bytes that begin no "
            "field");
}
END_TEST

/* A FileDescriptorProto with @nested messages in each other, returned owned. */
static uint8_t *
nest(unsigned nested, size_t *out_len)
{
    uint8_t *wire = malloc((size_t)nested * 4);
    size_t start = (size_t)nested * 4;
    size_t len = 0;

    ck_assert_ptr_nonnull(wire);
    for (unsigned i = 0; i < nested; i++) {
        uint8_t tag = i + 1 == nested ? 0x22 : 0x1a; // the outermost is last

        if (len >= 128) {
            wire[--start] = (uint8_t)(len >> 7);
            wire[--start] = (uint8_t)(len | 0x80);
        } else {
            wire[--start] = (uint8_t)len;
        }
        wire[--start] = tag;
        len = (size_t)nested * 4 - start;
    }
    memmove(wire, wire + start, len);
    *out_len = len;
    return wire;
}

START_TEST(depth_is_allowed_up_to_the_limit)
{
    size_t len;
    uint8_t *wire = nest(AMDI_WIRE_MAX_DEPTH - 1, &len);

    (void)fault_of(wire, len, AMDRPC_OK);
    free(wire);

    wire = nest(AMDI_WIRE_MAX_DEPTH, &len);
    ck_assert_str_eq(fault_of(wire, len, AMDRPC_ELIMIT),
            "google.protobuf.DescriptorProto.nested_type lies deeper than "
            "messages may");
    free(wire);
}
END_TEST

START_TEST(depth_beyond_any_stack_is_refused)
{
    size_t len;
    uint8_t *wire = nest(4000, &len);

    (void)fault_of(wire, len, AMDRPC_ELIMIT);
    free(wire);
}
END_TEST

static Suite *
wire_suite(void)
{
    Suite *suite = suite_create("wire");
    TCase *values = tcase_create("values");
    TCase *look = tcase_create("check");

    tcase_add_checked_fixture(values, setup, teardown);
    tcase_add_test(values, varint_that_was_written_is_read);
    tcase_add_test(values, varint_without_end_is_refused);
    tcase_add_test(values, zigzag_goes_there_and_back);
    tcase_add_test(values, fixed_values_are_little_endian);
    tcase_add_test(values, tag_of_no_field_is_refused);
    tcase_add_test(values, every_type_is_skipped_whole);
    tcase_add_test(values, failed_put_of_bytes_appends_nothing);
    suite_add_tcase(suite, values);
    tcase_add_test(look, good_message_passes);
    tcase_add_test(look, bytes_field_may_hold_anything);
    tcase_add_test(look, string_that_is_not_utf8_is_named);
    tcase_add_test(look, truncated_message_is_named);
    tcase_add_test(look, depth_is_allowed_up_to_the_limit);
    tcase_add_test(look, depth_beyond_any_stack_is_refused);
    suite_add_tcase(suite, look);
    return suite;
}

TEST_MAIN(wire_suite)
