/** Messages from a peer, unpacked within limits. */
#include "server/unpack.h"

#include "common/wire.h"

#include <stdio.h>

amdrpc_err
amdi_unpack(const ProtobufCMessageDescriptor *desc, const uint8_t *data,
        size_t len, struct amdi_arena *arena,
        const struct amdi_unpack_limits *limits, ProtobufCMessage **out,
        char out_why[AMDI_UNPACK_WHY_BYTES])
{
    ProtobufCAllocator allocator = amdi_arena_allocator(arena);
    struct amdi_wire_fault fault = {0};
    size_t limit = arena->max_bytes;
    ProtobufCMessage *msg = NULL;
    amdrpc_err err =
            amdi_wire_check(desc, data, len, limits->max_nesting, &fault);

    if (err != AMDRPC_OK) {
        amdi_wire_fault_print(&fault, out_why, AMDI_UNPACK_WHY_BYTES);
        return err == AMDRPC_EINVAL ? AMDRPC_EPROTO : err;
    }
    arena->max_bytes = arena->used_bytes + limits->max_bytes;
    msg = protobuf_c_message_unpack(desc, &allocator, len, data);
    arena->max_bytes = limit;
    if (msg == NULL) {
        // The bytes are in order, so it was memory, or the arena's limit.
        (void)snprintf(out_why, AMDI_UNPACK_WHY_BYTES,
                "%s needs too much memory", desc->name);
        return AMDRPC_ELIMIT;
    }
    *out = msg;
    return AMDRPC_OK;
}
