/** Whose turn a call takes: callers as the queues know them. */
#ifndef AMDI_CALLER_H
#define AMDI_CALLER_H

#include <amdrpc/metadata.h>
#include <amdrpc/server.h>

#include <stddef.h>
#include <stdint.h>

struct amdi_peer;

/**
 * A caller's number. Two callers of one number would only share a turn.
 */
uint64_t amdi_caller_of_text(const char *text, size_t len);

/**
 * The caller of a call with that metadata, from that peer, who has the name
 * @identity ("" for none).
 */
uint64_t amdi_caller_of(const amdrpc_policy *policy,
        const amdrpc_metadata *metadata, const struct amdi_peer *peer,
        const char *identity);

/** The same for a call whose connection is not there (any more). */
uint64_t amdi_caller_of_texts(const amdrpc_policy *policy,
        const amdrpc_metadata *metadata, const char *peer,
        const char *identity);

#endif
