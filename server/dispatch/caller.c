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

static uint64_t
caller_of_peer(const struct amdi_peer *peer)
{
    return (uintptr_t)peer; // a connection has one, and no other has it
}

/** "127.0.0.1:40112" without its port. */
static uint64_t
caller_of_host(const struct amdi_peer *peer)
{
    const char *text = amdi_peer_text(peer);
    const char *colon = strrchr(text, ':');

    return amdi_caller_of_text(
            text, colon == NULL ? strlen(text) : (size_t)(colon - text));
}

static uint64_t
caller_of_name(const char *identity, const struct amdi_peer *peer)
{
    return identity[0] == '\0'
            ? caller_of_peer(peer)
            : amdi_caller_of_text(identity, strlen(identity));
}

uint64_t
amdi_caller_of(const amdrpc_policy *policy, const amdrpc_metadata *metadata,
        const struct amdi_peer *peer, const char *identity)
{
    const amdrpc_metadata_field *field = NULL;

    switch (policy->fair_by) {
    case AMDRPC_FAIR_BY_DEFAULT:
    case AMDRPC_FAIR_BY_PEER:
        break;
    case AMDRPC_FAIR_BY_NAME:
        return caller_of_name(identity, peer);
    case AMDRPC_FAIR_BY_HOST:
        return caller_of_host(peer);
    case AMDRPC_FAIR_BY_METADATA:
        field = amdrpc_metadata_get(metadata, policy->fair_key);
        break;
    }
    return field == NULL ? caller_of_peer(peer)
                         : amdi_caller_of_text(field->value, field->value_len);
}
