/** Certificates made for a test. */
#include "tests/support/certs.h"

#include <check.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define DAY_SECONDS (24L * 3600)

static FILE *
tree_open(struct test_tree *tree, const char *name, const char *suffix,
        const char *mode)
{
    char file_name[64];
    int fd;

    (void)snprintf(file_name, sizeof(file_name), "%s.%s", name, suffix);
    fd = open(test_tree_path(tree, file_name),
            mode[0] == 'w' ? O_CREAT | O_TRUNC | O_WRONLY : O_RDONLY, 0600);
    ck_assert_msg(fd >= 0, "%s", file_name);
    return fdopen(fd, mode);
}

static void
cert_add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *extension;

    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    ck_assert_ptr_nonnull(extension);
    ck_assert_int_eq(X509_add_ext(cert, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

/** A certificate that nobody has signed yet. */
static X509 *
cert_new(const char *name, EVP_PKEY *key, int days)
{
    X509 *cert = X509_new();
    X509_NAME *subject = X509_get_subject_name(cert);
    uint32_t serial = 0;

    ck_assert_int_eq(RAND_bytes((unsigned char *)&serial, sizeof(serial)), 1);
    ck_assert_int_eq(X509_set_version(cert, X509_VERSION_3), 1);
    ck_assert_int_eq(ASN1_INTEGER_set(X509_get_serialNumber(cert),
                             (long)(serial >> 1) + 1),
            1);
    ck_assert_int_eq(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             (const unsigned char *)name, -1, -1, 0),
            1);
    ck_assert_ptr_nonnull(
            X509_gmtime_adj(X509_getm_notBefore(cert), -30 * DAY_SECONDS));
    ck_assert_ptr_nonnull(
            X509_gmtime_adj(X509_getm_notAfter(cert), days * DAY_SECONDS));
    ck_assert_int_eq(X509_set_pubkey(cert, key), 1);
    return cert;
}

static void
cert_write(struct test_tree *tree, const char *name, X509 *cert, EVP_PKEY *key)
{
    FILE *file = tree_open(tree, name, "pem", "w");

    ck_assert_int_eq(PEM_write_X509(file, cert), 1);
    ck_assert_int_eq(fclose(file), 0);
    file = tree_open(tree, name, "key", "w");
    ck_assert_int_eq(
            PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    ck_assert_int_eq(fclose(file), 0);
}

static void
cert_sign(X509 *cert, X509 *issuer, EVP_PKEY *issuer_key)
{
    ck_assert_int_eq(
            X509_set_issuer_name(cert, X509_get_subject_name(issuer)), 1);
    ck_assert_int_gt(X509_sign(cert, issuer_key, EVP_sha256()), 0);
}

void
test_certs_add_ca(struct test_tree *tree, const char *name)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = cert_new(name, key, 30);

    cert_add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE");
    cert_add_extension(cert, cert, NID_subject_key_identifier, "hash");
    cert_sign(cert, cert, key);
    cert_write(tree, name, cert, key);
    X509_free(cert);
    EVP_PKEY_free(key);
}

void
test_certs_add(struct test_tree *tree, const char *name, const char *ca,
        const char *alt_names, int days)
{
    FILE *file = tree_open(tree, ca, "pem", "r");
    X509 *issuer = PEM_read_X509(file, NULL, NULL, NULL);
    EVP_PKEY *issuer_key = NULL;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = cert_new(name, key, days);

    (void)fclose(file); // it was only read
    file = tree_open(tree, ca, "key", "r");
    issuer_key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    (void)fclose(file); // as above
    ck_assert_ptr_nonnull(issuer);
    ck_assert_ptr_nonnull(issuer_key);
    if (alt_names != NULL) {
        cert_add_extension(cert, issuer, NID_subject_alt_name, alt_names);
    }
    cert_sign(cert, issuer, issuer_key);
    cert_write(tree, name, cert, key);
    X509_free(cert);
    X509_free(issuer);
    EVP_PKEY_free(key);
    EVP_PKEY_free(issuer_key);
}

void
test_certs_add_usual(struct test_tree *tree)
{
    static const char local[] = "DNS:localhost,IP:127.0.0.1";

    test_certs_add_ca(tree, "ca");
    test_certs_add(tree, "server", "ca", local, 30);
    test_certs_add(tree, "client", "ca", "DNS:alice", 30);
    test_certs_add(tree, "expired", "ca", local, -1);
}
