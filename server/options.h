/** The server's options with every default filled in. */
#ifndef AMDI_OPTIONS_H
#define AMDI_OPTIONS_H

#include <amdrpc/server.h>

// More threads than this, of a kind, are a mistake.
#define AMDI_MAX_THREADS 4096u

/**
 * Copies @options and sets what is zero.
 * Errors: AMDRPC_EINVAL  a value out of range
 */
AMDRPC_NODISCARD amdrpc_err amdi_options_complete(
        const amdrpc_server_options *options, amdrpc_server_options *out);

#endif
