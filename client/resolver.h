/** Looks up a name without keeping the loop waiting. */
#ifndef AMDI_RESOLVER_H
#define AMDI_RESOLVER_H

#include <amdrpc/err.h>

#include "client/target.h"
#include "common/loop.h"

struct amdi_lookup;

/**
 * Receives the outcome, on the loop. @addresses is borrowed until return and
 * holds nothing when the name was not found; @reason then says why.
 */
typedef void (*amdi_lookup_fn)(
        void *ctx, const struct amdi_addresses *addresses, const char *reason);

/**
 * Starts to look up a target's host on a thread of its own. @done is called
 * once in any case, on the loop, which must live until then.
 *
 * Thread:  loop
 * Errors:  AMDRPC_ENOMEM, AMDRPC_EIO  @done will not be called
 */
AMDRPC_NODISCARD amdrpc_err amdi_lookup_start(struct amdi_loop *loop,
        const struct amdi_target *target, amdi_lookup_fn done, void *ctx);

#endif
