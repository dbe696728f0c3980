/** All SQL that runs in batches, prepared once. */
#include "common/error.h"
#include "server/store/sqlite.h"

#include <stdarg.h>

// In the order of amdi_sql_read_op.
#define OP_COLUMNS                                                      \
    "o.id, o.state, o.cancel, o.code, o.attempt, o.max_attempts,"       \
    " o.first_seq, o.last_seq, o.created_at, o.ready_at, o.started_at," \
    " o.deadline_at, o.done_at, o.expire_at, o.principal, o.method,"    \
    " o.owner, b.request_id, b.metadata, r.result, r.status, e.data,"   \
    " CASE WHEN ?2 THEN b.payload END, o.nmessages, o.nreleased"

// In the order of amdi_sql_head_of_row.
#define HEAD_COLUMNS                                                 \
    "id, state, cancel, attempt, max_attempts, first_seq, last_seq," \
    " progress_seq, event_bytes, ready_at, deadline_at, retain_us,"  \
    " nmessages, nreleased"

#define SCAN_COLUMNS "id, state, code, created_at, principal, method"
#define SCAN_IDS "id < ?1 AND id >= ?2"
#define SCAN_ORDER " ORDER BY id DESC LIMIT ?3"

static const char *const statement_texts[AMDI_SQL_NSTATEMENTS] = {
        [AMDI_SQL_BEGIN] = "BEGIN",
        [AMDI_SQL_COMMIT] = "COMMIT",
        [AMDI_SQL_ROLLBACK] = "ROLLBACK",

        [AMDI_SQL_REQ_INSERT] = "INSERT INTO op_req VALUES (?1, ?2, ?3, ?4)"
                                " ON CONFLICT DO NOTHING",
        [AMDI_SQL_REQ_MOVE] = "UPDATE op_req SET id = ?3"
                              " WHERE principal = ?1 AND request_id = ?2",
        [AMDI_SQL_REQ_FIND] = "SELECT id, body_sha256 FROM op_req"
                              " WHERE principal = ?1 AND request_id = ?2",
        [AMDI_SQL_REQ_DELETE] =
                "DELETE FROM op_req"
                " WHERE principal = (SELECT principal FROM op WHERE id = ?1)"
                " AND request_id ="
                " (SELECT request_id FROM op_body WHERE id = ?1)",

        [AMDI_SQL_OP_INSERT] =
                "INSERT INTO op (id, queue, state, attempt, max_attempts,"
                " ready_at, owner, lease_until, deadline_at, created_at,"
                " started_at, retain_us, principal, method) VALUES (?1, ?2,"
                " ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)"
                " ON CONFLICT DO NOTHING",
        [AMDI_SQL_OP_AHEAD] =
                "SELECT count(*) FROM (SELECT 1 FROM op WHERE queue ="
                " (SELECT queue FROM op WHERE id = ?1) AND state < 2"
                " AND (ready_at, id) < (?2, ?1) AND state = 0 LIMIT ?3)",
        [AMDI_SQL_OP_HEAD] = "SELECT " HEAD_COLUMNS " FROM op WHERE id = ?1",
        [AMDI_SQL_OP_GET] = "SELECT " OP_COLUMNS " FROM op o"
                            " JOIN op_body b ON b.id = o.id"
                            " LEFT JOIN op_result r ON r.id = o.id"
                            " LEFT JOIN op_event e"
                            " ON e.id = o.id AND e.seq = o.progress_seq"
                            " WHERE o.id = ?1",
        [AMDI_SQL_OP_EVENTS] =
                "UPDATE op SET first_seq = ?2, last_seq = ?3,"
                " progress_seq = ?4, event_bytes = ?5, nmessages = ?6"
                " WHERE id = ?1",
        [AMDI_SQL_OP_END] = "UPDATE op SET state = 2, owner = NULL, code = ?2,"
                            " done_at = ?3, expire_at = ?4, first_seq = ?5,"
                            " last_seq = ?6, event_bytes = ?7 WHERE id = ?1",
        [AMDI_SQL_OP_REQUEUE] = "UPDATE op SET state = 0, owner = NULL,"
                                " ready_at = ?2 WHERE id = ?1",
        [AMDI_SQL_OP_RELEASE] =
                "UPDATE op SET state = 0, owner = NULL, ready_at = ?2,"
                " nreleased = nreleased + 1 WHERE id = ?1",
        [AMDI_SQL_OP_CANCEL] = "UPDATE op SET cancel = 1 WHERE id = ?1",
        [AMDI_SQL_OP_DELETE] = "DELETE FROM op WHERE id = ?1",
        // What is queued and whose lease has run out is found by one index.
        [AMDI_SQL_OP_READY] = "SELECT " HEAD_COLUMNS " FROM op"
                              " WHERE queue = ?1 AND state < 2"
                              " ORDER BY ready_at, id LIMIT 1",
        [AMDI_SQL_OP_LEASE] =
                "UPDATE op SET state = 1, attempt = attempt + 1, owner = ?2,"
                " started_at = ?3, lease_until = ?4, ready_at = ?4"
                " WHERE id = ?1",
        [AMDI_SQL_OP_BEAT] =
                "UPDATE op SET lease_until = ?4, ready_at = ?4 WHERE id = ?1"
                " AND attempt = ?2 AND state = 1 AND owner = ?3"
                " RETURNING cancel",
        [AMDI_SQL_OP_SCAN] = "SELECT " SCAN_COLUMNS " FROM op"
                             " WHERE " SCAN_IDS SCAN_ORDER,
        [AMDI_SQL_OP_SCAN_PRINCIPAL] =
                "SELECT " SCAN_COLUMNS " FROM op INDEXED BY op_principal"
                " WHERE principal = ?4 AND " SCAN_IDS SCAN_ORDER,
        [AMDI_SQL_OP_SCAN_METHOD] =
                "SELECT " SCAN_COLUMNS " FROM op INDEXED BY op_method"
                " WHERE principal = ?4 AND method = ?5"
                " AND " SCAN_IDS SCAN_ORDER,
        [AMDI_SQL_OP_SCAN_FAILED] =
                "SELECT " SCAN_COLUMNS " FROM op INDEXED BY op_failed"
                " WHERE principal = ?4 AND state = 2 AND code <> 0"
                " AND " SCAN_IDS SCAN_ORDER,
        [AMDI_SQL_OP_SCAN_UNFINISHED] =
                "SELECT " SCAN_COLUMNS " FROM op INDEXED BY op_ready"
                " WHERE state < 2 AND " SCAN_IDS SCAN_ORDER,
        [AMDI_SQL_OP_COUNT_UNFINISHED] =
                "SELECT count(*) FROM op INDEXED BY op_ready WHERE state < 2",
        [AMDI_SQL_OP_COUNT_DONE] =
                "SELECT count(*) FROM op INDEXED BY op_expire WHERE state = 2",
        [AMDI_SQL_OP_BACKLOG] =
                "SELECT queue, count(*) FROM op INDEXED BY op_ready"
                " WHERE state < 2 GROUP BY queue ORDER BY queue LIMIT ?1",
        [AMDI_SQL_OP_FIRST_EXPIRING] =
                "SELECT id, expire_at FROM op INDEXED BY op_expire"
                " WHERE state = 2 ORDER BY expire_at LIMIT 1",

        [AMDI_SQL_BODY_INSERT] =
                "INSERT INTO op_body (id, request_id, payload, metadata)"
                " VALUES (?1, ?2, ?3, ?4)",
        [AMDI_SQL_BODY_DELETE] = "DELETE FROM op_body WHERE id = ?1",
        [AMDI_SQL_RESULT_INSERT] = "INSERT INTO op_result VALUES (?1, ?2, ?3)",
        [AMDI_SQL_RESULT_DELETE] = "DELETE FROM op_result WHERE id = ?1",

        [AMDI_SQL_EVENT_INSERT] =
                "INSERT INTO op_event VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        [AMDI_SQL_EVENT_READ] =
                "SELECT seq, attempt, at, kind, data FROM op_event"
                " WHERE id = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
        [AMDI_SQL_EVENT_TRIM] = "DELETE FROM op_event WHERE id = ?1"
                                " AND seq = ?2 RETURNING length(data)",
        [AMDI_SQL_EVENT_DELETE] = "DELETE FROM op_event WHERE id = ?1",

        [AMDI_SQL_NODE_BEAT] = "INSERT INTO node (node, started_at, beat_until)"
                               " VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE"
                               " SET beat_until = excluded.beat_until",

        [AMDI_SQL_PAGE_BYTES] = "PRAGMA page_size",
        // Both are in the header of the file: no other page is read.
        [AMDI_SQL_PAGES] = "PRAGMA page_count",
        [AMDI_SQL_FREE_PAGES] = "PRAGMA freelist_count",
};

amdrpc_err
amdi_sql_prepare_statements(struct amdi_sql *sql, struct amdi_error *error)
{
    for (int i = 0; i < AMDI_SQL_NSTATEMENTS; i++) {
        int code = sqlite3_prepare_v3(sql->db, statement_texts[i], -1,
                SQLITE_PREPARE_PERSISTENT, &sql->stmts[i], NULL);

        if (code != SQLITE_OK) {
            return amdi_sql_error(sql, code, "cannot read the store", error);
        }
    }
    return AMDRPC_OK;
}

void
amdi_sql_finalize_statements(struct amdi_sql *sql)
{
    for (int i = 0; i < AMDI_SQL_NSTATEMENTS; i++) {
        (void)sqlite3_finalize(sql->stmts[i]); // NULL is accepted
        sql->stmts[i] = NULL;
    }
}

static void
sql_note(struct amdi_sql *sql, int code)
{
    if (sql->failure == SQLITE_OK) {
        sql->failure = code;
    }
}

/** No data is no NULL, unless that is wanted. */
static int
sql_bind_bytes(
        sqlite3_stmt *stmt, int index, char type, struct amdi_bytes bytes)
{
    if (bytes.len == 0 && (type == 'S' || type == 'B')) {
        return sqlite3_bind_null(stmt, index);
    }
    if (type == 's' || type == 'S') {
        return sqlite3_bind_text64(stmt, index,
                bytes.data == NULL ? "" : bytes.data, bytes.len, SQLITE_STATIC,
                SQLITE_UTF8);
    }
    return sqlite3_bind_blob64(stmt, index,
            bytes.data == NULL ? "" : bytes.data, bytes.len, SQLITE_STATIC);
}

sqlite3_stmt *
amdi_sql_bind(struct amdi_sql *sql, enum amdi_sql_id id, const char *types, ...)
{
    sqlite3_stmt *stmt = sql->stmts[id];
    va_list args;

    va_start(args, types);
    for (int i = 0; types[i] != '\0'; i++) {
        int code;

        if (types[i] == 'i') {
            code = sqlite3_bind_int64(stmt, i + 1, va_arg(args, int64_t));
        } else if (types[i] == 't') {
            // NULL becomes NULL.
            code = sqlite3_bind_text(
                    stmt, i + 1, va_arg(args, const char *), -1, SQLITE_STATIC);
        } else {
            code = sql_bind_bytes(
                    stmt, i + 1, types[i], va_arg(args, struct amdi_bytes));
        }
        if (code != SQLITE_OK) {
            sql_note(sql, code);
        }
    }
    va_end(args);
    return stmt;
}

bool
amdi_sql_step(struct amdi_sql *sql, sqlite3_stmt *stmt)
{
    int code;

    if (sql->failure != SQLITE_OK) {
        return false; // the batch is lost already
    }
    code = sqlite3_step(stmt);
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        sql_note(sql, code);
    }
    return code == SQLITE_ROW;
}

void
amdi_sql_reset(sqlite3_stmt *stmt)
{
    (void)sqlite3_reset(stmt); // repeats the failure of the step
    // What was bound is not the statement's; nothing points there any more.
    (void)sqlite3_clear_bindings(stmt);
}

int
amdi_sql_run(struct amdi_sql *sql, sqlite3_stmt *stmt)
{
    int nchanges = 0;

    (void)amdi_sql_step(sql, stmt); // has no row
    if (sql->failure == SQLITE_OK) {
        nchanges = sqlite3_changes(sql->db);
    }
    amdi_sql_reset(stmt);
    return nchanges;
}

void
amdi_sql_copy(struct amdi_sql *sql, struct amdi_request *request,
        sqlite3_stmt *stmt, int column, struct amdi_bytes *out)
{
    // The order of the two calls is SQLite's rule.
    const void *data = sqlite3_column_blob(stmt, column);
    size_t len = (size_t)sqlite3_column_bytes(stmt, column);

    if (!amdi_request_copy(request, (struct amdi_bytes){data, len}, out)) {
        sql_note(sql, SQLITE_NOMEM);
    }
}
