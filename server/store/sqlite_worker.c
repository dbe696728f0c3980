/** What executors ask: lease, beat, append, finish, retry, release. */
#include <amdrpc/status.h>

#include "server/store/sqlite.h"

#include <string.h>

// What one lease shows and ends on its way; the caller asks again for more.
#define MAX_LEASE_BYTES ((size_t)8 << 20)
#define MAX_LEASE_ENDS 500u

static const struct amdi_bytes nothing;

/* ---- lease ---- */

/** Finds what is first in the queue; false: nothing. */
static bool
lease_first(struct amdi_sql *sql, struct amdi_bytes queue,
        struct amdi_sql_head *head)
{
    sqlite3_stmt *stmt = amdi_sql_bind(sql, AMDI_SQL_OP_READY, "s", queue);
    bool is_there = amdi_sql_step(sql, stmt);

    *head = (struct amdi_sql_head){0};
    if (is_there) {
        amdi_sql_head_of_row(stmt, head);
    }
    amdi_sql_reset(stmt);
    return is_there;
}

/** Returns the code with which it ends instead of being run; -1: it is run. */
static int
lease_end_code(const struct amdi_sql *sql, const struct amdi_sql_head *head)
{
    if (head->is_cancelled) {
        return AMDRPC_STATUS_CANCELLED;
    }
    if (head->deadline_at_us != 0 && head->deadline_at_us <= sql->now_us) {
        return AMDRPC_STATUS_DEADLINE_EXCEEDED;
    }
    if (head->max_attempts != 0 &&
            head->attempt - head->nreleased >= head->max_attempts) {
        return AMDRPC_STATUS_ABORTED;
    }
    return -1;
}

static void
lease_take(struct amdi_sql *sql, struct amdi_request *request, uint64_t id,
        struct amdi_op *op)
{
    const struct amdi_lease_request *in = &request->in.lease;

    (void)amdi_sql_run(sql,
            amdi_sql_bind(sql, AMDI_SQL_OP_LEASE, "itii", (int64_t)id, in->node,
                    sql->now_us, sql->now_us + in->lease_us));
    (void)amdi_sql_read_op(sql, request, id, true, op); // it is there
}

/** Deals with the first of the queue; tells whether it was leased. */
static bool
lease_one(struct amdi_sql *sql, struct amdi_request *request,
        struct amdi_sql_head *head, struct amdi_op *op)
{
    int code = lease_end_code(sql, head);

    if (code >= 0) {
        amdi_sql_end_op(sql, head, code, nothing, nothing);
        return false;
    }
    lease_take(sql, request, head->id, op);
    return true;
}

void
amdi_sql_lease(struct amdi_sql *sql, struct amdi_request *request)
{
    const struct amdi_lease_request *in = &request->in.lease;
    struct amdi_op *ops = amdi_sql_alloc_ops(sql, request, in->max);
    size_t nops = 0;
    size_t nbytes = 0;
    unsigned nends = 0;
    struct amdi_sql_head head;

    if (ops == NULL) {
        return;
    }
    // Whatever is done with the first one, it is not the first afterwards.
    while (lease_first(sql, in->queue, &head) &&
            head.ready_at_us <= sql->now_us && nops < in->max &&
            nbytes < MAX_LEASE_BYTES && nends < MAX_LEASE_ENDS) {
        if (lease_one(sql, request, &head, &ops[nops])) {
            nbytes += ops[nops++].payload.len;
        } else {
            nends++;
        }
    }
    request->out.ops.nops = nops;
    request->out.ops.next_ready_at_us = head.ready_at_us;
    request->result = AMDI_STORE_OK;
}

/* ---- beat ---- */

static bool
beat_alloc(struct amdi_sql *sql, struct amdi_request *request)
{
    size_t n = request->in.beat.nfences;

    request->out.beat.lost =
            amdi_arena_alloc(&request->arena, n * sizeof(struct amdi_fence));
    request->out.beat.cancelled =
            amdi_arena_alloc(&request->arena, n * sizeof(uint64_t));
    if (request->out.beat.lost == NULL || request->out.beat.cancelled == NULL) {
        sql->failure = SQLITE_NOMEM;
        return false;
    }
    return true;
}

static void
beat_one(struct amdi_sql *sql, struct amdi_request *request,
        const struct amdi_fence *fence)
{
    const struct amdi_beat_request *in = &request->in.beat;
    sqlite3_stmt *stmt = amdi_sql_bind(sql, AMDI_SQL_OP_BEAT, "iiti",
            (int64_t)fence->id, (int64_t)fence->attempt, in->node,
            sql->now_us + in->lease_us);

    if (!amdi_sql_step(sql, stmt)) {
        request->out.beat.lost[request->out.beat.nlost++] = *fence;
    } else if (sqlite3_column_int(stmt, 0) != 0) {
        request->out.beat.cancelled[request->out.beat.ncancelled++] = fence->id;
    }
    amdi_sql_reset(stmt);
}

void
amdi_sql_beat(struct amdi_sql *sql, struct amdi_request *request)
{
    const struct amdi_beat_request *in = &request->in.beat;

    if (in->nfences > 0 && !beat_alloc(sql, request)) {
        return;
    }
    (void)amdi_sql_run(sql,
            amdi_sql_bind(sql, AMDI_SQL_NODE_BEAT, "tii", in->node, sql->now_us,
                    sql->now_us + in->lease_us));
    for (size_t i = 0; i < in->nfences; i++) {
        beat_one(sql, request, &in->fences[i]);
    }
    request->result = AMDI_STORE_OK;
}

/* ---- append, finish, retry, release ---- */

/** Tells whether the fence still holds its lease; else answers why not. */
static bool
worker_has_lease(struct amdi_sql *sql, struct amdi_request *request,
        struct amdi_sql_head *head)
{
    const struct amdi_fence *fence = &request->in.fenced.fence;

    if (!amdi_sql_read_head(sql, fence->id, head)) {
        request->result = AMDI_STORE_NOTFOUND;
    } else if (head->state == AMDI_OP_DONE) {
        request->result = AMDI_STORE_DONE;
    } else if (head->state != AMDI_OP_RUNNING ||
            head->attempt != fence->attempt) {
        request->result = AMDI_STORE_LOST;
    } else {
        request->result = AMDI_STORE_OK;
    }
    return request->result == AMDI_STORE_OK;
}

void
amdi_sql_append(struct amdi_sql *sql, struct amdi_request *request)
{
    const struct amdi_fenced_request *in = &request->in.fenced;
    struct amdi_sql_head head;

    if (!worker_has_lease(sql, request, &head)) {
        return;
    }
    if (in->number != 0 && in->number != head.nmessages + 1) {
        request->result = AMDI_STORE_INVALID; // one before it is missing
        return;
    }
    amdi_sql_append_event(sql, &head, in->kind, in->data);
}

void
amdi_sql_finish(struct amdi_sql *sql, struct amdi_request *request)
{
    const struct amdi_fenced_request *in = &request->in.fenced;
    struct amdi_sql_head head;

    if (worker_has_lease(sql, request, &head)) {
        amdi_sql_end_op(sql, &head, in->code, in->data, in->status);
    }
}

void
amdi_sql_retry(struct amdi_sql *sql, struct amdi_request *request)
{
    const struct amdi_fenced_request *in = &request->in.fenced;
    struct amdi_sql_head head;
    int code;

    if (!worker_has_lease(sql, request, &head)) {
        return;
    }
    amdi_sql_append_event(sql, &head, AMDI_EVENT_RETRY, in->data);
    code = lease_end_code(sql, &head);
    if (code >= 0) {
        amdi_sql_end_op(sql, &head, code, nothing, nothing);
        return;
    }
    (void)amdi_sql_run(sql,
            amdi_sql_bind(sql, AMDI_SQL_OP_REQUEUE, "ii", (int64_t)head.id,
                    in->ready_at_us == 0 ? sql->now_us : in->ready_at_us));
    sql->hints |= AMDI_HINT_WORK;
}

void
amdi_sql_release(struct amdi_sql *sql, struct amdi_request *request)
{
    const struct amdi_fenced_request *in = &request->in.fenced;
    struct amdi_sql_head head;

    if (!worker_has_lease(sql, request, &head)) {
        return;
    }
    if (head.is_cancelled) {
        amdi_sql_end_op(sql, &head, AMDRPC_STATUS_CANCELLED, nothing, nothing);
        return;
    }
    (void)amdi_sql_run(sql,
            amdi_sql_bind(sql, AMDI_SQL_OP_RELEASE, "ii", (int64_t)head.id,
                    in->ready_at_us == 0 ? sql->now_us : in->ready_at_us));
    sql->hints |= AMDI_HINT_WORK;
}
