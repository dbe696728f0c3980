/** The server's options with every default filled in. */
#ifndef AMDI_OPTIONS_H
#define AMDI_OPTIONS_H

#include <amdrpc/server.h>

#include "server/unpack.h"

// More threads than this, of a kind, are a mistake.
#define AMDI_MAX_THREADS 4096u

// Messages in each other are unpacked by recursion, some 800 bytes of stack a
// level; workers have a megabyte, loops more.
#define AMDI_MAX_NESTING 500u

/**
 * Copies @options and sets what is zero.
 * Errors: AMDRPC_EINVAL  a value out of range
 */
AMDRPC_NODISCARD amdrpc_err amdi_options_complete(
        const amdrpc_server_options *options, amdrpc_server_options *out);

/** What a request message may unpack to, by complete options. */
struct amdi_unpack_limits amdi_options_unpack_limits(
        const amdrpc_server_options *options);

#endif
