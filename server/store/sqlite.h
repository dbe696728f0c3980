/**
 * The store's database. Used by one thread at a time: who opens it, then the
 * store's own.
 *
 * Work is done in batches: begin, apply each request, end. What the requests
 * answer may only be shown after the end, because a batch is kept as a whole
 * or not at all.
 */
#ifndef AMDI_STORE_SQLITE_H
#define AMDI_STORE_SQLITE_H

#include "server/store/request.h"
#include "server/store/token.h"

#include <sqlite3.h>

struct amdi_error;

enum amdi_sql_id {
    AMDI_SQL_BEGIN,
    AMDI_SQL_COMMIT,
    AMDI_SQL_ROLLBACK,
    AMDI_SQL_REQ_INSERT,
    AMDI_SQL_REQ_MOVE,
    AMDI_SQL_REQ_FIND,
    AMDI_SQL_REQ_DELETE,
    AMDI_SQL_OP_INSERT,
    AMDI_SQL_OP_AHEAD,
    AMDI_SQL_OP_HEAD,
    AMDI_SQL_OP_GET,
    AMDI_SQL_OP_EVENTS,
    AMDI_SQL_OP_END,
    AMDI_SQL_OP_REQUEUE,
    AMDI_SQL_OP_RELEASE,
    AMDI_SQL_OP_CANCEL,
    AMDI_SQL_OP_DELETE,
    AMDI_SQL_OP_READY,
    AMDI_SQL_OP_LEASE,
    AMDI_SQL_OP_BEAT,
    AMDI_SQL_OP_SCAN,
    AMDI_SQL_OP_SCAN_PRINCIPAL,
    AMDI_SQL_OP_SCAN_METHOD,
    AMDI_SQL_OP_SCAN_FAILED,
    AMDI_SQL_OP_SCAN_UNFINISHED,
    AMDI_SQL_OP_COUNT_UNFINISHED,
    AMDI_SQL_OP_COUNT_DONE,
    AMDI_SQL_OP_BACKLOG,
    AMDI_SQL_OP_FIRST_EXPIRING,
    AMDI_SQL_BODY_INSERT,
    AMDI_SQL_BODY_DELETE,
    AMDI_SQL_RESULT_INSERT,
    AMDI_SQL_RESULT_DELETE,
    AMDI_SQL_EVENT_INSERT,
    AMDI_SQL_EVENT_READ,
    AMDI_SQL_EVENT_TRIM,
    AMDI_SQL_EVENT_DELETE,
    AMDI_SQL_NODE_BEAT,
    AMDI_SQL_PAGE_BYTES,
    AMDI_SQL_PAGES,
    AMDI_SQL_FREE_PAGES,
    AMDI_SQL_NSTATEMENTS,
};

#define AMDI_SQL_MAX_TOUCHED 2048u
#define AMDI_SQL_NRANDOMS 64u
#define AMDI_SQL_PATH_BYTES 4096u // the system's own limit

struct amdi_sql {
    sqlite3 *db;                               // owned
    sqlite3_stmt *stmts[AMDI_SQL_NSTATEMENTS]; // owned
    struct amdi_store_options options;
    bool is_file;
    char path[AMDI_SQL_PATH_BYTES]; // of the file; for messages too
    int lock_fd;                    // -1: none
    uint8_t secret[AMDI_TOKEN_SECRET_BYTES];
    uint32_t randoms[AMDI_SQL_NRANDOMS]; // for ids
    size_t nrandoms;                     // left

    // OK, or what every write answers until the store is opened again.
    enum amdi_store_result broken;
    int wal_pages; // not yet checkpointed
    uint64_t page_bytes;
    struct amdi_store_usage usage; // as the last commit left it

    // Of the present batch.
    int64_t now_us;
    struct amdi_store_usage batch_usage; // if it is committed
    int failure;    // SQLite's code for the first failure, or SQLITE_OK
    unsigned hints; // of enum amdi_store_hint
    uint64_t touched[AMDI_SQL_MAX_TOUCHED]; // operations with new events
    size_t ntouched; // AMDI_SQL_MAX_TOUCHED: too many to tell
};

/* ---- sqlite.c: its life, its batches ---- */

/** As amdi_sqlite_store_open. */
AMDRPC_NODISCARD amdrpc_err amdi_sql_open(const char *dir,
        const struct amdi_store_options *options, struct amdi_sql **out,
        struct amdi_error *error);

/** NULL is accepted. */
void amdi_sql_close(struct amdi_sql *sql);

void amdi_sql_begin(struct amdi_sql *sql);

/** Fills in the request's answer, or sets the failure of the batch. */
void amdi_sql_apply(struct amdi_sql *sql, struct amdi_request *request);

/**
 * Commits, or rolls back after a failure. Anything but OK is the answer to
 * every request of the batch that wanted to write; see struct amdi_sql for
 * what is to be told to others otherwise.
 */
enum amdi_store_result amdi_sql_end(struct amdi_sql *sql);

/** Moves the log into the database file. */
void amdi_sql_checkpoint(struct amdi_sql *sql);

/* ---- sqlite_lock.c: who may use the directory ---- */

/** Takes the lock of a directory. @out: a descriptor that holds it. */
AMDRPC_NODISCARD amdrpc_err amdi_sql_lock_dir(
        const char *dir, int *out, struct amdi_error *error);

/** Returns the name of a network file system of that magic number, or NULL. */
const char *amdi_sql_network_fs(unsigned long magic);

/* ---- sqlite_schema.c ---- */

/** Sets the connection up, makes or migrates the tables. */
AMDRPC_NODISCARD amdrpc_err amdi_sql_prepare_file(
        struct amdi_sql *sql, struct amdi_error *error);

/** Translates what sqlite3_… returned; the sentence starts with @what. */
amdrpc_err amdi_sql_error(const struct amdi_sql *sql, int code,
        const char *what, struct amdi_error *error);

/* ---- sqlite_statement.c ---- */

/** Prepares all statements. */
AMDRPC_NODISCARD amdrpc_err amdi_sql_prepare_statements(
        struct amdi_sql *sql, struct amdi_error *error);
void amdi_sql_finalize_statements(struct amdi_sql *sql);

/**
 * Binds a statement's parameters. A letter of @types for each: i int64_t,
 * t NUL-terminated text, s text of a struct amdi_bytes, b blob of one (both:
 * NULL when empty and the letter is upper case). They must stay until
 * amdi_sql_reset.
 */
sqlite3_stmt *amdi_sql_bind(
        struct amdi_sql *sql, enum amdi_sql_id id, const char *types, ...);

/** Tells whether there is a row; false also after a failure. */
bool amdi_sql_step(struct amdi_sql *sql, sqlite3_stmt *stmt);
void amdi_sql_reset(sqlite3_stmt *stmt);

/** Runs a statement without rows that was bound; returns what it changed. */
int amdi_sql_run(struct amdi_sql *sql, sqlite3_stmt *stmt);

/** Copies a text or blob of a row into the request; empty for NULL. */
void amdi_sql_copy(struct amdi_sql *sql, struct amdi_request *request,
        sqlite3_stmt *stmt, int column, struct amdi_bytes *out);

/* ---- sqlite_event.c ---- */

/** What is needed of an operation to change it. */
struct amdi_sql_head {
    uint64_t id;
    enum amdi_op_state state;
    bool is_cancelled;
    uint32_t attempt;
    uint32_t max_attempts;
    uint64_t first_seq;
    uint64_t last_seq;
    uint64_t progress_seq;
    uint64_t event_bytes;
    int64_t ready_at_us;
    int64_t deadline_at_us;
    int64_t retain_us;
    uint64_t nmessages;
    uint32_t nreleased;
};

/** Reads it from the columns of OP_HEAD or OP_READY. */
void amdi_sql_head_of_row(sqlite3_stmt *stmt, struct amdi_sql_head *out);

/** Reads it; false: there is none, or a failure. */
bool amdi_sql_read_head(
        struct amdi_sql *sql, uint64_t id, struct amdi_sql_head *out);

/** Appends an event, drops the oldest beyond the bounds, and remembers. */
void amdi_sql_append_event(struct amdi_sql *sql, struct amdi_sql_head *head,
        enum amdi_event_kind kind, struct amdi_bytes data);

/** The one way to an end. */
void amdi_sql_end_op(struct amdi_sql *sql, struct amdi_sql_head *head, int code,
        struct amdi_bytes result, struct amdi_bytes status);

/** Answers EVENTS. */
void amdi_sql_read_events(struct amdi_sql *sql, struct amdi_request *request);

/** Remembers that an operation changed for who watches it. */
void amdi_sql_touch(struct amdi_sql *sql, uint64_t id);

/* ---- sqlite_keep.c: how much is kept ---- */

/** Counts what there is: indexes are read once, whole. */
AMDRPC_NODISCARD amdrpc_err amdi_sql_count(
        struct amdi_sql *sql, struct amdi_error *error);

/** Sets the bytes that the batch leaves in use. */
void amdi_sql_measure(struct amdi_sql *sql);

/** Gives the hint to sweep when the batch leaves far too much. */
void amdi_sql_hint_sweep(struct amdi_sql *sql);

/** Tells whether a submit has no room. */
bool amdi_sql_is_full(const struct amdi_sql *sql);

/* ---- sqlite_client.c, _keep.c, _list.c, _worker.c: the requests ---- */

void amdi_sql_submit(struct amdi_sql *sql, struct amdi_request *request);
void amdi_sql_get(struct amdi_sql *sql, struct amdi_request *request);
void amdi_sql_cancel(struct amdi_sql *sql, struct amdi_request *request);
void amdi_sql_remove(struct amdi_sql *sql, struct amdi_request *request);
void amdi_sql_sweep(struct amdi_sql *sql, struct amdi_request *request);
void amdi_sql_backlog(struct amdi_sql *sql, struct amdi_request *request);
void amdi_sql_list(struct amdi_sql *sql, struct amdi_request *request);
void amdi_sql_lease(struct amdi_sql *sql, struct amdi_request *request);
void amdi_sql_beat(struct amdi_sql *sql, struct amdi_request *request);
void amdi_sql_append(struct amdi_sql *sql, struct amdi_request *request);
void amdi_sql_finish(struct amdi_sql *sql, struct amdi_request *request);
void amdi_sql_retry(struct amdi_sql *sql, struct amdi_request *request);
void amdi_sql_release(struct amdi_sql *sql, struct amdi_request *request);

/** Reads an operation whole; false: there is none, or a failure. */
bool amdi_sql_read_op(struct amdi_sql *sql, struct amdi_request *request,
        uint64_t id, bool with_payload, struct amdi_op *out);

/** Makes room for the operations that a request answers; NULL: failure. */
struct amdi_op *amdi_sql_alloc_ops(
        struct amdi_sql *sql, struct amdi_request *request, size_t nops);

#endif
