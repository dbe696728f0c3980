/** When the turn of queued operations comes, as far as one can tell. */
#include "common/clock.h"
#include "server/operation/operations.h"

void
amdi_operations_estimate(struct amdi_operations *ops, const struct amdi_op *op,
        uint64_t *out_position, int64_t *out_expected_start_us)
{
    (void)ops;
    *out_position = 0;
    // What waits for its time, or for its next attempt, does not begin before.
    *out_expected_start_us =
            op->ready_at_us > amdi_clock_wall_us() ? op->ready_at_us : 0;
}
