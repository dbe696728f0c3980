/** What the files of TLS share. */
#ifndef AMDI_TLS_INTERNAL_H
#define AMDI_TLS_INTERNAL_H

#include <amdrpc/tls.h>

#include "common/error.h"

#include <openssl/ssl.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

/** A key that protects session tickets. */
struct amdi_ticket_key {
    uint8_t name[16];
    uint8_t cipher[32];
    uint8_t mac[32];
    uint64_t made_at_ms; // 0: there is none
};

struct amdrpc_tls {
    // Set at creation.
    amdrpc_tls_role role;
    bool requires_peer_cert;
    amdrpc_tls_version min_version;
    char *cert_file;    // owned; NULL for none
    char *key_file;     // the same
    char *ca_file;      // the same
    char *ciphers;      // owned; NULL for the default
    char *ciphersuites; // the same
    char *groups;       // the same
    BIO_METHOD *bio;    // owned; how connections reach their sockets

    // Any thread.
    atomic_uint nrefs;

    // Any thread, under mtx.
    pthread_mutex_t mtx;
    SSL_CTX *ctx;                      // counted
    uint32_t generation;               // of ctx
    struct amdi_ticket_key tickets[2]; // in use, and the one before
};

/** Lets peers choose from what @tls says. Errors: of amdrpc_tls_create. */
AMDRPC_NODISCARD amdrpc_err amdi_tls_set_choices(
        SSL_CTX *ctx, const struct amdrpc_tls *tls, struct amdi_error *error);

/** A new connection's state; NULL without memory. Thread: any. */
SSL *amdi_tls_new_ssl(struct amdrpc_tls *tls);

/** Lets @ctx protect its tickets with keys that change. */
void amdi_tls_set_ticket_keys(SSL_CTX *ctx, struct amdrpc_tls *tls);

/** How connections reach their sockets; NULL without memory. */
BIO_METHOD *amdi_tls_bio_create(void);

/**
 * Writes the name a certificate gives its owner: its first DNS name, else its
 * first URI, else its common name; "" when there is none that is plain text
 * without spaces.
 */
void amdi_tls_format_identity(X509 *cert, char *out, size_t size);

/** The newest error of this thread, in words; static or @fallback. */
const char *amdi_tls_error_text(const char *fallback);

#endif
