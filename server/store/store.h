/**
 * Where operations are kept: records of calls that have a name.
 *
 * A store is asked from any thread and answers on loops. Every function that
 * takes a loop is non-blocking: it copies its arguments, queues a request and
 * says AMDI_STORE_OK; then the callback runs exactly once on that loop, in a
 * later turn, and never before the change is durable. Any other value says that
 * nothing was queued, and the callback will not run:
 *
 *     AMDI_STORE_BUSY     too much is queued already; not said to what empties
 *                         the store: the holder of a lease, and a sweep
 *     AMDI_STORE_NOMEM    no memory
 *     AMDI_STORE_INVALID  an argument is too long, or not possible
 *     AMDI_STORE_DOWN     the store is being closed
 *
 * Times are microseconds since 1970 by the store's clock. An operation is
 * executed at least once: who executes it holds a lease, and proves so with a
 * fence. Its events have the sequence numbers 1, 2, 3 … without a gap; the
 * last one is its end.
 */
#ifndef AMDI_STORE_H
#define AMDI_STORE_H

#include <amdrpc/err.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct amdi_error;
struct amdi_loop;
struct amdi_store;
struct amdi_store_watch;

enum amdi_store_result {
    AMDI_STORE_OK = 0,
    AMDI_STORE_EXISTS,     // the same request id and body: its operation
    AMDI_STORE_CONFLICT,   // the same request id with another body
    AMDI_STORE_NOTFOUND,   // no such operation
    AMDI_STORE_LOST,       // the fence holds no lease any more
    AMDI_STORE_DONE,       // the operation has ended already
    AMDI_STORE_UNFINISHED, // the operation has not ended yet
    AMDI_STORE_GONE,       // the events asked for are not kept any more
    AMDI_STORE_INVALID,    // an argument that cannot be right
    AMDI_STORE_BUSY,       // nothing was done; try again later
    AMDI_STORE_FULL,       // as much is kept as may be; try again later
    AMDI_STORE_NOMEM,      // nothing was done
    AMDI_STORE_UNKNOWN,    // it may or may not be kept: ask with the same id
    AMDI_STORE_DOWN,       // nothing is written until the store is reopened
    AMDI_STORE_CORRUPT,    // as DOWN, and the file is damaged
};

/** Returns a sentence fragment for people; static. */
const char *amdi_store_result_text(enum amdi_store_result result);

/** Borrowed bytes. What the store hands out has a NUL after its end. */
struct amdi_bytes {
    const void *data;
    size_t len;
};

enum amdi_op_state {
    AMDI_OP_QUEUED,  // waits for its time, a worker, or its next attempt
    AMDI_OP_RUNNING, // leased
    AMDI_OP_DONE,    // ended with a code; never changes again
};

/** What happened to an operation; the kind of an event. */
enum amdi_event_kind {
    AMDI_EVENT_MESSAGE,  // a message of its answer
    AMDI_EVENT_PROGRESS, // how far it has come
    AMDI_EVENT_RETRY,    // an attempt failed; data says why
    AMDI_EVENT_END,      // data is the status, if there is one
};

// Further ahead nobody counts.
#define AMDI_STORE_MAX_AHEAD 10000u

/** An operation. Valid during the callback that shows it. */
struct amdi_op {
    uint64_t id;
    enum amdi_op_state state;
    bool is_cancelled; // someone asked for its end
    int code;          // gRPC status code, once DONE
    uint32_t attempt;  // 0: never started
    uint32_t max_attempts;
    uint32_t nreleased; // attempts that do not count
    uint64_t nmessages; // events of kind MESSAGE, whether kept or not
    uint32_t nahead; // QUEUED, and only get: how many of its queue go before,
                     // at most AMDI_STORE_MAX_AHEAD
    uint64_t first_seq; // the oldest event that is kept
    uint64_t last_seq;  // the newest event; 0: none yet
    int64_t created_at_us;
    int64_t ready_at_us; // RUNNING: when the lease ends
    int64_t started_at_us;
    int64_t deadline_at_us; // 0: none
    int64_t done_at_us;
    int64_t expire_at_us; // DONE: when it is swept
    struct amdi_bytes principal;
    struct amdi_bytes request_id;
    struct amdi_bytes method;
    struct amdi_bytes owner;    // who holds the lease
    struct amdi_bytes payload;  // only for who leases it
    struct amdi_bytes metadata; // as submitted
    struct amdi_bytes progress; // the newest PROGRESS, while it is kept
    struct amdi_bytes result;
    struct amdi_bytes status; // empty when the store itself ended it
};

struct amdi_event {
    uint64_t seq;
    uint32_t attempt;
    enum amdi_event_kind kind;
    int64_t at_us;
    struct amdi_bytes data;
};

/* ---- life ---- */

/** Zero means the default everywhere. */
struct amdi_store_options {
    size_t max_queued;       // requests that wait; 16384
    size_t max_queued_bytes; // of their arguments; 64 MiB
    size_t max_blob_bytes;   // of a payload, result or event; 4 MiB
    uint32_t max_events;     // kept for one operation; 10000
    size_t max_event_bytes;  // kept for one operation; 16 MiB
    int64_t retain_us;       // keep what has ended; 24 h
    uint64_t max_done;       // that have ended; 0: no bound; swept
    uint64_t max_unfinished; // beyond it a submit is FULL; 0: no bound
    // Of the database, but for what is free in it; 0: no bound. Beyond it what
    // has ended is swept; an eighth beyond it a submit is FULL.
    uint64_t max_kept_bytes;
    bool is_unsafe;          // do not wait for the disk; a power cut loses
                             // what was acknowledged
    int64_t (*now_us)(void); // amdi_clock_wall_us
};

/**
 * Opens a store and starts its thread. What was running when the last process
 * ended is queued again.
 *
 * Thread:   setup; blocks
 * @uri      "memory:", or "sqlite:DIR" with an existing directory
 * @options  copied; NULL: defaults
 * @error    NULL, or receives a sentence
 * Errors:   AMDRPC_EINVAL        the URI
 *           AMDRPC_EADDRINUSE    another process has the directory open
 *           AMDRPC_EACCES        not permitted to write there
 *           AMDRPC_EUNSUPPORTED  a network file system, or a newer schema
 *           AMDRPC_EPROTO        the file is damaged or is no store
 *           AMDRPC_EIO, AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_store_open(const char *uri,
        const struct amdi_store_options *options, struct amdi_store **out,
        struct amdi_error *error);

/**
 * Takes no more requests, finishes those it has, calls @done on @loop and is
 * gone. Every watch must have ended before. NULL: @done is called at once.
 */
void amdi_store_close(struct amdi_store *store, struct amdi_loop *loop,
        void (*done)(void *arg), void *arg);

/** How much there is. */
struct amdi_store_usage {
    uint64_t ndone;
    uint64_t nunfinished; // queued and running
    uint64_t nbytes;      // of the database, but for what is free in it
};

/** As the last batch left it. Thread: any. */
struct amdi_store_usage amdi_store_get_usage(const struct amdi_store *store);

/* ---- what clients of operations do ---- */

/**
 * Receives @op or NULL. Submit, get and cancel show it with OK, EXISTS and
 * DONE; nothing else does.
 */
typedef void (*amdi_op_fn)(
        void *arg, enum amdi_store_result result, const struct amdi_op *op);

struct amdi_new_op {
    struct amdi_bytes principal;  // who asks; may be empty
    struct amdi_bytes request_id; // empty: each submit is another operation
    struct amdi_bytes method;
    struct amdi_bytes queue; // may be empty
    struct amdi_bytes payload;
    struct amdi_bytes metadata;
    int64_t ready_at_us;    // not before; 0: at once
    int64_t deadline_at_us; // not after; 0: none
    int64_t retain_us;      // keep it after its end; 0: the store's setting
    uint32_t max_attempts;  // 0: no limit
    // When set, the operation is leased at once, if it is ready; the callback
    // sees it RUNNING.
    const char *node;
    int64_t lease_us;
};

/**
 * Adds an operation. The same principal and request id always give the same
 * operation, for as long as it is kept: EXISTS, or CONFLICT when the method or
 * the payload differ. FULL: there is no room for another one; those that are
 * there are still told.
 */
enum amdi_store_result amdi_store_submit(struct amdi_store *store,
        struct amdi_loop *loop, const struct amdi_new_op *new_op, amdi_op_fn fn,
        void *arg);

/** Reads one: OK or NOTFOUND. */
enum amdi_store_result amdi_store_get(struct amdi_store *store,
        struct amdi_loop *loop, uint64_t id, amdi_op_fn fn, void *arg);

/**
 * Ends a queued operation at once; tells who runs it otherwise, by beat and by
 * hint. OK, DONE or NOTFOUND.
 */
enum amdi_store_result amdi_store_cancel(struct amdi_store *store,
        struct amdi_loop *loop, uint64_t id, amdi_op_fn fn, void *arg);

/** Deletes one that has ended: OK, UNFINISHED or NOTFOUND. */
enum amdi_store_result amdi_store_remove(struct amdi_store *store,
        struct amdi_loop *loop, uint64_t id, amdi_op_fn fn, void *arg);

/** The states that a client sees, as bits. */
enum amdi_filter_state {
    AMDI_FILTER_QUEUED = 1,
    AMDI_FILTER_RUNNING = 2,
    AMDI_FILTER_SUCCEEDED = 4,
    AMDI_FILTER_FAILED = 8, // neither succeeded nor cancelled
    AMDI_FILTER_CANCELLED = 16,
};

/** Which operations to list; zero bytes: all. */
struct amdi_store_filter {
    unsigned states;    // of enum amdi_filter_state; 0: any
    bool has_principal; // only those of this principal
    struct amdi_bytes principal;
    struct amdi_bytes method; // empty: any
    int64_t created_from_us;  // inclusive; 0: any
    int64_t created_to_us;    // exclusive; 0: any
};

/** A page of a list, and what to ask the next one with (empty: the end). */
typedef void (*amdi_list_fn)(void *arg, enum amdi_store_result result,
        const struct amdi_op *ops, size_t nops, struct amdi_bytes next_token);

#define AMDI_STORE_MAX_PAGE 1000u

/**
 * Lists, the newest first. A page looks at a bounded number of operations, so
 * it may be short, or empty, and still have a successor. INVALID when @token
 * was not made by this store for this filter.
 *
 * @page  at most AMDI_STORE_MAX_PAGE; 0: 100
 */
enum amdi_store_result amdi_store_list(struct amdi_store *store,
        struct amdi_loop *loop, const struct amdi_store_filter *filter,
        unsigned page, struct amdi_bytes token, amdi_list_fn fn, void *arg);

/**
 * Receives events in order. OK: more will follow. DONE: as OK (also without
 * events), and these were the last. Anything else has no events. After any
 * value but OK the watch has ended and is freed.
 */
typedef void (*amdi_watch_fn)(void *arg, enum amdi_store_result result,
        const struct amdi_event *events, size_t nevents);

/**
 * Shows every event after @after_seq: those that are there, then each new one.
 * Ends with DONE, NOTFOUND (there is none, or it was removed), GONE (the next
 * event is not kept any more), INVALID (@after_seq is in the future) or
 * trouble of the store.
 *
 * @out  borrowed until it has ended
 */
enum amdi_store_result amdi_store_watch(struct amdi_store *store,
        struct amdi_loop *loop, uint64_t id, uint64_t after_seq,
        amdi_watch_fn fn, void *arg, struct amdi_store_watch **out);

/**
 * Lets no more be read while its receiver is behind; what was read already is
 * still shown. Thread: its loop.
 */
void amdi_store_watch_set_paused(
        struct amdi_store_watch *watch, bool is_paused);

/** Ends it: the callback is not called again. Thread: its loop. */
void amdi_store_unwatch(struct amdi_store_watch *watch);

/* ---- what executors of operations do ---- */

/** Proves who holds a lease. */
struct amdi_fence {
    uint64_t id;
    uint32_t attempt;
};

/** @next_ready_at_us: when to ask again; 0: nothing waits for its time. */
typedef void (*amdi_lease_fn)(void *arg, enum amdi_store_result result,
        const struct amdi_op *ops, size_t nops, int64_t next_ready_at_us);

/**
 * Takes operations that are ready, or whose lease ran out, the oldest first.
 * Those past their deadline or their last attempt are ended on the way.
 *
 * @node      the name of the executor
 * @max       at most 1000
 * @lease_us  how long they are the caller's, unless it beats
 */
enum amdi_store_result amdi_store_lease(struct amdi_store *store,
        struct amdi_loop *loop, const char *node, struct amdi_bytes queue,
        unsigned max, int64_t lease_us, amdi_lease_fn fn, void *arg);

/** Leases that are no longer the caller's; operations that shall stop. */
typedef void (*amdi_beat_fn)(void *arg, enum amdi_store_result result,
        const struct amdi_fence *lost, size_t nlost, const uint64_t *cancelled,
        size_t ncancelled);

/** Renews leases. */
enum amdi_store_result amdi_store_beat(struct amdi_store *store,
        struct amdi_loop *loop, const char *node,
        const struct amdi_fence *fences, size_t nfences, int64_t lease_us,
        amdi_beat_fn fn, void *arg);

/**
 * Appends an event of kind MESSAGE or PROGRESS. OK, LOST, DONE or NOTFOUND.
 * Beyond the bounds of the options the oldest events are dropped.
 *
 * @number  of a MESSAGE: which of the operation's it is, from 1; INVALID when
 *          another one is next, as after one that failed. 0: whichever is next
 */
enum amdi_store_result amdi_store_append(struct amdi_store *store,
        struct amdi_loop *loop, struct amdi_fence fence,
        enum amdi_event_kind kind, uint64_t number, struct amdi_bytes data,
        amdi_op_fn fn, void *arg);

/** Ends an operation. OK; or, when someone else did, LOST or DONE. */
enum amdi_store_result amdi_store_finish(struct amdi_store *store,
        struct amdi_loop *loop, struct amdi_fence fence, int code,
        struct amdi_bytes result, struct amdi_bytes status, amdi_op_fn fn,
        void *arg);

/**
 * Gives a lease back, for another attempt not before @ready_at_us (0: at
 * once). After the last attempt, or when it shall stop, the operation ends.
 *
 * @why  becomes the data of an event
 */
enum amdi_store_result amdi_store_retry(struct amdi_store *store,
        struct amdi_loop *loop, struct amdi_fence fence, int64_t ready_at_us,
        struct amdi_bytes why, amdi_op_fn fn, void *arg);

/**
 * Gives a lease back as if it had not been taken: for another attempt not
 * before @ready_at_us (0: at once), while this one does not count. When it
 * shall stop, the operation ends.
 */
enum amdi_store_result amdi_store_release(struct amdi_store *store,
        struct amdi_loop *loop, struct amdi_fence fence, int64_t ready_at_us,
        amdi_op_fn fn, void *arg);

enum amdi_store_hint {
    AMDI_HINT_WORK = 1,   // something became ready: lease
    AMDI_HINT_CANCEL = 2, // something running shall stop: beat
    AMDI_HINT_SWEEP = 4,  // more has ended than is to be kept: sweep
};

/**
 * Sets who is told, on @loop, that asking again is worth it; @hints is a set.
 * Hints may come for nothing, together, or not at all.
 *
 * Thread:  setup; once, before the first request
 */
void amdi_store_set_hints(struct amdi_store *store, struct amdi_loop *loop,
        void (*fn)(void *arg, unsigned hints), void *arg);

typedef void (*amdi_sweep_fn)(
        void *arg, enum amdi_store_result result, unsigned nremoved);

/**
 * Deletes at most @max (at most 500) operations that have ended, in the order
 * in which their time passes: those whose time has passed, and those beyond
 * max_done and max_kept_bytes. Large ones are fewer; the next sweep goes on,
 * until none is removed.
 */
enum amdi_store_result amdi_store_sweep(struct amdi_store *store,
        struct amdi_loop *loop, unsigned max, amdi_sweep_fn fn, void *arg);

/** What of a queue has not ended. */
struct amdi_backlog {
    struct amdi_bytes queue;
    uint64_t nops;
};

typedef void (*amdi_backlog_fn)(void *arg, enum amdi_store_result result,
        const struct amdi_backlog *queues, size_t nqueues);

/** Tells how much waits or runs, in the order of queues' names: 4096 of them.
 */
enum amdi_store_result amdi_store_get_backlog(struct amdi_store *store,
        struct amdi_loop *loop, amdi_backlog_fn fn, void *arg);

#endif
