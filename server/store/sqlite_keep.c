/** How much is kept, and what goes: counting, remove, sweep. */
#include "common/error.h"
#include "server/store/sqlite.h"

// What one sweep deletes at most, but for its last operation: an operation may
// have thousands of events, and others wait for the commit.
#define MAX_SWEEP_ROWS 10000u
#define MAX_SWEEP_BYTES ((uint64_t)8 << 20)

// So much more than what is to be kept calls for a sweep out of turn: one in
// 64, so that each commit at the bound is not followed by one of a sweep.
#define HINT_SHARE 64u

// And with so much more there is no room: no sweep keeps up, or nothing has
// ended that could be swept.
#define FULL_SHARE 8u

// The form of a backlog's answer; a method has three queues.
#define MAX_QUEUES 4096u

/* ---- counting ---- */

/** Reads the one number that a statement gives. */
static uint64_t
keep_read_number(struct amdi_sql *sql, enum amdi_sql_id id)
{
    sqlite3_stmt *stmt = amdi_sql_bind(sql, id, "");
    uint64_t number = 0;

    if (amdi_sql_step(sql, stmt)) {
        number = (uint64_t)sqlite3_column_int64(stmt, 0);
    }
    amdi_sql_reset(stmt);
    return number;
}

void
amdi_sql_measure(struct amdi_sql *sql)
{
    uint64_t npages = keep_read_number(sql, AMDI_SQL_PAGES);
    uint64_t nfree = keep_read_number(sql, AMDI_SQL_FREE_PAGES);

    sql->batch_usage.nbytes = (npages - nfree) * sql->page_bytes;
}

amdrpc_err
amdi_sql_count(struct amdi_sql *sql, struct amdi_error *error)
{
    struct amdi_store_usage *usage = &sql->batch_usage;

    sql->failure = SQLITE_OK;
    sql->page_bytes = keep_read_number(sql, AMDI_SQL_PAGE_BYTES);
    usage->ndone = keep_read_number(sql, AMDI_SQL_OP_COUNT_DONE);
    usage->nunfinished = keep_read_number(sql, AMDI_SQL_OP_COUNT_UNFINISHED);
    amdi_sql_measure(sql);
    sql->usage = *usage;
    return sql->failure == SQLITE_OK
            ? AMDRPC_OK
            : amdi_sql_error(sql, sql->failure, "cannot read the store", error);
}

/* ---- bounds ---- */

/** Tells whether it is a @share-th part beyond the bound; 0: there is none. */
static bool
is_beyond(uint64_t value, uint64_t bound, unsigned share)
{
    return bound != 0 && value > bound && value - bound > bound / share;
}

void
amdi_sql_hint_sweep(struct amdi_sql *sql)
{
    const struct amdi_store_options *options = &sql->options;
    const struct amdi_store_usage *usage = &sql->usage;

    if (usage->ndone > 0 &&
            (is_beyond(usage->ndone, options->max_done, HINT_SHARE) ||
                    is_beyond(usage->nbytes, options->max_kept_bytes,
                            HINT_SHARE))) {
        sql->hints |= AMDI_HINT_SWEEP;
    }
}

bool
amdi_sql_is_full(const struct amdi_sql *sql)
{
    const struct amdi_store_options *options = &sql->options;
    const struct amdi_store_usage *usage = &sql->batch_usage;

    return (options->max_unfinished != 0 &&
                   usage->nunfinished >= options->max_unfinished) ||
            is_beyond(usage->nbytes, options->max_kept_bytes, FULL_SHARE);
}

/* ---- deleting ---- */

/**
 * Deletes every trace; the request id first, which is found through others.
 * Returns how many rows there were.
 */
static unsigned
keep_delete(struct amdi_sql *sql, uint64_t id)
{
    static const enum amdi_sql_id deletes[] = {AMDI_SQL_REQ_DELETE,
            AMDI_SQL_EVENT_DELETE, AMDI_SQL_BODY_DELETE, AMDI_SQL_RESULT_DELETE,
            AMDI_SQL_OP_DELETE};
    unsigned nrows = 0;

    for (size_t i = 0; i < sizeof(deletes) / sizeof(deletes[0]); i++) {
        nrows += (unsigned)amdi_sql_run(
                sql, amdi_sql_bind(sql, deletes[i], "i", (int64_t)id));
    }
    sql->batch_usage.ndone--;
    amdi_sql_touch(sql, id);
    return nrows;
}

void
amdi_sql_remove(struct amdi_sql *sql, struct amdi_request *request)
{
    struct amdi_sql_head head;

    if (!amdi_sql_read_head(sql, request->in.id, &head)) {
        request->result = AMDI_STORE_NOTFOUND;
    } else if (head.state != AMDI_OP_DONE) {
        request->result = AMDI_STORE_UNFINISHED;
    } else {
        (void)keep_delete(sql, head.id);
        request->result = AMDI_STORE_OK;
    }
}

/** Tells whether more has ended than is to be kept. */
static bool
sweep_has_excess(const struct amdi_sql *sql)
{
    const struct amdi_store_options *options = &sql->options;
    const struct amdi_store_usage *usage = &sql->batch_usage;

    return (options->max_done != 0 && usage->ndone > options->max_done) ||
            (options->max_kept_bytes != 0 &&
                    usage->nbytes > options->max_kept_bytes);
}

/** Finds one that is to be swept; 0: none. */
static uint64_t
sweep_next(struct amdi_sql *sql)
{
    sqlite3_stmt *stmt = amdi_sql_bind(sql, AMDI_SQL_OP_FIRST_EXPIRING, "");
    uint64_t id = 0;

    if (amdi_sql_step(sql, stmt) &&
            (sqlite3_column_int64(stmt, 1) <= sql->now_us ||
                    sweep_has_excess(sql))) {
        id = (uint64_t)sqlite3_column_int64(stmt, 0);
    }
    amdi_sql_reset(stmt);
    return id;
}

void
amdi_sql_sweep(struct amdi_sql *sql, struct amdi_request *request)
{
    unsigned nremoved = 0;
    unsigned nrows = 0;
    uint64_t before_bytes;
    uint64_t id;

    amdi_sql_measure(sql);
    before_bytes = sql->batch_usage.nbytes;
    while (nremoved < request->in.sweep_max && nrows < MAX_SWEEP_ROWS &&
            sql->batch_usage.nbytes + MAX_SWEEP_BYTES > before_bytes &&
            (id = sweep_next(sql)) != 0) {
        nrows += keep_delete(sql, id);
        amdi_sql_measure(sql);
        nremoved++;
    }
    request->out.nremoved = nremoved;
    request->result = AMDI_STORE_OK;
}

/* ---- backlog ---- */

void
amdi_sql_backlog(struct amdi_sql *sql, struct amdi_request *request)
{
    struct amdi_backlog *queues = amdi_arena_alloc(
            &request->arena, MAX_QUEUES * sizeof(struct amdi_backlog));
    size_t nqueues = 0;
    sqlite3_stmt *stmt;

    if (queues == NULL) {
        sql->failure = SQLITE_NOMEM;
        return;
    }
    stmt = amdi_sql_bind(sql, AMDI_SQL_OP_BACKLOG, "i", (int64_t)MAX_QUEUES);
    while (amdi_sql_step(sql, stmt)) {
        struct amdi_backlog *queue = &queues[nqueues++];

        amdi_sql_copy(sql, request, stmt, 0, &queue->queue);
        queue->nops = (uint64_t)sqlite3_column_int64(stmt, 1);
    }
    amdi_sql_reset(stmt);
    request->out.backlog.queues = queues;
    request->out.backlog.nqueues = nqueues;
    request->result = AMDI_STORE_OK;
}
