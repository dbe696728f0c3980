/**
 * One execution of an operation: a call whose answer goes to the store.
 *
 * A run is made where its operation was leased, and then belongs to the
 * executor's loop. Two things end separately: the work of the handler (enum
 * amdi_run_work) and our hold on the record (enum amdi_run_lease). A deadline
 * settles the record while the handler may still be busy; a handler that has
 * finished waits for its record. Whichever is last lets the run go, at the end
 * of the turn.
 */
#ifndef AMDI_RUN_H
#define AMDI_RUN_H

#include "common/loop.h"
#include "server/call.h"
#include "server/operation/run_flow.h"
#include "server/operation/run_progress.h"
#include "server/store/id.h"
#include "server/store/store.h"

struct amdi_executor;
struct amdi_op_lane;

enum amdi_run_work {
    AMDI_RUN_READY, // handed over at the end of the turn; on executor->ready
    AMDI_RUN_OUT,   // with the dispatcher or the handler
    AMDI_RUN_DONE,  // finished, or will never start
};

enum amdi_run_lease {
    AMDI_LEASE_HELD,     // ours, and not decided what becomes of it
    AMDI_LEASE_SETTLING, // decided, and not written down yet
    AMDI_LEASE_GONE,     // written down, or no longer ours
};

/** Why a run shall stop; the first one counts. */
enum amdi_run_reason {
    AMDI_REASON_NONE,
    AMDI_REASON_CANCELLED, // someone asked for it
    AMDI_REASON_DEADLINE,  // the operation's
    AMDI_REASON_DRAIN,     // the server stops; another will go on
    AMDI_REASON_TROUBLE,   // a message could not be kept
    AMDI_REASON_LOST,      // somebody else has the lease, or nobody
};

enum amdi_run_verdict_kind {
    AMDI_VERDICT_FINISH,
    AMDI_VERDICT_RETRY,
    AMDI_VERDICT_RELEASE,
};

/** What becomes of the operation. */
struct amdi_run_verdict {
    enum amdi_run_verdict_kind kind;
    amdrpc_status_code code; // FINISH, RETRY
    const char *message;     // the call's or static; NULL for none
    bool is_handlers;        // the handler's own status, with its details
    int64_t ready_at_us;     // RETRY, RELEASE
};

struct amdi_run {
    struct amdrpc_call call; // first

    // Constant.
    struct amdi_op_lane *lane;
    struct amdi_fence fence;
    uint32_t nfailed;      // attempts before this one that count
    uint32_t max_attempts; // 0: no limit
    uint64_t ndelivered;
    int64_t deadline_at_us; // 0: none
    const char *peer;
    struct amdrpc_metadata metadata;
    char name[AMDI_OP_NAME_BYTES];

    // Loop thread only.
    enum amdi_run_work work;
    enum amdi_run_lease lease;
    enum amdi_run_reason reason;
    bool is_unstarted;  // the dispatcher gave it back
    bool is_incomplete; // a message could not be kept
    bool is_ended;      // its record says so; else it is for another attempt
    struct amdi_run_verdict verdict;
    struct amdi_list id_node;     // of the executor, by id
    struct amdi_list closed_node; // on executor->closed
    struct amdi_timer deadline;
    struct amdi_timer after;          // amdrpc_call_after
    struct amdi_timer progress_timer; // when the newest step may be written
    struct amdi_timer settle_timer;   // when to try again to settle
    uint64_t leased_until_ms;         // of the loop's clock

    // The handler's until it finishes, then the loop's.
    struct amdi_bytes reply; // an Any in the call's arena; no data: none yet

    // Any thread, under push_mtx: messages reach the store in their order.
    pthread_mutex_t push_mtx;
    uint64_t npushed; // by this attempt; after its end without the lock

    // Any thread.
    struct amdi_run_flow flow;
    struct amdi_run_progress progress;
    atomic_uint nrequests; // of the store, that will call back
    struct amdi_task start_task;
};

static inline struct amdi_run *
amdi_run_of(const struct amdrpc_call *call)
{
    return AMDI_CONTAINER_OF(call, struct amdi_run, call);
}

/**
 * Makes a run of an operation that was leased. Thread: any loop's. Errors:
 * AMDRPC_ENOMEM, AMDRPC_EPROTO (its record is damaged).
 */
AMDRPC_NODISCARD amdrpc_err amdi_run_create(struct amdi_op_lane *lane,
        const struct amdi_op *op, struct amdi_run **out);

/** Frees it. Thread: loop, or who made it and gave it to nobody. */
void amdi_run_destroy(struct amdi_run *run);

/* ---- thread: loop ---- */

/** Its deadline counts from now on. */
void amdi_run_start(struct amdi_run *run);

/** It was handed over. */
void amdi_run_set_out(struct amdi_run *run);

/**
 * The one way a run is stopped before its handler has finished. The first
 * reason counts, but that a deadline is final whatever came before, and so is
 * a lost lease.
 */
void amdi_run_cancel(struct amdi_run *run, enum amdi_run_reason reason);

/** The lease was renewed. */
void amdi_run_on_beat(struct amdi_run *run, uint64_t leased_until_ms);

/* ---- for run_sink.c ---- */

extern const struct amdi_sink_ops amdi_run_unary_sink;
extern const struct amdi_sink_ops amdi_run_stream_sink;

/** The handler has finished. */
void amdi_run_on_finish(struct amdi_run *run);

/** What became of a message on its way to the store. */
void amdi_run_on_message(struct amdi_run *run, enum amdi_store_result result);

/** The handler has reported a step. */
void amdi_run_on_step(struct amdi_run *run);

/** Lets the run go at the end of the turn if nothing holds it. */
void amdi_run_check_end(struct amdi_run *run);

/* ---- verdict.c ---- */

/**
 * Decides what becomes of an operation whose handler has the call no more, or
 * whose deadline has passed.
 */
struct amdi_run_verdict amdi_run_judge(const struct amdi_run *run);

#endif
