/** Files that hold secrets, and so must be nobody else's to read. */
#ifndef AMDI_SECRET_H
#define AMDI_SECRET_H

#include <amdrpc/err.h>

#include "common/error.h"

#include <stdio.h>

/**
 * Opens a file for reading if only its owner may access it.
 *
 * @out     returned owned
 * Errors:  AMDRPC_EACCES  cannot be opened, or others may read it
 *          AMDRPC_EINVAL  not a regular file
 */
AMDRPC_NODISCARD amdrpc_err amdi_secret_open(
        const char *path, FILE **out, struct amdi_error *error);

#endif
