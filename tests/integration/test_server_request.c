/** Tests what clients should not send: a status, and the server goes on. */
#include "common/frame.h"
#include "tests/integration/server.h"
#include "tests/support/h2_raw.h"
#include "tests/support/runner.h"

#include <check.h>

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/** A call of TEST_UNARY with that body, whole. */
static struct test_rpc *
call_with_body(const void *body, size_t len)
{
    struct test_rpc *rpc = test_rpc_begin(test_conn, TEST_UNARY, NULL, 0);

    test_rpc_send_raw(rpc, body, len);
    test_rpc_end(rpc);
    test_rpc_flush(test_conn);
    return rpc;
}

/* ---- bodies ---- */

static const struct {
    const char *name;
    uint8_t bytes[16];
    size_t len;
    amdrpc_status_code status;
    const char *says; // a part of the message
} bodies[] = {
        {"nothing", {0}, 0, AMDRPC_STATUS_UNIMPLEMENTED, "none came"},
        {"two messages", {0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 10,
                AMDRPC_STATUS_UNIMPLEMENTED, "more than one"},
        {"flag", {2, 0, 0, 0, 0}, 5, AMDRPC_STATUS_INTERNAL, "gRPC"},
        {"compressed without codec", {1, 0, 0, 0, 0}, 5, AMDRPC_STATUS_INTERNAL,
                "names no codec"},
        {"half a prefix", {0, 0, 0}, 3, AMDRPC_STATUS_INTERNAL, "gRPC"},
        {"half a message", {0, 0, 0, 0, 4, 1, 2}, 7, AMDRPC_STATUS_INTERNAL,
                "gRPC"},
        {"4 GiB announced", {0, 0xff, 0xff, 0xff, 0xff, 1}, 6,
                AMDRPC_STATUS_RESOURCE_EXHAUSTED, "max_recv_message_bytes"},
        {"one byte too many", {0, 0, 0x40, 0, 1, 1}, 6,
                AMDRPC_STATUS_RESOURCE_EXHAUSTED, "max_recv_message_bytes"},
        {"field that is cut", {0, 0, 0, 0, 2, 0x12, 5}, 7,
                AMDRPC_STATUS_INTERNAL, "unpacked"},
        {"text that is no UTF-8", {0, 0, 0, 0, 3, 0x12, 1, 0xff}, 8,
                AMDRPC_STATUS_INTERNAL, "UTF-8"},
        {"wrong wire type", {0, 0, 0, 0, 2, 0x15, 1}, 7, AMDRPC_STATUS_INTERNAL,
                "unpacked"},
};

/** @_i: place and body. */
START_TEST(bad_body_gets_a_status)
{
    size_t which = (size_t)_i / TEST_NPLACES;
    struct test_rpc *rpc = NULL;

    test_server_start(_i % TEST_NPLACES);

    rpc = call_with_body(bodies[which].bytes, bodies[which].len);

    test_rpc_await(rpc);
    ck_assert_msg(rpc->status == (int)bodies[which].status &&
                    strstr(rpc->message, bodies[which].says) != NULL,
            "%s: status %d, \"%s\"", bodies[which].name, rpc->status,
            rpc->message);
    ck_assert_uint_eq(test_server_get(TEST_NSTARTED), 0);
    test_expect_service(test_conn);
}
END_TEST

/** Request.inner is field 6. */
static uint8_t *
make_nested(size_t levels, size_t *out_len)
{
    size_t room = levels * 5 + 16;
    uint8_t *wire = malloc(room);
    size_t at = room;

    ck_assert_ptr_nonnull(wire);
    for (size_t i = 0; i < levels; i++) {
        size_t len = room - at;
        uint8_t varint[4];
        size_t n = 0;

        for (; len >= 0x80; len >>= 7) {
            varint[n++] = (uint8_t)(len | 0x80);
        }
        varint[n++] = (uint8_t)len;
        at -= n;
        memcpy(wire + at, varint, n);
        wire[--at] = 0x32;
    }
    *out_len = room - at + AMDI_FRAME_PREFIX_BYTES;
    memmove(wire + AMDI_FRAME_PREFIX_BYTES, wire + at, room - at);
    amdi_frame_write_prefix(wire, false, (uint32_t)(room - at));
    return wire;
}

START_TEST(deep_message_is_refused)
{
    size_t len = 0;
    uint8_t *wire = make_nested(10000, &len);
    struct test_rpc *rpc = NULL;

    test_server_start(_i);

    rpc = call_with_body(wire, len);

    test_rpc_expect(rpc, AMDRPC_STATUS_RESOURCE_EXHAUSTED);
    test_expect_service(test_conn);
    free(wire);
}
END_TEST

START_TEST(wide_message_does_not_take_all_memory)
{
    // Two bytes on the wire become an empty Request of some 80 in memory.
    const size_t n = 2000000;
    uint8_t *wire = malloc(2 * n + AMDI_FRAME_PREFIX_BYTES);
    struct test_rpc *rpc = NULL;

    ck_assert_ptr_nonnull(wire);
    for (size_t i = 0; i < n; i++) {
        wire[AMDI_FRAME_PREFIX_BYTES + 2 * i] = 0x32;
        wire[AMDI_FRAME_PREFIX_BYTES + 2 * i + 1] = 0;
    }
    amdi_frame_write_prefix(wire, false, (uint32_t)(2 * n));
    test_server_start(_i);

    rpc = call_with_body(wire, 2 * n + AMDI_FRAME_PREFIX_BYTES);

    test_rpc_await(rpc); // any status will do: the field is not repeated
    ck_assert_int_ge(rpc->status, 0);
    test_expect_service(test_conn);
    free(wire);
}
END_TEST

START_TEST(message_of_the_largest_size_is_taken)
{
    const size_t len = 4 * 1024 * 1024;
    uint8_t *wire = calloc(1, len + AMDI_FRAME_PREFIX_BYTES);
    struct test_rpc *rpc = NULL;

    ck_assert_ptr_nonnull(wire);
    amdi_frame_write_prefix(wire, false, (uint32_t)len);
    // An unknown field 15 that fills the message.
    wire[5] = 0x7a;
    wire[6] = 0xfb;
    wire[7] = 0xff;
    wire[8] = 0xff;
    wire[9] = 0x01;
    test_server_start(_i);

    rpc = call_with_body(wire, len + AMDI_FRAME_PREFIX_BYTES);

    test_rpc_expect(rpc, AMDRPC_STATUS_OK);
    free(wire);
}
END_TEST

/* ---- headers ---- */

START_TEST(unknown_method_is_unimplemented)
{
    static const char *const paths[] = {"/amdrpc.testCalls.v1.Calls/Nothing",
            TEST_UNWRITTEN, "/nothing.v1.Here/Unary", "nonsense"};
    struct test_rpc *rpc = NULL;

    test_server_start(TEST_ON_POOL);
    rpc = test_rpc_begin(test_conn, paths[_i], NULL, 0);
    test_rpc_end(rpc);

    test_rpc_expect(rpc, AMDRPC_STATUS_UNIMPLEMENTED);
    ck_assert_ptr_nonnull(strstr(rpc->message, paths[_i]));
    test_expect_service(test_conn);
}
END_TEST

START_TEST(what_is_no_grpc_gets_http)
{
    static const struct amdi_h2_field fields[][4] = {
            {TEST_RAW_FIELD(":method", "GET"),
                    TEST_RAW_FIELD(":scheme", "http"),
                    TEST_RAW_FIELD(":path", "/"),
                    TEST_RAW_FIELD("accept", "text/html")},
            {TEST_RAW_FIELD(":method", "POST"),
                    TEST_RAW_FIELD(":scheme", "http"),
                    TEST_RAW_FIELD(":path", TEST_UNARY),
                    TEST_RAW_FIELD("content-type", "application/json")},
            {TEST_RAW_FIELD(":method", "PUT"),
                    TEST_RAW_FIELD(":scheme", "http"),
                    TEST_RAW_FIELD(":path", TEST_UNARY),
                    TEST_RAW_FIELD("content-type", "application/grpc")},
    };
    static const char *const statuses[] = {"200", "415", "405"};
    struct test_rpc *rpc = NULL;

    test_server_start(TEST_ON_POOL);
    rpc = test_rpc_begin_raw(test_conn, fields[_i], 4);
    test_rpc_end(rpc);

    test_rpc_await(rpc);
    ck_assert_str_eq(rpc->http_status, statuses[_i]);
    ck_assert_int_eq(rpc->status, -1);
    ck_assert_uint_gt(rpc->nbody, 0);
    test_expect_service(test_conn);
}
END_TEST

START_TEST(request_without_path_is_reset)
{
    static const struct amdi_h2_field fields[] = {
            TEST_RAW_FIELD(":method", "POST"),
            TEST_RAW_FIELD(":scheme", "http"),
            TEST_RAW_FIELD("content-type", "application/grpc"),
    };
    static const uint8_t message[5] = {0};
    struct test_rpc *rpc = NULL;

    test_server_start(_i);
    rpc = test_rpc_begin_raw(test_conn, fields, COUNT(fields));
    test_rpc_send_raw(rpc, message, sizeof(message));
    test_rpc_end(rpc);

    test_rpc_await(rpc);
    ck_assert(rpc->is_reset);
    ck_assert_int_eq(rpc->reset, AMDI_H2_PROTOCOL_ERROR);
    test_expect_service(test_conn);
}
END_TEST

START_TEST(too_many_fields_get_a_status)
{
    struct amdi_h2_field extra[120];
    struct test_rpc *rpc = NULL;

    for (size_t i = 0; i < COUNT(extra); i++) {
        extra[i] = AMDI_H2_FIELD("x-many", "1");
    }
    test_server_start(TEST_ON_POOL);
    rpc = test_rpc_begin(test_conn, TEST_UNARY, extra, COUNT(extra));
    test_rpc_end(rpc);

    test_rpc_expect(rpc, AMDRPC_STATUS_RESOURCE_EXHAUSTED);
    test_expect_service(test_conn);
}
END_TEST

static const struct {
    size_t nfields;
    size_t value_len;
    const char *says;
} large_lists[] = {{1, 20000, "header field"}, {6, 4000, "header list"}};

START_TEST(too_large_header_list_gets_a_status)
{
    static char value[20000];
    struct amdi_h2_field extra[6];
    struct test_rpc *rpc = NULL;

    memset(value, 'v', sizeof(value));
    for (size_t i = 0; i < COUNT(extra); i++) {
        extra[i] = AMDI_H2_FIELD("x-large", "");
        extra[i].value = value;
        extra[i].value_len = large_lists[_i].value_len;
    }
    test_server_start(TEST_ON_POOL);
    rpc = test_rpc_begin(test_conn, TEST_UNARY, extra, large_lists[_i].nfields);
    test_rpc_end(rpc);

    test_rpc_expect(rpc, AMDRPC_STATUS_RESOURCE_EXHAUSTED);
    ck_assert_ptr_nonnull(strstr(rpc->message, large_lists[_i].says));
    test_expect_service(test_conn);
}
END_TEST

START_TEST(codec_that_is_not_known_is_unimplemented)
{
    const struct amdi_h2_field codec = AMDI_H2_FIELD("grpc-encoding", "brotli");
    struct test_rpc *rpc = NULL;

    test_server_start(TEST_ON_POOL);
    rpc = test_rpc_begin(test_conn, TEST_UNARY, &codec, 1);
    test_rpc_end(rpc);

    test_rpc_expect(rpc, AMDRPC_STATUS_UNIMPLEMENTED);
    test_expect_service(test_conn);
}
END_TEST

/* ---- connections ---- */

static const struct {
    const char *bytes;
    size_t len;
} garbage[] = {
        {"\0\0\1\0\0\0\0\0\0x", 10}, // DATA on stream 0
        {"\0\0\7\6\0\0\0\0\0"
         "1234567",
                16},                          // PING of seven bytes
        {"\0\0\1\1\4\0\0\1\1\x80", 10},       // no HPACK
        {"\xff\xff\xff\0\0\0\0\0\1", 9},      // a frame of 16 MiB
        {"\0\0\4\3\0\0\0\7\x7f\0\0\0\0", 13}, // RST_STREAM of an idle stream
};

/** @_i: garbage, without and with a call that is held. */
START_TEST(malformed_http2_ends_the_connection_alone)
{
    size_t which = (size_t)_i / 2;
    struct test_rpc_conn *other = NULL;

    test_server_start(TEST_ON_POOL);
    other = test_rpc_connect(test_port);
    test_expect_service(other);
    if (_i % 2 != 0) {
        (void)test_call_how(test_conn, TEST_HOW(HOLD));
        test_server_await(TEST_NHELD, 1);
    }

    test_rpc_write_raw(test_conn, garbage[which].bytes, garbage[which].len);

    test_rpc_await_lost(test_conn);
    ck_assert_uint_eq(test_conn->ngoaways, 1);
    ck_assert_int_ne(test_conn->goaway_code, AMDI_H2_NO_ERROR);
    if (_i % 2 != 0) {
        test_server_await(TEST_NCANCELS, 1);
    }
    test_expect_service(other);
    test_rpc_close(other);
}
END_TEST

static const char *const no_prefaces[] = {
        "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"};

START_TEST(what_is_no_http2_is_disconnected)
{
    struct test_rpc_conn *other = NULL;

    test_server_start(TEST_ON_POOL);
    other = test_rpc_connect_silent(test_port);

    test_rpc_write_raw(other, no_prefaces[_i], strlen(no_prefaces[_i]));

    test_rpc_await_lost(other);
    test_expect_service(test_conn);
    test_rpc_close(other);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("server_request");
    TCase *body = tcase_create("bodies");
    TCase *headers = tcase_create("headers");
    TCase *conns = tcase_create("connections");
    const int n = TEST_NPLACES;

    tcase_set_timeout(body, 60);
    tcase_add_checked_fixture(body, test_server_setup, test_server_teardown);
    tcase_add_loop_test(
            body, bad_body_gets_a_status, 0, (int)COUNT(bodies) * n);
    tcase_add_loop_test(body, deep_message_is_refused, 0, n);
    tcase_add_loop_test(body, wide_message_does_not_take_all_memory, 0, n);
    tcase_add_loop_test(body, message_of_the_largest_size_is_taken, 0, n);
    suite_add_tcase(suite, body);

    tcase_set_timeout(headers, 60);
    tcase_add_checked_fixture(headers, test_server_setup, test_server_teardown);
    tcase_add_loop_test(headers, unknown_method_is_unimplemented, 0, 4);
    tcase_add_loop_test(headers, what_is_no_grpc_gets_http, 0, 3);
    tcase_add_loop_test(headers, request_without_path_is_reset, 0, n);
    tcase_add_test(headers, too_many_fields_get_a_status);
    tcase_add_loop_test(headers, too_large_header_list_gets_a_status, 0, 2);
    tcase_add_test(headers, codec_that_is_not_known_is_unimplemented);
    suite_add_tcase(suite, headers);

    tcase_set_timeout(conns, 60);
    tcase_add_checked_fixture(conns, test_server_setup, test_server_teardown);
    tcase_add_loop_test(conns, malformed_http2_ends_the_connection_alone, 0,
            2 * (int)COUNT(garbage));
    tcase_add_loop_test(conns, what_is_no_http2_is_disconnected, 0, 3);
    suite_add_tcase(suite, conns);
    return suite;
}

TEST_MAIN(make_suite)
