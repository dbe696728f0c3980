/** Decides whether a request for an operation is made again, and when. */
#include "client/operation/patience.h"

#include "client/backoff.h"

// A request costs less than a connection, which has a back-off of its own.
static const struct amdi_backoff backoff = {
        .first_ms = 125,
        .max_ms = 15000,
        .multiplier = 1.6,
};

void
amdi_patience_init(struct amdi_patience *patience, int64_t max_ms)
{
    *patience = (struct amdi_patience){
            .max_ms = max_ms == 0 ? AMDI_PATIENCE_DEFAULT_MS : max_ms};
}

void
amdi_patience_reset(struct amdi_patience *patience)
{
    patience->nfailures = 0;
}

// What a server that stops, a lost connection, and one that stalls end with.
static bool
status_is_passing(amdrpc_status_code status)
{
    return status == AMDRPC_STATUS_UNAVAILABLE ||
            status == AMDRPC_STATUS_DEADLINE_EXCEEDED;
}

bool
amdi_patience_may_go_on(struct amdi_patience *patience,
        amdrpc_status_code status, uint64_t now_ms, uint64_t *out_delay_ms)
{
    if (!status_is_passing(status)) {
        return false;
    }
    if (patience->nfailures == 0) {
        patience->since_ms = now_ms;
    }
    if (patience->max_ms >= 0 &&
            now_ms - patience->since_ms >= (uint64_t)patience->max_ms) {
        return false;
    }
    patience->nfailures++;
    *out_delay_ms = amdi_backoff_after_ms(
            &backoff, patience->nfailures, amdi_backoff_random());
    return true;
}
