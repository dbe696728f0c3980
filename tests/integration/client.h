/** What the tests of the client have in common. */
#ifndef TEST_CLIENT_H
#define TEST_CLIENT_H

#include <amdrpc/client.h>

#include "amdrpc/bench/v1/bench.pb-c.h"
#include "tests/support/h2_peer.h"

// Longer than any test may take: only a hang comes here.
#define TEST_WAIT_MS 10000

/** Methods of each kind, all from EchoRequest to EchoResponse. */
extern const amdrpc_method_desc test_unary;
extern const amdrpc_method_desc test_client_streaming;
extern const amdrpc_method_desc test_server_streaming;
extern const amdrpc_method_desc test_bidi;

/** The peer and a channel to it; both NULL between tests. */
extern struct test_peer *test_peer;
extern amdrpc_channel *test_channel;

/** Tells whether the tests run over TLS: the environment says so. */
bool test_client_has_tls(void);

/** Starts a peer with @on_stream, and a channel with defaults. */
void test_client_start(test_peer_fn on_stream);

/** The same with options of one's own; NULL: defaults. */
void test_client_start_with(const struct test_peer_options *peer_options,
        const amdrpc_channel_options *channel_options);

/** Ends both; fixture of every case. */
void test_client_teardown(void);

/** Calls test_unary with "hi", and waits for nothing. */
amdrpc_future *test_client_start_call(const amdrpc_call_options *options);

/** The same; returns the complete future. */
amdrpc_future *test_client_call(const amdrpc_call_options *options);

/** Starts a call of @method. */
amdrpc_client_call *test_client_begin(const amdrpc_method_desc *method);

/** Sends one EchoRequest with @text. */
void test_client_send(amdrpc_client_call *call, const char *text);

/** Reads until the call has ended; returns how many messages there were. */
size_t test_client_drain(amdrpc_client_call *call);

/** Checks how a future's or call's work ended. */
void test_assert_future(amdrpc_future *future, amdrpc_status_code status);
void test_assert_ended(amdrpc_client_call *call, amdrpc_status_code status);

/** A peer function: answers with the request's own bytes. */
void test_peer_echo(
        struct test_peer_stream *stream, enum test_peer_moment moment);

/** A peer function: never answers. */
void test_peer_ignore(
        struct test_peer_stream *stream, enum test_peer_moment moment);

#endif
