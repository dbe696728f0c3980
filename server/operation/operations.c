/** Operations: their life beside the server's, and submission. */
#include "server/operation/operations.h"

#include "common/alloc.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/log.h"
#include "server/operation/executor.h"
#include "server/operation/lane.h"
#include "server/operation/record.h"
#include "server/server.h"
#include "server/server_loop.h"
#include "server/service.h"
#include "server/services/operations/operations.h"

#include <string.h>

#define US_PER_MS 1000
#define HOUR_MS (3600u * 1000)

// Of a message or result, beside what the server takes in; LIMITS: 4 MiB.
#define MIN_BLOB_BYTES ((size_t)4 << 20)

// What an Any, or a record, adds to a message.
#define WRAPPER_BYTES 4096u

struct amdi_operations {
    struct amdi_server_part part;
    struct amdi_executor executor;
};

/** A submission under way. */
struct submit {
    struct amdi_op_lane *lane;
    bool has_room; // was reserved
    amdi_op_fn fn;
    void *arg;
};

/* ---- access ---- */

struct amdi_operations *
amdi_operations_of(const struct amdrpc_server *server)
{
    return server->operations;
}

struct amdrpc_server *
amdi_operations_server(const struct amdi_operations *ops)
{
    return ops->executor.server;
}

const struct amdi_op_stats *
amdi_operations_stats(const struct amdi_operations *ops)
{
    return &ops->executor.stats;
}

struct amdi_store *
amdi_operations_store(const struct amdi_operations *ops)
{
    return ops->executor.store;
}

/* ---- submission ---- */

static void
submit_on_answer(
        void *arg, enum amdi_store_result result, const struct amdi_op *op)
{
    struct submit submit = *(struct submit *)arg;
    struct amdi_executor *executor = submit.lane->executor;
    bool is_leased = submit.has_room && result == AMDI_STORE_OK &&
            op->state == AMDI_OP_RUNNING;

    amdi_free(arg);
    if (result == AMDI_STORE_OK) {
        atomic_fetch_add(&executor->stats.nsubmitted, 1);
    }
    if (is_leased) {
        amdi_executor_begin(executor, submit.lane, op);
    } else {
        if (submit.has_room) {
            amdi_op_lane_give(submit.lane, 1);
        }
        if (result == AMDI_STORE_OK) {
            amdi_op_lane_post_look(submit.lane);
        }
    }
    submit.fn(submit.arg, result, op);
}

static struct amdi_bytes
bytes_of_text(const char *text)
{
    return (struct amdi_bytes){text, strlen(text)};
}

static int64_t
ms_or(int64_t us, uint32_t fallback_ms)
{
    return us != 0 ? us : (int64_t)fallback_ms * US_PER_MS;
}

static uint32_t
submission_max_attempts(const struct amdi_executor *executor,
        const struct amdi_submission *submission)
{
    uint32_t policy = submission->method->policy.max_attempts;

    if (submission->max_attempts != 0) {
        return submission->max_attempts;
    }
    return policy != 0 ? policy : executor->options.max_attempts;
}

/** What the store is given, but the record. */
static struct amdi_new_op
submission_new_op(const struct amdi_op_lane *lane,
        const struct amdi_submission *submission, bool has_room)
{
    const struct amdi_executor *executor = lane->executor;
    const amdrpc_operations_options *options = &executor->options;

    return (struct amdi_new_op){
            .principal = bytes_of_text(submission->identity),
            .request_id = submission->request_id,
            .method = bytes_of_text(submission->method->desc->path),
            .queue = bytes_of_text(lane->queues[submission->priority]),
            .payload = submission->request,
            .ready_at_us = submission->start_at_us,
            .deadline_at_us = amdi_clock_wall_us() +
                    ms_or(submission->timeout_us, options->timeout_ms),
            .retain_us = ms_or(submission->retain_us, options->retain_ms),
            .max_attempts = submission_max_attempts(executor, submission),
            .node = has_room ? executor->node : NULL,
            .lease_us = (int64_t)options->lease_ms * US_PER_MS};
}

static enum amdi_store_result
submit_send(struct amdi_op_lane *lane, struct amdi_loop *loop,
        const struct amdi_submission *submission, struct submit *submit)
{
    struct amdi_new_op new_op =
            submission_new_op(lane, submission, submit->has_room);
    enum amdi_store_result result = AMDI_STORE_NOMEM;
    struct amdi_arena arena;

    amdi_arena_init(&arena, /*max_bytes=*/0);
    if (amdi_op_record_pack(submission, &arena, &new_op.metadata) ==
            AMDRPC_OK) {
        result = amdi_store_submit(
                lane->executor->store, loop, &new_op, submit_on_answer, submit);
    }
    amdi_arena_fini(&arena);
    return result;
}

enum amdi_store_result
amdi_operations_submit(struct amdi_operations *ops, struct amdi_loop *loop,
        const struct amdi_submission *submission, amdi_op_fn fn, void *arg)
{
    struct amdi_op_lane *lane = &ops->executor.lanes[submission->method->index];
    struct submit *submit = NULL;
    enum amdi_store_result result = AMDI_STORE_INVALID;

    if (lane->method == NULL) {
        return AMDI_STORE_INVALID;
    }
    submit = amdi_alloc(sizeof(*submit));
    if (submit == NULL) {
        return AMDI_STORE_NOMEM;
    }
    *submit = (struct submit){.lane = lane, .fn = fn, .arg = arg};
    submit->has_room = submission->start_at_us <= amdi_clock_wall_us() &&
            amdi_op_lane_reserve(lane);
    result = submit_send(lane, loop, submission, submit);
    if (result != AMDI_STORE_OK) {
        if (submit->has_room) {
            amdi_op_lane_give(lane, 1);
        }
        amdi_free(submit);
    }
    return result;
}

/* ---- life ---- */

static uint32_t
value_or(uint32_t value, uint32_t fallback)
{
    return value != 0 ? value : fallback;
}

static amdrpc_operations_options
options_fill(const amdrpc_operations_options *options)
{
    static const amdrpc_operations_options none;
    amdrpc_operations_options filled = options == NULL ? none : *options;

    if (filled.store == NULL) {
        filled.store = "memory:";
    }
    filled.max_running = value_or(filled.max_running, 1024);
    filled.timeout_ms = value_or(filled.timeout_ms, 24 * HOUR_MS);
    filled.retain_ms = value_or(filled.retain_ms, 24 * HOUR_MS);
    filled.max_attempts = value_or(filled.max_attempts, 5);
    filled.lease_ms = value_or(filled.lease_ms, 15000);
    filled.backoff_ms = value_or(filled.backoff_ms, 1000);
    filled.max_backoff_ms = value_or(filled.max_backoff_ms, 120000);
    filled.max_kept = value_or(filled.max_kept, 2000000);
    filled.max_unfinished = value_or(filled.max_unfinished, 1000000);
    if (filled.max_kept_bytes == 0) {
        filled.max_kept_bytes = (uint64_t)8 << 30;
    }
    return filled;
}

/** How large a message or result may be. */
static size_t
server_max_blob_bytes(const struct amdrpc_server *server)
{
    size_t max_bytes = server->options.max_recv_message_bytes;

    return (max_bytes > MIN_BLOB_BYTES ? max_bytes : MIN_BLOB_BYTES) +
            WRAPPER_BYTES;
}

static amdrpc_err
operations_open_store(const struct amdrpc_server *server,
        const amdrpc_operations_options *options, struct amdi_store **out,
        char *why, size_t why_size)
{
    struct amdi_store_options store_options = {
            .retain_us = (int64_t)options->retain_ms * US_PER_MS,
            .max_blob_bytes = server_max_blob_bytes(server),
            .max_done = options->max_kept,
            .max_kept_bytes = options->max_kept_bytes,
            .max_unfinished = options->max_unfinished,
            .is_unsafe = options->is_unsafe};
    struct amdi_error error = {.text = ""};
    amdrpc_err err =
            amdi_store_open(options->store, &store_options, out, &error);

    return amdi_error_tell(&error, err, why, why_size);
}

static amdrpc_err
part_prepare(struct amdi_server_part *part)
{
    return amdi_executor_prepare(
            &AMDI_CONTAINER_OF(part, struct amdi_operations, part)->executor);
}

static void
part_start(struct amdi_server_part *part)
{
    amdi_executor_start(
            &AMDI_CONTAINER_OF(part, struct amdi_operations, part)->executor);
}

static void
operations_on_closed(void *arg)
{
    *(bool *)arg = true;
}

static bool
is_set(void *arg)
{
    return *(const bool *)arg;
}

/** No thread runs the loop: its turns are made here. */
static void
store_close_now(struct amdi_store *store, struct amdi_loop *loop)
{
    bool is_closed = false;

    amdi_store_close(store, loop, operations_on_closed, &is_closed);
    amdi_loop_run_until(loop, is_set, &is_closed);
}

/** The threads have ended. */
static void
part_close(struct amdi_server_part *part)
{
    struct amdi_operations *ops =
            AMDI_CONTAINER_OF(part, struct amdi_operations, part);

    store_close_now(ops->executor.store, ops->executor.sl->loop);
    amdi_executor_fini(&ops->executor);
    amdi_free(ops);
}

static void
operations_on_drain(void *arg)
{
    struct amdi_operations *ops = arg;

    amdi_executor_drain(&ops->executor);
}

static struct amdi_operations *
operations_create(struct amdrpc_server *server,
        const amdrpc_operations_options *options, struct amdi_store *store)
{
    struct amdi_operations *ops = amdi_zalloc(sizeof(*ops));

    if (ops == NULL) {
        return NULL;
    }
    ops->part.prepare = part_prepare;
    ops->part.start = part_start;
    ops->part.close = part_close;
    ops->executor.server = server;
    ops->executor.sl = &server->loops[0];
    ops->executor.store = store;
    ops->executor.options = options_fill(options);
    ops->executor.options.store = NULL; // it was the caller's
    ops->executor.max_blob_bytes = server_max_blob_bytes(server);
    amdi_executor_init(&ops->executor);
    return ops;
}

amdrpc_err
amdi_operations_add_take(struct amdrpc_server *server,
        const amdrpc_operations_options *options, struct amdi_store *store)
{
    struct amdi_operations *ops = NULL;
    amdrpc_err err = AMDRPC_EEXIST;

    if (server->operations == NULL) {
        ops = operations_create(server, options, store);
        err = AMDRPC_ENOMEM;
    }
    if (ops == NULL) {
        store_close_now(store, server->loops[0].loop);
        return err;
    }
    // From here on it ends with the server.
    amdi_server_add_part(server, &ops->part);
    server->operations = ops;
    err = amdrpc_server_on_drain(server, operations_on_drain, ops);
    return err == AMDRPC_OK ? amdi_operations_services_add(server, ops) : err;
}

amdrpc_err
amdrpc_operations_add(amdrpc_server *server,
        const amdrpc_operations_options *options, char *why, size_t why_size)
{
    amdrpc_operations_options filled = options_fill(options);
    struct amdi_store *store = NULL;
    amdrpc_err err = AMDRPC_EEXIST;

    if (server->operations == NULL) { // else its store may be this one
        err = operations_open_store(server, &filled, &store, why, why_size);
    }
    return err == AMDRPC_OK ? amdi_operations_add_take(server, options, store)
                            : err;
}
