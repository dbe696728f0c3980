/** What a connection has done: plain numbers of its loop, for channelz. */
#ifndef AMDI_CONN_COUNTS_H
#define AMDI_CONN_COUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Loop thread only. Times are of amdi_loop_now_ns; 0: never. */
struct amdi_conn_counts {
    uint64_t nstarted;      // streams …
    uint64_t started_at_ns; // … the last of them
    uint64_t nsucceeded;    // those whose answer was sent to its end
    uint64_t nfailed;       // those that ended otherwise
    uint64_t nsent;         // messages …
    uint64_t sent_at_ns;    // … the last of them
    uint64_t nreceived;
    uint64_t received_at_ns;
    uint64_t nkeepalives; // PINGs of ours
    bool has_goaway;      // one came, and
    uint32_t goaway_code; // why
};

static inline void
amdi_conn_counts_started(struct amdi_conn_counts *counts, uint64_t now_ns)
{
    counts->nstarted++;
    counts->started_at_ns = now_ns;
}

static inline void
amdi_conn_counts_sent(
        struct amdi_conn_counts *counts, size_t n, uint64_t now_ns)
{
    counts->nsent += n;
    counts->sent_at_ns = n > 0 ? now_ns : counts->sent_at_ns;
}

static inline void
amdi_conn_counts_received(
        struct amdi_conn_counts *counts, size_t n, uint64_t now_ns)
{
    counts->nreceived += n;
    counts->received_at_ns = n > 0 ? now_ns : counts->received_at_ns;
}

#endif
