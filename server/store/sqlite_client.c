/** What clients of operations ask: submit, get, cancel. */
#include <amdrpc/status.h>

#include "common/error.h"
#include "server/store/id.h"
#include "server/store/sqlite.h"

#include <openssl/rand.h>

#include <string.h>

// Tries to find an id that is free; the second one is as good as certain.
#define MAX_ID_TRIES 16

/* ---- reading one ---- */

struct amdi_op *
amdi_sql_alloc_ops(
        struct amdi_sql *sql, struct amdi_request *request, size_t nops)
{
    struct amdi_op *ops =
            amdi_arena_alloc(&request->arena, nops * sizeof(*ops));

    if (ops == NULL) {
        sql->failure = SQLITE_NOMEM;
        return NULL;
    }
    request->out.ops.ops = ops;
    return ops;
}

/** In the order of the columns in sqlite_statement.c. */
static void
client_read_columns(struct amdi_sql *sql, struct amdi_request *request,
        sqlite3_stmt *stmt, struct amdi_op *op)
{
    *op = (struct amdi_op){
            .id = (uint64_t)sqlite3_column_int64(stmt, 0),
            .state = (enum amdi_op_state)sqlite3_column_int(stmt, 1),
            .is_cancelled = sqlite3_column_int(stmt, 2) != 0,
            .code = sqlite3_column_int(stmt, 3),
            .attempt = (uint32_t)sqlite3_column_int64(stmt, 4),
            .max_attempts = (uint32_t)sqlite3_column_int64(stmt, 5),
            .first_seq = (uint64_t)sqlite3_column_int64(stmt, 6),
            .last_seq = (uint64_t)sqlite3_column_int64(stmt, 7),
            .created_at_us = sqlite3_column_int64(stmt, 8),
            .ready_at_us = sqlite3_column_int64(stmt, 9),
            .started_at_us = sqlite3_column_int64(stmt, 10),
            .deadline_at_us = sqlite3_column_int64(stmt, 11),
            .done_at_us = sqlite3_column_int64(stmt, 12),
            .expire_at_us = sqlite3_column_int64(stmt, 13),
    };
    op->nmessages = (uint64_t)sqlite3_column_int64(stmt, 23);
    op->nreleased = (uint32_t)sqlite3_column_int64(stmt, 24);
    amdi_sql_copy(sql, request, stmt, 14, &op->principal);
    amdi_sql_copy(sql, request, stmt, 15, &op->method);
    amdi_sql_copy(sql, request, stmt, 16, &op->owner);
    amdi_sql_copy(sql, request, stmt, 17, &op->request_id);
    amdi_sql_copy(sql, request, stmt, 18, &op->metadata);
    amdi_sql_copy(sql, request, stmt, 19, &op->result);
    amdi_sql_copy(sql, request, stmt, 20, &op->status);
    amdi_sql_copy(sql, request, stmt, 21, &op->progress);
    amdi_sql_copy(sql, request, stmt, 22, &op->payload);
}

bool
amdi_sql_read_op(struct amdi_sql *sql, struct amdi_request *request,
        uint64_t id, bool with_payload, struct amdi_op *out)
{
    sqlite3_stmt *stmt = amdi_sql_bind(
            sql, AMDI_SQL_OP_GET, "ii", (int64_t)id, (int64_t)with_payload);
    bool is_there = amdi_sql_step(sql, stmt);

    if (is_there) {
        client_read_columns(sql, request, stmt, out);
    }
    amdi_sql_reset(stmt);
    return is_there;
}

/** Answers with @result and the operation, or that there is none. */
static void
client_answer(struct amdi_sql *sql, struct amdi_request *request, uint64_t id,
        enum amdi_store_result result)
{
    struct amdi_op *op = amdi_sql_alloc_ops(sql, request, 1);

    if (op == NULL || !amdi_sql_read_op(sql, request, id, false, op)) {
        amdi_request_fail(request, AMDI_STORE_NOTFOUND);
        return;
    }
    request->out.ops.nops = 1;
    request->result = result;
}

static void
client_count_ahead(struct amdi_sql *sql, struct amdi_op *op)
{
    sqlite3_stmt *stmt = amdi_sql_bind(sql, AMDI_SQL_OP_AHEAD, "iii",
            (int64_t)op->id, op->ready_at_us, (int64_t)AMDI_STORE_MAX_AHEAD);

    if (amdi_sql_step(sql, stmt)) {
        op->nahead = (uint32_t)sqlite3_column_int64(stmt, 0);
    }
    amdi_sql_reset(stmt);
}

void
amdi_sql_get(struct amdi_sql *sql, struct amdi_request *request)
{
    client_answer(sql, request, request->in.id, AMDI_STORE_OK);
    if (request->result == AMDI_STORE_OK &&
            request->out.ops.ops->state == AMDI_OP_QUEUED) {
        client_count_ahead(sql, request->out.ops.ops);
    }
}

/* ---- submit ---- */

static uint64_t
client_make_id(struct amdi_sql *sql)
{
    if (sql->nrandoms == 0) {
        if (RAND_bytes((unsigned char *)sql->randoms, sizeof(sql->randoms)) !=
                1) {
            // Names are no secrets, they only must differ; the database sees
            // to that.
            sqlite3_randomness((int)sizeof(sql->randoms), sql->randoms);
        }
        sql->nrandoms = AMDI_SQL_NRANDOMS;
    }
    return amdi_id_make(sql->now_us, sql->randoms[--sql->nrandoms]);
}

/** Fills in what the new operation looks like, except its id. */
static void
submit_make_op(const struct amdi_sql *sql, const struct amdi_new_op *from,
        struct amdi_op *op)
{
    int64_t ready_at_us =
            from->ready_at_us == 0 ? sql->now_us : from->ready_at_us;

    *op = (struct amdi_op){
            .max_attempts = from->max_attempts,
            .first_seq = 1,
            .created_at_us = sql->now_us,
            .ready_at_us = ready_at_us,
            .deadline_at_us = from->deadline_at_us,
            .principal = from->principal,
            .request_id = from->request_id,
            .method = from->method,
            .metadata = from->metadata,
    };
    if (from->node != NULL && ready_at_us <= sql->now_us) {
        op->state = AMDI_OP_RUNNING;
        op->attempt = 1;
        op->owner = (struct amdi_bytes){from->node, strlen(from->node)};
        op->payload = from->payload;
        op->started_at_us = sql->now_us;
        op->ready_at_us = sql->now_us + from->lease_us;
    }
}

/** Tells whether it was free. */
static bool
submit_insert_op(struct amdi_sql *sql, const struct amdi_new_op *from,
        const struct amdi_op *op)
{
    bool is_leased = op->state == AMDI_OP_RUNNING;
    int64_t retain_us =
            from->retain_us == 0 ? sql->options.retain_us : from->retain_us;

    return amdi_sql_run(sql,
                   amdi_sql_bind(sql, AMDI_SQL_OP_INSERT, "isiiiitiiiiiss",
                           (int64_t)op->id, from->queue, (int64_t)op->state,
                           (int64_t)op->attempt, (int64_t)op->max_attempts,
                           op->ready_at_us, is_leased ? from->node : NULL,
                           is_leased ? op->ready_at_us : INT64_C(0),
                           op->deadline_at_us, op->created_at_us,
                           op->started_at_us, retain_us, op->principal,
                           op->method)) == 1;
}

/** Answers with the operation that has the request id; false: there is none. */
static bool
submit_answer_known(struct amdi_sql *sql, struct amdi_request *request)
{
    struct amdi_submit_request *in = &request->in.submit;
    struct amdi_bytes hash = {in->body_hash, sizeof(in->body_hash)};
    sqlite3_stmt *stmt = amdi_sql_bind(sql, AMDI_SQL_REQ_FIND, "ss",
            in->new_op.principal, in->new_op.request_id);
    bool is_same;
    uint64_t id;

    if (!amdi_sql_step(sql, stmt)) {
        amdi_sql_reset(stmt);
        return false;
    }
    id = (uint64_t)sqlite3_column_int64(stmt, 0);
    is_same = sqlite3_column_bytes(stmt, 1) == (int)hash.len &&
            memcmp(sqlite3_column_blob(stmt, 1), hash.data, hash.len) == 0;
    amdi_sql_reset(stmt);
    if (is_same) {
        client_answer(sql, request, id, AMDI_STORE_EXISTS);
    } else {
        amdi_request_fail(request, AMDI_STORE_CONFLICT);
    }
    return true;
}

/**
 * Claims the request id for the operation; or answers with the operation that
 * has it.
 */
static bool
submit_claim(
        struct amdi_sql *sql, struct amdi_request *request, uint64_t new_id)
{
    struct amdi_submit_request *in = &request->in.submit;
    struct amdi_bytes hash = {in->body_hash, sizeof(in->body_hash)};

    if (amdi_sql_run(sql,
                amdi_sql_bind(sql, AMDI_SQL_REQ_INSERT, "ssib",
                        in->new_op.principal, in->new_op.request_id,
                        (int64_t)new_id, hash)) == 1) {
        return true;
    }
    (void)submit_answer_known(sql, request); // else the batch has failed
    return false;
}

/** There is no room; but who asks again hears of what he has. */
static void
submit_refuse(struct amdi_sql *sql, struct amdi_request *request)
{
    if (request->in.submit.new_op.request_id.len == 0 ||
            !submit_answer_known(sql, request)) {
        amdi_request_fail(request, AMDI_STORE_FULL);
    }
}

/** Inserts under a free id; the claim follows it. */
static void
submit_insert(struct amdi_sql *sql, const struct amdi_new_op *from,
        struct amdi_op *op)
{
    int ntries = 1;

    while (!submit_insert_op(sql, from, op) && sql->failure == SQLITE_OK) {
        if (ntries++ == MAX_ID_TRIES) {
            sql->failure = SQLITE_BUSY; // the client may try again
            return;
        }
        op->id = client_make_id(sql);
        if (from->request_id.len > 0) {
            (void)amdi_sql_run(sql,
                    amdi_sql_bind(sql, AMDI_SQL_REQ_MOVE, "ssi",
                            from->principal, from->request_id,
                            (int64_t)op->id));
        }
    }
    (void)amdi_sql_run(sql,
            amdi_sql_bind(sql, AMDI_SQL_BODY_INSERT, "iSBB", (int64_t)op->id,
                    from->request_id, from->payload, from->metadata));
    sql->batch_usage.nunfinished++;
}

void
amdi_sql_submit(struct amdi_sql *sql, struct amdi_request *request)
{
    const struct amdi_new_op *from = &request->in.submit.new_op;
    uint64_t id;
    struct amdi_op *op;

    if (amdi_sql_is_full(sql)) {
        submit_refuse(sql, request);
        return;
    }
    id = client_make_id(sql);
    if (from->request_id.len > 0 && !submit_claim(sql, request, id)) {
        return;
    }
    op = amdi_sql_alloc_ops(sql, request, 1);
    if (op == NULL) {
        return;
    }
    submit_make_op(sql, from, op);
    op->id = id;
    submit_insert(sql, from, op);
    if (op->state == AMDI_OP_QUEUED) {
        sql->hints |= AMDI_HINT_WORK;
    }
    request->out.ops.nops = 1;
    request->result = AMDI_STORE_OK;
}

/* ---- cancel ---- */

void
amdi_sql_cancel(struct amdi_sql *sql, struct amdi_request *request)
{
    static const struct amdi_bytes nothing;
    uint64_t id = request->in.id;
    enum amdi_store_result result = AMDI_STORE_OK;
    struct amdi_sql_head head;

    if (!amdi_sql_read_head(sql, id, &head)) {
        request->result = AMDI_STORE_NOTFOUND;
        return;
    }
    switch (head.state) {
    case AMDI_OP_QUEUED:
        amdi_sql_end_op(sql, &head, AMDRPC_STATUS_CANCELLED, nothing, nothing);
        break;
    case AMDI_OP_RUNNING:
        (void)amdi_sql_run(
                sql, amdi_sql_bind(sql, AMDI_SQL_OP_CANCEL, "i", (int64_t)id));
        sql->hints |= AMDI_HINT_CANCEL;
        break;
    case AMDI_OP_DONE:
        result = AMDI_STORE_DONE;
        break;
    }
    client_answer(sql, request, id, result);
}
