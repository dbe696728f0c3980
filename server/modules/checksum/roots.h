/** The directories that a server was given, and no way out of them. */
#ifndef AMDI_ROOTS_H
#define AMDI_ROOTS_H

#include <amdrpc/err.h>

#include "server/modules/checksum/failure.h"

#include <stdbool.h>
#include <stddef.h>

struct amdi_root;

/** Zero bytes: none. Constant once serving. */
struct amdi_roots {
    struct amdi_root *items; // owned
    size_t count;
};

void amdi_roots_fini(struct amdi_roots *roots);

/**
 * Adds a directory. It is known by the path given, made absolute, and by its
 * real path.
 *
 * Errors:  AMDRPC_EIO  it cannot be opened; errno says why
 *          AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_roots_add(
        struct amdi_roots *roots, const char *path);

/**
 * Opens a file or directory below a root for reading. Each component is
 * opened below the one before, and none may be a symbolic link or "..", so
 * that renaming meanwhile leads nowhere else.
 *
 * @path     absolute
 * @out_fd   returned owned; of a regular file or directory
 * @return   whether it was opened; otherwise @failure says why not
 */
bool amdi_roots_open(const struct amdi_roots *roots, const char *path,
        int *out_fd, struct amdi_failure *failure);

#endif
