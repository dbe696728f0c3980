/** Reads points in time. */
#include "client/cli/operations/start_at.h"

#include "client/program/options.h"
#include "common/clock.h"
#include "common/json/json_time.h"

#define MS_PER_S 1000
#define NS_PER_MS 1000000
#define US_PER_MS 1000

bool
amdi_start_at_parse(const char *text, int64_t *out_ms)
{
    int64_t seconds = 0;
    int32_t nanos = 0;
    uint64_t ms = 0;

    if (text[0] == '+') {
        if (!amdi_duration_parse(text + 1, &ms)) {
            return false;
        }
        *out_ms = amdi_clock_wall_us() / US_PER_MS + (int64_t)ms;
        return true;
    }
    if (!amdi_json_parse_timestamp(text, &seconds, &nanos)) {
        return false;
    }
    *out_ms = seconds * MS_PER_S + nanos / NS_PER_MS;
    return *out_ms > 0;
}
