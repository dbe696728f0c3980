/** A sentence about what went wrong, beside an amdrpc_err. */
#ifndef AMDI_ERROR_H
#define AMDI_ERROR_H

#include <amdrpc/err.h>

/**
 * Stands in its user's memory; written only on failure. Where a function takes
 * one, NULL is accepted.
 */
struct amdi_error {
    char text[512]; // NUL-terminated, cut when longer
};

/** Writes the sentence and returns @err. */
amdrpc_err amdi_error_set(struct amdi_error *error, amdrpc_err err,
        const char *format, ...) AMDRPC_PRINTF(3, 4);

/** amdi_error_set for AMDRPC_ENOMEM. */
amdrpc_err amdi_error_nomem(struct amdi_error *error);

#endif
