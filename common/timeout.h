/** grpc-timeout (PROTOCOL-HTTP2, "Timeout"). */
#ifndef AMDI_TIMEOUT_H
#define AMDI_TIMEOUT_H

#include <amdrpc/err.h>

#include <stddef.h>
#include <stdint.h>

/** Room for the longest value and its NUL. */
#define AMDI_TIMEOUT_TEXT_BYTES 10u

/**
 * Reads "100m". What does not fit in 64 bits of nanoseconds becomes the
 * largest value that does.
 * Errors: AMDRPC_EINVAL
 */
AMDRPC_NODISCARD amdrpc_err amdi_timeout_parse(
        const char *text, size_t len, uint64_t *out_ns);

/**
 * Writes the shortest text of the time, "1S" rather than "1000m"; what eight
 * digits cannot hold is rounded up, so that the time never gets shorter.
 */
void amdi_timeout_format(uint64_t ns, char out[AMDI_TIMEOUT_TEXT_BYTES]);

#endif
