/** The address of a peer; outlives its connection for calls that go on. */
#include "common/alloc.h"
#include "server/conn/conn.h"

#include <string.h>

struct amdi_peer {
    size_t nrefs;
    uint32_t ncalls;
    char *identity; // owned; NULL: none
    char text[];
};

struct amdi_peer *
amdi_peer_create(const char *text)
{
    size_t len = strlen(text) + 1;
    struct amdi_peer *peer = amdi_alloc(sizeof(*peer) + len);

    if (peer != NULL) {
        peer->nrefs = 1;
        peer->ncalls = 0;
        peer->identity = NULL;
        memcpy(peer->text, text, len);
    }
    return peer;
}

struct amdi_peer *
amdi_peer_ref(struct amdi_peer *peer)
{
    peer->nrefs++;
    return peer;
}

void
amdi_peer_unref(struct amdi_peer *peer)
{
    if (peer != NULL && --peer->nrefs == 0) {
        amdi_free(peer->identity);
        amdi_free(peer);
    }
}

bool
amdi_peer_add_call(struct amdi_peer *peer, uint32_t limit)
{
    if (peer->ncalls >= limit) {
        return false;
    }
    peer->ncalls++;
    return true;
}

void
amdi_peer_remove_call(struct amdi_peer *peer)
{
    peer->ncalls--;
}

const char *
amdi_peer_text(const struct amdi_peer *peer)
{
    return peer->text;
}

amdrpc_err
amdi_peer_set_identity(struct amdi_peer *peer, const char *identity)
{
    char *copy = amdi_strdup(identity);

    if (copy == NULL) {
        return AMDRPC_ENOMEM;
    }
    amdi_free(peer->identity);
    peer->identity = copy;
    return AMDRPC_OK;
}

const char *
amdi_peer_identity(const struct amdi_peer *peer)
{
    return peer->identity == NULL ? "" : peer->identity;
}
