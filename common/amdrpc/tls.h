/** Certificates and keys, for servers and for channels. */
#ifndef AMDRPC_TLS_H
#define AMDRPC_TLS_H

#include <amdrpc/err.h>

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * What TLS needs on one side, read from files. Counted; listeners and channels
 * share it. TLS 1.3, and 1.2 with forward secrecy and authenticated ciphers;
 * the peer must speak HTTP/2 (ALPN "h2").
 */
typedef struct amdrpc_tls amdrpc_tls;

typedef enum amdrpc_tls_role {
    AMDRPC_TLS_CLIENT, // for channels
    AMDRPC_TLS_SERVER, // for listeners
} amdrpc_tls_role;

/** The oldest version that is spoken. */
typedef enum amdrpc_tls_version {
    AMDRPC_TLS_VERSION_DEFAULT, // 1.2
    AMDRPC_TLS_1_2,
    AMDRPC_TLS_1_3,
} amdrpc_tls_version;

/** All files are PEM. Zero fields mean the default. */
typedef struct amdrpc_tls_options {
    amdrpc_tls_role role;
    // Our certificate, followed by those that vouch for it. A server needs
    // one; a client may have one, by which servers know it.
    const char *cert_file;
    // Its private key, not encrypted, a file that only its owner may access.
    const char *key_file;
    // Whom to trust. Client: NULL for those that the system trusts. Server:
    // who vouches for clients; NULL: clients are asked for no certificate.
    const char *ca_file;
    // Server: a client without a certificate is refused.
    bool requires_peer_cert;
    amdrpc_tls_version min_version;
    // What handshakes choose from, as OpenSSL writes it, names between colons;
    // NULL for the default. TLS 1.2, "ECDHE+AESGCM:ECDHE+CHACHA20": only what
    // is ECDHE with authenticated encryption. Default: with AES-GCM or
    // ChaCha20-Poly1305.
    const char *ciphers;
    // The same of TLS 1.3, "TLS_AES_256_GCM_SHA384". Default: AES-128-GCM,
    // AES-256-GCM, ChaCha20-Poly1305.
    const char *ciphersuites;
    // For agreeing on keys, the best first. Default: "X25519:P-256:P-384".
    const char *groups;
} amdrpc_tls_options;

// A sentence about a failure fits in here.
#define AMDRPC_REASON_BYTES 512

/**
 * Reads the files.
 *
 * Thread:   any
 * @options  copied
 * @reason   written on failure: what is wrong with which file; NULL: not asked
 * @size     of @reason
 * @out      returned owned
 * Errors:   AMDRPC_EINVAL  options or files that cannot be right
 *           AMDRPC_EACCES  a file that cannot be read, or a key that others
 *                          may read
 *           AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_tls_create(const amdrpc_tls_options *options,
        char *reason, size_t size, amdrpc_tls **out);

/**
 * Reads the files again, for connections that begin from now on. After a
 * failure everything stays as it was.
 *
 * Thread:  any
 * Errors:  as amdrpc_tls_create
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_tls_reload(
        amdrpc_tls *tls, char *reason, size_t size);

/** Thread: any. */
amdrpc_tls *amdrpc_tls_ref(amdrpc_tls *tls);

/** NULL is accepted. Thread: any. */
void amdrpc_tls_unref(amdrpc_tls *tls);

#ifdef __cplusplus
}
#endif

#endif
