/** The opaque texts that continue a list. */
#ifndef AMDI_STORE_TOKEN_H
#define AMDI_STORE_TOKEN_H

#include "server/store/store.h"

#define AMDI_TOKEN_SECRET_BYTES 32u

// 24 bytes in base64, and a NUL.
#define AMDI_TOKEN_BYTES 33u

/**
 * Writes the token that continues a list after the operation @last_id. It is
 * bound to the filter and to the secret, so that nobody makes up his own.
 * Errors: AMDRPC_ENOMEM.
 */
AMDRPC_NODISCARD amdrpc_err amdi_token_make(
        const uint8_t secret[AMDI_TOKEN_SECRET_BYTES],
        const struct amdi_store_filter *filter, uint64_t last_id,
        char out[AMDI_TOKEN_BYTES]);

/** Reads one. Errors: AMDRPC_EINVAL (not made here for this), AMDRPC_ENOMEM. */
AMDRPC_NODISCARD amdrpc_err amdi_token_read(
        const uint8_t secret[AMDI_TOKEN_SECRET_BYTES],
        const struct amdi_store_filter *filter, struct amdi_bytes token,
        uint64_t *last_id);

#endif
