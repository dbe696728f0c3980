/**
 * Operations: calls that are kept in a store and executed from there, for
 * clients that wait, poll, watch, or come back later.
 *
 * This is the executor. It leases what is ready, runs it through the dispatcher
 * like any call, with a sink of its own (run.h), and writes down what became of
 * it. The services (server/services/) put operations into the store with
 * amdi_operations_submit, and read it themselves.
 *
 *     submit ─► store ─► lease ─► run: call + sink ─► dispatcher ─► handler
 *                 ▲                  │
 *                 └── append, finish, retry, beat
 *
 * The executor lives on the server's first loop, and so do its runs.
 */
#ifndef AMDI_OPERATIONS_H
#define AMDI_OPERATIONS_H

#include <amdrpc/operations.h>

#include "server/store/store.h"

#include <stdio.h>

struct amdi_loop;
struct amdi_method;
struct amdi_op_stats;
struct amdi_operations;
struct amdrpc_metadata;
struct amdrpc_server;

/** Which operations of a method are leased first. */
enum amdi_op_priority {
    AMDI_OP_HIGH,
    AMDI_OP_NORMAL,
    AMDI_OP_LOW,
};

/** A call to be kept. Everything is borrowed until submit returns. */
struct amdi_submission {
    const struct amdi_method *method; // without request stream
    struct amdi_bytes request;        // serialized; looked through already
    struct amdi_bytes request_id;     // may be empty
    const char *identity;             // of the caller; "" for none
    const char *peer;
    const struct amdrpc_metadata *metadata; // what the handler shall see
    enum amdi_op_priority priority;
    int64_t start_at_us;   // since 1970; 0: at once
    int64_t timeout_us;    // from now; 0: as the options say
    int64_t retain_us;     // 0: as the options say
    uint32_t max_attempts; // 0: as the method's policy says
};

/**
 * As amdrpc_operations_add, over a store that is open already. Thread: setup.
 *
 * @store   taken
 * Errors:  AMDRPC_EEXIST, AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_operations_add_take(
        struct amdrpc_server *server, const amdrpc_operations_options *options,
        struct amdi_store *store);

/** The server's operations, or NULL when it keeps none. Thread: any. */
struct amdi_operations *amdi_operations_of(const struct amdrpc_server *server);

/** Whose they are. Thread: any. */
struct amdrpc_server *amdi_operations_server(const struct amdi_operations *ops);

/** Borrowed; for get, list, cancel, remove and watch. Thread: any. */
struct amdi_store *amdi_operations_store(const struct amdi_operations *ops);

/**
 * Puts a call into the store; it is executed as soon as it can be. @fn as for
 * amdi_store_submit: OK, EXISTS (an earlier one with this request id), CONFLICT
 * or trouble.
 *
 * Thread:  @loop's; any of the server's
 */
enum amdi_store_result amdi_operations_submit(struct amdi_operations *ops,
        struct amdi_loop *loop, const struct amdi_submission *submission,
        amdi_op_fn fn, void *arg);

/**
 * Tells how many go before a queued operation, which amdi_store_get showed, and
 * when its turn comes, as far as one can tell: those of higher priority are not
 * seen. Thread: any loop's.
 */
void amdi_operations_estimate(struct amdi_operations *ops,
        const struct amdi_op *op, uint64_t *out_position,
        int64_t *out_expected_start_us);

/** What the executor did so far. Thread: any. */
const struct amdi_op_stats *amdi_operations_stats(
        const struct amdi_operations *ops);

/** A part of amdrpc_server_write_metrics. */
void amdi_operations_write_metrics(
        const struct amdi_operations *ops, FILE *file);

#endif
