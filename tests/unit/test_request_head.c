/** Tests what a request's header fields mean for a call. */
#include "common/arena.h"
#include "common/metadata.h"
#include "tests/support/heads.h"
#include "tests/support/runner.h"

#include <check.h>

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

START_TEST(good_request_is_served)
{
    good_fields();

    end_serves();
    ck_assert_ptr_eq(head->method->desc, &heads_methods[0]);
    ck_assert_uint_eq(head->timeout_ns, 0);
    ck_assert_uint_eq(amdrpc_metadata_count(&head->metadata), 0);
}
END_TEST

/* ---- pseudo fields ---- */

START_TEST(request_without_path_is_malformed)
{
    fields_until_path();
    ck_assert(field("content-type", "application/grpc"));

    amdi_request_head_judge(head, &verdict);
    ck_assert_int_eq(verdict.kind, AMDI_REQUEST_MALFORMED);
}
END_TEST

START_TEST(request_without_method_is_malformed)
{
    ck_assert(field(":path", "/pkg.Svc/Echo"));
    ck_assert(field("content-type", "application/grpc"));

    amdi_request_head_judge(head, &verdict);
    ck_assert_int_eq(verdict.kind, AMDI_REQUEST_MALFORMED);
}
END_TEST

START_TEST(request_without_fields_is_malformed)
{
    amdi_request_head_judge(head, &verdict);
    ck_assert_int_eq(verdict.kind, AMDI_REQUEST_MALFORMED);
}
END_TEST

static const struct {
    const char *name;
    const char *value;
} malformed[] = {
        {":path", "/pkg.Svc/Echo"}, // the second one
        {":path", ""},
        {":method", "POST"}, // the second one
        {":status", "200"},
        {":protocol", "websocket"},
        {":unknown", ""},
        {":", ""},
};

START_TEST(malformed_pseudo_field_is_refused)
{
    good_fields();

    ck_assert(!field(malformed[_i].name, malformed[_i].value));
}
END_TEST

START_TEST(empty_path_is_malformed)
{
    ck_assert(!field(":path", ""));
}
END_TEST

static const char *const authorities[] = {"", "x:1", "[::1]:80", "\xff"};

START_TEST(any_authority_will_do)
{
    ck_assert(field(":method", "POST"));
    ck_assert(field(":path", "/pkg.Svc/Echo"));
    ck_assert(field(":authority", authorities[_i]));
    ck_assert(field(":scheme", authorities[_i]));
    ck_assert(field("content-type", "application/grpc"));

    end_serves();
}
END_TEST

/* ---- what is no gRPC ---- */

static const char *const other_types[] = {"", "application/json",
        "application/grp", "Application/GRPC", "text/plain",
        " application/grpc"};

START_TEST(other_content_type_is_415)
{
    fields_until_path();
    ck_assert(field(":path", "/pkg.Svc/Echo"));
    ck_assert(field("content-type", other_types[_i]));

    end_gives_http("415");
}
END_TEST

START_TEST(missing_content_type_is_415)
{
    fields_until_path();
    ck_assert(field(":path", "/pkg.Svc/Echo"));

    end_gives_http("415");
}
END_TEST

static const char *const grpc_types[] = {"application/grpc",
        "application/grpc+proto", "application/grpc+json",
        "application/grpc; charset=utf-8"};

START_TEST(content_type_with_suffix_is_served)
{
    fields_until_path();
    ck_assert(field(":path", "/pkg.Svc/Echo"));
    ck_assert(field("content-type", grpc_types[_i]));

    end_serves();
}
END_TEST

static const char *const other_verbs[] = {"GET", "PUT", "HEAD", "post", ""};

START_TEST(other_method_than_post_is_405)
{
    ck_assert(field(":method", other_verbs[_i]));
    ck_assert(field(":path", "/pkg.Svc/Echo"));
    ck_assert(field("content-type", "application/grpc"));

    end_gives_http("405");
}
END_TEST

START_TEST(browser_is_told_what_this_is)
{
    ck_assert(field(":method", "GET"));
    ck_assert(field(":path", "/"));

    end_gives_http("200");
}
END_TEST

START_TEST(browser_elsewhere_gets_415)
{
    ck_assert(field(":method", "GET"));
    ck_assert(field(":path", "/favicon.ico"));

    end_gives_http("415");
}
END_TEST

/* ---- unknown methods ---- */

static const struct {
    const char *path;
    const char *message;
} unknown[] = {
        {"/pkg.Svc/Nothing", "unknown method /pkg.Svc/Nothing"},
        {"/pkg.Svc/Unwritten", "unknown method /pkg.Svc/Unwritten"},
        {"/pkg.Svc/", "unknown method /pkg.Svc/"},
        {"/pkg.Other/Echo", "unknown service of method /pkg.Other/Echo"},
        {"/pkg.svc/Echo", "unknown service of method /pkg.svc/Echo"},
        {"x", "unknown service of method x"},
        {"*", "unknown service of method *"},
};

START_TEST(unknown_path_is_unimplemented)
{
    fields_until_path();
    ck_assert(field(":path", unknown[_i].path));
    ck_assert(field("content-type", "application/grpc"));

    end_gives_status(AMDRPC_STATUS_UNIMPLEMENTED, unknown[_i].message);
}
END_TEST

START_TEST(long_unknown_path_is_quoted_in_part)
{
    char path[500];

    memset(path, 'a', sizeof(path));
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    fields_until_path();
    ck_assert(field(":path", path));
    ck_assert(field("content-type", "application/grpc"));

    amdi_request_head_judge(head, &verdict);
    ck_assert_int_eq(verdict.code, AMDRPC_STATUS_UNIMPLEMENTED);
    ck_assert_uint_eq(strlen(head->path), AMDI_REQUEST_QUOTE_BYTES);
    ck_assert_uint_lt(strlen(verdict.message), sizeof(verdict.message));
    ck_assert_ptr_nonnull(strstr(verdict.message, "/aaaa"));
}
END_TEST

/* ---- gRPC's own fields ---- */

static const struct {
    const char *text;
    uint64_t ns;
} timeouts[] = {
        {"1n", 1},
        {"250u", 250000},
        {"100m", 100000000},
        {"3S", 3000000000},
        {"2M", UINT64_C(120000000000)},
        {"1H", UINT64_C(3600000000000)},
        {"0S", 1}, // has passed, which is not the same as none
        {"99999999H", UINT64_MAX},
};

START_TEST(timeout_is_read)
{
    good_fields();
    ck_assert(field("grpc-timeout", timeouts[_i].text));

    end_serves();
    ck_assert_uint_eq(head->timeout_ns, timeouts[_i].ns);
}
END_TEST

static const char *const bad_timeouts[] = {
        "", "1", "S", "-1S", "1s", "123456789S", "1 S", "1.5S", "0x1S"};

START_TEST(bad_timeout_is_internal)
{
    good_fields();
    ck_assert(field("grpc-timeout", bad_timeouts[_i]));

    end_gives_status(AMDRPC_STATUS_INTERNAL,
            "grpc-timeout is not 1 to 8 digits and a unit");
}
END_TEST

START_TEST(gzip_is_served)
{
    good_fields();
    ck_assert(field("grpc-encoding", "gzip"));
    ck_assert(field("grpc-accept-encoding", "identity,gzip"));

    end_serves();
    ck_assert(head->is_gzipped);
    ck_assert(head->accepts_gzip);
}
END_TEST

START_TEST(unknown_codec_is_unimplemented)
{
    good_fields();
    ck_assert(field("grpc-encoding", "brotli"));

    end_gives_status(AMDRPC_STATUS_UNIMPLEMENTED,
            "grpc-encoding names a codec that is not supported");
}
END_TEST

static const char *const own_fields[] = {"te", "content-type", "grpc-timeout",
        "grpc-encoding", "grpc-accept-encoding", "grpc-message-type",
        "grpc-previous-rpc-attempts", "grpc-unheard-of"};
static const char *const own_values[] = {"trailers", "application/grpc", "1S",
        "identity", "gzip,identity", "x", "1", "x"};

START_TEST(field_of_the_protocol_is_no_metadata)
{
    good_fields();
    ck_assert(field(own_fields[_i], own_values[_i]));

    end_serves();
    ck_assert_uint_eq(amdrpc_metadata_count(&head->metadata), 0);
}
END_TEST

/* ---- metadata ---- */

static const struct {
    const char *name;
    const char *value;
    const char *kept;
} kept[] = {
        {"x-text", "a value", "a value"},
        {"x-text", "", ""},
        {"x-odd", "\xff\x01", "\xff\x01"},
        {"user-agent", "grpc-c/1", "grpc-c/1"},
        {"x-bin", "aGk", "hi"},
        {"x-bin", "aGk=", "hi"},
        {"x-bin", "", ""},
        {"grpc-trace-bin", "aGk", "hi"},
        {"grpc-tags-bin", "aGk", "hi"},
};

START_TEST(other_fields_are_metadata)
{
    const amdrpc_metadata_field *got = NULL;

    good_fields();
    ck_assert(field(kept[_i].name, kept[_i].value));

    end_serves();
    got = amdrpc_metadata_get(&head->metadata, kept[_i].name);
    ck_assert_ptr_nonnull(got);
    ck_assert_uint_eq(got->value_len, strlen(kept[_i].kept));
    ck_assert_mem_eq(got->value, kept[_i].kept, got->value_len);
}
END_TEST

START_TEST(repeated_metadata_keeps_its_order)
{
    good_fields();
    ck_assert(field("x-a", "1"));
    ck_assert(field("x-b", "2"));
    ck_assert(field("x-a", "3"));

    ck_assert_uint_eq(amdrpc_metadata_count(&head->metadata), 3);
    ck_assert_str_eq(amdrpc_metadata_at(&head->metadata, 0)->value, "1");
    ck_assert_str_eq(amdrpc_metadata_at(&head->metadata, 2)->value, "3");
}
END_TEST

START_TEST(metadata_that_is_no_base64_is_internal)
{
    good_fields();
    ck_assert(field("x-bin", "!!"));

    end_gives_status(
            AMDRPC_STATUS_INTERNAL, "a -bin metadata value is not base64");
}
END_TEST

START_TEST(first_fault_is_told)
{
    good_fields();
    ck_assert(field("x-bin", "!!"));
    ck_assert(field("grpc-encoding", "brotli"));

    end_gives_status(
            AMDRPC_STATUS_INTERNAL, "a -bin metadata value is not base64");
}
END_TEST

/* ---- limits ---- */

START_TEST(as_many_fields_as_allowed_are_served)
{
    good_fields();
    for (size_t i = 6; i < heads_limits.max_fields; i++) {
        ck_assert(field("x-a", "1"));
    }

    end_serves();
    ck_assert_uint_eq(amdrpc_metadata_count(&head->metadata), 4);
}
END_TEST

START_TEST(one_field_more_is_resource_exhausted)
{
    good_fields();
    for (size_t i = 6; i < heads_limits.max_fields + 1; i++) {
        ck_assert(field("x-a", "1"));
    }

    end_gives_status(AMDRPC_STATUS_RESOURCE_EXHAUSTED,
            "the request has too many header fields");
    ck_assert_uint_eq(amdrpc_metadata_count(&head->metadata), 4);
}
END_TEST

START_TEST(list_up_to_the_limit_is_served)
{
    char value[1000] = {0};

    good_fields();
    memset(value, 'v', heads_limits.max_list_bytes - head->list_bytes - 3 - 32);
    ck_assert(field("x-a", value));

    ck_assert_uint_eq(head->list_bytes, heads_limits.max_list_bytes);
    end_serves();
}
END_TEST

START_TEST(list_beyond_the_limit_is_resource_exhausted)
{
    char value[1000] = {0};

    good_fields();
    memset(value, 'v', heads_limits.max_list_bytes - head->list_bytes - 3 - 31);
    ck_assert(field("x-a", value));

    end_gives_status(AMDRPC_STATUS_RESOURCE_EXHAUSTED,
            "the request's header list is too large");
    ck_assert_uint_eq(amdrpc_metadata_count(&head->metadata), 0);
}
END_TEST

START_TEST(metadata_without_memory_is_resource_exhausted)
{
    head->arena.max_bytes = 1;
    good_fields();
    ck_assert(field("x-a", "1"));

    end_gives_status(
            AMDRPC_STATUS_RESOURCE_EXHAUSTED, "no memory for the metadata");
}
END_TEST

static TCase *
add_case(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);

    tcase_add_checked_fixture(tcase, heads_setup, heads_teardown);
    suite_add_tcase(suite, tcase);
    return tcase;
}

static void
add_http_cases(Suite *suite)
{
    TCase *pseudo = add_case(suite, "pseudo");
    TCase *http = add_case(suite, "http");

    tcase_add_test(pseudo, good_request_is_served);
    tcase_add_test(pseudo, request_without_path_is_malformed);
    tcase_add_test(pseudo, request_without_method_is_malformed);
    tcase_add_test(pseudo, request_without_fields_is_malformed);
    tcase_add_loop_test(
            pseudo, malformed_pseudo_field_is_refused, 0, COUNT(malformed));
    tcase_add_test(pseudo, empty_path_is_malformed);
    tcase_add_loop_test(pseudo, any_authority_will_do, 0, COUNT(authorities));

    tcase_add_loop_test(http, other_content_type_is_415, 0, COUNT(other_types));
    tcase_add_test(http, missing_content_type_is_415);
    tcase_add_loop_test(
            http, content_type_with_suffix_is_served, 0, COUNT(grpc_types));
    tcase_add_loop_test(
            http, other_method_than_post_is_405, 0, COUNT(other_verbs));
    tcase_add_test(http, browser_is_told_what_this_is);
    tcase_add_test(http, browser_elsewhere_gets_415);
}

static void
add_grpc_cases(Suite *suite)
{
    TCase *grpc = add_case(suite, "grpc");
    TCase *meta = add_case(suite, "metadata");
    TCase *limit = add_case(suite, "limits");

    tcase_add_loop_test(grpc, unknown_path_is_unimplemented, 0, COUNT(unknown));
    tcase_add_test(grpc, long_unknown_path_is_quoted_in_part);
    tcase_add_loop_test(grpc, timeout_is_read, 0, COUNT(timeouts));
    tcase_add_loop_test(grpc, bad_timeout_is_internal, 0, COUNT(bad_timeouts));
    tcase_add_test(grpc, gzip_is_served);
    tcase_add_test(grpc, unknown_codec_is_unimplemented);
    tcase_add_loop_test(
            grpc, field_of_the_protocol_is_no_metadata, 0, COUNT(own_fields));

    tcase_add_loop_test(meta, other_fields_are_metadata, 0, COUNT(kept));
    tcase_add_test(meta, repeated_metadata_keeps_its_order);
    tcase_add_test(meta, metadata_that_is_no_base64_is_internal);
    tcase_add_test(meta, first_fault_is_told);

    tcase_add_test(limit, as_many_fields_as_allowed_are_served);
    tcase_add_test(limit, one_field_more_is_resource_exhausted);
    tcase_add_test(limit, list_up_to_the_limit_is_served);
    tcase_add_test(limit, list_beyond_the_limit_is_resource_exhausted);
    tcase_add_test(limit, metadata_without_memory_is_resource_exhausted);
}

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("request_head");

    add_http_cases(suite);
    add_grpc_cases(suite);
    return suite;
}

TEST_MAIN(make_suite)
