/** A daemon that a scenario starts for itself, and ends. */
#ifndef AMDI_SERVER_CHILD_H
#define AMDI_SERVER_CHILD_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define AMDI_CHILD_ARGS_MAX 16

struct amdi_server_child {
    pid_t pid;               // 0 when none runs
    char dir[PATH_MAX - 16]; // with its port file; "" when there is none
    char target[64];         // "127.0.0.1:PORT", once it listens
};

/**
 * Starts a daemon on a free port and waits until it listens. It dies with us.
 *
 * @program  NULL: the one that was built or installed beside us, or of $PATH
 * @args     more arguments, NULL at the end; at most AMDI_CHILD_ARGS_MAX
 * @return   an exit status; its reason is printed
 */
int amdi_server_child_start(struct amdi_server_child *child,
        const char *program, const char *const *args);

/**
 * Ends the daemon and frees what start made. Accepts one that is not started.
 *
 * @is_stuck  it would not hear a request to end, so it is killed
 */
void amdi_server_child_stop(struct amdi_server_child *child, bool is_stuck);

#endif
