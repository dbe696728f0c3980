/** Starts a program with nothing of ours but what it is given. */
#ifndef AMDI_COMMAND_SPAWN_H
#define AMDI_COMMAND_SPAWN_H

#include <amdrpc/err.h>

#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/** What to start. Borrowed. */
struct amdi_command_spec {
    char *const *argv;        // the first one is the program's path
    char *const *environment; // all of it
    const char *directory;
    bool has_stdin; // else it is /dev/null

    // 0: as ours.
    uint64_t memory_bytes;
    uint64_t file_bytes;
    uint64_t open_files;
};

/** A program that runs: the leader of a session and a process group. */
struct amdi_command_child {
    pid_t pid;
    int pidfd;     // owned; readable once it has ended
    int stdin_fd;  // owned; our end, does not block; -1: none
    int stdout_fd; // owned, ditto
    int stderr_fd; // owned, ditto
};

/**
 * Starts a program. It has descriptors 0, 1 and 2 only, default signals, no
 * core dump, gains no privileges by what it executes, and ends when the calling
 * thread does.
 *
 * Errors:  AMDRPC_EINVAL  it cannot be executed; @error says why
 *          AMDRPC_EIO     the system lets us start nothing now; ditto
 */
AMDRPC_NODISCARD amdrpc_err amdi_command_spawn(
        const struct amdi_command_spec *spec, struct amdi_command_child *out,
        struct amdi_error *error);

#endif
