/** Tests that messages are unpacked within limits, and what is said else. */
#include "google/protobuf/descriptor.pb-c.h"
#include "server/unpack.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"

#include <check.h>

#include <stdbool.h>
#include <string.h>

#define DESC (&google__protobuf__descriptor_proto__descriptor)

// DescriptorProto: name = 1, nested_type = 3.
#define TAG_NAME 0x0a
#define TAG_NESTED 0x1a

static struct amdi_arena arena;
static size_t max_bytes;
static char why[AMDI_UNPACK_WHY_BYTES];

static void
setup(void)
{
    amdi_arena_init(&arena, /*max_bytes=*/0);
    max_bytes = 1024 * 1024;
    memset(why, 0, sizeof(why));
}

static void
teardown(void)
{
    amdi_arena_fini(&arena);
}

static amdrpc_err
unpack(const void *data, size_t len, ProtobufCMessage **out)
{
    const struct amdi_unpack_limits limits = {
            .max_bytes = (uint32_t)max_bytes, .max_nesting = 100};

    return amdi_unpack(DESC, data, len, &arena, &limits, out, why);
}

/** Messages in each other, so many; returns where they begin in @buf. */
static const uint8_t *
nest(uint8_t *buf, size_t size, unsigned levels, size_t *out_len)
{
    size_t at = size;

    for (unsigned i = 0; i < levels; i++) {
        size_t len = size - at;
        bool is_long = len >= 128;

        if (is_long) {
            buf[--at] = (uint8_t)(len >> 7);
        }
        ck_assert_uint_lt(len, 16384);
        buf[--at] = (uint8_t)((len & 0x7f) | (is_long ? 0x80 : 0));
        buf[--at] = TAG_NESTED;
    }
    *out_len = size - at;
    return buf + at;
}

START_TEST(message_is_unpacked_into_the_arena)
{
    static const uint8_t wire[] = {TAG_NAME, 2, 'h', 'i'};
    ProtobufCMessage *msg = NULL;

    ck_assert_int_eq(unpack(wire, sizeof(wire), &msg), AMDRPC_OK);

    ck_assert_str_eq(((Google__Protobuf__DescriptorProto *)msg)->name, "hi");
    ck_assert_uint_gt(arena.used_bytes, 0);
}
END_TEST

START_TEST(empty_message_is_unpacked)
{
    ProtobufCMessage *msg = NULL;

    ck_assert_int_eq(unpack("", 0, &msg), AMDRPC_OK);
    ck_assert_ptr_nonnull(msg);
}
END_TEST

START_TEST(every_truncation_is_refused)
{
    static const uint8_t wire[] = {
            TAG_NESTED, 6, TAG_NAME, 4, 'n', 'a', 'm', 'e'};
    ProtobufCMessage *msg = NULL;

    for (size_t len = 1; len < sizeof(wire); len++) {
        ck_assert_int_eq(unpack(wire, len, &msg), AMDRPC_EPROTO);
        ck_assert_str_ne(why, "");
        ck_assert_ptr_null(msg);
    }
}
END_TEST

START_TEST(text_that_is_not_utf8_is_refused)
{
    static const uint8_t wire[] = {TAG_NAME, 2, 0xc3, 0x28};
    ProtobufCMessage *msg = NULL;

    ck_assert_int_eq(unpack(wire, sizeof(wire), &msg), AMDRPC_EPROTO);
    ck_assert_ptr_nonnull(strstr(why, "UTF-8"));
    ck_assert_ptr_nonnull(strstr(why, "name"));
}
END_TEST

START_TEST(hundred_levels_are_unpacked)
{
    uint8_t buf[1024];
    size_t len = 0;
    const uint8_t *wire = nest(buf, sizeof(buf), 99, &len);
    ProtobufCMessage *msg = NULL;

    ck_assert_int_eq(unpack(wire, len, &msg), AMDRPC_OK);
}
END_TEST

START_TEST(deeper_levels_are_refused)
{
    static const unsigned levels[] = {101, 1000, 4000};
    static uint8_t buf[16384];
    size_t len = 0;
    const uint8_t *wire = nest(buf, sizeof(buf), levels[_i], &len);
    ProtobufCMessage *msg = NULL;

    ck_assert_int_eq(unpack(wire, len, &msg), AMDRPC_ELIMIT);
    ck_assert_str_ne(why, "");
}
END_TEST

START_TEST(message_that_grows_beyond_the_arena_is_refused)
{
    static uint8_t wire[2000]; // a thousand empty messages
    ProtobufCMessage *msg = NULL;

    for (size_t i = 0; i < sizeof(wire); i += 2) {
        wire[i] = TAG_NESTED;
    }
    max_bytes = 16384;

    ck_assert_int_eq(unpack(wire, sizeof(wire), &msg), AMDRPC_ELIMIT);
    ck_assert_str_eq(
            why, "google.protobuf.DescriptorProto needs too much memory");
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("unpack");
    TCase *message = tcase_create("message");
    TCase *limits = tcase_create("limits");

    tcase_add_checked_fixture(message, setup, teardown);
    tcase_add_test(message, message_is_unpacked_into_the_arena);
    tcase_add_test(message, empty_message_is_unpacked);
    tcase_add_test(message, every_truncation_is_refused);
    tcase_add_test(message, text_that_is_not_utf8_is_refused);
    suite_add_tcase(suite, message);

    tcase_add_checked_fixture(limits, setup, teardown);
    tcase_add_test(limits, hundred_levels_are_unpacked);
    tcase_add_loop_test(limits, deeper_levels_are_refused, 0, 3);
    tcase_add_test(limits, message_that_grows_beyond_the_arena_is_refused);
    suite_add_tcase(suite, limits);
    return suite;
}

TEST_MAIN(make_suite)
