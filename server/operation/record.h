/**
 * What an operation's handler shall see beside the request: amdrpc.v1's
 * OperationRecord, as the store keeps it.
 */
#ifndef AMDI_OP_RECORD_H
#define AMDI_OP_RECORD_H

#include <amdrpc/err.h>

#include "common/metadata.h"
#include "server/operation/operations.h"

/** A record that was read; lies in its arena. */
struct amdi_op_record {
    struct amdrpc_metadata metadata;
    const char *peer;
    enum amdi_op_priority priority;
};

/**
 * Packs what a submission says. @out: borrowed from @arena. Errors:
 * AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_op_record_pack(
        const struct amdi_submission *submission, struct amdi_arena *arena,
        struct amdi_bytes *out);

/**
 * Unpacks a record; an empty one says nothing. Errors: AMDRPC_ENOMEM,
 * AMDRPC_EPROTO (it is no record).
 */
AMDRPC_NODISCARD amdrpc_err amdi_op_record_unpack(struct amdi_bytes bytes,
        struct amdi_arena *arena, struct amdi_op_record *out);

#endif
