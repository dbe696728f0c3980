/** Where request messages come from: the command line, a file, a pipe. */
#ifndef AMDI_INPUT_H
#define AMDI_INPUT_H

#include <amdrpc/err.h>

#include <stddef.h>

/** Bytes that are read piece by piece, until they end or someone says stop. */
struct amdi_input {
    const char *name; // for errors: "the command line", "standard input"
    const char *text; // borrowed; NULL when read from fd
    int fd;           // owned unless it is standard input; -1 for none
    int stop_fd;      // owned; readable once stopped
};

/**
 * Opens "@FILE", "-" (standard input), or takes the text itself.
 *
 * @source  borrowed until close
 * @return  an exit status; its reason is printed
 */
int amdi_input_open(struct amdi_input *input, const char *source);

void amdi_input_close(struct amdi_input *input);

/**
 * Reads some bytes; waits for them.
 *
 * Errors:  AMDRPC_EEND       no more will come
 *          AMDRPC_ECANCELED  stopped
 *          AMDRPC_EIO        errno tells
 */
AMDRPC_NODISCARD amdrpc_err amdi_input_read(
        struct amdi_input *input, char *out, size_t size, size_t *out_len);

/** Makes a read that waits, and all later ones, return. Thread: any. */
void amdi_input_stop(struct amdi_input *input);

#endif
