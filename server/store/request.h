/**
 * One question to a store, from the caller's loop to the store's thread and
 * back. It has copies of its arguments, and what the answer shows lies in its
 * arena; so it can be answered anywhere, at any time, and then posted home.
 */
#ifndef AMDI_STORE_REQUEST_H
#define AMDI_STORE_REQUEST_H

#include "common/arena.h"
#include "common/list.h"
#include "common/loop.h"
#include "server/store/store.h"

#define AMDI_BODY_HASH_BYTES 32u

enum amdi_request_kind {
    AMDI_REQUEST_SUBMIT,
    AMDI_REQUEST_GET,
    AMDI_REQUEST_CANCEL,
    AMDI_REQUEST_REMOVE,
    AMDI_REQUEST_LIST,
    AMDI_REQUEST_LEASE,
    AMDI_REQUEST_BEAT,
    AMDI_REQUEST_APPEND,
    AMDI_REQUEST_FINISH,
    AMDI_REQUEST_RETRY,
    AMDI_REQUEST_RELEASE,
    AMDI_REQUEST_SWEEP,
    AMDI_REQUEST_BACKLOG,
    AMDI_REQUEST_EVENTS,
};

struct amdi_submit_request {
    struct amdi_new_op new_op;
    uint8_t body_hash[AMDI_BODY_HASH_BYTES]; // when it has a request id
};

struct amdi_list_request {
    struct amdi_store_filter filter;
    unsigned page;
    struct amdi_bytes token;
};

struct amdi_lease_request {
    const char *node;
    struct amdi_bytes queue;
    unsigned max;
    int64_t lease_us;
};

struct amdi_beat_request {
    const char *node;
    struct amdi_fence *fences;
    size_t nfences;
    int64_t lease_us;
};

/** APPEND, FINISH, RETRY and RELEASE: what the holder of a lease says. */
struct amdi_fenced_request {
    struct amdi_fence fence;
    enum amdi_event_kind kind; // APPEND
    uint64_t number;           // APPEND: of a message; 0: whichever is next
    int code;                  // FINISH
    int64_t ready_at_us;       // RETRY, RELEASE
    struct amdi_bytes data;    // APPEND: of the event; FINISH: the result;
                               // RETRY: why
    struct amdi_bytes status;  // FINISH
};

struct amdi_events_request {
    uint64_t id;
    uint64_t after_seq;
};

struct amdi_request {
    struct amdi_task task; // first
    struct amdi_list node; // of the store that has it
    struct amdi_loop *loop;
    enum amdi_request_kind kind;
    size_t nbytes; // of its arguments
    struct amdi_arena arena;

    // Called by the store, in any thread, once the answer is there. It is
    // amdi_request_post, unless a test wants to see the answer first.
    void (*complete)(struct amdi_request *request);
    void *complete_arg;

    union {
        struct amdi_submit_request submit;
        uint64_t id; // GET, CANCEL, REMOVE
        struct amdi_list_request list;
        struct amdi_lease_request lease;
        struct amdi_beat_request beat;
        struct amdi_fenced_request fenced;
        unsigned sweep_max;
        struct amdi_events_request events;
    } in;

    enum amdi_store_result result;
    union {
        struct {
            struct amdi_op *ops; // one, unless it is a list or a lease
            size_t nops;
            struct amdi_bytes next_token; // LIST
            int64_t next_ready_at_us;     // LEASE
        } ops;
        struct {
            struct amdi_fence *lost;
            size_t nlost;
            uint64_t *cancelled;
            size_t ncancelled;
        } beat;
        struct {
            struct amdi_event *events;
            size_t nevents;
            bool has_more;
        } events;
        unsigned nremoved;
        struct {
            struct amdi_backlog *queues;
            size_t nqueues;
        } backlog;
    } out;

    union {
        amdi_op_fn op;
        amdi_list_fn list;
        amdi_lease_fn lease;
        amdi_beat_fn beat;
        amdi_sweep_fn sweep;
        amdi_backlog_fn backlog;
        void (*events)(void *arg, const struct amdi_request *request);
    } fn;
    void *arg;
};

/** Returns a request without arguments, or NULL. */
struct amdi_request *amdi_request_create(
        struct amdi_loop *loop, enum amdi_request_kind kind, void *arg);

/** NULL is accepted. */
void amdi_request_destroy(struct amdi_request *request);

/** Tells whether it changes anything. */
bool amdi_request_is_write(const struct amdi_request *request);

/**
 * Tells whether it is what empties the store, so that it is never refused as
 * too much: what the holder of a lease says, bounded by the leases; a sweep, of
 * which there is one at a time.
 */
bool amdi_request_is_emptying(const struct amdi_request *request);

/**
 * Copies bytes, and a NUL, into the arena; false when there is no memory. An
 * argument also counts in nbytes.
 */
bool amdi_request_copy(struct amdi_request *request, struct amdi_bytes from,
        struct amdi_bytes *to);

/** Has the callback run on the loop, which frees the request. Thread: any. */
void amdi_request_post(struct amdi_request *request);

/** Answers with nothing but a result. */
void amdi_request_fail(
        struct amdi_request *request, enum amdi_store_result result);

#endif
