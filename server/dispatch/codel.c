/** Sheds calls that waited too long in a queue that does not empty. */
#include "server/dispatch/codel.h"

#define INTERVAL_TARGETS 10u
#define CALM_INTERVALS 10u

void
amdi_codel_start(struct amdi_codel *codel, uint64_t now_ns)
{
    codel->stands_since_ns = now_ns;
}

/** Loops and workers read the clock at slightly different times. */
static uint64_t
elapsed_ns(uint64_t since_ns, uint64_t now_ns)
{
    return now_ns > since_ns ? now_ns - since_ns : 0;
}

bool
amdi_codel_sheds(struct amdi_codel *codel, uint64_t wait_ns,
        uint64_t service_ns, uint64_t now_ns)
{
    uint64_t target_ns = service_ns > AMDI_CODEL_TARGET_NS
            ? service_ns
            : AMDI_CODEL_TARGET_NS;
    uint64_t interval_ns = INTERVAL_TARGETS * target_ns;

    if (wait_ns <= 2 * target_ns || service_ns >= AMDI_CODEL_LONG_NS) {
        return false;
    }
    if (elapsed_ns(codel->stands_since_ns, now_ns) >= interval_ns) {
        codel->overloaded_till_ns = now_ns + CALM_INTERVALS * interval_ns;
    }
    return now_ns < codel->overloaded_till_ns;
}
