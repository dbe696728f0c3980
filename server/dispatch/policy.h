/** What a method's policy may say, and what it means where it says nothing. */
#ifndef AMDI_POLICY_H
#define AMDI_POLICY_H

#include <amdrpc/server.h>

#include <stdbool.h>

#define AMDI_POLICY_NAME_BYTES 64u

// The pool of methods whose policy names none.
#define AMDI_DEFAULT_POOL "default"

/** The memory behind a policy's texts. */
struct amdi_policy_texts {
    char pool[AMDI_POLICY_NAME_BYTES];
    char fair_key[AMDI_POLICY_NAME_BYTES];
};

/** Tells whether every field is in range. */
bool amdi_policy_is_valid(const amdrpc_policy *policy);

/**
 * Copies a valid policy; what it leaves open is taken from @defaults. Its
 * texts are copied to @texts, which has to lie as long as @into is used.
 */
void amdi_policy_fill(amdrpc_policy *into, struct amdi_policy_texts *texts,
        const amdrpc_policy *policy, const amdrpc_policy *defaults);

/* ---- for people ---- */

#define AMDI_FAIR_BY_BYTES (AMDI_POLICY_NAME_BYTES + 16u)

/** "pool", "inline", "sync". */
const char *amdi_dispatch_text(amdrpc_dispatch dispatch);

/** "high", "normal", "low". */
const char *amdi_priority_text(amdrpc_priority priority);

/** "peer", "host", "name", "metadata:KEY". */
void amdi_policy_format_fair_by(
        const amdrpc_policy *policy, char out[AMDI_FAIR_BY_BYTES]);

#endif
