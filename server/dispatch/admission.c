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
