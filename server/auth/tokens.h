/** Bearer tokens and the names they stand for, as a file lists them. */
#ifndef AMDI_TOKENS_H
#define AMDI_TOKENS_H

#include <amdrpc/err.h>

#include "common/error.h"

#include <stddef.h>

struct amdi_tokens;

/**
 * Reads a file of lines "TOKEN NAME"; empty ones, and those that begin with
 * "#", are skipped. Only its owner may have access to it.
 *
 * @out     returned owned
 * Errors:  AMDRPC_EACCES, AMDRPC_EINVAL, AMDRPC_ENOMEM; @error names the line
 */
AMDRPC_NODISCARD amdrpc_err amdi_tokens_read(
        const char *path, struct amdi_tokens **out, struct amdi_error *error);

/** NULL is accepted. */
void amdi_tokens_destroy(struct amdi_tokens *tokens);

/**
 * The name that @token stands for, borrowed; NULL when there is none. How long
 * that takes tells nothing about the tokens.
 */
const char *amdi_tokens_find(
        const struct amdi_tokens *tokens, const char *token, size_t len);

#endif
