/** What our programs share: error lines, standard output, starting up. */
#ifndef AMDI_PROGRAM_H
#define AMDI_PROGRAM_H

#include <amdrpc/err.h>

#include "client/program/options.h"

#include <stdbool.h>

/** The statuses that every program uses; amdrpc adds 64 + a gRPC code. */
enum amdi_exit {
    AMDI_EXIT_OK = 0,
    AMDI_EXIT_USAGE = 1,    // the command line or the input is wrong
    AMDI_EXIT_CONNECT = 2,  // the server could not be reached or asked
    AMDI_EXIT_UNKNOWN = 3,  // the server knows no such method or symbol
    AMDI_EXIT_FAILED = 4,   // this process failed: memory, files, output
    AMDI_EXIT_STATUS = 64,  // + the code of the gRPC status
    AMDI_EXIT_SIGNAL = 128, // + the number of the signal
};

/** Sets the name that error lines begin with; static. Thread: setup. */
void amdi_program_start(const char *name);

/** Writes "NAME: …" and a line end to stderr, in one piece. */
AMDRPC_PRINTF(1, 2) void amdi_program_error(const char *fmt, ...);

/**
 * Parses a command line, prints what is wrong with it, or its help.
 *
 * @out_exit  the exit status so far: OK when true
 * @return    whether the command shall go on
 */
bool amdi_program_parse(const struct amdi_command_line *line, int argc,
        char **argv, void *out_values, struct amdi_operands *out_operands,
        int *out_exit);

/** Writes out what was printed. Returns false when that fails. */
bool amdi_program_flush(void);

/**
 * Flushes stdout at the end of a command.
 *
 * @return  @exit_status, or what a failed write makes of it: nobody wants to
 *          read (quietly 128 + SIGPIPE), or an error line and FAILED
 */
int amdi_program_finish(int exit_status);

#endif
