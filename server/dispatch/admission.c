/** Whether a call may wait. */
#include "server/dispatch/admission.h"

// Sooner a client needs no telling, later the estimate means nothing.
#define MIN_RETRY_MS 10u
#define MAX_RETRY_MS 30000u

uint64_t
amdi_load_wait_ns(const struct amdi_load *load)
{
    uint64_t nbefore = load->nahead;

    if (!load->has_idle) {
        nbefore++; // one that runs has to end first
    }
    if (load->service_ns > 0 && nbefore > UINT64_MAX / load->service_ns) {
        return UINT64_MAX;
    }
    return nbefore * load->service_ns /
            (load->nworkers > 0 ? load->nworkers : 1);
}

uint32_t
amdi_retry_after_ms(uint64_t wait_ns)
{
    uint64_t ms = wait_ns / 1000000;

    if (ms < MIN_RETRY_MS) {
        return MIN_RETRY_MS;
    }
    return ms > MAX_RETRY_MS ? MAX_RETRY_MS : (uint32_t)ms;
}

uint32_t
amdi_worker_share(uint32_t nworkers, uint64_t nlanes, uint32_t max_running)
{
    uint64_t share = nlanes > 1 ? nworkers / nlanes : nworkers;

    if (share == 0) {
        share = 1;
    }
    return share < max_running ? (uint32_t)share : max_running;
}

/** Begins an interval: judges by the one that has ended. */
static void
codel_turn(struct amdi_codel *codel, uint64_t now_ns)
{
    // A pause longer than an interval says that the queue was empty.
    bool is_fresh = codel->interval_ends_at_ns == 0 ||
            now_ns - codel->interval_ends_at_ns > AMDI_CODEL_INTERVAL_NS;
    uint64_t nlong = codel->nlong;

    if (is_fresh || 2 * nlong <= codel->ncalls) {
        codel->is_overloaded = false;
    } else if (10 * nlong >= 9 * (uint64_t)codel->ncalls) {
        codel->is_overloaded = true;
    }
    codel->interval_ends_at_ns = now_ns + AMDI_CODEL_INTERVAL_NS;
    codel->ncalls = 0;
    codel->nlong = 0;
}

bool
amdi_codel_sheds(struct amdi_codel *codel, uint64_t wait_ns, uint64_t now_ns)
{
    if (now_ns >= codel->interval_ends_at_ns) {
        codel_turn(codel, now_ns);
    }
    codel->ncalls++;
    codel->nlong += wait_ns > AMDI_CODEL_TARGET_NS;
    return codel->is_overloaded && wait_ns > 2 * AMDI_CODEL_TARGET_NS;
}
