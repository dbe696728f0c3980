/** Lists of operations, page by page. */
#include <amdrpc/status.h>

#include "common/error.h"
#include "server/store/id.h"
#include "server/store/sqlite.h"

#include <string.h>

// What one page looks at, so that a filter that matches little cannot keep the
// store busy; and what it shows, so that it fits a message: clients take 4 MiB.
#define MAX_SCANNED 5000
#define MAX_PAGE_BYTES ((size_t)1 << 20)

// The columns of AMDI_SQL_OP_SCAN.
enum scan_column {
    SCAN_ID,
    SCAN_STATE,
    SCAN_CODE,
    SCAN_CREATED_AT,
    SCAN_PRINCIPAL,
    SCAN_METHOD,
};

static unsigned
scan_state(sqlite3_stmt *stmt)
{
    switch ((enum amdi_op_state)sqlite3_column_int(stmt, SCAN_STATE)) {
    case AMDI_OP_QUEUED:
        return AMDI_FILTER_QUEUED;
    case AMDI_OP_RUNNING:
        return AMDI_FILTER_RUNNING;
    case AMDI_OP_DONE:
        break;
    }
    switch (sqlite3_column_int(stmt, SCAN_CODE)) {
    case AMDRPC_STATUS_OK:
        return AMDI_FILTER_SUCCEEDED;
    case AMDRPC_STATUS_CANCELLED:
        return AMDI_FILTER_CANCELLED;
    default:
        return AMDI_FILTER_FAILED;
    }
}

static bool
scan_is_text(sqlite3_stmt *stmt, enum scan_column column,
        const struct amdi_bytes *wanted)
{
    const void *text = sqlite3_column_blob(stmt, (int)column);
    size_t len = (size_t)sqlite3_column_bytes(stmt, (int)column);

    return len == wanted->len &&
            (len == 0 || memcmp(text, wanted->data, len) == 0);
}

static bool
scan_matches(sqlite3_stmt *stmt, const struct amdi_store_filter *filter)
{
    int64_t created_at_us = sqlite3_column_int64(stmt, SCAN_CREATED_AT);

    return (filter->states == 0 || (filter->states & scan_state(stmt)) != 0) &&
            created_at_us >= filter->created_from_us &&
            (filter->created_to_us == 0 ||
                    created_at_us < filter->created_to_us) &&
            (filter->method.len == 0 ||
                    scan_is_text(stmt, SCAN_METHOD, &filter->method)) &&
            (!filter->has_principal ||
                    scan_is_text(stmt, SCAN_PRINCIPAL, &filter->principal));
}

static size_t
list_op_bytes(const struct amdi_op *op)
{
    return op->metadata.len + op->progress.len + op->result.len +
            op->status.len;
}

/** Sets the token that continues after @last_id. */
static void
list_set_token(
        struct amdi_sql *sql, struct amdi_request *request, uint64_t last_id)
{
    char token[AMDI_TOKEN_BYTES];

    if (amdi_token_make(sql->secret, &request->in.list.filter, last_id,
                token) != AMDRPC_OK ||
            !amdi_request_copy(request,
                    (struct amdi_bytes){token, AMDI_TOKEN_BYTES - 1},
                    &request->out.ops.next_token)) {
        sql->failure = SQLITE_NOMEM;
    }
}

static void
list_scan(struct amdi_sql *sql, struct amdi_request *request,
        sqlite3_stmt *stmt, struct amdi_op *ops)
{
    const struct amdi_list_request *in = &request->in.list;
    size_t nops = 0;
    size_t nbytes = 0;
    int nscanned = 0;
    uint64_t last_id = 0;

    // It is known that more follows only when there is a further row.
    while (amdi_sql_step(sql, stmt)) {
        if (nops == in->page || nbytes >= MAX_PAGE_BYTES ||
                nscanned == MAX_SCANNED) {
            list_set_token(sql, request, last_id);
            break;
        }
        last_id = (uint64_t)sqlite3_column_int64(stmt, SCAN_ID);
        nscanned++;
        if (scan_matches(stmt, &in->filter) &&
                amdi_sql_read_op(sql, request, last_id, false, &ops[nops])) {
            nbytes += list_op_bytes(&ops[nops++]);
        }
    }
    request->out.ops.nops = nops;
}

/** Ids are times, so the filter on time is a range of ids. */
static uint64_t
list_end_id(const struct amdi_store_filter *filter, uint64_t token_id)
{
    uint64_t end_id = INT64_MAX;

    if (filter->created_to_us > 0) {
        end_id = amdi_id_at(filter->created_to_us + 1000);
    }
    return token_id < end_id ? token_id : end_id;
}

static bool
list_wants_only(const struct amdi_store_filter *filter, unsigned states)
{
    return filter->states != 0 && (filter->states & ~states) == 0;
}

/** Tells whether what has not ended is little enough to be sorted. */
static bool
list_may_sort_unfinished(const struct amdi_sql *sql)
{
    return sql->batch_usage.nunfinished <= MAX_SCANNED;
}

/**
 * Binds the scan that finds the fewest in vain. All of them show the newest
 * first; what they show is looked at all the same.
 */
static sqlite3_stmt *
list_bind_scan(struct amdi_sql *sql, const struct amdi_store_filter *filter,
        uint64_t token_id)
{
    enum amdi_sql_id id = AMDI_SQL_OP_SCAN_PRINCIPAL;
    const char *types = "iiis";

    if (list_wants_only(filter, AMDI_FILTER_QUEUED | AMDI_FILTER_RUNNING) &&
            list_may_sort_unfinished(sql)) {
        id = AMDI_SQL_OP_SCAN_UNFINISHED;
        types = "iii";
    } else if (!filter->has_principal) {
        id = AMDI_SQL_OP_SCAN;
        types = "iii";
    } else if (list_wants_only(
                       filter, AMDI_FILTER_FAILED | AMDI_FILTER_CANCELLED)) {
        id = AMDI_SQL_OP_SCAN_FAILED;
    } else if (filter->method.len > 0) {
        id = AMDI_SQL_OP_SCAN_METHOD;
        types = "iiiss";
    }
    return amdi_sql_bind(sql, id, types, (int64_t)list_end_id(filter, token_id),
            (int64_t)amdi_id_at(filter->created_from_us),
            (int64_t)MAX_SCANNED + 1, filter->principal, filter->method);
}

void
amdi_sql_list(struct amdi_sql *sql, struct amdi_request *request)
{
    struct amdi_list_request *in = &request->in.list;
    uint64_t token_id = INT64_MAX;
    struct amdi_op *ops;
    sqlite3_stmt *stmt;

    if (in->token.len > 0) {
        amdrpc_err err =
                amdi_token_read(sql->secret, &in->filter, in->token, &token_id);

        if (err != AMDRPC_OK) {
            request->result = err == AMDRPC_EINVAL ? AMDI_STORE_INVALID
                                                   : AMDI_STORE_NOMEM;
            return;
        }
    }
    ops = amdi_sql_alloc_ops(sql, request, in->page);
    if (ops == NULL) {
        return;
    }
    stmt = list_bind_scan(sql, &in->filter, token_id);
    list_scan(sql, request, stmt, ops);
    amdi_sql_reset(stmt);
    request->result = AMDI_STORE_OK;
}
