/** What the server's options say about its HTTP/2 sessions. */
#ifndef AMDI_H2_LIMITS_H
#define AMDI_H2_LIMITS_H

#include <amdrpc/server.h>

#include "common/h2/h2_guard.h"

/** Sets those of @options that are zero to the defaults of a session. */
void amdi_h2_limits_complete(amdrpc_server_options *options);

/** The limits that complete options are. */
void amdi_h2_limits_take(
        const amdrpc_server_options *options, struct amdi_h2_limits *out);

#endif
