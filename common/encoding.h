/** Text forms of bytes in headers: percent-encoding and base64. */
#ifndef AMDI_ENCODING_H
#define AMDI_ENCODING_H

#include <amdrpc/err.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Most bytes that encoding @len bytes can give, NUL included. */
#define AMDI_PERCENT_BYTES(len) ((len)*3 + 1)
#define AMDI_BASE64_BYTES(len) (((len) + 2) / 3 * 4 + 1)

/** grpc-message: writes at most AMDI_PERCENT_BYTES(len); returns the length. */
size_t amdi_percent_encode(const char *text, size_t len, char *out);

/**
 * Never fails: a malformed sequence stays as it is. @out may be @text.
 * Returns the length; writes no NUL.
 */
size_t amdi_percent_decode(const char *text, size_t len, char *out);

/** RFC 4648 section 4 without padding; returns the length without the NUL. */
size_t amdi_base64_encode(const void *data, size_t len, char *out);

/**
 * Takes padded and unpadded forms. @out has room for len / 4 * 3 + 2 bytes.
 * Errors: AMDRPC_EINVAL
 */
AMDRPC_NODISCARD amdrpc_err amdi_base64_decode(
        const char *text, size_t len, uint8_t *out, size_t *out_len);

/** Tells whether the bytes are UTF-8 (no surrogates, no overlong forms). */
bool amdi_utf8_is_valid(const void *data, size_t len);

#endif
