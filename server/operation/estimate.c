/** When the turn of queued operations comes, as far as one can tell. */
#include "common/clock.h"
#include "server/dispatch/worker_pool.h"
#include "server/operation/operations.h"
#include "server/server.h"
#include "server/service.h"

#define NS_PER_US 1000

void
amdi_operations_estimate(struct amdi_operations *ops, const struct amdi_op *op,
        uint64_t *out_position, int64_t *out_expected_start_us)
{
    int64_t now_us = amdi_clock_wall_us();
    struct amdi_method *method =
            amdi_service_table_find(&amdi_operations_server(ops)->services,
                    op->method.data, op->method.len);
    struct amdi_lane_gauges lane = {0};
    uint64_t wait_us = 0;

    *out_position = op->nahead;
    if (method != NULL) {
        // Those that are leased already go before it too.
        amdi_worker_pool_get_lane(
                method->pool, method, amdi_clock_now_ns(), &lane);
        *out_position += lane.nqueued;
        wait_us = (*out_position + lane.nrunning) * lane.service_ns /
                NS_PER_US / method->policy.max_running;
    }
    *out_expected_start_us =
            op->ready_at_us > now_us ? op->ready_at_us : now_us;
    *out_expected_start_us += (int64_t)wait_us;
}
