/** Tests TLS over transports: the handshake, bytes, and the end. */
#include "common/alloc.h"
#include "common/transport.h"
#include "tests/support/certs.h"
#include "tests/support/runner.h"
#include "tests/support/transport_probe.h"

#include <check.h>
#include <openssl/ssl.h>

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BIG_BYTES (3u * 1024 * 1024)

/** The client's end; the probe is the server's. */
struct client {
    struct amdi_transport *transport;
    char trace[64]; // as the probe's
    amdrpc_err lost_err;
    size_t nread;
    bool are_bytes_right; // each by its place
};

static struct test_tree tree;
static struct client client;
static amdrpc_tls *server_tls;
static amdrpc_tls *client_tls;

/* ---- the client's end ---- */

static void
client_trace(char letter)
{
    size_t len = strlen(client.trace);

    if (len + 1 < sizeof(client.trace)) {
        client.trace[len] = letter;
        client.trace[len + 1] = '\0';
    }
}

static void
client_on_connected(void *ctx)
{
    (void)ctx;
    client_trace('c');
}

static void
client_on_read(void *ctx, const uint8_t *data, size_t len)
{
    (void)ctx;
    for (size_t i = 0; i < len; i++) {
        client.are_bytes_right = client.are_bytes_right &&
                data[i] == (uint8_t)((client.nread + i) * 7);
    }
    client.nread += len;
    client_trace('r');
}

static void
client_on_drained(void *ctx)
{
    (void)ctx;
    client_trace('d');
}

static void
client_on_closed(void *ctx, amdrpc_err err)
{
    (void)ctx;
    client.lost_err = err;
    client_trace('l');
}

static const struct amdi_transport_events client_events = {
        .on_connected = client_on_connected,
        .on_read = client_on_read,
        .on_drained = client_on_drained,
        .on_closed = client_on_closed,
};

static bool
both_have(void *letters)
{
    const char *wanted = letters;

    return strchr(test_probe.trace, wanted[0]) != NULL &&
            strchr(client.trace, wanted[1]) != NULL;
}

/** Makes turns until the server has seen the first letter, the client the
 * second. */
static void
await(const char *letters)
{
    amdi_loop_run_until(test_probe.loop, both_have, (void *)(uintptr_t)letters);
}

/* ---- fixtures ---- */

static amdrpc_tls *
tls_new(amdrpc_tls_role role, const char *name, const char *ca, bool requires)
{
    char cert[PATH_MAX + 8];
    char key[PATH_MAX + 8];
    char ca_file[PATH_MAX];
    char reason[AMDRPC_REASON_BYTES] = "";
    amdrpc_tls *tls = NULL;
    amdrpc_tls_options options = {.role = role, .requires_peer_cert = requires};

    if (name != NULL) {
        (void)snprintf(
                cert, sizeof(cert), "%s.pem", test_tree_path(&tree, name));
        (void)snprintf(key, sizeof(key), "%s.key", test_tree_path(&tree, name));
        options.cert_file = cert;
        options.key_file = key;
    }
    if (ca != NULL) {
        (void)snprintf(
                ca_file, sizeof(ca_file), "%s", test_tree_path(&tree, ca));
        options.ca_file = ca_file;
    }
    ck_assert_msg(amdrpc_tls_create(&options, reason, sizeof(reason), &tls) ==
                    AMDRPC_OK,
            "%s", reason);
    return tls;
}

static void
set_up(void)
{
    test_probe_set_up();
    test_tree_init(&tree);
    test_certs_add_usual(&tree);
    memset(&client, 0, sizeof(client));
    client.are_bytes_right = true;
}

static void
tear_down(void)
{
    amdi_transport_destroy(client.transport);
    test_probe_tear_down();
    amdrpc_tls_unref(server_tls);
    amdrpc_tls_unref(client_tls);
    server_tls = NULL;
    client_tls = NULL;
    test_tree_fini(&tree);
}

/** Opens the server's end; returns the other, a plain socket. */
static int
open_server(void)
{
    int fds[2];

    ck_assert_int_eq(
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    ck_assert_int_eq(amdi_transport_create(test_probe.loop, fds[0],
                             &test_probe_events, NULL, &test_probe.transport),
            AMDRPC_OK);
    ck_assert_int_eq(
            amdi_transport_secure(test_probe.transport, server_tls, NULL),
            AMDRPC_OK);
    return fds[1];
}

static void
open_both(const char *server_name)
{
    int fd = open_server();

    ck_assert_int_eq(amdi_transport_create(test_probe.loop, fd, &client_events,
                             NULL, &client.transport),
            AMDRPC_OK);
    ck_assert_int_eq(
            amdi_transport_secure(client.transport, client_tls, server_name),
            AMDRPC_OK);
}

/** The usual: the server's certificate is in order. */
static void
open_usual(void)
{
    server_tls = tls_new(AMDRPC_TLS_SERVER, "server", NULL, false);
    client_tls = tls_new(AMDRPC_TLS_CLIENT, NULL, "ca.pem", false);
    open_both("localhost");
    await("cc");
}

/** The client refuses the server's certificate. */
static void
assert_client_refuses(const char *server_name, const char *sentence)
{
    open_both(server_name);
    await("ll");
    ck_assert_int_eq(client.lost_err, AMDRPC_EPROTO);
    ck_assert_int_eq(test_probe.lost_err, AMDRPC_EPROTO);
    ck_assert_msg(strstr(amdi_transport_get_reason(client.transport),
                          sentence) != NULL,
            "%s", amdi_transport_get_reason(client.transport));
}

/* ---- the handshake ---- */

START_TEST(names_and_addresses_are_accepted)
{
    static const char *const server_names[] = {"localhost", "127.0.0.1"};

    server_tls = tls_new(AMDRPC_TLS_SERVER, "server", NULL, false);
    client_tls = tls_new(AMDRPC_TLS_CLIENT, NULL, "ca.pem", false);
    open_both(server_names[_i]);
    await("cc");

    ck_assert_str_eq(client.trace, "c");
    ck_assert_str_eq(amdi_transport_get_identity(test_probe.transport), "");
    ck_assert_str_eq(
            amdi_transport_get_identity(client.transport), "localhost");
}
END_TEST

START_TEST(transport_is_blocked_until_the_handshake_is_done)
{
    server_tls = tls_new(AMDRPC_TLS_SERVER, "server", NULL, false);
    client_tls = tls_new(AMDRPC_TLS_CLIENT, NULL, "ca.pem", false);
    open_both("localhost");
    ck_assert(amdi_transport_is_blocked(test_probe.transport));
    ck_assert_str_eq(amdi_transport_get_cipher(test_probe.transport), "");

    await("cc");
    ck_assert(!amdi_transport_is_blocked(test_probe.transport));
}
END_TEST

START_TEST(cipher_has_its_standard_name)
{
    open_usual();

    ck_assert_int_eq(
            strncmp(amdi_transport_get_cipher(test_probe.transport), "TLS_", 4),
            0);
    ck_assert_str_eq(amdi_transport_get_cipher(test_probe.transport),
            amdi_transport_get_cipher(client.transport));
}
END_TEST

START_TEST(wrong_name_is_refused)
{
    server_tls = tls_new(AMDRPC_TLS_SERVER, "server", NULL, false);
    client_tls = tls_new(AMDRPC_TLS_CLIENT, NULL, "ca.pem", false);
    assert_client_refuses("example.org", "hostname mismatch");
}
END_TEST

START_TEST(unknown_authority_is_refused)
{
    test_certs_add_ca(&tree, "other");
    server_tls = tls_new(AMDRPC_TLS_SERVER, "server", NULL, false);
    client_tls = tls_new(AMDRPC_TLS_CLIENT, NULL, "other.pem", false);
    assert_client_refuses("localhost", "unable to get local issuer");
}
END_TEST

START_TEST(expired_certificate_is_refused)
{
    server_tls = tls_new(AMDRPC_TLS_SERVER, "expired", NULL, false);
    client_tls = tls_new(AMDRPC_TLS_CLIENT, NULL, "ca.pem", false);
    assert_client_refuses("localhost", "expired");
}
END_TEST

START_TEST(bytes_that_are_no_tls_are_refused)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

    server_tls = tls_new(AMDRPC_TLS_SERVER, "server", NULL, false);
    test_probe.peer_fd = open_server();
    ck_assert_int_gt(write(test_probe.peer_fd, preface, sizeof(preface)), 0);
    test_probe_await('l');

    ck_assert_int_eq(test_probe.lost_err, AMDRPC_EPROTO);
    ck_assert_str_ne(amdi_transport_get_reason(test_probe.transport), "");
}
END_TEST

START_TEST(peer_that_leaves_in_the_handshake_is_told)
{
    server_tls = tls_new(AMDRPC_TLS_SERVER, "server", NULL, false);
    test_probe.peer_fd = open_server();
    test_probe_close_peer();
    test_probe_await('l');

    ck_assert_int_eq(test_probe.lost_err, AMDRPC_ECLOSED);
}
END_TEST

/** A client of OpenSSL's own, which can be told to do the wrong thing. */
static SSL_CTX *
raw_client(int max_version, bool has_alpn)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    ck_assert_ptr_nonnull(ctx);
    ck_assert_int_eq(SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION), 1);
    ck_assert_int_eq(SSL_CTX_set_max_proto_version(ctx, max_version), 1);
    SSL_CTX_set_security_level(ctx, 0);
    if (has_alpn) {
        static const unsigned char h2[] = "\x02h2";

        ck_assert_int_eq(SSL_CTX_set_alpn_protos(ctx, h2, 3), 0);
    }
    return ctx;
}

static bool
probe_is_settled(void *arg)
{
    SSL_do_handshake(arg);
    return test_probe.trace[0] != '\0';
}

/** Lets @ctx shake hands with the server; it is freed. */
static void
shake_hands(SSL_CTX *ctx)
{
    SSL *ssl = SSL_new(ctx);
    int fd;

    server_tls = tls_new(AMDRPC_TLS_SERVER, "server", NULL, false);
    fd = open_server();
    ck_assert_int_eq(SSL_set_fd(ssl, fd), 1);
    SSL_set_connect_state(ssl);
    amdi_loop_run_until(test_probe.loop, probe_is_settled, ssl);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    close(fd);
}

START_TEST(old_versions_are_refused)
{
    static const int versions[] = {TLS1_VERSION, TLS1_1_VERSION};

    shake_hands(raw_client(versions[_i], true));

    ck_assert_str_eq(test_probe.trace, "l");
    ck_assert_str_eq(amdi_transport_get_reason(test_probe.transport),
            "TLS: unsupported protocol");
}
END_TEST

START_TEST(supported_versions_are_accepted)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

    shake_hands(raw_client(versions[_i], true));

    ck_assert_str_eq(test_probe.trace, "c");
}
END_TEST

START_TEST(client_without_alpn_is_refused)
{
    shake_hands(raw_client(TLS1_3_VERSION, false));

    ck_assert_str_eq(test_probe.trace, "l");
    ck_assert_ptr_nonnull(
            strstr(amdi_transport_get_reason(test_probe.transport), "(ALPN)"));
}
END_TEST

START_TEST(cipher_without_forward_secrecy_is_refused)
{
    SSL_CTX *ctx = raw_client(TLS1_2_VERSION, true);

    ck_assert_int_eq(SSL_CTX_set_cipher_list(
                             ctx, "AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA"),
            1);
    shake_hands(ctx);

    ck_assert_str_eq(test_probe.trace, "l");
    ck_assert_str_eq(amdi_transport_get_reason(test_probe.transport),
            "TLS: no shared cipher");
}
END_TEST

/* ---- certificates of clients ---- */

START_TEST(client_certificate_gives_a_name)
{
    server_tls = tls_new(AMDRPC_TLS_SERVER, "server", "ca.pem", true);
    client_tls = tls_new(AMDRPC_TLS_CLIENT, "client", "ca.pem", false);
    open_both("localhost");
    await("cc");

    ck_assert_str_eq(
            amdi_transport_get_identity(test_probe.transport), "alice");
}
END_TEST

START_TEST(client_without_certificate_is_anonymous_where_none_is_required)
{
    server_tls = tls_new(AMDRPC_TLS_SERVER, "server", "ca.pem", false);
    client_tls = tls_new(AMDRPC_TLS_CLIENT, NULL, "ca.pem", false);
    open_both("localhost");
    await("cc");

    ck_assert_str_eq(amdi_transport_get_identity(test_probe.transport), "");
}
END_TEST

START_TEST(missing_client_certificate_is_refused)
{
    server_tls = tls_new(AMDRPC_TLS_SERVER, "server", "ca.pem", true);
    client_tls = tls_new(AMDRPC_TLS_CLIENT, NULL, "ca.pem", false);
    open_both("localhost");
    await("ll");

    ck_assert_ptr_nonnull(
            strstr(amdi_transport_get_reason(test_probe.transport),
                    "did not return a certificate"));
    ck_assert_int_eq(client.lost_err, AMDRPC_EPROTO);
}
END_TEST

START_TEST(client_certificate_of_a_stranger_is_refused)
{
    test_certs_add_ca(&tree, "other");
    test_certs_add(&tree, "mallory", "other", "DNS:alice", 1);
    server_tls = tls_new(AMDRPC_TLS_SERVER, "server", "ca.pem", false);
    client_tls = tls_new(AMDRPC_TLS_CLIENT, "mallory", "ca.pem", false);
    open_both("localhost");
    await("ll");

    ck_assert_int_eq(test_probe.lost_err, AMDRPC_EPROTO);
}
END_TEST

/* ---- bytes ---- */

START_TEST(pieces_become_one_stream)
{
    uint8_t bytes[100];
    struct iovec iov[] = {{bytes, 0}, {bytes, 1}, {bytes + 1, 0},
            {bytes + 1, 90}, {bytes + 91, 9}, {bytes, 0}};

    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i * 7);
    }
    open_usual();
    ck_assert_int_eq(
            amdi_transport_write(test_probe.transport, iov, 6), AMDRPC_OK);
    await("cr");

    ck_assert_uint_eq(client.nread, 100);
    ck_assert(client.are_bytes_right);
    ck_assert_uint_eq(amdi_transport_nwritten(test_probe.transport), 100);
}
END_TEST

static bool
big_has_arrived(void *arg)
{
    (void)arg;
    return client.nread == BIG_BYTES;
}

/** Writes more than the kernel takes, in pieces that are no records. */
static void
write_big(uint8_t *big)
{
    struct iovec iov[8];
    size_t done = 0;

    for (size_t i = 0; i < BIG_BYTES; i++) {
        big[i] = (uint8_t)(i * 7);
    }
    for (size_t i = 0; i < 8; i++) {
        size_t len = i == 7 ? BIG_BYTES - done : 1000 + 9000 * i;

        iov[i] = (struct iovec){.iov_base = big + done, .iov_len = len};
        done += len;
    }
    ck_assert_int_eq(
            amdi_transport_write(test_probe.transport, iov, 8), AMDRPC_EAGAIN);
}

START_TEST(what_the_kernel_does_not_take_follows)
{
    uint8_t *big = amdi_alloc(BIG_BYTES);

    open_usual();
    write_big(big);
    amdi_free(big);
    amdi_loop_run_until(test_probe.loop, big_has_arrived, NULL);
    test_probe_await('d');

    ck_assert(client.are_bytes_right);
    ck_assert_uint_eq(amdi_transport_nwritten(test_probe.transport), BIG_BYTES);
}
END_TEST

START_TEST(reader_that_stops_and_goes_on_loses_nothing)
{
    uint8_t *big = amdi_alloc(BIG_BYTES);

    open_usual();
    write_big(big);
    amdi_free(big);
    while (client.nread < BIG_BYTES) {
        size_t nread = client.nread;

        amdi_transport_set_reading(client.transport, false);
        test_probe_poll();
        ck_assert_uint_eq(client.nread, nread);
        amdi_transport_set_reading(client.transport, true);
        test_probe_turn();
    }

    ck_assert(client.are_bytes_right);
}
END_TEST

/* ---- the end ---- */

START_TEST(shutdown_is_an_end_in_good_order)
{
    open_usual();
    amdi_transport_shutdown(test_probe.transport);
    await("cl");
    ck_assert_int_eq(client.lost_err, AMDRPC_ECLOSED);

    amdi_transport_destroy(client.transport);
    client.transport = NULL;
    test_probe_await('l');
    ck_assert_int_eq(test_probe.lost_err, AMDRPC_ECLOSED);
}
END_TEST

START_TEST(transport_may_be_destroyed_in_its_events)
{
    static const char letters[] = "cl";

    test_probe.destroy_on = letters[_i];
    server_tls = tls_new(AMDRPC_TLS_SERVER, "server", NULL, false);
    client_tls = tls_new(AMDRPC_TLS_CLIENT, NULL, "ca.pem", false);
    open_both(_i == 0 ? "localhost" : "example.org");
    await(_i == 0 ? "cl" : "ll");

    ck_assert_ptr_null(test_probe.transport);
}
END_TEST

static Suite *
tls_conn_suite(void)
{
    Suite *suite = suite_create("tls_conn");
    TCase *handshake = tcase_create("handshake");
    TCase *certs = tcase_create("client certificates");
    TCase *bytes = tcase_create("bytes");

    tcase_add_checked_fixture(handshake, set_up, tear_down);
    tcase_add_loop_test(handshake, names_and_addresses_are_accepted, 0, 2);
    tcase_add_test(handshake, transport_is_blocked_until_the_handshake_is_done);
    tcase_add_test(handshake, cipher_has_its_standard_name);
    tcase_add_test(handshake, wrong_name_is_refused);
    tcase_add_test(handshake, unknown_authority_is_refused);
    tcase_add_test(handshake, expired_certificate_is_refused);
    tcase_add_test(handshake, bytes_that_are_no_tls_are_refused);
    tcase_add_test(handshake, peer_that_leaves_in_the_handshake_is_told);
    tcase_add_loop_test(handshake, old_versions_are_refused, 0, 2);
    tcase_add_loop_test(handshake, supported_versions_are_accepted, 0, 2);
    tcase_add_test(handshake, client_without_alpn_is_refused);
    tcase_add_test(handshake, cipher_without_forward_secrecy_is_refused);
    suite_add_tcase(suite, handshake);
    tcase_add_checked_fixture(certs, set_up, tear_down);
    tcase_add_test(certs, client_certificate_gives_a_name);
    tcase_add_test(certs,
            client_without_certificate_is_anonymous_where_none_is_required);
    tcase_add_test(certs, missing_client_certificate_is_refused);
    tcase_add_test(certs, client_certificate_of_a_stranger_is_refused);
    suite_add_tcase(suite, certs);
    tcase_add_checked_fixture(bytes, set_up, tear_down);
    tcase_add_test(bytes, pieces_become_one_stream);
    tcase_add_test(bytes, what_the_kernel_does_not_take_follows);
    tcase_add_test(bytes, reader_that_stops_and_goes_on_loses_nothing);
    tcase_add_test(bytes, shutdown_is_an_end_in_good_order);
    tcase_add_loop_test(bytes, transport_may_be_destroyed_in_its_events, 0, 2);
    suite_add_tcase(suite, bytes);
    return suite;
}

TEST_MAIN(tls_conn_suite)
