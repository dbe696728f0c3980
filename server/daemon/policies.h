/**
 * The sections of the settings file that are about dispatch.
 *
 *     [pool "slow"]
 *     workers = 2
 *     max-workers = 8
 *
 *     [method "/package.Service/Method"]
 *     pool = slow
 *     max-queued = 100
 *
 *     [caller "203.0.113.7"]
 *     weight = 4
 *
 * They are kept among the settings of modules, by names like
 * `pool "slow".workers`, and may be given by --set as well.
 */
#ifndef AMDI_POLICIES_H
#define AMDI_POLICIES_H

#include <amdrpc/server.h>

struct amdi_config;

/**
 * Adds pools and weights, before modules are loaded. Errors: AMDRPC_EINVAL,
 * AMDRPC_ENOMEM; @config->error says what is wrong.
 */
AMDRPC_NODISCARD amdrpc_err amdi_policies_add_pools(
        struct amdi_config *config, amdrpc_server *server);

/** Sets policies, once every service is there. Errors as above. */
AMDRPC_NODISCARD amdrpc_err amdi_policies_apply(
        struct amdi_config *config, amdrpc_server *server);

/**
 * Sets one field of a policy by its name in the file. @value is borrowed by
 * @policy. False: no such field, or no such value.
 */
bool amdi_policy_assign(
        amdrpc_policy *policy, const char *name, const char *value);

#endif
