/** Digests by OpenSSL. */
#ifndef AMDI_DIGEST_H
#define AMDI_DIGEST_H

#include <amdrpc/err.h>

#include <openssl/evp.h>

#include <stddef.h>
#include <stdint.h>

#define AMDI_DIGEST_DEFAULT "sha256"

/** One digest at a time, any number one after the other. Not locked. */
struct amdi_digest {
    EVP_MD *md;      // owned
    EVP_MD_CTX *ctx; // owned
};

struct amdi_digest_value {
    uint8_t bytes[EVP_MAX_MD_SIZE];
    size_t len;
    char hex[2 * EVP_MAX_MD_SIZE + 1]; // lower case
};

/**
 * Makes a digest of OpenSSL's name.
 *
 * Errors:  AMDRPC_ENOTFOUND  no digest has that name
 *          AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_digest_init(
        struct amdi_digest *digest, const char *algorithm);
void amdi_digest_fini(struct amdi_digest *digest);

/** Begins anew. Errors: AMDRPC_EIO, OpenSSL failed; as for the next two. */
AMDRPC_NODISCARD amdrpc_err amdi_digest_start(struct amdi_digest *digest);
AMDRPC_NODISCARD amdrpc_err amdi_digest_update(
        struct amdi_digest *digest, const void *data, size_t len);
AMDRPC_NODISCARD amdrpc_err amdi_digest_finish(
        struct amdi_digest *digest, struct amdi_digest_value *out);

#endif
