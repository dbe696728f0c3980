/** What the commands about operations share. */
#ifndef AMDI_CLI_OPERATIONS_H
#define AMDI_CLI_OPERATIONS_H

#include <amdrpc/operation.h>

#include "client/cli/session.h"
#include "client/program/program.h"
#include "google/longrunning/operations.pb-c.h"

#include <stdbool.h>

// What a name takes with its NUL; names of ours are much shorter.
#define AMDI_OPERATION_NAME_BYTES 256

/** How operations and their messages are shown. */
struct amdi_show {
    bool compact;
    bool emit_defaults;
    bool no_progress;
};

/** Functions that return an int return an exit status, and print its reason. */

/**
 * Parses the command line of a command whose operands are HOST:PORT and NAME,
 * and opens the session.
 *
 * @out_options  the command's struct with the defaults in it
 * @connect      the part of it that says how to connect
 * @out_name     AMDI_OPERATION_NAME_BYTES
 * @out_exit     the exit status when false
 * @return       whether to go on
 */
bool amdi_operations_open(const struct amdi_command_line *line, int argc,
        char **argv, void *out_options, const struct amdi_connect *connect,
        struct amdi_session *session, char *out_name, int *out_exit);

/**
 * Learns a message: of operations, which we know, or asks the server.
 *
 * @out  borrowed from the session
 */
int amdi_operations_learn(struct amdi_session *session, const char *type,
        const struct amdi_message **out);

/** Prints an operation with all that the server tells of it, as JSON. */
int amdi_operations_print(struct amdi_session *session,
        const Google__Longrunning__Operation *operation,
        const struct amdi_show *show);

/**
 * Waits until an operation is done, and prints its response.
 *
 * @patience_ms  how long the server may be away; 0: the library's default
 * @timeout_ms   how long to wait; 0: for ever
 */
int amdi_operations_wait(struct amdi_session *session, const char *name,
        const struct amdi_show *show, uint64_t patience_ms,
        uint64_t timeout_ms);

/**
 * Follows an operation until it is done: progress on stderr, messages on
 * stdout.
 *
 * @after  the last event that is known; 0: from the beginning
 */
int amdi_operations_watch(struct amdi_session *session, const char *name,
        const struct amdi_show *show, uint64_t patience_ms, uint64_t after);

#endif
