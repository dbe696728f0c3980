/** A sentence about what went wrong, beside an amdrpc_err. */
#ifndef AMDI_ERROR_H
#define AMDI_ERROR_H

#include <amdrpc/err.h>

#include <stddef.h>

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

/**
 * Hands the sentence to who asked for it, unless @err is AMDRPC_OK. Returns
 * @err.
 *
 * @reason  of @size bytes, cut when longer; NULL: nobody asked
 */
amdrpc_err amdi_error_tell(const struct amdi_error *error, amdrpc_err err,
        char *reason, size_t size);

#endif
