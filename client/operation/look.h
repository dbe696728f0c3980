/** What a server tells of an operation, as the public struct. */
#ifndef AMDI_LOOK_H
#define AMDI_LOOK_H

#include <amdrpc/operation.h>

#include "common/arena.h"
#include "google/longrunning/operations.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"

/** Milliseconds since 1970; 0 for NULL. */
int64_t amdi_operation_read_time(const Google__Protobuf__Timestamp *time);

/**
 * Reads an operation. Metadata that is not ours is left out.
 *
 * @operation  borrowed for as long as @out is used
 * @arena      holds the rest
 */
void amdi_operation_read(const Google__Longrunning__Operation *operation,
        struct amdi_arena *arena, amdrpc_operation *out);

#endif
