/**
 * Sheds calls that waited too long in a queue that does not empty any more:
 * CoDel ("controlled delay") as it suits requests. Pure; times are the
 * caller's.
 *
 * A queue that its workers empty now and then takes up bursts, however long
 * its calls wait meanwhile. One that stands for an interval without having been
 * empty is overloaded: its calls only wait for those that came too many. From
 * then on calls that have waited for twice the target are shed instead of run,
 * until no call had to be shed for ten intervals. So an accepted call waits for
 *   - an interval at most, as no queue stands for longer before it sheds;
 *   - twice the target while an overload lasts, at whatever load.
 *
 * Packets are dropped at a growing rate, to tell their senders to go slower. A
 * request is worth nothing once its client has given up, and its client hears
 * of the refusal: all that waited for too long are shed at once. And it is not
 * the shortest wait that counts but the queue's: in a fair queue, who has
 * little in it waits shortly, however long it is.
 *
 * Where the work takes longer than the target, it takes the target's place: to
 * wait for as long as one works is no overload. Where it takes as long as an
 * interval, waiting is the nature of the work, and nothing is shed.
 */
#ifndef AMDI_CODEL_H
#define AMDI_CODEL_H

#include <stdbool.h>
#include <stdint.h>

#define AMDI_CODEL_TARGET_NS (UINT64_C(50) * 1000000)

// An interval is ten targets.
#define AMDI_CODEL_LONG_NS (10 * AMDI_CODEL_TARGET_NS)

/** One queue's state; zero bytes at first. */
struct amdi_codel {
    uint64_t stands_since_ns;    // when the first call came to the empty queue
    uint64_t overloaded_till_ns; // 0: it never was
};

/** To be told that a call comes to the queue while it is empty. */
void amdi_codel_start(struct amdi_codel *codel, uint64_t now_ns);

/**
 * Tells whether to shed a call that leaves the queue after @wait_ns.
 *
 * @service_ns  how long the work takes, of late
 */
bool amdi_codel_sheds(struct amdi_codel *codel, uint64_t wait_ns,
        uint64_t service_ns, uint64_t now_ns);

#endif
