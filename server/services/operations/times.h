/** Protobuf's times as microseconds. Pure. */
#ifndef AMDI_OPERATIONS_TIMES_H
#define AMDI_OPERATIONS_TIMES_H

#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

/** Reads a duration; false when it is none: too long, or of mixed signs. */
bool amdi_op_duration_read(
        const Google__Protobuf__Duration *duration, int64_t *out_us);

/** Reads a point in time since 1970; false when it is none. */
bool amdi_op_timestamp_read(
        const Google__Protobuf__Timestamp *time, int64_t *out_us);

#endif
