/** What the tests of the client have in common. */
#include "tests/integration/client.h"

#include "tests/support/certs.h"

#include <check.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define METHOD(variable, method_kind)                                \
    const amdrpc_method_desc variable = {                            \
            .name = "Echo",                                          \
            .path = "/test.Test/Echo",                               \
            .kind = (method_kind),                                   \
            .input = &amdrpc__bench__v1__echo_request__descriptor,   \
            .output = &amdrpc__bench__v1__echo_response__descriptor, \
    }

METHOD(test_unary, AMDRPC_UNARY);
METHOD(test_client_streaming, AMDRPC_CLIENT_STREAMING);
METHOD(test_server_streaming, AMDRPC_SERVER_STREAMING);
METHOD(test_bidi, AMDRPC_BIDI_STREAMING);

struct test_peer *test_peer;
static amdrpc_tls *test_peer_tls;
amdrpc_channel *test_channel;

bool
test_client_has_tls(void)
{
    return getenv("AMDRPC_TEST_TLS") != NULL;
}

/** Both sides' TLS, when the tests run over it. */
static void
tls_set(struct test_peer_options *peer, amdrpc_channel_options *channel)
{
    struct test_tree tree;
    char paths[2][PATH_MAX];
    amdrpc_tls_options server = {.role = AMDRPC_TLS_SERVER};
    amdrpc_tls_options client = {.role = AMDRPC_TLS_CLIENT};

    test_tree_init(&tree);
    test_certs_add_usual(&tree);
    (void)snprintf(paths[0], sizeof(paths[0]), "%s",
            test_tree_path(&tree, "server.pem"));
    (void)snprintf(paths[1], sizeof(paths[1]), "%s",
            test_tree_path(&tree, "server.key"));
    server.cert_file = paths[0];
    server.key_file = paths[1];
    client.ca_file = test_tree_path(&tree, "ca.pem");
    ck_assert_int_eq(
            amdrpc_tls_create(&server, NULL, 0, &peer->tls), AMDRPC_OK);
    ck_assert_int_eq(
            amdrpc_tls_create(&client, NULL, 0, &channel->tls), AMDRPC_OK);
    test_tree_fini(&tree);
}

void
test_client_start_with(const struct test_peer_options *peer_options,
        const amdrpc_channel_options *channel_options)
{
    static const amdrpc_channel_options defaults;
    struct test_peer_options peer = *peer_options;
    amdrpc_channel_options channel =
            channel_options == NULL ? defaults : *channel_options;

    if (test_client_has_tls()) {
        tls_set(&peer, &channel);
    }
    test_peer = test_peer_start(&peer);
    ck_assert_int_eq(amdrpc_channel_create(test_peer_target(test_peer),
                             &channel, &test_channel),
            AMDRPC_OK);
    test_peer_tls = peer.tls;
    amdrpc_tls_unref(channel.tls);
}

void
test_client_start(test_peer_fn on_stream)
{
    const struct test_peer_options options = {.on_stream = on_stream};

    test_client_start_with(&options, NULL);
}

void
test_client_teardown(void)
{
    amdrpc_channel_unref(test_channel);
    test_channel = NULL;
    if (test_peer != NULL) {
        test_peer_stop(test_peer);
        test_peer = NULL;
        amdrpc_tls_unref(test_peer_tls);
        test_peer_tls = NULL;
    }
}

static void
request_init(Amdrpc__Bench__V1__EchoRequest *request, const char *text)
{
    amdrpc__bench__v1__echo_request__init(request);
    request->payload.data = (uint8_t *)(uintptr_t)text;
    request->payload.len = strlen(text);
}

amdrpc_future *
test_client_start_call(const amdrpc_call_options *options)
{
    amdrpc_future *future = NULL;
    Amdrpc__Bench__V1__EchoRequest request;

    request_init(&request, "hi");
    ck_assert_int_eq(amdrpc_channel_call(test_channel, &test_unary,
                             &request.base, options, &future),
            AMDRPC_OK);
    return future;
}

amdrpc_future *
test_client_call(const amdrpc_call_options *options)
{
    amdrpc_future *future = test_client_start_call(options);

    ck_assert_int_eq(amdrpc_future_wait(future, TEST_WAIT_MS), AMDRPC_OK);
    return future;
}

amdrpc_client_call *
test_client_begin(const amdrpc_method_desc *method)
{
    amdrpc_client_call *call = NULL;

    ck_assert_int_eq(
            amdrpc_channel_start_call(test_channel, method, NULL, &call),
            AMDRPC_OK);
    return call;
}

void
test_client_send(amdrpc_client_call *call, const char *text)
{
    Amdrpc__Bench__V1__EchoRequest request;

    request_init(&request, text);
    ck_assert_int_eq(amdrpc_client_call_send(call, &request.base), AMDRPC_OK);
}

size_t
test_client_drain(amdrpc_client_call *call)
{
    const ProtobufCMessage *message = NULL;
    amdrpc_err err = AMDRPC_OK;
    size_t n = 0;

    for (;;) {
        err = amdrpc_client_call_recv(call, TEST_WAIT_MS, &message);
        if (err != AMDRPC_OK) {
            break;
        }
        n++;
    }
    ck_assert_int_eq(err, AMDRPC_EEND);
    return n;
}

void
test_assert_future(amdrpc_future *future, amdrpc_status_code status)
{
    ck_assert_msg(amdrpc_future_get_status(future) == status, "%s: %s",
            amdrpc_status_name(amdrpc_future_get_status(future)),
            amdrpc_future_get_status_message(future));
}

void
test_assert_ended(amdrpc_client_call *call, amdrpc_status_code status)
{
    (void)test_client_drain(call);
    ck_assert_msg(amdrpc_client_call_get_status(call) == status, "%s: %s",
            amdrpc_status_name(amdrpc_client_call_get_status(call)),
            amdrpc_client_call_get_status_message(call));
}

void
test_peer_echo(struct test_peer_stream *stream, enum test_peer_moment moment)
{
    if (moment == PEER_HEADERS) {
        test_peer_respond(stream, NULL, 0);
        return;
    }
    if (moment == PEER_DATA) {
        test_peer_send_raw(stream, amdi_buf_peek(&stream->body),
                amdi_buf_len(&stream->body));
        amdi_buf_clear(&stream->body);
        return;
    }
    test_peer_finish(stream, "0", "");
}

void
test_peer_ignore(struct test_peer_stream *stream, enum test_peer_moment moment)
{
    (void)stream;
    (void)moment;
}
