/** How long an operation waits before its next attempt. */
#include "server/operation/op_backoff.h"

// In thousandths of the time: a fifth less to a fifth more.
#define JITTER_FROM 800u
#define JITTER_SPAN 401u

uint64_t
amdi_op_backoff_ms(
        uint32_t nfailed, uint32_t first_ms, uint32_t max_ms, uint32_t random)
{
    uint64_t ms = first_ms;

    while (nfailed-- > 1 && ms < max_ms) {
        ms *= 2;
    }
    if (ms > max_ms) {
        ms = max_ms;
    }
    return ms * (JITTER_FROM + random % JITTER_SPAN) / 1000;
}
