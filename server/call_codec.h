/** A call's messages between protobuf-c and the wire's bytes. */
#ifndef AMDI_CALL_CODEC_H
#define AMDI_CALL_CODEC_H

#include <amdrpc/call.h>

#include "common/arena.h"
#include "server/unpack.h"

struct amdi_message;

/**
 * Makes a message of the method's input type from what the client sent,
 * compressed or not.
 *
 * Thread:   the handler's
 * @raw      may be replaced by its plain form
 * @out_why  on failure, what is wrong, for the peer
 * Errors:   as amdi_unpack; AMDRPC_ELIMIT also for what gets too long
 */
AMDRPC_NODISCARD amdrpc_err amdi_call_decode(struct amdrpc_call *call,
        struct amdi_message **raw, struct amdi_arena *arena,
        ProtobufCMessage **out, char out_why[AMDI_UNPACK_WHY_BYTES]);

#endif
