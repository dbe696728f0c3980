/** How much of an execution's answer is on its way to the store. */
#include "server/operation/run_flow.h"

void
amdi_run_flow_init(struct amdi_run_flow *flow, size_t max_bytes)
{
    *flow = (struct amdi_run_flow){.max_bytes = max_bytes};
    // Neither can fail on Linux.
    (void)pthread_mutex_init(&flow->mtx, NULL);
    (void)pthread_cond_init(&flow->has_room, NULL);
}

void
amdi_run_flow_fini(struct amdi_run_flow *flow)
{
    (void)pthread_cond_destroy(&flow->has_room);
    (void)pthread_mutex_destroy(&flow->mtx);
}

static bool
flow_has_room_locked(const struct amdi_run_flow *flow)
{
    return flow->nbytes < flow->max_bytes;
}

amdrpc_err
amdi_run_flow_take(struct amdi_run_flow *flow, size_t nbytes, bool may_block)
{
    amdrpc_err err = AMDRPC_OK;

    (void)pthread_mutex_lock(&flow->mtx);
    while (may_block && !flow->is_closed && !flow_has_room_locked(flow)) {
        (void)pthread_cond_wait(&flow->has_room, &flow->mtx);
    }
    if (flow->is_closed) {
        err = AMDRPC_ECANCELED;
    } else if (!flow_has_room_locked(flow)) {
        flow->is_wanted = true;
        err = AMDRPC_EAGAIN;
    } else {
        flow->nbytes += nbytes;
        flow->nmessages++;
    }
    (void)pthread_mutex_unlock(&flow->mtx);
    return err;
}

bool
amdi_run_flow_give(struct amdi_run_flow *flow, size_t nbytes)
{
    bool may_try_again = false;

    (void)pthread_mutex_lock(&flow->mtx);
    flow->nbytes -= nbytes;
    flow->nmessages--;
    if (flow_has_room_locked(flow)) {
        may_try_again = flow->is_wanted;
        flow->is_wanted = false;
        (void)pthread_cond_signal(&flow->has_room);
    }
    (void)pthread_mutex_unlock(&flow->mtx);
    return may_try_again;
}

void
amdi_run_flow_close(struct amdi_run_flow *flow)
{
    (void)pthread_mutex_lock(&flow->mtx);
    flow->is_closed = true;
    (void)pthread_cond_broadcast(&flow->has_room);
    (void)pthread_mutex_unlock(&flow->mtx);
}

bool
amdi_run_flow_is_busy(struct amdi_run_flow *flow)
{
    bool is_busy = false;

    (void)pthread_mutex_lock(&flow->mtx);
    is_busy = flow->nmessages > 0;
    (void)pthread_mutex_unlock(&flow->mtx);
    return is_busy;
}
