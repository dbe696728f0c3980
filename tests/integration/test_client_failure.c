/** Tests the statuses of calls that go wrong. */
#include "common/compress.h"
#include "common/frame.h"
#include "tests/integration/client.h"
#include "tests/support/runner.h"

#include <check.h>

#include <string.h>

static void
call_fails_with(
        test_peer_fn on_stream, amdrpc_status_code status, const char *message)
{
    test_client_start(on_stream);

    amdrpc_future *future = test_client_call(NULL);

    test_assert_future(future, status);
    ck_assert_str_eq(amdrpc_future_get_status_message(future), message);
    ck_assert_ptr_null(amdrpc_future_get_message(future));
    amdrpc_future_unref(future);
}

static void
peer_trailers_only(
        struct test_peer_stream *stream, enum test_peer_moment moment)
{
    const struct amdi_h2_field fields[] = {
            AMDI_H2_FIELD(":status", "200"),
            AMDI_H2_FIELD("content-type", "application/grpc"),
            AMDI_H2_FIELD("grpc-status", "5"),
            AMDI_H2_FIELD("grpc-message", "no %C3%A4pple %zz"),
            AMDI_H2_FIELD("grpc-status-details-bin", "CAU"),
            AMDI_H2_FIELD("x-more", "1"),
    };

    if (moment == PEER_END) {
        test_peer_respond_raw(stream, fields, 6, /*is_end=*/true);
    }
}

START_TEST(trailers_only_tells_status_and_message)
{
    call_fails_with(
            peer_trailers_only, AMDRPC_STATUS_NOT_FOUND, "no äpple %zz");
}
END_TEST

START_TEST(trailers_only_is_trailing_metadata)
{
    test_client_start(peer_trailers_only);
    amdrpc_client_call *call = test_client_begin(&test_unary);
    test_client_send(call, "hi");

    test_assert_ended(call, AMDRPC_STATUS_NOT_FOUND);

    const amdrpc_metadata *trailing =
            amdrpc_client_call_get_trailing_metadata(call);
    const amdrpc_metadata_field *details =
            amdrpc_metadata_get(trailing, "grpc-status-details-bin");
    ck_assert_uint_eq(amdrpc_metadata_count(trailing), 2);
    ck_assert_uint_eq(details->value_len, 2);
    ck_assert_mem_eq(details->value, "\x08\x05", 2);
    amdrpc_client_call_unref(call);
}
END_TEST

static void
peer_end_with_status(
        struct test_peer_stream *stream, enum test_peer_moment moment)
{
    if (moment == PEER_END) {
        test_peer_respond(stream, NULL, 0);
        test_peer_send(stream, "", 0);
        test_peer_finish(stream, "10", "aborted halfway");
    }
}

START_TEST(status_after_a_message_counts)
{
    call_fails_with(
            peer_end_with_status, AMDRPC_STATUS_ABORTED, "aborted halfway");
}
END_TEST

static void
peer_odd_status(struct test_peer_stream *stream, enum test_peer_moment moment)
{
    if (moment == PEER_END) {
        test_peer_respond(stream, NULL, 0);
        test_peer_finish(stream, "99", "odd");
    }
}

START_TEST(status_that_is_none_is_unknown)
{
    call_fails_with(peer_odd_status, AMDRPC_STATUS_UNKNOWN, "odd");
}
END_TEST

static void
peer_bad_gateway(struct test_peer_stream *stream, enum test_peer_moment moment)
{
    const struct amdi_h2_field fields[] = {
            AMDI_H2_FIELD(":status", "502"),
            AMDI_H2_FIELD("content-type", "text/html"),
    };

    if (moment == PEER_END) {
        test_peer_respond_raw(stream, fields, 2, /*is_end=*/false);
        test_peer_send_raw(stream, "<html>", 6);
        test_peer_finish(stream, NULL, "");
    }
}

START_TEST(http_error_is_mapped)
{
    call_fails_with(peer_bad_gateway, AMDRPC_STATUS_UNAVAILABLE,
            "the server answered with HTTP status 502");
}
END_TEST

static void
peer_html(struct test_peer_stream *stream, enum test_peer_moment moment)
{
    const struct amdi_h2_field fields[] = {
            AMDI_H2_FIELD(":status", "200"),
            AMDI_H2_FIELD("content-type", "text/html"),
    };

    if (moment == PEER_END) {
        test_peer_respond_raw(stream, fields, 2, /*is_end=*/true);
    }
}

START_TEST(response_that_is_no_grpc_is_refused)
{
    call_fails_with(peer_html, AMDRPC_STATUS_UNKNOWN,
            "the response's content-type is not application/grpc");
}
END_TEST

static void
peer_no_status(struct test_peer_stream *stream, enum test_peer_moment moment)
{
    if (moment == PEER_END) {
        test_peer_respond(stream, NULL, 0);
        test_peer_send(stream, "", 0);
        test_peer_finish(stream, NULL, "");
    }
}

START_TEST(response_without_status_is_unknown)
{
    call_fails_with(peer_no_status, AMDRPC_STATUS_UNKNOWN,
            "the response ended without grpc-status");
}
END_TEST

static void
peer_no_message(struct test_peer_stream *stream, enum test_peer_moment moment)
{
    if (moment == PEER_END) {
        test_peer_respond(stream, NULL, 0);
        test_peer_finish(stream, "0", "");
    }
}

START_TEST(unary_response_without_message_is_refused)
{
    call_fails_with(peer_no_message, AMDRPC_STATUS_UNIMPLEMENTED,
            "no response message for a unary method");
}
END_TEST

static void
peer_two_messages(struct test_peer_stream *stream, enum test_peer_moment moment)
{
    if (moment == PEER_END) {
        test_peer_respond(stream, NULL, 0);
        test_peer_send(stream, "", 0);
        test_peer_send(stream, "", 0);
        test_peer_finish(stream, "0", "");
    }
}

START_TEST(unary_response_with_two_messages_is_refused)
{
    call_fails_with(peer_two_messages, AMDRPC_STATUS_UNIMPLEMENTED,
            "more than one response message for a unary method");
}
END_TEST

static void
peer_half_message(struct test_peer_stream *stream, enum test_peer_moment moment)
{
    if (moment == PEER_END) {
        test_peer_respond(stream, NULL, 0);
        test_peer_send_raw(stream, "\0\0\0\0\x09half", 9);
        test_peer_finish(stream, "0", "");
    }
}

START_TEST(response_cut_short_is_internal)
{
    call_fails_with(peer_half_message, AMDRPC_STATUS_INTERNAL,
            "the response ended inside a message");
}
END_TEST

static void
peer_bad_message(struct test_peer_stream *stream, enum test_peer_moment moment)
{
    if (moment == PEER_END) {
        test_peer_respond(stream, NULL, 0);
        test_peer_send(stream, "\x0a\x7f", 2); // claims 127 bytes more
        test_peer_finish(stream, "0", "");
    }
}

START_TEST(response_that_does_not_parse_is_internal)
{
    call_fails_with(peer_bad_message, AMDRPC_STATUS_INTERNAL,
            "response does not parse");
}
END_TEST

START_TEST(message_that_does_not_parse_ends_the_stream)
{
    const ProtobufCMessage *message = NULL;

    test_client_start(peer_bad_message);
    amdrpc_client_call *call = test_client_begin(&test_server_streaming);
    test_client_send(call, "go");

    ck_assert_int_eq(
            amdrpc_client_call_recv(call, TEST_WAIT_MS, &message), AMDRPC_EEND);

    test_assert_ended(call, AMDRPC_STATUS_INTERNAL);
    ck_assert_str_eq(amdrpc_client_call_get_status_message(call),
            "response does not parse");
    amdrpc_client_call_unref(call);
}
END_TEST

/** Begins an answer that says that messages may be compressed. */
static void
peer_respond_gzip(struct test_peer_stream *stream)
{
    const struct amdi_h2_field field = AMDI_H2_FIELD("grpc-encoding", "gzip");

    test_peer_respond(stream, &field, 1);
}

static void
peer_damaged(struct test_peer_stream *stream, enum test_peer_moment moment)
{
    if (moment == PEER_END) {
        peer_respond_gzip(stream);
        test_peer_send_raw(stream, "\1\0\0\0\2hi", 7);
        test_peer_finish(stream, "0", "");
    }
}

START_TEST(damaged_compression_is_internal)
{
    call_fails_with(
            peer_damaged, AMDRPC_STATUS_INTERNAL, "response does not parse");
}
END_TEST

/** Answers with more zeros than a client takes, compressed. */
static void
peer_bomb(struct test_peer_stream *stream, enum test_peer_moment moment)
{
    static const uint8_t zeros[5 * 1024 * 1024];
    uint8_t prefix[AMDI_FRAME_PREFIX_BYTES];
    struct amdi_message *message = NULL;

    if (moment != PEER_END) {
        return;
    }
    ck_assert_int_eq(
            amdi_gzip_deflate(zeros, sizeof(zeros), &message), AMDRPC_OK);
    amdi_frame_write_prefix(prefix, /*compressed=*/true, message->len);
    peer_respond_gzip(stream);
    test_peer_send_raw(stream, prefix, sizeof(prefix));
    test_peer_send_raw(stream, message->data, message->len);
    test_peer_finish(stream, "0", "");
    amdi_message_free(message);
}

START_TEST(message_too_large_once_decompressed_is_refused)
{
    call_fails_with(peer_bomb, AMDRPC_STATUS_RESOURCE_EXHAUSTED,
            "a response message is larger than max_recv_message_bytes once "
            "decompressed");
}
END_TEST

static void
peer_compressed(struct test_peer_stream *stream, enum test_peer_moment moment)
{
    if (moment == PEER_END) {
        test_peer_respond(stream, NULL, 0);
        test_peer_send_raw(stream, "\1\0\0\0\0", 5);
        test_peer_finish(stream, "0", "");
    }
}

START_TEST(compression_that_was_not_offered_is_internal)
{
    call_fails_with(peer_compressed, AMDRPC_STATUS_INTERNAL,
            "a response message is compressed by no codec that we have");
}
END_TEST

static void
peer_bad_prefix(struct test_peer_stream *stream, enum test_peer_moment moment)
{
    if (moment == PEER_END) {
        test_peer_respond(stream, NULL, 0);
        test_peer_send_raw(stream, "\7\0\0\0\0", 5);
        test_peer_finish(stream, "0", "");
    }
}

START_TEST(malformed_prefix_is_internal)
{
    call_fails_with(peer_bad_prefix, AMDRPC_STATUS_INTERNAL,
            "a response message has a malformed prefix");
}
END_TEST

static void
peer_too_large(struct test_peer_stream *stream, enum test_peer_moment moment)
{
    if (moment == PEER_END) {
        test_peer_respond(stream, NULL, 0);
        test_peer_send_raw(stream, "\0\xff\xff\xff\xff", 5);
    }
}

START_TEST(message_over_the_limit_is_refused_at_its_prefix)
{
    call_fails_with(peer_too_large, AMDRPC_STATUS_RESOURCE_EXHAUSTED,
            "a response message is larger than max_recv_message_bytes");

    test_peer_wait(test_peer, PEER_NCANCELS, 1);
}
END_TEST

static void
peer_many_fields(struct test_peer_stream *stream, enum test_peer_moment moment)
{
    static char value[7000];
    struct amdi_h2_field fields[3];

    if (moment == PEER_END) {
        memset(value, 'v', sizeof(value));
        for (size_t i = 0; i < 3; i++) {
            fields[i] = AMDI_H2_FIELD("x-long", "");
            fields[i].value = value;
            fields[i].value_len = sizeof(value);
        }
        test_peer_respond(stream, fields, 3);
    }
}

START_TEST(header_block_over_the_limit_is_refused)
{
    call_fails_with(peer_many_fields, AMDRPC_STATUS_RESOURCE_EXHAUSTED,
            "the response's header fields are too many or too long");
}
END_TEST

static const struct {
    enum amdi_h2_code code;
    amdrpc_status_code status;
} resets[] = {
        {AMDI_H2_NO_ERROR, AMDRPC_STATUS_INTERNAL},
        {AMDI_H2_PROTOCOL_ERROR, AMDRPC_STATUS_INTERNAL},
        {AMDI_H2_INTERNAL_ERROR, AMDRPC_STATUS_INTERNAL},
        {AMDI_H2_REFUSED_STREAM, AMDRPC_STATUS_UNAVAILABLE},
        {AMDI_H2_CANCEL, AMDRPC_STATUS_CANCELLED},
        {AMDI_H2_ENHANCE_YOUR_CALM, AMDRPC_STATUS_RESOURCE_EXHAUSTED},
        {AMDI_H2_INADEQUATE_SECURITY, AMDRPC_STATUS_PERMISSION_DENIED},
};
static enum amdi_h2_code reset_code;

static void
peer_reset(struct test_peer_stream *stream, enum test_peer_moment moment)
{
    if (moment == PEER_HEADERS) {
        test_peer_reset(stream, reset_code);
    }
}

START_TEST(reset_is_mapped)
{
    reset_code = resets[_i].code;
    test_client_start(peer_reset);

    amdrpc_future *future = test_client_call(NULL);

    test_assert_future(future, resets[_i].status);
    amdrpc_future_unref(future);
}
END_TEST

START_TEST(connection_goes_on_after_a_bad_response)
{
    test_client_start(peer_bad_prefix);
    amdrpc_future_unref(test_client_call(NULL));

    amdrpc_future_unref(test_client_call(NULL));

    ck_assert_uint_eq(test_peer_get(test_peer, PEER_NCONNS), 1);
}
END_TEST

static Suite *
client_failure_suite(void)
{
    Suite *suite = suite_create("client_failure");
    TCase *tcase = tcase_create("status");

    tcase_set_timeout(tcase, 30);
    tcase_add_checked_fixture(tcase, NULL, test_client_teardown);
    tcase_add_test(tcase, trailers_only_tells_status_and_message);
    tcase_add_test(tcase, trailers_only_is_trailing_metadata);
    tcase_add_test(tcase, status_after_a_message_counts);
    tcase_add_test(tcase, status_that_is_none_is_unknown);
    tcase_add_test(tcase, http_error_is_mapped);
    tcase_add_test(tcase, response_that_is_no_grpc_is_refused);
    tcase_add_test(tcase, response_without_status_is_unknown);
    tcase_add_test(tcase, unary_response_without_message_is_refused);
    tcase_add_test(tcase, unary_response_with_two_messages_is_refused);
    tcase_add_test(tcase, response_cut_short_is_internal);
    tcase_add_test(tcase, response_that_does_not_parse_is_internal);
    tcase_add_test(tcase, message_that_does_not_parse_ends_the_stream);
    tcase_add_test(tcase, compression_that_was_not_offered_is_internal);
    tcase_add_test(tcase, damaged_compression_is_internal);
    tcase_add_test(tcase, message_too_large_once_decompressed_is_refused);
    tcase_add_test(tcase, malformed_prefix_is_internal);
    tcase_add_test(tcase, message_over_the_limit_is_refused_at_its_prefix);
    tcase_add_test(tcase, header_block_over_the_limit_is_refused);
    tcase_add_loop_test(
            tcase, reset_is_mapped, 0, sizeof(resets) / sizeof(resets[0]));
    tcase_add_test(tcase, connection_goes_on_after_a_bad_response);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(client_failure_suite)
