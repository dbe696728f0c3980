/** Protobuf's times as microseconds. */
#include "server/services/operations/times.h"

#define US_PER_S 1000000
#define NS_PER_US 1000
#define NS_PER_S 1000000000

// 10,000 years; the years 1 to 9999: what the types allow.
#define DURATION_MAX_S INT64_C(315576000000)
#define TIMESTAMP_MIN_S INT64_C(-62135596800)
#define TIMESTAMP_MAX_S INT64_C(253402300799)

bool
amdi_op_duration_read(
        const Google__Protobuf__Duration *duration, int64_t *out_us)
{
    int64_t seconds = duration->seconds;
    int32_t nanos = duration->nanos;

    if (seconds < -DURATION_MAX_S || seconds > DURATION_MAX_S ||
            nanos <= -NS_PER_S || nanos >= NS_PER_S ||
            (seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0)) {
        return false;
    }
    *out_us = seconds * US_PER_S + nanos / NS_PER_US;
    return true;
}

bool
amdi_op_timestamp_read(const Google__Protobuf__Timestamp *time, int64_t *out_us)
{
    if (time->seconds < TIMESTAMP_MIN_S || time->seconds > TIMESTAMP_MAX_S ||
            time->nanos < 0 || time->nanos >= NS_PER_S) {
        return false;
    }
    *out_us = time->seconds * US_PER_S + time->nanos / NS_PER_US;
    return true;
}
