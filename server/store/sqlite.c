/** The store's database: its life and its batches. */
#include "server/store/sqlite.h"

#include "common/alloc.h"
#include "common/error.h"
#include "common/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define FILE_NAME "operations.db"

static int
sql_on_commit(void *arg, sqlite3 *db, const char *name, int npages)
{
    struct amdi_sql *sql = arg;

    (void)db;
    (void)name;
    sql->wal_pages = npages;
    return SQLITE_OK;
}

/* ---- life ---- */

static amdrpc_err
sql_open_file(struct amdi_sql *sql, const char *dir, struct amdi_error *error)
{
    int code;

    (void)snprintf(sql->path, sizeof(sql->path), ":memory:");

    if (dir != NULL) {
        amdrpc_err err = amdi_sql_lock_dir(dir, &sql->lock_fd, error);

        if (err != AMDRPC_OK) {
            return err;
        }
        // It fits: the name of the lock file is as long.
        (void)snprintf(sql->path, sizeof(sql->path), "%s/" FILE_NAME, dir);
    }
    // One thread at a time uses the connection, so it needs no locks.
    code = sqlite3_open_v2(sql->path, &sql->db,
            SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                    SQLITE_OPEN_PRIVATECACHE,
            NULL);
    if (code != SQLITE_OK) {
        return amdi_sql_error(sql, code, "cannot open the store", error);
    }
    (void)sqlite3_db_config(sql->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    // In the place of SQLite's own, which would checkpoint inside a commit.
    (void)sqlite3_wal_hook(sql->db, sql_on_commit, sql);
    return AMDRPC_OK;
}

amdrpc_err
amdi_sql_open(const char *dir, const struct amdi_store_options *options,
        struct amdi_sql **out, struct amdi_error *error)
{
    struct amdi_sql *sql = amdi_zalloc(sizeof(*sql));
    amdrpc_err err;

    if (sql == NULL) {
        return amdi_error_nomem(error);
    }
    sql->options = *options;
    sql->is_file = dir != NULL;
    sql->lock_fd = -1;
    err = sql_open_file(sql, dir, error);
    if (err == AMDRPC_OK) {
        err = amdi_sql_prepare_file(sql, error);
    }
    if (err == AMDRPC_OK) {
        err = amdi_sql_prepare_statements(sql, error);
    }
    if (err == AMDRPC_OK) {
        err = amdi_sql_count(sql, error);
    }
    if (err != AMDRPC_OK) {
        amdi_sql_close(sql);
        return err;
    }
    amdi_log_info("", "store-opened", "where=%s sqlite=%s",
            dir == NULL ? "memory" : dir, sqlite3_libversion());
    *out = sql;
    return AMDRPC_OK;
}

void
amdi_sql_close(struct amdi_sql *sql)
{
    if (sql == NULL) {
        return;
    }
    amdi_sql_finalize_statements(sql);
    // With the statements gone it cannot refuse. What is only in the log is
    // as durable as the rest.
    (void)sqlite3_close(sql->db);
    if (sql->lock_fd >= 0) {
        (void)close(sql->lock_fd); // gives the lock back
    }
    amdi_free(sql);
}

/* ---- failures ---- */

/** Says what a failed batch means, and whether the store can go on. */
static enum amdi_store_result
sql_judge(struct amdi_sql *sql, int code, bool was_commit)
{
    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return AMDI_STORE_NOMEM;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return AMDI_STORE_BUSY; // a shell has it
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        sql->broken = AMDI_STORE_CORRUPT;
        return AMDI_STORE_CORRUPT;
    default:
        // A failed fsync must not be tried again: the system may have dropped
        // the pages, and would report success.
        sql->broken = AMDI_STORE_DOWN;
        return was_commit ? AMDI_STORE_UNKNOWN : AMDI_STORE_DOWN;
    }
}

static enum amdi_store_result
sql_fail(struct amdi_sql *sql, int code, const char *what)
{
    bool was_commit = sql->failure == SQLITE_OK;
    enum amdi_store_result result = sql_judge(sql, code, was_commit);

    // The message of the connection may be that of a later statement.
    amdi_log_error("", "store-failed",
            "where=%s what=%s code=%d reason=\"%s\" %s", sql->path, what, code,
            sqlite3_errstr(code),
            sql->broken == AMDI_STORE_OK ? "goes on"
                                         : "writes nothing until reopened");
    return result;
}

/* ---- batches ---- */

void
amdi_sql_begin(struct amdi_sql *sql)
{
    sql->now_us = sql->options.now_us();
    sql->failure = SQLITE_OK;
    sql->hints = 0;
    sql->ntouched = 0;
    sql->batch_usage = sql->usage;
    (void)amdi_sql_run(sql, sql->stmts[AMDI_SQL_BEGIN]);
}

void
amdi_sql_apply(struct amdi_sql *sql, struct amdi_request *request)
{
    static void (*const fns[])(struct amdi_sql *, struct amdi_request *) = {
            [AMDI_REQUEST_SUBMIT] = amdi_sql_submit,
            [AMDI_REQUEST_GET] = amdi_sql_get,
            [AMDI_REQUEST_CANCEL] = amdi_sql_cancel,
            [AMDI_REQUEST_REMOVE] = amdi_sql_remove,
            [AMDI_REQUEST_LIST] = amdi_sql_list,
            [AMDI_REQUEST_LEASE] = amdi_sql_lease,
            [AMDI_REQUEST_BEAT] = amdi_sql_beat,
            [AMDI_REQUEST_APPEND] = amdi_sql_append,
            [AMDI_REQUEST_FINISH] = amdi_sql_finish,
            [AMDI_REQUEST_RETRY] = amdi_sql_retry,
            [AMDI_REQUEST_RELEASE] = amdi_sql_release,
            [AMDI_REQUEST_SWEEP] = amdi_sql_sweep,
            [AMDI_REQUEST_EVENTS] = amdi_sql_read_events,
            [AMDI_REQUEST_BACKLOG] = amdi_sql_backlog,
    };

    if (sql->broken != AMDI_STORE_OK && amdi_request_is_write(request)) {
        amdi_request_fail(request, sql->broken);
        return;
    }
    fns[request->kind](sql, request);
}

enum amdi_store_result
amdi_sql_end(struct amdi_sql *sql)
{
    enum amdi_store_result result = AMDI_STORE_OK;
    const char *what = "batch";
    int code;

    amdi_sql_measure(sql);
    code = sql->failure;
    if (code == SQLITE_OK) {
        code = sqlite3_step(sql->stmts[AMDI_SQL_COMMIT]);
        amdi_sql_reset(sql->stmts[AMDI_SQL_COMMIT]);
        what = "commit";
    }
    if (code != SQLITE_DONE) {
        result = sql_fail(sql, code, what);
    } else {
        // Not before: what is rolled back has not changed the numbers.
        sql->usage = sql->batch_usage;
        amdi_sql_hint_sweep(sql);
    }
    if (sqlite3_get_autocommit(sql->db) == 0) {
        // Its own failure changes nothing: what is not committed is not there.
        (void)sqlite3_step(sql->stmts[AMDI_SQL_ROLLBACK]);
        amdi_sql_reset(sql->stmts[AMDI_SQL_ROLLBACK]);
    }
    return result;
}

void
amdi_sql_checkpoint(struct amdi_sql *sql)
{
    int code;

    if (sql->broken != AMDI_STORE_OK || sql->wal_pages == 0) {
        return;
    }
    sql->wal_pages = 0; // until the next commit; a shell may have hindered it
    code = sqlite3_wal_checkpoint_v2(
            sql->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if (code != SQLITE_OK) {
        (void)sql_fail(sql, code, "checkpoint"); // nobody waits for it
    }
}
