/** Certificates and keys: read, checked, and read again. */
#include "common/alloc.h"
#include "common/tls/secret.h"
#include "common/tls/tls_internal.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

// The ALPN name of HTTP/2 over TLS, in its wire form (RFC 9113, section 3.2).
static const unsigned char alpn_h2[] = {2, 'h', '2'};

const char *
amdi_tls_error_text(const char *fallback)
{
    const char *text = ERR_reason_error_string(ERR_peek_last_error());

    return text != NULL ? text : fallback;
}

static amdrpc_err
file_refuse(const char *path, struct amdi_error *error)
{
    return amdi_error_set(error, AMDRPC_EINVAL, "%s: %s", path,
            amdi_tls_error_text("cannot be used"));
}

/* ---- what a context is made of ---- */

static int
alpn_select(SSL *ssl, const unsigned char **out, unsigned char *out_len,
        const unsigned char *in, unsigned in_len, void *arg)
{
    unsigned char *chosen = NULL;

    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&chosen, out_len, alpn_h2, sizeof(alpn_h2), in,
                in_len) != OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static amdrpc_err
ctx_set_protocol(
        SSL_CTX *ctx, const struct amdrpc_tls *tls, struct amdi_error *error)
{
    bool is_server = tls->role == AMDRPC_TLS_SERVER;
    int oldest = tls->min_version == AMDRPC_TLS_1_3 ? TLS1_3_VERSION
                                                    : TLS1_2_VERSION;
    bool is_set = SSL_CTX_set_min_proto_version(ctx, oldest) == 1;

    // HTTP/2 frames say where a connection ends in good order, so a peer that
    // leaves without a word from TLS is no error of its own.
    SSL_CTX_set_options(ctx,
            SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                    SSL_OP_IGNORE_UNEXPECTED_EOF);
    // Writes go on from another buffer than they began with; memory of a
    // connection that is idle goes.
    SSL_CTX_set_mode(ctx,
            SSL_MODE_ENABLE_PARTIAL_WRITE |
                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                    SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    if (is_server) {
        SSL_CTX_set_alpn_select_cb(ctx, alpn_select, NULL);
        is_set = is_set && SSL_CTX_set_max_early_data(ctx, 0) == 1;
    } else {
        // This one answers 0 when it has worked.
        is_set = is_set &&
                SSL_CTX_set_alpn_protos(ctx, alpn_h2, sizeof(alpn_h2)) == 0;
    }
    return is_set ? AMDRPC_OK
                  : amdi_error_set(error, AMDRPC_EIO, "TLS: %s",
                            amdi_tls_error_text("cannot be set up"));
}

/** Without this OpenSSL asks on the terminal. */
static int
key_on_password(char *out, int size, int is_for_writing, void *arg)
{
    bool *is_encrypted = arg;

    (void)out;
    (void)size;
    (void)is_for_writing;
    *is_encrypted = true;
    return -1;
}

static amdrpc_err
ctx_use_key(SSL_CTX *ctx, const char *path, struct amdi_error *error)
{
    bool is_encrypted = false;
    FILE *file = NULL;
    EVP_PKEY *key = NULL;
    amdrpc_err err = amdi_secret_open(path, &file, error);

    if (err != AMDRPC_OK) {
        return err;
    }
    key = PEM_read_PrivateKey(file, NULL, key_on_password, &is_encrypted);
    (void)fclose(file); // it was only read
    if (is_encrypted) {
        err = amdi_error_set(error, AMDRPC_EINVAL,
                "%s: the key is encrypted; it must stand there in plain", path);
    } else if (key == NULL) {
        err = amdi_error_set(
                error, AMDRPC_EINVAL, "%s: no private key in PEM form", path);
    } else if (SSL_CTX_use_PrivateKey(ctx, key) != 1 ||
            SSL_CTX_check_private_key(ctx) != 1) {
        err = file_refuse(path, error);
    }
    EVP_PKEY_free(key);
    return err;
}

/** OpenSSL's own messages do not tell a missing file from a bad one. */
static amdrpc_err
file_check(const char *path, struct amdi_error *error)
{
    FILE *file = fopen(path, "re");

    if (file == NULL) {
        return amdi_error_set(
                error, AMDRPC_EACCES, "%s: %s", path, strerror(errno));
    }
    (void)fclose(file); // nothing was written to it
    return AMDRPC_OK;
}

static amdrpc_err
ctx_use_cert(SSL_CTX *ctx, const char *path, struct amdi_error *error)
{
    amdrpc_err err = file_check(path, error);

    if (err == AMDRPC_OK &&
            SSL_CTX_use_certificate_chain_file(ctx, path) != 1) {
        err = amdi_error_set(error, AMDRPC_EINVAL,
                "%s: no certificate in PEM form (%s)", path,
                amdi_tls_error_text("none"));
    }
    return err;
}

static amdrpc_err
ctx_trust(SSL_CTX *ctx, const struct amdrpc_tls *tls, struct amdi_error *error)
{
    amdrpc_err err = file_check(tls->ca_file, error);

    if (err != AMDRPC_OK) {
        return err;
    }
    if (SSL_CTX_load_verify_file(ctx, tls->ca_file) != 1) {
        return amdi_error_set(error, AMDRPC_EINVAL,
                "%s: no certificates in PEM form", tls->ca_file);
    }
    if (tls->role == AMDRPC_TLS_SERVER) {
        STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(tls->ca_file);

        if (names == NULL) {
            return file_refuse(tls->ca_file, error);
        }
        SSL_CTX_set_client_CA_list(ctx, names); // taken
    }
    return AMDRPC_OK;
}

/** Whom to believe, and whether the peer needs a certificate at all. */
static amdrpc_err
ctx_set_verify(
        SSL_CTX *ctx, const struct amdrpc_tls *tls, struct amdi_error *error)
{
    int mode = SSL_VERIFY_PEER;

    if (tls->role == AMDRPC_TLS_SERVER) {
        if (tls->ca_file == NULL) {
            return AMDRPC_OK;
        }
        mode |= tls->requires_peer_cert ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
    }
    SSL_CTX_set_verify(ctx, mode, NULL);
    if (tls->ca_file != NULL) {
        return ctx_trust(ctx, tls, error);
    }
    return SSL_CTX_set_default_verify_paths(ctx) == 1
            ? AMDRPC_OK
            : amdi_error_set(error, AMDRPC_EIO,
                      "the certificates that the system trusts: %s",
                      amdi_tls_error_text("cannot be read"));
}

static amdrpc_err
ctx_set_all(SSL_CTX *ctx, struct amdrpc_tls *tls, struct amdi_error *error)
{
    amdrpc_err err = ctx_set_protocol(ctx, tls, error);

    if (err == AMDRPC_OK) {
        err = amdi_tls_set_choices(ctx, tls, error);
    }
    if (err == AMDRPC_OK && tls->cert_file != NULL) {
        err = ctx_use_cert(ctx, tls->cert_file, error);
    }
    if (err == AMDRPC_OK && tls->key_file != NULL) {
        err = ctx_use_key(ctx, tls->key_file, error);
    }
    if (err == AMDRPC_OK) {
        err = ctx_set_verify(ctx, tls, error);
    }
    if (err == AMDRPC_OK && tls->role == AMDRPC_TLS_SERVER) {
        amdi_tls_set_ticket_keys(ctx, tls);
    }
    return err;
}

/* ---- life ---- */

static amdrpc_err
tls_load(struct amdrpc_tls *tls, struct amdi_error *error)
{
    SSL_CTX *ctx = NULL;
    SSL_CTX *old = NULL;
    amdrpc_err err;

    ERR_clear_error();
    ctx = SSL_CTX_new(tls->role == AMDRPC_TLS_SERVER ? TLS_server_method()
                                                     : TLS_client_method());
    if (ctx == NULL) {
        return amdi_error_nomem(error);
    }
    err = ctx_set_all(ctx, tls, error);
    ERR_clear_error();
    if (err != AMDRPC_OK) {
        SSL_CTX_free(ctx);
        return err;
    }
    pthread_mutex_lock(&tls->mtx);
    old = tls->ctx;
    tls->ctx = ctx;
    tls->generation++;
    // Sessions are only resumed under the files they were begun with: else one
    // begun by a client that is trusted no more would go on being trusted.
    (void)SSL_CTX_set_session_id_context(ctx,
            (const unsigned char *)&tls->generation,
            sizeof(tls->generation)); // fails only for longer ones
    pthread_mutex_unlock(&tls->mtx);
    SSL_CTX_free(old);
    return AMDRPC_OK;
}

SSL *
amdi_tls_new_ssl(struct amdrpc_tls *tls)
{
    SSL_CTX *ctx = NULL;
    SSL *ssl = NULL;

    pthread_mutex_lock(&tls->mtx);
    ctx = tls->ctx;
    (void)SSL_CTX_up_ref(ctx); // only fails without a reference
    pthread_mutex_unlock(&tls->mtx);
    ssl = SSL_new(ctx);
    SSL_CTX_free(ctx);
    return ssl;
}

static amdrpc_err
options_check(const amdrpc_tls_options *options, struct amdi_error *error)
{
    bool is_server = options->role == AMDRPC_TLS_SERVER;

    if ((options->cert_file == NULL) != (options->key_file == NULL)) {
        return amdi_error_set(error, AMDRPC_EINVAL,
                "a certificate and its key belong together: %s is missing",
                options->cert_file == NULL ? "the certificate" : "the key");
    }
    if (is_server && options->cert_file == NULL) {
        return amdi_error_set(
                error, AMDRPC_EINVAL, "a server needs a certificate and a key");
    }
    if (is_server && options->requires_peer_cert && options->ca_file == NULL) {
        return amdi_error_set(error, AMDRPC_EINVAL,
                "to require certificates of clients takes a file with those "
                "who vouch for them");
    }
    return AMDRPC_OK;
}

/** Copies a text that may be NULL; false without memory. */
static bool
text_copy(const char *text, char **out)
{
    *out = text == NULL ? NULL : amdi_strdup(text);
    return text == NULL || *out != NULL;
}

static amdrpc_err
tls_init(struct amdrpc_tls *tls, const amdrpc_tls_options *options,
        struct amdi_error *error)
{
    tls->role = options->role;
    tls->requires_peer_cert = options->requires_peer_cert;
    tls->min_version = options->min_version;
    tls->bio = amdi_tls_bio_create();
    if (tls->bio == NULL || !text_copy(options->cert_file, &tls->cert_file) ||
            !text_copy(options->key_file, &tls->key_file) ||
            !text_copy(options->ca_file, &tls->ca_file) ||
            !text_copy(options->ciphers, &tls->ciphers) ||
            !text_copy(options->ciphersuites, &tls->ciphersuites) ||
            !text_copy(options->groups, &tls->groups)) {
        return amdi_error_nomem(error);
    }
    return tls_load(tls, error);
}

static amdrpc_err
tls_create(const amdrpc_tls_options *options, struct amdrpc_tls **out,
        struct amdi_error *error)
{
    struct amdrpc_tls *tls = NULL;
    amdrpc_err err = options_check(options, error);

    if (err != AMDRPC_OK) {
        return err;
    }
    tls = amdi_zalloc(sizeof(*tls));
    if (tls == NULL) {
        return amdi_error_nomem(error);
    }
    atomic_init(&tls->nrefs, 1);
    (void)pthread_mutex_init(&tls->mtx, NULL); // cannot fail on Linux
    err = tls_init(tls, options, error);
    if (err != AMDRPC_OK) {
        amdrpc_tls_unref(tls);
        return err;
    }
    *out = tls;
    return AMDRPC_OK;
}

amdrpc_err
amdrpc_tls_create(const amdrpc_tls_options *options, char *reason, size_t size,
        amdrpc_tls **out)
{
    struct amdi_error error = {.text = ""};

    return amdi_error_tell(
            &error, tls_create(options, out, &error), reason, size);
}

amdrpc_err
amdrpc_tls_reload(amdrpc_tls *tls, char *reason, size_t size)
{
    struct amdi_error error = {.text = ""};

    return amdi_error_tell(&error, tls_load(tls, &error), reason, size);
}

amdrpc_tls *
amdrpc_tls_ref(amdrpc_tls *tls)
{
    atomic_fetch_add_explicit(&tls->nrefs, 1, memory_order_relaxed);
    return tls;
}

void
amdrpc_tls_unref(amdrpc_tls *tls)
{
    if (tls == NULL ||
            atomic_fetch_sub_explicit(&tls->nrefs, 1, memory_order_acq_rel) >
                    1) {
        return;
    }
    SSL_CTX_free(tls->ctx);
    BIO_meth_free(tls->bio);
    OPENSSL_cleanse(tls->tickets, sizeof(tls->tickets));
    amdi_free(tls->cert_file);
    amdi_free(tls->key_file);
    amdi_free(tls->ca_file);
    amdi_free(tls->ciphers);
    amdi_free(tls->ciphersuites);
    amdi_free(tls->groups);
    pthread_mutex_destroy(&tls->mtx);
    amdi_free(tls);
}
