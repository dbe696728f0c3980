/** Tests how connections begin, end, and begin again. */
#include "tests/integration/client.h"
#include "tests/support/runner.h"

#include <check.h>

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/** Makes a channel to a port that nobody listens on; returns its socket. */
static int
start_without_server(void)
{
    struct sockaddr_in address = {
            .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    char target[32];

    // Bound and not listening: the port stays ours and refuses.
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, len), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    (void)snprintf(
            target, sizeof(target), "127.0.0.1:%u", ntohs(address.sin_port));
    ck_assert_int_eq(
            amdrpc_channel_create(target, NULL, &test_channel), AMDRPC_OK);
    return fd;
}

START_TEST(refused_connection_is_unavailable)
{
    int fd = start_without_server();

    amdrpc_future *future = test_client_call(NULL);

    test_assert_future(future, AMDRPC_STATUS_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(amdrpc_future_get_status_message(future),
            "cannot connect to 127.0.0.1:"));
    amdrpc_future_unref(future);
    close(fd);
}
END_TEST

START_TEST(call_in_the_back_off_fails_at_once)
{
    int fd = start_without_server();
    amdrpc_future_unref(test_client_call(NULL));

    amdrpc_future *future = test_client_call(NULL);

    test_assert_future(future, AMDRPC_STATUS_UNAVAILABLE);
    amdrpc_future_unref(future);
    close(fd);
}
END_TEST

START_TEST(call_that_waits_for_ready_waits_for_its_deadline)
{
    const amdrpc_call_options options = {
            .timeout_ms = 50, .wait_for_ready = true};
    int fd = start_without_server();

    amdrpc_future *future = test_client_call(&options);

    test_assert_future(future, AMDRPC_STATUS_DEADLINE_EXCEEDED);
    ck_assert_str_eq(amdrpc_future_get_status_message(future),
            "deadline exceeded while waiting for a connection");
    amdrpc_future_unref(future);
    close(fd);
}
END_TEST

START_TEST(call_that_waits_for_ready_gets_the_server_that_comes)
{
    const amdrpc_call_options options = {
            .timeout_ms = TEST_WAIT_MS, .wait_for_ready = true};
    int fd = start_without_server();
    amdrpc_future_unref(test_client_call(NULL)); // now it backs off

    // The server comes: it says nothing, but it is there.
    ck_assert_int_eq(listen(fd, 8), 0);
    amdrpc_future *future = test_client_start_call(&options);

    int accepted = accept(fd, NULL, NULL);

    ck_assert_int_ge(accepted, 0);
    ck_assert(!amdrpc_future_is_ready(future));
    amdrpc_future_unref(future);
    close(accepted);
    close(fd);
}
END_TEST

START_TEST(unknown_name_is_unavailable)
{
    ck_assert_int_eq(amdrpc_channel_create(
                             "no-such-host.invalid:1", NULL, &test_channel),
            AMDRPC_OK);

    amdrpc_future *future = test_client_call(NULL);

    test_assert_future(future, AMDRPC_STATUS_UNAVAILABLE);
    amdrpc_future_unref(future);
}
END_TEST

START_TEST(name_is_looked_up)
{
    const struct test_peer_options options = {.on_stream = test_peer_echo};
    char target[64];

    test_peer = test_peer_start(&options);
    (void)snprintf(target, sizeof(target), "localhost%s",
            strchr(test_peer_target(test_peer), ':'));
    ck_assert_int_eq(
            amdrpc_channel_create(target, NULL, &test_channel), AMDRPC_OK);

    amdrpc_future *future = test_client_call(NULL);

    test_assert_future(future, AMDRPC_STATUS_OK);
    amdrpc_future_unref(future);
}
END_TEST

START_TEST(server_that_never_greets_times_out)
{
    const struct test_peer_options peer_options = {.is_silent = true};
    const amdrpc_channel_options options = {.connect_timeout_ms = 50};

    test_client_start_with(&peer_options, &options);

    amdrpc_future *future = test_client_call(NULL);

    test_assert_future(future, AMDRPC_STATUS_UNAVAILABLE);
    amdrpc_future_unref(future);
}
END_TEST

START_TEST(server_that_hangs_up_is_unavailable)
{
    const struct test_peer_options options = {.hangs_up = true};

    test_client_start_with(&options, NULL);

    amdrpc_future *future = test_client_call(NULL);

    test_assert_future(future, AMDRPC_STATUS_UNAVAILABLE);
    amdrpc_future_unref(future);
}
END_TEST

static void
peer_hang_up(struct test_peer_stream *stream, enum test_peer_moment moment)
{
    if (moment == PEER_END) {
        if (test_peer_get(stream->peer, PEER_NCONNS) == 1) {
            test_peer_hang_up(stream);
        } else {
            test_peer_respond(stream, NULL, 0);
            test_peer_send(stream, "", 0);
            test_peer_finish(stream, "0", "");
        }
    }
}

START_TEST(lost_connection_ends_the_call_and_not_the_channel)
{
    test_client_start(peer_hang_up);

    amdrpc_future *lost = test_client_call(NULL);
    amdrpc_future *next = test_client_call(NULL);

    test_assert_future(lost, AMDRPC_STATUS_UNAVAILABLE);
    ck_assert_str_eq(
            amdrpc_future_get_status_message(lost), "the connection was lost");
    test_assert_future(next, AMDRPC_STATUS_OK);
    amdrpc_future_unref(lost);
    amdrpc_future_unref(next);
}
END_TEST

static void
peer_refuse_once(struct test_peer_stream *stream, enum test_peer_moment moment)
{
    if (test_peer_get(stream->peer, PEER_NENDS) > 0) {
        test_peer_echo(stream, moment);
    } else if (moment == PEER_END) {
        test_peer_reset(stream, AMDI_H2_REFUSED_STREAM);
    }
}

START_TEST(refused_stream_is_tried_once_more)
{
    test_client_start(peer_refuse_once);

    amdrpc_future *future = test_client_call(NULL);

    const Amdrpc__Bench__V1__EchoResponse *response =
            (const Amdrpc__Bench__V1__EchoResponse *)amdrpc_future_get_message(
                    future);
    test_assert_future(future, AMDRPC_STATUS_OK);
    ck_assert_mem_eq(response->payload.data, "hi", 2);
    ck_assert_uint_eq(test_peer_get(test_peer, PEER_NREQUESTS), 2);
    amdrpc_future_unref(future);
}
END_TEST

static void
peer_refuse(struct test_peer_stream *stream, enum test_peer_moment moment)
{
    if (moment == PEER_END) {
        test_peer_reset(stream, AMDI_H2_REFUSED_STREAM);
    }
}

START_TEST(stream_refused_twice_is_unavailable)
{
    test_client_start(peer_refuse);

    amdrpc_future *future = test_client_call(NULL);

    test_assert_future(future, AMDRPC_STATUS_UNAVAILABLE);
    test_peer_wait(test_peer, PEER_NREQUESTS, 2);
    amdrpc_future_unref(future);
}
END_TEST

static void
peer_goaway_unseen(
        struct test_peer_stream *stream, enum test_peer_moment moment)
{
    if (test_peer_get(stream->peer, PEER_NCONNS) > 1) {
        test_peer_echo(stream, moment);
    } else if (moment == PEER_END) {
        test_peer_goaway(stream, 0, AMDI_H2_NO_ERROR, "");
    }
}

START_TEST(stream_above_the_goaway_begins_again_elsewhere)
{
    test_client_start(peer_goaway_unseen);

    amdrpc_future *future = test_client_call(NULL);

    test_assert_future(future, AMDRPC_STATUS_OK);
    ck_assert_uint_eq(test_peer_get(test_peer, PEER_NCONNS), 2);
    test_peer_wait(test_peer, PEER_NLOST, 1); // the old one is closed
    amdrpc_future_unref(future);
}
END_TEST

static void
peer_goaway_then_answer(
        struct test_peer_stream *stream, enum test_peer_moment moment)
{
    if (moment == PEER_HEADERS) {
        test_peer_goaway(stream, (uint32_t)stream->id, AMDI_H2_NO_ERROR, "");
    }
    test_peer_echo(stream, moment);
}

START_TEST(stream_below_the_goaway_is_finished)
{
    test_client_start(peer_goaway_then_answer);
    amdrpc_client_call *call = test_client_begin(&test_bidi);
    test_peer_wait(test_peer, PEER_NREQUESTS, 1);

    test_client_send(call, "still here");
    amdrpc_client_call_close_send(call);

    ck_assert_uint_eq(test_client_drain(call), 1);
    test_assert_ended(call, AMDRPC_STATUS_OK);
    amdrpc_client_call_unref(call);
    test_peer_wait(test_peer, PEER_NLOST, 1);
}
END_TEST

START_TEST(next_call_after_a_goaway_takes_a_new_connection)
{
    test_client_start(peer_goaway_then_answer);
    amdrpc_future_unref(test_client_call(NULL));
    test_peer_wait(test_peer, PEER_NLOST, 1);

    amdrpc_future *future = test_client_call(NULL);

    test_assert_future(future, AMDRPC_STATUS_OK);
    ck_assert_uint_eq(test_peer_get(test_peer, PEER_NCONNS), 2);
    amdrpc_future_unref(future);
}
END_TEST

START_TEST(peer_limit_of_streams_is_obeyed)
{
    const struct test_peer_options options = {
            .on_stream = test_peer_ignore, .max_streams = 2};
    amdrpc_client_call *calls[5];

    test_client_start_with(&options, NULL);
    for (size_t i = 0; i < 5; i++) {
        calls[i] = test_client_begin(&test_unary);
    }
    test_peer_wait(test_peer, PEER_NREQUESTS, 2);

    // Each that goes makes room for one that waits.
    amdrpc_client_call_unref(calls[0]);
    test_peer_wait(test_peer, PEER_NREQUESTS, 3);
    amdrpc_client_call_unref(calls[1]);
    test_peer_wait(test_peer, PEER_NREQUESTS, 4);

    for (size_t i = 2; i < 5; i++) {
        amdrpc_client_call_unref(calls[i]);
    }
}
END_TEST

static Suite *
client_connect_suite(void)
{
    Suite *suite = suite_create("client_connect");
    TCase *tcase = tcase_create("connection");

    tcase_set_timeout(tcase, 30);
    tcase_add_checked_fixture(tcase, NULL, test_client_teardown);
    tcase_add_test(tcase, refused_connection_is_unavailable);
    tcase_add_test(tcase, call_in_the_back_off_fails_at_once);
    tcase_add_test(tcase, call_that_waits_for_ready_waits_for_its_deadline);
    tcase_add_test(tcase, call_that_waits_for_ready_gets_the_server_that_comes);
    tcase_add_test(tcase, unknown_name_is_unavailable);
    tcase_add_test(tcase, name_is_looked_up);
    tcase_add_test(tcase, server_that_never_greets_times_out);
    tcase_add_test(tcase, server_that_hangs_up_is_unavailable);
    tcase_add_test(tcase, lost_connection_ends_the_call_and_not_the_channel);
    tcase_add_test(tcase, refused_stream_is_tried_once_more);
    tcase_add_test(tcase, stream_refused_twice_is_unavailable);
    tcase_add_test(tcase, stream_above_the_goaway_begins_again_elsewhere);
    tcase_add_test(tcase, stream_below_the_goaway_is_finished);
    tcase_add_test(tcase, next_call_after_a_goaway_takes_a_new_connection);
    tcase_add_test(tcase, peer_limit_of_streams_is_obeyed);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(client_connect_suite)
