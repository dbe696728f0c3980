/** Tests how certificates and keys are read, and what is said of bad ones. */
#include <amdrpc/tls.h>

#include "common/tls/tls_internal.h"
#include "tests/support/certs.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"

#include <check.h>
#include <openssl/pem.h>

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static struct test_tree tree;
static char reason[AMDRPC_REASON_BYTES];

static void
set_up(void)
{
    test_tree_init(&tree);
    test_certs_add_usual(&tree);
    reason[0] = '\0';
}

static void
tear_down(void)
{
    test_tree_fini(&tree);
}

/** Makes TLS of files in the folder; NULL for none. */
static amdrpc_err
create(amdrpc_tls_role role, const char *cert, const char *key, const char *ca,
        amdrpc_tls **out)
{
    char paths[3][PATH_MAX];
    const char *names[3] = {cert, key, ca};

    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(paths[i], sizeof(paths[i]), "%s",
                names[i] == NULL ? "" : test_tree_path(&tree, names[i]));
    }
    const amdrpc_tls_options options = {
            .role = role,
            .cert_file = cert == NULL ? NULL : paths[0],
            .key_file = key == NULL ? NULL : paths[1],
            .ca_file = ca == NULL ? NULL : paths[2],
    };
    return amdrpc_tls_create(&options, reason, sizeof(reason), out);
}

static void
assert_refused(const char *cert, const char *key, const char *ca,
        amdrpc_err err, const char *sentence)
{
    amdrpc_tls *tls = NULL;

    ck_assert_int_eq(create(AMDRPC_TLS_SERVER, cert, key, ca, &tls), err);
    ck_assert_ptr_null(tls);
    ck_assert_msg(strstr(reason, sentence) != NULL, "%s", reason);
}

/* ---- files ---- */

START_TEST(good_files_are_taken)
{
    amdrpc_tls *tls = NULL;

    ck_assert_int_eq(create(AMDRPC_TLS_SERVER, "server.pem", "server.key",
                             "ca.pem", &tls),
            AMDRPC_OK);
    ck_assert_str_eq(reason, "");
    amdrpc_tls_unref(tls);
}
END_TEST

START_TEST(client_needs_no_files)
{
    amdrpc_tls *tls = NULL;

    ck_assert_int_eq(
            create(AMDRPC_TLS_CLIENT, NULL, NULL, NULL, &tls), AMDRPC_OK);
    amdrpc_tls_unref(tls);
}
END_TEST

START_TEST(server_without_certificate_is_refused)
{
    assert_refused(NULL, NULL, NULL, AMDRPC_EINVAL, "needs a certificate");
}
END_TEST

START_TEST(certificate_without_key_is_refused)
{
    assert_refused("server.pem", NULL, NULL, AMDRPC_EINVAL, "key is missing");
}
END_TEST

START_TEST(missing_files_are_named)
{
    assert_refused("none.pem", "server.key", NULL, AMDRPC_EACCES,
            "none.pem: No such file");
    assert_refused("server.pem", "none.key", NULL, AMDRPC_EACCES,
            "none.key: No such file");
    assert_refused("server.pem", "server.key", "none.pem", AMDRPC_EACCES,
            "none.pem: No such file");
}
END_TEST

START_TEST(files_of_something_else_are_named)
{
    test_tree_add_file(&tree, "text", "hello\n");
    ck_assert_int_eq(chmod(test_tree_path(&tree, "text"), 0600), 0);

    assert_refused("text", "server.key", NULL, AMDRPC_EINVAL,
            "text: no certificate in PEM form");
    assert_refused("server.pem", "text", NULL, AMDRPC_EINVAL,
            "text: no private key in PEM form");
    assert_refused("server.pem", "server.key", "text", AMDRPC_EINVAL,
            "text: no certificates in PEM form");
}
END_TEST

START_TEST(key_of_another_certificate_is_refused)
{
    assert_refused("server.pem", "client.key", NULL, AMDRPC_EINVAL,
            "client.key: key values mismatch");
}
END_TEST

START_TEST(key_that_others_may_read_is_refused)
{
    static const mode_t modes[] = {0640, 0604, 0644, 0666};

    ck_assert_int_eq(chmod(test_tree_path(&tree, "server.key"), modes[_i]), 0);
    assert_refused("server.pem", "server.key", NULL, AMDRPC_EACCES,
            "server.key: others than its owner may access it");
}
END_TEST

START_TEST(encrypted_key_is_refused_without_asking)
{
    FILE *file = fopen(test_tree_path(&tree, "server.key"), "r+e");
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);

    rewind(file);
    ck_assert_int_eq(PEM_write_PrivateKey(file, key, EVP_aes_128_cbc(),
                             (const unsigned char *)"secret", 6, NULL, NULL),
            1);
    ck_assert_int_eq(fclose(file), 0);
    EVP_PKEY_free(key);

    assert_refused("server.pem", "server.key", NULL, AMDRPC_EINVAL,
            "server.key: the key is encrypted");
}
END_TEST

START_TEST(requiring_certificates_takes_somebody_to_trust)
{
    const amdrpc_tls_options options = {
            .role = AMDRPC_TLS_SERVER,
            .cert_file = "x",
            .key_file = "x",
            .requires_peer_cert = true,
    };
    amdrpc_tls *tls = NULL;

    ck_assert_int_eq(amdrpc_tls_create(&options, NULL, 0, &tls), AMDRPC_EINVAL);
}
END_TEST

START_TEST(failed_reload_keeps_what_was_there)
{
    amdrpc_tls *tls = NULL;
    SSL_CTX *ctx;

    ck_assert_int_eq(
            create(AMDRPC_TLS_SERVER, "server.pem", "server.key", NULL, &tls),
            AMDRPC_OK);
    ctx = tls->ctx;
    ck_assert_int_eq(amdrpc_tls_reload(tls, reason, sizeof(reason)), AMDRPC_OK);
    ck_assert_ptr_ne(tls->ctx, ctx);
    ctx = tls->ctx;
    test_tree_add_file(&tree, "server.pem", "hello\n");

    ck_assert_int_eq(
            amdrpc_tls_reload(tls, reason, sizeof(reason)), AMDRPC_EINVAL);
    ck_assert_ptr_eq(tls->ctx, ctx);
    ck_assert_ptr_nonnull(strstr(reason, "server.pem"));
    amdrpc_tls_unref(tls);
}
END_TEST

static amdrpc_err
sweep_create(void *arg)
{
    amdrpc_tls *tls = NULL;
    amdrpc_err err = create(
            AMDRPC_TLS_SERVER, "server.pem", "server.key", "ca.pem", &tls);

    (void)arg;
    amdrpc_tls_unref(tls);
    return err;
}

START_TEST(creation_survives_lack_of_memory)
{
    ck_assert_uint_ge(test_sweep_allocations(sweep_create, NULL), 4);
}
END_TEST

/* ---- names ---- */

static const struct {
    const char *alt_names; // NULL: none
    const char *identity;
} names[] = {
        {"DNS:alice,DNS:bob", "alice"},
        {"IP:127.0.0.1,DNS:alice", "alice"},
        {"URI:spiffe://example.org/bob", "spiffe://example.org/bob"},
        {"URI:spiffe://example.org/bob,DNS:alice", "alice"},
        {"IP:127.0.0.1", "someone"},
        {NULL, "someone"},
};

START_TEST(identity_is_the_first_name)
{
    char identity[256];
    FILE *file;
    X509 *cert;

    test_certs_add(&tree, "someone", "ca", names[_i].alt_names, 1);
    file = fopen(test_tree_path(&tree, "someone.pem"), "re");
    cert = PEM_read_X509(file, NULL, NULL, NULL);
    (void)fclose(file); // it was only read

    amdi_tls_format_identity(cert, identity, sizeof(identity));
    ck_assert_str_eq(identity, names[_i].identity);
    X509_free(cert);
}
END_TEST

START_TEST(name_that_is_no_plain_text_is_none)
{
    char identity[256];
    FILE *file;
    X509 *cert;

    test_certs_add(&tree, "Alice Smith", "ca", NULL, 1);
    file = fopen(test_tree_path(&tree, "Alice Smith.pem"), "re");
    cert = PEM_read_X509(file, NULL, NULL, NULL);
    (void)fclose(file); // it was only read

    amdi_tls_format_identity(cert, identity, sizeof(identity));
    ck_assert_str_eq(identity, "");
    X509_free(cert);
}
END_TEST

static Suite *
tls_suite(void)
{
    Suite *suite = suite_create("tls");
    TCase *files = tcase_create("files");
    TCase *identity = tcase_create("identity");

    tcase_add_checked_fixture(files, set_up, tear_down);
    tcase_add_test(files, good_files_are_taken);
    tcase_add_test(files, client_needs_no_files);
    tcase_add_test(files, server_without_certificate_is_refused);
    tcase_add_test(files, certificate_without_key_is_refused);
    tcase_add_test(files, missing_files_are_named);
    tcase_add_test(files, files_of_something_else_are_named);
    tcase_add_test(files, key_of_another_certificate_is_refused);
    tcase_add_loop_test(files, key_that_others_may_read_is_refused, 0, 4);
    tcase_add_test(files, encrypted_key_is_refused_without_asking);
    tcase_add_test(files, requiring_certificates_takes_somebody_to_trust);
    tcase_add_test(files, failed_reload_keeps_what_was_there);
    tcase_add_test(files, creation_survives_lack_of_memory);
    suite_add_tcase(suite, files);
    tcase_add_checked_fixture(identity, set_up, tear_down);
    tcase_add_loop_test(identity, identity_is_the_first_name, 0,
            sizeof(names) / sizeof(names[0]));
    tcase_add_test(identity, name_that_is_no_plain_text_is_none);
    suite_add_tcase(suite, identity);
    return suite;
}

TEST_MAIN(tls_suite)
