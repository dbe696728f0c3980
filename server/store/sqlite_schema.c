/**
 * The tables, and how files of older versions get them.
 *
 * The version is the file's user_version: the number of steps that were made.
 * A step never changes once it is released; a new one is added. The tables are
 * described for people in docs/operations.md.
 */
#include "common/error.h"
#include "server/store/sqlite.h"

#include <stdio.h>
#include <string.h>

// "amdo", so that no other program's file is taken for a store.
#define APPLICATION_ID 0x616d646f

#define CACHE_KIB "32768"
#define BUSY_TIMEOUT_MS 5000

static const char *const schema_steps[] = {
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL)"
        " STRICT, WITHOUT ROWID;"

        "CREATE TABLE node (node TEXT PRIMARY KEY, started_at INTEGER NOT NULL,"
        " beat_until INTEGER NOT NULL, addr TEXT) STRICT, WITHOUT ROWID;"

        "CREATE TABLE op (id INTEGER PRIMARY KEY, queue TEXT NOT NULL,"
        " state INTEGER NOT NULL, cancel INTEGER NOT NULL DEFAULT 0,"
        " attempt INTEGER NOT NULL, max_attempts INTEGER NOT NULL,"
        " ready_at INTEGER NOT NULL, owner TEXT,"
        " lease_until INTEGER NOT NULL DEFAULT 0,"
        " deadline_at INTEGER NOT NULL,"
        " first_seq INTEGER NOT NULL DEFAULT 1,"
        " last_seq INTEGER NOT NULL DEFAULT 0,"
        " progress_seq INTEGER NOT NULL DEFAULT 0,"
        " event_bytes INTEGER NOT NULL DEFAULT 0,"
        " code INTEGER NOT NULL DEFAULT 0, created_at INTEGER NOT NULL,"
        " started_at INTEGER NOT NULL, done_at INTEGER NOT NULL DEFAULT 0,"
        " expire_at INTEGER NOT NULL DEFAULT 0, retain_us INTEGER NOT NULL,"
        " principal TEXT NOT NULL, method TEXT NOT NULL) STRICT;"
        "CREATE INDEX op_ready ON op (queue, ready_at, id) WHERE state < 2;"
        "CREATE INDEX op_expire ON op (expire_at) WHERE state = 2;"

        "CREATE TABLE op_req (principal TEXT NOT NULL,"
        " request_id TEXT NOT NULL, id INTEGER NOT NULL,"
        " body_sha256 BLOB NOT NULL, PRIMARY KEY (principal, request_id))"
        " STRICT, WITHOUT ROWID;"

        "CREATE TABLE op_body (id INTEGER PRIMARY KEY, request_id TEXT,"
        " payload BLOB, metadata BLOB, result BLOB, status BLOB) STRICT;"

        "CREATE TABLE op_event (id INTEGER NOT NULL, seq INTEGER NOT NULL,"
        " attempt INTEGER NOT NULL, at INTEGER NOT NULL, kind INTEGER NOT NULL,"
        " data BLOB, PRIMARY KEY (id, seq)) STRICT, WITHOUT ROWID;"

        "INSERT INTO meta VALUES ('list_secret', randomblob(32)),"
        " ('store_uuid', lower(hex(randomblob(16))));",

        "ALTER TABLE op ADD COLUMN nmessages INTEGER NOT NULL DEFAULT 0;"
        "ALTER TABLE op ADD COLUMN nreleased INTEGER NOT NULL DEFAULT 0;",

        // For lists: each is in the order of ids within its columns.
        "CREATE INDEX op_principal ON op (principal);"
        "CREATE INDEX op_method ON op (principal, method);"
        "CREATE INDEX op_failed ON op (principal)"
        " WHERE state = 2 AND code <> 0;",

        // A result that is put beside its request writes the request's pages
        // again, and splits them.
        "CREATE TABLE op_result (id INTEGER PRIMARY KEY, result BLOB,"
        " status BLOB) STRICT;"
        "INSERT INTO op_result SELECT id, result, status FROM op_body"
        " WHERE result IS NOT NULL OR status IS NOT NULL;"
        "ALTER TABLE op_body DROP COLUMN result;"
        "ALTER TABLE op_body DROP COLUMN status;",
};

#define NSTEPS ((int)(sizeof(schema_steps) / sizeof(schema_steps[0])))

amdrpc_err
amdi_sql_error(const struct amdi_sql *sql, int code, const char *what,
        struct amdi_error *error)
{
    amdrpc_err err = AMDRPC_EIO;
    const char *advice = "";
    const char *why =
            sql->db == NULL ? sqlite3_errstr(code) : sqlite3_errmsg(sql->db);

    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return amdi_error_nomem(error);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return amdi_error_set(error, AMDRPC_EPROTO,
                "%s: %s is damaged or is no store (%s): put a copy in its "
                "place, or move it away to begin with nothing",
                what, sql->path, why);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
        err = AMDRPC_EACCES;
        advice = ": the server must be able to write there";
        break;
    case SQLITE_FULL:
        advice = ": make room on that disk";
        break;
    default:
        break;
    }
    return amdi_error_set(
            error, err, "%s: %s: %s%s", what, sql->path, why, advice);
}

static amdrpc_err
schema_exec(struct amdi_sql *sql, const char *text, struct amdi_error *error)
{
    int code = sqlite3_exec(sql->db, text, NULL, NULL, NULL);

    return code == SQLITE_OK
            ? AMDRPC_OK
            : amdi_sql_error(sql, code, "cannot open the store", error);
}

/** Reads the one number that a statement gives. */
static amdrpc_err
schema_read_int(struct amdi_sql *sql, const char *text, int *out,
        struct amdi_error *error)
{
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(sql->db, text, -1, &stmt, NULL);

    if (code == SQLITE_OK) {
        code = sqlite3_step(stmt);
    }
    if (code == SQLITE_ROW) {
        *out = sqlite3_column_int(stmt, 0);
    }
    (void)sqlite3_finalize(stmt); // repeats the failure of the step
    return code == SQLITE_ROW
            ? AMDRPC_OK
            : amdi_sql_error(sql, code, "cannot read the store", error);
}

/* ---- migration ---- */

static amdrpc_err
schema_make_step(struct amdi_sql *sql, int step, struct amdi_error *error)
{
    char version[80];
    amdrpc_err err = schema_exec(sql, "BEGIN IMMEDIATE", error);

    if (err != AMDRPC_OK) {
        return err;
    }
    (void)snprintf(version, sizeof(version),
            "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
            APPLICATION_ID, step + 1);
    err = schema_exec(sql, schema_steps[step], error);
    if (err == AMDRPC_OK) {
        err = schema_exec(sql, version, error);
    }
    if (err != AMDRPC_OK) {
        // What failed is in the error; the file stays as it was.
        (void)sqlite3_exec(sql->db, "ROLLBACK", NULL, NULL, NULL);
    }
    return err;
}

static amdrpc_err
schema_check_owner(struct amdi_sql *sql, int version, struct amdi_error *error)
{
    int application_id = 0;
    int ntables = 0;
    amdrpc_err err = schema_read_int(
            sql, "PRAGMA application_id", &application_id, error);

    if (err == AMDRPC_OK) {
        err = schema_read_int(
                sql, "SELECT count(*) FROM sqlite_schema", &ntables, error);
    }
    if (err != AMDRPC_OK) {
        return err;
    }
    if (application_id != APPLICATION_ID && (ntables > 0 || version > 0)) {
        return amdi_error_set(error, AMDRPC_EPROTO,
                "%s is the database of another program: use another "
                "directory",
                sql->path);
    }
    if (version > NSTEPS) {
        return amdi_error_set(error, AMDRPC_EUNSUPPORTED,
                "%s has schema %d, made by a newer version; this one knows up "
                "to %d: start that version again",
                sql->path, version, NSTEPS);
    }
    return AMDRPC_OK;
}

static amdrpc_err
schema_migrate(struct amdi_sql *sql, struct amdi_error *error)
{
    int version = 0;
    amdrpc_err err =
            schema_read_int(sql, "PRAGMA user_version", &version, error);

    if (err == AMDRPC_OK) {
        err = schema_check_owner(sql, version, error);
    }
    for (int step = version; err == AMDRPC_OK && step < NSTEPS; step++) {
        err = schema_make_step(sql, step, error);
    }
    return err;
}

/* ---- the connection ---- */

static amdrpc_err
schema_configure_file(struct amdi_sql *sql, struct amdi_error *error)
{
    // EXTRA while there may be something to create: then the names of new
    // files are on the disk too.
    return schema_exec(sql,
            sql->options.is_unsafe
                    ? "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF"
                    : "PRAGMA journal_mode = WAL; PRAGMA synchronous = EXTRA",
            error);
}

/**
 * What a commit left in the log although it failed may never have reached the
 * disk, and what is appended behind it would be lost with it. So the log is
 * emptied before anything is added.
 */
static amdrpc_err
schema_settle_file(struct amdi_sql *sql, struct amdi_error *error)
{
    amdrpc_err err = schema_exec(sql, "PRAGMA wal_checkpoint(TRUNCATE)", error);

    if (err != AMDRPC_OK || sql->options.is_unsafe) {
        return err;
    }
    return schema_exec(sql, "PRAGMA synchronous = FULL", error);
}

static amdrpc_err
schema_read_secret(struct amdi_sql *sql, struct amdi_error *error)
{
    sqlite3_stmt *stmt = NULL;
    amdrpc_err err = AMDRPC_OK;
    int code = sqlite3_prepare_v2(sql->db,
            "SELECT value FROM meta WHERE key = 'list_secret'", -1, &stmt,
            NULL);

    if (code == SQLITE_OK) {
        code = sqlite3_step(stmt);
    }
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        err = amdi_sql_error(sql, code, "cannot read the store", error);
    } else if (code == SQLITE_DONE ||
            sqlite3_column_bytes(stmt, 0) != (int)sizeof(sql->secret)) {
        err = amdi_error_set(error, AMDRPC_EPROTO,
                "%s is damaged: no list_secret in meta", sql->path);
    } else {
        memcpy(sql->secret, sqlite3_column_blob(stmt, 0), sizeof(sql->secret));
    }
    (void)sqlite3_finalize(stmt); // repeats the failure of the step
    return err;
}

amdrpc_err
amdi_sql_prepare_file(struct amdi_sql *sql, struct amdi_error *error)
{
    amdrpc_err err;

    (void)sqlite3_extended_result_codes(sql->db, 1);
    // A shell may hold the database for a moment.
    (void)sqlite3_busy_timeout(sql->db, BUSY_TIMEOUT_MS);
    err = schema_exec(sql,
            "PRAGMA cache_size = -" CACHE_KIB "; PRAGMA temp_store = MEMORY;"
            "PRAGMA trusted_schema = OFF",
            error);
    if (err == AMDRPC_OK && sql->is_file) {
        err = schema_configure_file(sql, error);
    }
    if (err == AMDRPC_OK) {
        err = schema_migrate(sql, error);
    }
    if (err == AMDRPC_OK) {
        // Who held a lease is gone: no other process has this file open. The
        // first condition is what the partial index is made for.
        err = schema_exec(sql,
                "UPDATE op SET state = 0, owner = NULL, ready_at = created_at"
                " WHERE state < 2 AND state = 1",
                error);
    }
    if (err == AMDRPC_OK && sql->is_file) {
        err = schema_settle_file(sql, error);
    }
    return err == AMDRPC_OK ? schema_read_secret(sql, error) : err;
}
