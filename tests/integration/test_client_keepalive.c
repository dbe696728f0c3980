/** Tests PINGs on the client's quiet connections. */
#include "client/channel.h"
#include "tests/integration/client.h"
#include "tests/support/runner.h"

#include <check.h>

#define INTERVAL_MS 5u

/** Starts a channel whose PINGs come sooner than users may ask for. */
static void
start(test_peer_fn on_stream, uint32_t timeout_ms)
{
    const struct test_peer_options peer = {.on_stream = on_stream};
    const amdrpc_channel_options options = {
            .keepalive_interval_ms = 10000, .keepalive_timeout_ms = timeout_ms};

    test_client_start_with(&peer, &options);
    test_channel->keepalive_interval_ms = INTERVAL_MS; // nothing is open yet
}

static void
peer_fall_silent(struct test_peer_stream *stream, enum test_peer_moment moment)
{
    if (moment == PEER_HEADERS) {
        test_peer_fall_silent(stream);
    }
}

START_TEST(server_that_fell_silent_is_lost)
{
    start(peer_fall_silent, /*timeout_ms=*/20);

    amdrpc_future *future = test_client_call(NULL);

    test_assert_future(future, AMDRPC_STATUS_UNAVAILABLE);
    test_peer_wait(test_peer, PEER_NLOST, 1);
    amdrpc_future_unref(future);
}
END_TEST

START_TEST(slow_server_that_answers_pings_is_waited_for)
{
    start(test_peer_echo, /*timeout_ms=*/TEST_WAIT_MS);
    amdrpc_client_call *call = test_client_begin(&test_bidi);
    test_peer_wait(test_peer, PEER_NREQUESTS, 1);

    test_peer_wait_at_least(test_peer, PEER_NPINGS, 3);
    test_client_send(call, "still there");
    amdrpc_client_call_close_send(call);

    ck_assert_uint_eq(test_client_drain(call), 1);
    test_assert_ended(call, AMDRPC_STATUS_OK);
    amdrpc_client_call_unref(call);
}
END_TEST

static void
peer_want_calm(struct test_peer_stream *stream, enum test_peer_moment moment)
{
    if (moment == PEER_HEADERS) {
        test_peer_goaway(stream, (uint32_t)stream->id,
                AMDI_H2_ENHANCE_YOUR_CALM, "too_many_pings");
    }
    test_peer_echo(stream, moment);
}

START_TEST(server_that_wants_calm_gets_half_as_many)
{
    start(peer_want_calm, /*timeout_ms=*/TEST_WAIT_MS);

    // The end of a call over the new connection comes after the GOAWAY.
    amdrpc_future_unref(test_client_call(NULL));
    test_peer_wait(test_peer, PEER_NLOST, 1);
    amdrpc_future_unref(test_client_call(NULL));

    ck_assert_uint_ge(test_channel->keepalive_interval_ms, 2 * INTERVAL_MS);
}
END_TEST

static Suite *
client_keepalive_suite(void)
{
    Suite *suite = suite_create("client_keepalive");
    TCase *tcase = tcase_create("keepalive");

    tcase_set_timeout(tcase, 30);
    tcase_add_checked_fixture(tcase, NULL, test_client_teardown);
    tcase_add_test(tcase, server_that_fell_silent_is_lost);
    tcase_add_test(tcase, slow_server_that_answers_pings_is_waited_for);
    tcase_add_test(tcase, server_that_wants_calm_gets_half_as_many);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(client_keepalive_suite)
