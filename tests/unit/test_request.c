/** Tests the header fields of requests. */
#include "client/request.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"

#include <check.h>

#include <stdio.h>
#include <string.h>

static struct amdi_request_template request_template;
static struct amdi_request request;
static struct amdi_request_fields fields;
static struct amdi_arena arena;
static amdrpc_metadata *metadata;

static void
request_setup(void)
{
    amdi_arena_init(&arena, 0);
    request = (struct amdi_request){0};
    ck_assert_int_eq(amdi_request_template_init(
                             &request_template, "http", "host:1", "app/2"),
            AMDRPC_OK);
    ck_assert_int_eq(amdrpc_metadata_create(&metadata), AMDRPC_OK);
}

static void
request_teardown(void)
{
    amdrpc_metadata_destroy(metadata);
    amdi_request_template_fini(&request_template);
    amdi_arena_fini(&arena);
}

/** Prepares and fills; without @timeout_ns there is no grpc-timeout. */
static amdrpc_err
request_make_fields(uint64_t timeout_ns)
{
    amdrpc_err err = amdi_request_prepare(&request, metadata, &arena);

    if (err == AMDRPC_OK) {
        amdi_request_fill(&request, &request_template, "/pkg.Svc/Method",
                timeout_ns, &fields);
    }
    return err;
}

static void
assert_field(size_t index, const char *name, const char *value)
{
    const struct amdi_h2_field *field = &fields.at[index];

    ck_assert_uint_lt(index, fields.count);
    ck_assert_uint_eq(field->name_len, strlen(name));
    ck_assert_mem_eq(field->name, name, field->name_len);
    ck_assert_uint_eq(field->value_len, strlen(value));
    ck_assert_mem_eq(field->value, value, field->value_len);
}

START_TEST(fields_stand_in_the_order_of_the_protocol)
{
    ck_assert_int_eq(request_make_fields(0), AMDRPC_OK);

    ck_assert_uint_eq(fields.count, 8);
    assert_field(0, ":method", "POST");
    assert_field(1, ":scheme", "http");
    assert_field(2, ":path", "/pkg.Svc/Method");
    assert_field(3, ":authority", "host:1");
    assert_field(4, "te", "trailers");
    assert_field(5, "content-type", "application/grpc");
    assert_field(6, "user-agent", "app/2 amdrpc-c/0.1.0");
    assert_field(7, "grpc-accept-encoding", "identity,gzip");
}
END_TEST

START_TEST(earlier_attempts_are_told)
{
    request.nattempts = 2;

    ck_assert_int_eq(request_make_fields(0), AMDRPC_OK);

    ck_assert_uint_eq(fields.count, 9);
    assert_field(8, "grpc-previous-rpc-attempts", "2");
}
END_TEST

START_TEST(timeout_is_what_is_left)
{
    ck_assert_int_eq(request_make_fields(1500000000), AMDRPC_OK);

    assert_field(8, "grpc-timeout", "1500m");
    ck_assert(fields.at[8].is_secret);
}
END_TEST

START_TEST(codec_of_the_messages_is_named)
{
    request.is_gzipped = true;

    ck_assert_int_eq(request_make_fields(1500000000), AMDRPC_OK);

    assert_field(8, "grpc-timeout", "1500m");
    assert_field(9, "grpc-encoding", "gzip");
}
END_TEST

START_TEST(metadata_follows_in_its_order)
{
    ck_assert_int_eq(amdrpc_metadata_add_text(metadata, "a", "1"), AMDRPC_OK);
    ck_assert_int_eq(amdrpc_metadata_add_text(metadata, "a", "2"), AMDRPC_OK);
    ck_assert_int_eq(
            amdrpc_metadata_add(metadata, "x-bin", "\xff\x00", 2), AMDRPC_OK);

    ck_assert_int_eq(request_make_fields(0), AMDRPC_OK);
    amdrpc_metadata_destroy(metadata); // the request has copies
    metadata = NULL;

    assert_field(8, "a", "1");
    assert_field(9, "a", "2");
    assert_field(10, "x-bin", "/wA");
}
END_TEST

START_TEST(credentials_stay_out_of_the_tables)
{
    ck_assert_int_eq(
            amdrpc_metadata_add_text(metadata, "authorization", "Bearer x"),
            AMDRPC_OK);

    ck_assert_int_eq(request_make_fields(0), AMDRPC_OK);

    ck_assert(fields.at[8].is_secret);
}
END_TEST

START_TEST(too_many_fields_are_refused)
{
    for (unsigned i = 0; i <= AMDI_REQUEST_METADATA_FIELDS; i++) {
        ck_assert_int_eq(
                amdrpc_metadata_add_text(metadata, "a", "1"), AMDRPC_OK);
    }

    ck_assert_int_eq(request_make_fields(0), AMDRPC_EINVAL);
}
END_TEST

START_TEST(too_many_bytes_are_refused)
{
    static char value[AMDI_REQUEST_METADATA_BYTES];

    memset(value, 'v', sizeof(value));
    ck_assert_int_eq(amdrpc_metadata_add(metadata, "a", value, sizeof(value)),
            AMDRPC_OK);

    ck_assert_int_eq(request_make_fields(0), AMDRPC_EINVAL);
}
END_TEST

static amdrpc_err
template_make(void *arg)
{
    struct amdi_request_template made = {0};
    amdrpc_err err = amdi_request_template_init(&made, "http", "host:1", arg);

    amdi_request_template_fini(&made);
    return err;
}

static amdrpc_err
request_make(void *arg)
{
    struct amdi_request made = {0};
    struct amdi_arena own;

    amdi_arena_init(&own, 0);
    amdrpc_err err = amdi_request_prepare(&made, arg, &own);
    amdi_arena_fini(&own);
    return err;
}

START_TEST(failing_allocations_are_reported)
{
    ck_assert_int_eq(
            amdrpc_metadata_add(metadata, "x-bin", "\xff", 1), AMDRPC_OK);

    ck_assert_uint_gt(test_sweep_allocations(template_make, NULL), 0);
    ck_assert_uint_gt(test_sweep_allocations(request_make, metadata), 0);
}
END_TEST

static Suite *
request_suite(void)
{
    Suite *suite = suite_create("request");
    TCase *tcase = tcase_create("fields");

    tcase_add_checked_fixture(tcase, request_setup, request_teardown);
    tcase_add_test(tcase, fields_stand_in_the_order_of_the_protocol);
    tcase_add_test(tcase, timeout_is_what_is_left);
    tcase_add_test(tcase, earlier_attempts_are_told);
    tcase_add_test(tcase, codec_of_the_messages_is_named);
    tcase_add_test(tcase, metadata_follows_in_its_order);
    tcase_add_test(tcase, credentials_stay_out_of_the_tables);
    tcase_add_test(tcase, too_many_fields_are_refused);
    tcase_add_test(tcase, too_many_bytes_are_refused);
    tcase_add_test(tcase, failing_allocations_are_reported);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(request_suite)
