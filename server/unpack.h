/** Messages from a peer, unpacked within limits. */
#ifndef AMDI_UNPACK_H
#define AMDI_UNPACK_H

#include <amdrpc/err.h>

#include "common/arena.h"

#include <protobuf-c/protobuf-c.h>

#include <stddef.h>
#include <stdint.h>

#define AMDI_UNPACK_WHY_BYTES 256u

struct amdi_unpack_limits {
    uint32_t max_bytes;   // taken in the arena: a small message can grow large
    uint32_t max_nesting; // messages in each other
};

/**
 * Unpacks a message into @arena.
 *
 * @limits   of what it may unpack to
 * @out_why  on failure, what is wrong, for the peer
 * Errors:   AMDRPC_EPROTO  the bytes are no such message
 *           AMDRPC_ELIMIT  nested too deep, or too large
 *           AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_unpack(const ProtobufCMessageDescriptor *desc,
        const uint8_t *data, size_t len, struct amdi_arena *arena,
        const struct amdi_unpack_limits *limits, ProtobufCMessage **out,
        char out_why[AMDI_UNPACK_WHY_BYTES]);

#endif
