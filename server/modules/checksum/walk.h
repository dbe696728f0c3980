/** All files below a directory, in the order of their paths' bytes. */
#ifndef AMDI_WALK_H
#define AMDI_WALK_H

#include "server/modules/checksum/failure.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Each level holds a file descriptor and a frame of the stack.
#define AMDI_WALK_MAX_DEPTH 128u

// The names of one directory are in memory at a time, on each level.
#define AMDI_WALK_MAX_ENTRIES 1000000u

/** A regular file; borrowed until the visitor returns. */
struct amdi_walk_file {
    int dir_fd;
    const char *name; // in dir_fd
    const char *path; // absolute
    uint64_t size;    // when it was looked at
};

/** Each is called in the walk's order; false ends the walk. */
struct amdi_walk_visitor {
    bool (*on_file)(void *arg, const struct amdi_walk_file *file);
    // A symbolic link, a device or the like.
    bool (*on_skip)(void *arg, const char *path);
    // A directory, or one entry, that could not be looked at.
    bool (*on_failure)(
            void *arg, const char *path, const struct amdi_failure *failure);
    void *arg;
};

/**
 * Visits what is below a directory. Symbolic links are not followed, also
 * when they appear meanwhile.
 *
 * @dir_fd    borrowed
 * @path      of dir_fd; what visitors are told begins with it
 * @excluded  names that are passed over, @nexcluded of them
 * @return    whether the walk came to its end
 */
bool amdi_walk(int dir_fd, const char *path, char *const *excluded,
        size_t nexcluded, const struct amdi_walk_visitor *visitor);

#endif
