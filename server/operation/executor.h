/** The executor: what its files share. See operations.h. */
#ifndef AMDI_EXECUTOR_H
#define AMDI_EXECUTOR_H

#include "common/arena.h"
#include "common/loop.h"
#include "server/metrics/stats.h"
#include "server/operation/operations.h"
#include "server/operation/run.h"

#include <stdatomic.h>

#define AMDI_NODE_BYTES 96u
#define AMDI_RUN_NBUCKETS 1024u

struct amdi_op_lane;
struct amdi_server_loop;

/** What the executor did. Any thread reads. */
struct amdi_op_stats {
    atomic_ullong nsubmitted;
    atomic_ullong nended[AMDI_STATS_NCODES];
    atomic_ullong nretried;  // attempts that failed, with another to follow
    atomic_ullong nreleased; // attempts given back
    atomic_ullong nlost;     // leases
    atomic_uint nrunning;
};

struct amdi_executor {
    // Setup only.
    struct amdrpc_server *server;      // borrowed
    struct amdi_server_loop *sl;       // borrowed; whose loop is ours
    struct amdi_store *store;          // borrowed
    amdrpc_operations_options options; // every value set
    size_t max_blob_bytes;             // of a message or result
    char node[AMDI_NODE_BYTES];        // who we are to the store
    struct amdi_op_lane *lanes;        // owned; by the methods' index
    size_t nlanes;

    // Loop thread only.
    struct amdi_list runs[AMDI_RUN_NBUCKETS]; // of amdi_run.id_node
    struct amdi_list ready;                   // of amdrpc_call.queue.node
    struct amdi_list closed;                  // of amdi_run.closed_node
    struct amdi_hook hand_over;
    struct amdi_hook reap;
    struct amdi_timer beat_timer;
    struct amdi_timer poll_timer; // running: lanes are looked at, by and by
    struct amdi_timer sweep_timer;
    struct amdi_arena scratch; // emptied by who uses it
    uint64_t beat_at_ms;       // when the beat under way was asked
    bool is_beating;
    bool must_beat_again;
    bool is_sweeping;
    bool must_sweep_again;
    bool is_told_down; // the log knows that the store cannot write
    bool is_holding;   // the loop's drain waits for us

    // Any thread.
    atomic_bool is_draining;
    atomic_uint nleases; // that we have, or are about to get
    atomic_bool is_check_posted;
    struct amdi_task start_task;
    struct amdi_task drain_task;
    struct amdi_task check_task;
    struct amdi_op_stats stats;
};

/* ---- executor.c: its life, and that of runs ---- */

/** Fills in what is zero. Thread: setup. */
void amdi_executor_init(struct amdi_executor *executor);

/** Makes the lanes. Thread: setup. Errors: AMDRPC_ENOMEM */
AMDRPC_NODISCARD amdrpc_err amdi_executor_prepare(
        struct amdi_executor *executor);

/** Begins to lease; a drain has to follow. Thread: setup. */
void amdi_executor_start(struct amdi_executor *executor);

/** Its loop has ended. Thread: setup. */
void amdi_executor_fini(struct amdi_executor *executor);

/** Gives back what is running, and leases no more. Thread: any. */
void amdi_executor_drain(struct amdi_executor *executor);

/** Executes what was leased. Thread: any loop's. */
void amdi_executor_begin(struct amdi_executor *executor,
        struct amdi_op_lane *lane, const struct amdi_op *op);

/** The run we have for an operation, or NULL. Thread: loop. */
struct amdi_run *amdi_executor_find(
        struct amdi_executor *executor, uint64_t id);

/** Frees @run at the end of the turn. Thread: loop. */
void amdi_executor_reap(struct amdi_executor *executor, struct amdi_run *run);

/**
 * Takes part in leasing: whoever counts up must count down, also when a drain
 * makes it false. Thread: any.
 */
bool amdi_executor_count_up(struct amdi_executor *executor, unsigned n);
void amdi_executor_count_down(struct amdi_executor *executor, unsigned n);

/** Logs, once until it works again, that the store cannot write. */
void amdi_executor_tell_store(
        struct amdi_executor *executor, enum amdi_store_result result);

/* ---- beat.c: what is done from time to time; thread: loop ---- */

void amdi_executor_start_timers(struct amdi_executor *executor);
void amdi_executor_stop_timers(struct amdi_executor *executor);

/** Renews all leases, and hears what shall stop. */
void amdi_executor_beat(struct amdi_executor *executor);

/** The store has work, or so it says. */
void amdi_executor_poll(struct amdi_executor *executor);

/** Has the store delete what is no longer kept, until nothing is left of it. */
void amdi_executor_sweep(struct amdi_executor *executor);

/* ---- gone.c ---- */

/** Warns of operations of methods that the server does not have. */
void amdi_executor_warn_of_gone(struct amdi_executor *executor);

#endif
