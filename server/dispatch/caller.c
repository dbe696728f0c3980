/** Whose turn a call takes. */
#include "server/dispatch/caller.h"

#include "server/conn/conn.h"

#include <string.h>

uint64_t
amdi_caller_of_text(const char *text, size_t len)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); // FNV-1a

    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ (uint8_t)text[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

/** What is known of a caller. */
struct caller {
    uint64_t peer;         // the connection's number
    const char *peer_text; // "127.0.0.1:40112"
    const char *identity;  // "" for none
    const amdrpc_metadata *metadata;
};

/** The address without its port. */
static uint64_t
caller_of_host(const struct caller *caller)
{
    const char *colon = strrchr(caller->peer_text, ':');

    return amdi_caller_of_text(caller->peer_text,
            colon == NULL ? strlen(caller->peer_text)
                          : (size_t)(colon - caller->peer_text));
}

static uint64_t
caller_number(const amdrpc_policy *policy, const struct caller *caller)
{
    const amdrpc_metadata_field *field = NULL;

    switch (policy->fair_by) {
    case AMDRPC_FAIR_BY_DEFAULT:
    case AMDRPC_FAIR_BY_PEER:
        break;
    case AMDRPC_FAIR_BY_NAME:
        return caller->identity[0] == '\0'
                ? caller->peer
                : amdi_caller_of_text(
                          caller->identity, strlen(caller->identity));
    case AMDRPC_FAIR_BY_HOST:
        return caller_of_host(caller);
    case AMDRPC_FAIR_BY_METADATA:
        field = amdrpc_metadata_get(caller->metadata, policy->fair_key);
        break;
    }
    return field == NULL ? caller->peer
                         : amdi_caller_of_text(field->value, field->value_len);
}

uint64_t
amdi_caller_of(const amdrpc_policy *policy, const amdrpc_metadata *metadata,
        const struct amdi_peer *peer, const char *identity)
{
    // A connection has one peer, and no other has it.
    return caller_number(policy,
            &(struct caller){.peer = (uintptr_t)peer,
                    .peer_text = amdi_peer_text(peer),
                    .identity = identity,
                    .metadata = metadata});
}

uint64_t
amdi_caller_of_texts(const amdrpc_policy *policy,
        const amdrpc_metadata *metadata, const char *peer, const char *identity)
{
    return caller_number(policy,
            &(struct caller){.peer = amdi_caller_of_text(peer, strlen(peer)),
                    .peer_text = peer,
                    .identity = identity,
                    .metadata = metadata});
}
