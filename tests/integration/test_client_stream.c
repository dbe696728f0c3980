/** Tests calls with streams of messages. */
#include "tests/integration/client.h"
#include "tests/support/deadline.h"
#include "tests/support/runner.h"

#include <check.h>

#include <semaphore.h>
#include <time.h>

#define BIG_BYTES (1024u * 1024u)
#define NBIG 8u

START_TEST(bidi_messages_alternate)
{
    const ProtobufCMessage *message = NULL;

    test_client_start(test_peer_echo);
    amdrpc_client_call *call = test_client_begin(&test_bidi);

    for (int i = 0; i < 50; i++) {
        test_client_send(call, "ping");
        ck_assert_int_eq(amdrpc_client_call_recv(call, TEST_WAIT_MS, &message),
                AMDRPC_OK);
    }
    amdrpc_client_call_close_send(call);

    test_assert_ended(call, AMDRPC_STATUS_OK);
    amdrpc_client_call_unref(call);
}
END_TEST

static void
peer_count_to_ten(struct test_peer_stream *stream, enum test_peer_moment moment)
{
    if (moment != PEER_END) {
        return;
    }
    test_peer_respond(stream, NULL, 0);
    for (int i = 0; i < 10; i++) {
        test_peer_send(stream, "\x0a\x01x", 3);
    }
    test_peer_finish(stream, "0", "");
}

START_TEST(server_stream_is_read_to_its_end)
{
    test_client_start(peer_count_to_ten);
    amdrpc_client_call *call = test_client_begin(&test_server_streaming);

    test_client_send(call, "go");

    ck_assert_uint_eq(test_client_drain(call), 10);
    test_assert_ended(call, AMDRPC_STATUS_OK);
    amdrpc_client_call_unref(call);
}
END_TEST

static void
peer_answer_at_end(
        struct test_peer_stream *stream, enum test_peer_moment moment)
{
    if (moment == PEER_END) {
        test_peer_respond(stream, NULL, 0);
        test_peer_send(stream, "", 0);
        test_peer_finish(stream, "0", "");
    }
}

START_TEST(client_stream_ends_with_one_answer)
{
    test_client_start(peer_answer_at_end);
    amdrpc_client_call *call = test_client_begin(&test_client_streaming);

    for (int i = 0; i < 1000; i++) {
        test_client_send(call, "part");
    }
    amdrpc_client_call_close_send(call);

    ck_assert_uint_eq(test_client_drain(call), 1);
    test_assert_ended(call, AMDRPC_STATUS_OK);
    amdrpc_client_call_unref(call);
}
END_TEST

START_TEST(message_after_the_last_is_refused)
{
    Amdrpc__Bench__V1__EchoRequest request =
            AMDRPC__BENCH__V1__ECHO_REQUEST__INIT;

    test_client_start(test_peer_echo);
    amdrpc_client_call *call = test_client_begin(&test_unary);
    test_client_send(call, "only");

    ck_assert_int_eq(
            amdrpc_client_call_send(call, &request.base), AMDRPC_ESTATE);

    test_assert_ended(call, AMDRPC_STATUS_OK);
    amdrpc_client_call_unref(call);
}
END_TEST

static size_t nbig_received;

static void
peer_count_bytes(struct test_peer_stream *stream, enum test_peer_moment moment)
{
    if (moment == PEER_DATA) {
        nbig_received += amdi_buf_len(&stream->body);
        amdi_buf_clear(&stream->body);
    }
    peer_answer_at_end(stream, moment);
}

START_TEST(big_messages_wait_for_the_window)
{
    static uint8_t data[BIG_BYTES];

    nbig_received = 0;
    test_client_start(peer_count_bytes);
    amdrpc_client_call *call = test_client_begin(&test_client_streaming);

    for (unsigned i = 0; i < NBIG; i++) {
        ck_assert_int_eq(
                amdrpc_client_call_send_bytes(call, data, sizeof(data)),
                AMDRPC_OK);
    }
    amdrpc_client_call_close_send(call);

    test_assert_ended(call, AMDRPC_STATUS_OK);
    amdrpc_client_call_unref(call);
    ck_assert_uint_eq(nbig_received, NBIG * (BIG_BYTES + 5));
}
END_TEST

static void
peer_send_big(struct test_peer_stream *stream, enum test_peer_moment moment)
{
    static uint8_t data[BIG_BYTES];

    if (moment == PEER_END) {
        test_peer_respond(stream, NULL, 0);
        for (unsigned i = 0; i < NBIG; i++) {
            test_peer_send(stream, data, sizeof(data));
        }
        test_peer_finish(stream, "0", "");
    }
}

START_TEST(big_responses_come_whole)
{
    const void *data = NULL;
    size_t len = 0;
    size_t n = 0;

    test_client_start(peer_send_big);
    amdrpc_client_call *call = test_client_begin(&test_server_streaming);
    test_client_send(call, "go");

    while (amdrpc_client_call_recv_bytes(call, TEST_WAIT_MS, &data, &len) ==
            AMDRPC_OK) {
        ck_assert_uint_eq(len, BIG_BYTES);
        n++;
    }

    ck_assert_uint_eq(n, NBIG);
    test_assert_ended(call, AMDRPC_STATUS_OK);
    amdrpc_client_call_unref(call);
}
END_TEST

START_TEST(unread_stream_leaves_room_for_other_calls)
{
    amdrpc_client_call *stalled[4];
    const void *data = NULL;
    size_t len = 0;

    test_client_start(peer_send_big);
    for (size_t i = 0; i < 4; i++) {
        stalled[i] = test_client_begin(&test_server_streaming);
        test_client_send(stalled[i], "go");
    }
    test_peer_wait(test_peer, PEER_NENDS, 4);

    amdrpc_client_call *call = test_client_begin(&test_server_streaming);
    test_client_send(call, "go");

    for (unsigned i = 0; i < NBIG; i++) {
        ck_assert_int_eq(
                amdrpc_client_call_recv_bytes(call, TEST_WAIT_MS, &data, &len),
                AMDRPC_OK);
    }
    for (size_t i = 0; i < 4; i++) {
        amdrpc_client_call_unref(stalled[i]);
    }
    amdrpc_client_call_unref(call);
}
END_TEST

/* ---- callbacks ---- */

static sem_t ended;
static unsigned nreadable;
static unsigned nends;

static void
events_on_readable(amdrpc_client_call *call, void *arg)
{
    const ProtobufCMessage *message = NULL;

    (void)arg;
    while (amdrpc_client_call_recv(call, -1, &message) == AMDRPC_OK) {
        nreadable++;
    }
}

static void
events_on_end(amdrpc_client_call *call, void *arg)
{
    (void)arg;
    events_on_readable(call, NULL);
    ck_assert_int_eq(amdrpc_client_call_get_status(call), AMDRPC_STATUS_OK);
    nends++;
    amdrpc_client_call_unref(call); // in its own callback
    sem_post(&ended);
}

static const amdrpc_client_call_events events = {
        .on_readable = events_on_readable,
        .on_end = events_on_end,
};

static void
wait_for_end(void)
{
    const struct timespec until = test_deadline_ms(TEST_WAIT_MS);

    ck_assert_int_eq(sem_timedwait(&ended, &until), 0);
}

static void
events_setup(void)
{
    sem_init(&ended, 0, 0);
    nreadable = 0;
    nends = 0;
}

static void
events_teardown(void)
{
    test_client_teardown();
    sem_destroy(&ended);
}

START_TEST(callbacks_tell_messages_and_the_end_once)
{
    test_client_start(peer_count_to_ten);
    amdrpc_client_call *call = test_client_begin(&test_server_streaming);
    amdrpc_client_call_set_events(call, &events, NULL);

    test_client_send(call, "go");

    wait_for_end();
    ck_assert_uint_eq(nreadable, 10);
    ck_assert_uint_eq(nends, 1);
}
END_TEST

START_TEST(callbacks_set_late_tell_what_holds)
{
    test_client_start(peer_count_to_ten);
    amdrpc_client_call *call = test_client_begin(&test_server_streaming);
    test_client_send(call, "go");
    test_peer_wait(test_peer, PEER_NENDS, 1);
    amdrpc_future *future = NULL;
    ck_assert_int_eq(amdrpc_client_call_get_future(call, &future), AMDRPC_OK);
    ck_assert_int_eq(amdrpc_future_wait(future, TEST_WAIT_MS), AMDRPC_OK);
    amdrpc_future_unref(future);

    amdrpc_client_call_set_events(call, &events, NULL);

    wait_for_end();
    ck_assert_uint_eq(nreadable, 10);
}
END_TEST

/* ---- writing on the loop, with back-pressure ---- */

struct writer {
    unsigned nsent;
    unsigned nagain;
};

static void
writer_on_writable(amdrpc_client_call *call, void *arg)
{
    static uint8_t data[64 * 1024];
    struct writer *writer = arg;

    while (writer->nsent < 64) {
        amdrpc_err err =
                amdrpc_client_call_send_bytes(call, data, sizeof(data));

        if (err == AMDRPC_EAGAIN) {
            writer->nagain++;
            return;
        }
        ck_assert_int_eq(err, AMDRPC_OK);
        writer->nsent++;
    }
    amdrpc_client_call_close_send(call);
}

START_TEST(writer_on_the_loop_is_told_again_when_there_is_room)
{
    const amdrpc_client_call_events writing = {
            .on_writable = writer_on_writable};
    struct writer writer = {0};

    nbig_received = 0;
    test_client_start(peer_count_bytes);
    amdrpc_client_call *call = test_client_begin(&test_client_streaming);

    amdrpc_client_call_set_events(call, &writing, &writer);

    test_assert_ended(call, AMDRPC_STATUS_OK);
    ck_assert_uint_eq(nbig_received, 64 * (64 * 1024 + 5));
    ck_assert_uint_gt(writer.nagain, 0);
    amdrpc_client_call_unref(call);
}
END_TEST

static Suite *
client_stream_suite(void)
{
    Suite *suite = suite_create("client_stream");
    TCase *tcase = tcase_create("stream");

    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, events_setup, events_teardown);
    tcase_add_test(tcase, bidi_messages_alternate);
    tcase_add_test(tcase, server_stream_is_read_to_its_end);
    tcase_add_test(tcase, client_stream_ends_with_one_answer);
    tcase_add_test(tcase, message_after_the_last_is_refused);
    tcase_add_test(tcase, big_messages_wait_for_the_window);
    tcase_add_test(tcase, big_responses_come_whole);
    tcase_add_test(tcase, unread_stream_leaves_room_for_other_calls);
    tcase_add_test(tcase, callbacks_tell_messages_and_the_end_once);
    tcase_add_test(tcase, callbacks_set_late_tell_what_holds);
    tcase_add_test(tcase, writer_on_the_loop_is_told_again_when_there_is_room);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(client_stream_suite)
