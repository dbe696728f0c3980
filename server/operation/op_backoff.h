/** How long an operation waits before its next attempt. Pure. */
#ifndef AMDI_OP_BACKOFF_H
#define AMDI_OP_BACKOFF_H

#include <stdint.h>

/**
 * Returns the time after the n-th failed attempt (n ≥ 1): @first_ms, doubled
 * for each further one up to @max_ms, and up to a fifth more or less as @random
 * decides.
 */
uint64_t amdi_op_backoff_ms(
        uint32_t nfailed, uint32_t first_ms, uint32_t max_ms, uint32_t random);

#endif
