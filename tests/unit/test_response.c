/** Tests the header fields of answers. */
#include "common/encoding.h"
#include "common/metadata.h"
#include "server/conn/response.h"
#include "tests/support/runner.h"

#include <check.h>

#include <stdio.h>
#include <string.h>

// What we allow ourselves, below the 8 KiB that grpcio takes.
#define MAX_LIST_BYTES 8000u

static struct amdi_response response;
static struct amdi_arena arena;
static struct amdrpc_metadata metadata;

static void
setup(void)
{
    amdi_arena_init(&arena, /*max_bytes=*/0);
    amdi_metadata_init(&metadata, &arena);
    amdi_response_clear(&response);
}

static void
teardown(void)
{
    amdi_arena_fini(&arena);
}

static const struct amdi_h2_field *
find(const char *name)
{
    for (size_t i = 0; i < response.nfields; i++) {
        const struct amdi_h2_field *field = &response.fields[i];

        if (field->name_len == strlen(name) &&
                memcmp(field->name, name, field->name_len) == 0) {
            return field;
        }
    }
    return NULL;
}

static void
has_field(const char *name, const char *value)
{
    const struct amdi_h2_field *field = find(name);

    ck_assert_msg(field != NULL, "no field %s", name);
    ck_assert_uint_eq(field->value_len, strlen(value));
    ck_assert_mem_eq(field->value, value, field->value_len);
}

static size_t
list_bytes(void)
{
    size_t n = 0;

    for (size_t i = 0; i < response.nfields; i++) {
        n += response.fields[i].name_len + response.fields[i].value_len + 32;
    }
    return n;
}

static void
add_metadata(const char *name, const void *value, size_t len)
{
    ck_assert_int_eq(
            amdrpc_metadata_add(&metadata, name, value, len), AMDRPC_OK);
}

static void
add_status(amdrpc_status_code code, const char *message)
{
    amdi_response_add_status(&response, code, message, &metadata, &arena);
}

START_TEST(first_block_begins_with_the_status)
{
    amdi_response_begin(&response, false, NULL, &arena);

    ck_assert_uint_eq(response.nfields, 2);
    ck_assert_mem_eq(response.fields[0].name, ":status", 7);
    has_field(":status", "200");
    has_field("content-type", "application/grpc");
}
END_TEST

START_TEST(codec_of_the_messages_is_named)
{
    amdi_response_begin(&response, true, NULL, &arena);

    has_field("grpc-encoding", "gzip");
}
END_TEST

START_TEST(codecs_for_requests_are_listed)
{
    amdi_response_clear(&response);
    amdi_response_add_codecs(&response);

    has_field("grpc-accept-encoding", "identity,gzip");
}
END_TEST

START_TEST(metadata_is_in_its_wire_form)
{
    add_metadata("x-text", "hello", 5);
    add_metadata("x-bin", "\0\xff", 2);

    amdi_response_begin(&response, false, &metadata, &arena);

    has_field("x-text", "hello");
    has_field("x-bin", "AP8");
}
END_TEST

START_TEST(block_that_is_no_grpc_has_its_own_status)
{
    amdi_response_begin_http(&response, "415");

    has_field(":status", "415");
    has_field("content-type", "text/plain");
    ck_assert_ptr_null(find("grpc-status"));
}
END_TEST

START_TEST(each_status_is_written)
{
    char digits[8];

    add_status((amdrpc_status_code)_i, NULL);

    (void)snprintf(digits, sizeof(digits), "%d", _i);
    has_field("grpc-status", digits);
    ck_assert_ptr_null(find("grpc-message"));
}
END_TEST

START_TEST(status_that_does_not_exist_is_unknown)
{
    static const int codes[] = {17, 99, -1};

    add_status((amdrpc_status_code)codes[_i], NULL);

    has_field("grpc-status", "2");
}
END_TEST

START_TEST(empty_message_is_left_out)
{
    add_status(AMDRPC_STATUS_OK, "");

    ck_assert_uint_eq(response.nfields, 1);
}
END_TEST

static const struct {
    const char *message;
    const char *wire;
} messages[] = {
        {"plain text, with ~ and !", "plain text, with ~ and !"},
        {"100%", "100%25"},
        {"a\nb\x7f", "a%0Ab%7F"},
        {"gr\xc3\xbc\xc3\x9f", "gr%C3%BC%C3%9F"},
};

START_TEST(message_is_percent_encoded)
{
    add_status(AMDRPC_STATUS_INTERNAL, messages[_i].message);

    has_field("grpc-message", messages[_i].wire);
}
END_TEST

START_TEST(trailers_have_status_metadata_and_message)
{
    add_metadata("x-a", "1", 1);
    add_metadata("x-a", "2", 1);

    add_status(AMDRPC_STATUS_NOT_FOUND, "no such thing");

    ck_assert_uint_eq(response.nfields, 4);
    ck_assert_mem_eq(response.fields[0].name, "grpc-status", 11);
    has_field("grpc-message", "no such thing");
}
END_TEST

START_TEST(long_message_is_cut)
{
    static char text[20000];

    memset(text, 'm', sizeof(text) - 1);
    add_status(AMDRPC_STATUS_INTERNAL, text);

    ck_assert_uint_eq(list_bytes(), MAX_LIST_BYTES);
    ck_assert_uint_eq(response.list_bytes, list_bytes());
}
END_TEST

/** Every place in an escape where the room may end. */
START_TEST(long_message_is_cut_between_escapes)
{
    static char text[20000];
    const struct amdi_h2_field *field = NULL;

    memset(text, '\n', sizeof(text) - 1);
    memset(text, 'm', (size_t)_i);
    add_status(AMDRPC_STATUS_INTERNAL, text);

    field = find("grpc-message");
    ck_assert_uint_le(list_bytes(), MAX_LIST_BYTES);
    ck_assert_uint_gt(list_bytes(), MAX_LIST_BYTES - 3);
    ck_assert_uint_eq((field->value_len - (size_t)_i) % 3, 0);
    ck_assert_mem_eq(field->value + field->value_len - 3, "%0A", 3);
}
END_TEST

START_TEST(metadata_that_does_not_fit_is_left_out)
{
    static char big[9000];

    memset(big, 'v', sizeof(big));
    add_metadata("x-big", big, sizeof(big));
    add_metadata("x-small", "1", 1);

    add_status(AMDRPC_STATUS_OK, "message");

    ck_assert_ptr_null(find("x-big"));
    has_field("x-small", "1");
    has_field("grpc-message", "message");
}
END_TEST

START_TEST(message_gives_way_to_metadata)
{
    static char big[9000];

    memset(big, 'v', sizeof(big));
    add_metadata("x-big", big, MAX_LIST_BYTES - 44 - 37 - 46);

    add_status(AMDRPC_STATUS_INTERNAL, "long message");

    ck_assert_ptr_nonnull(find("x-big"));
    has_field("grpc-status", "13");
    has_field("grpc-message", "l");
    ck_assert_uint_eq(list_bytes(), MAX_LIST_BYTES);
}
END_TEST

START_TEST(status_comes_before_too_many_fields)
{
    for (int i = 0; i < 200; i++) {
        add_metadata("x", "1", 1);
    }

    add_status(AMDRPC_STATUS_ABORTED, "message");

    ck_assert_uint_eq(response.nfields, AMDI_RESPONSE_FIELDS);
    has_field("grpc-status", "10");
}
END_TEST

START_TEST(status_goes_without_message_when_memory_lacks)
{
    arena.max_bytes = 1;

    add_status(AMDRPC_STATUS_INTERNAL, "message");

    has_field("grpc-status", "13");
    ck_assert_ptr_null(find("grpc-message"));
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("response");
    TCase *first = tcase_create("first block");
    TCase *status = tcase_create("status");
    TCase *limits = tcase_create("limits");

    tcase_add_checked_fixture(first, setup, teardown);
    tcase_add_test(first, first_block_begins_with_the_status);
    tcase_add_test(first, codec_of_the_messages_is_named);
    tcase_add_test(first, codecs_for_requests_are_listed);
    tcase_add_test(first, metadata_is_in_its_wire_form);
    tcase_add_test(first, block_that_is_no_grpc_has_its_own_status);
    suite_add_tcase(suite, first);

    tcase_add_checked_fixture(status, setup, teardown);
    tcase_add_loop_test(status, each_status_is_written, 0, 17);
    tcase_add_loop_test(status, status_that_does_not_exist_is_unknown, 0, 3);
    tcase_add_test(status, empty_message_is_left_out);
    tcase_add_loop_test(status, message_is_percent_encoded, 0, 4);
    tcase_add_test(status, trailers_have_status_metadata_and_message);
    suite_add_tcase(suite, status);

    tcase_add_checked_fixture(limits, setup, teardown);
    tcase_add_test(limits, long_message_is_cut);
    tcase_add_loop_test(limits, long_message_is_cut_between_escapes, 0, 3);
    tcase_add_test(limits, metadata_that_does_not_fit_is_left_out);
    tcase_add_test(limits, message_gives_way_to_metadata);
    tcase_add_test(limits, status_comes_before_too_many_fields);
    tcase_add_test(limits, status_goes_without_message_when_memory_lacks);
    suite_add_tcase(suite, limits);
    return suite;
}

TEST_MAIN(make_suite)
