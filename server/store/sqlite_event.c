/** Events of operations, and the way they end. */
#include "server/store/sqlite.h"

// What one answer shows at most; a watch asks again for the rest.
#define MAX_EVENTS_READ 256u
#define MAX_EVENTS_READ_BYTES ((size_t)1 << 20)

void
amdi_sql_touch(struct amdi_sql *sql, uint64_t id)
{
    if (sql->ntouched < AMDI_SQL_MAX_TOUCHED) {
        sql->touched[sql->ntouched++] = id;
    }
}

void
amdi_sql_head_of_row(sqlite3_stmt *stmt, struct amdi_sql_head *out)
{
    *out = (struct amdi_sql_head){
            .id = (uint64_t)sqlite3_column_int64(stmt, 0),
            .state = (enum amdi_op_state)sqlite3_column_int(stmt, 1),
            .is_cancelled = sqlite3_column_int(stmt, 2) != 0,
            .attempt = (uint32_t)sqlite3_column_int64(stmt, 3),
            .max_attempts = (uint32_t)sqlite3_column_int64(stmt, 4),
            .first_seq = (uint64_t)sqlite3_column_int64(stmt, 5),
            .last_seq = (uint64_t)sqlite3_column_int64(stmt, 6),
            .progress_seq = (uint64_t)sqlite3_column_int64(stmt, 7),
            .event_bytes = (uint64_t)sqlite3_column_int64(stmt, 8),
            .ready_at_us = sqlite3_column_int64(stmt, 9),
            .deadline_at_us = sqlite3_column_int64(stmt, 10),
            .retain_us = sqlite3_column_int64(stmt, 11),
            .nmessages = (uint64_t)sqlite3_column_int64(stmt, 12),
            .nreleased = (uint32_t)sqlite3_column_int64(stmt, 13),
    };
}

bool
amdi_sql_read_head(struct amdi_sql *sql, uint64_t id, struct amdi_sql_head *out)
{
    sqlite3_stmt *stmt = amdi_sql_bind(sql, AMDI_SQL_OP_HEAD, "i", (int64_t)id);
    bool is_there = amdi_sql_step(sql, stmt);

    if (is_there) {
        amdi_sql_head_of_row(stmt, out);
    }
    amdi_sql_reset(stmt);
    return is_there;
}

/** Drops the oldest event. */
static void
event_trim(struct amdi_sql *sql, struct amdi_sql_head *head)
{
    sqlite3_stmt *stmt = amdi_sql_bind(sql, AMDI_SQL_EVENT_TRIM, "ii",
            (int64_t)head->id, (int64_t)head->first_seq);

    if (amdi_sql_step(sql, stmt)) {
        head->event_bytes -= (uint64_t)sqlite3_column_int64(stmt, 0);
    }
    amdi_sql_reset(stmt);
    head->first_seq++;
}

static bool
event_is_too_much(const struct amdi_sql *sql, const struct amdi_sql_head *head)
{
    return head->first_seq < head->last_seq &&
            (head->last_seq - head->first_seq >= sql->options.max_events ||
                    head->event_bytes > sql->options.max_event_bytes);
}

/** Adds it as the newest; what @head says then must be written too. */
static void
event_insert(struct amdi_sql *sql, struct amdi_sql_head *head,
        enum amdi_event_kind kind, struct amdi_bytes data)
{
    head->last_seq++;
    head->event_bytes += data.len;
    (void)amdi_sql_run(sql,
            amdi_sql_bind(sql, AMDI_SQL_EVENT_INSERT, "iiiiib",
                    (int64_t)head->id, (int64_t)head->last_seq,
                    (int64_t)head->attempt, sql->now_us, (int64_t)kind, data));
    while (sql->failure == SQLITE_OK && event_is_too_much(sql, head)) {
        event_trim(sql, head);
    }
    amdi_sql_touch(sql, head->id);
}

void
amdi_sql_append_event(struct amdi_sql *sql, struct amdi_sql_head *head,
        enum amdi_event_kind kind, struct amdi_bytes data)
{
    event_insert(sql, head, kind, data);
    if (kind == AMDI_EVENT_PROGRESS) {
        head->progress_seq = head->last_seq;
    } else if (kind == AMDI_EVENT_MESSAGE) {
        head->nmessages++;
    }
    (void)amdi_sql_run(sql,
            amdi_sql_bind(sql, AMDI_SQL_OP_EVENTS, "iiiiii", (int64_t)head->id,
                    (int64_t)head->first_seq, (int64_t)head->last_seq,
                    (int64_t)head->progress_seq, (int64_t)head->event_bytes,
                    (int64_t)head->nmessages));
}

void
amdi_sql_end_op(struct amdi_sql *sql, struct amdi_sql_head *head, int code,
        struct amdi_bytes result, struct amdi_bytes status)
{
    event_insert(sql, head, AMDI_EVENT_END, status);
    (void)amdi_sql_run(sql,
            amdi_sql_bind(sql, AMDI_SQL_OP_END, "iiiiiii", (int64_t)head->id,
                    (int64_t)code, sql->now_us, sql->now_us + head->retain_us,
                    (int64_t)head->first_seq, (int64_t)head->last_seq,
                    (int64_t)head->event_bytes));
    if (result.len > 0 || status.len > 0) {
        (void)amdi_sql_run(sql,
                amdi_sql_bind(sql, AMDI_SQL_RESULT_INSERT, "iBB",
                        (int64_t)head->id, result, status));
    }
    head->state = AMDI_OP_DONE;
    sql->batch_usage.nunfinished--;
    sql->batch_usage.ndone++;
}

/* ---- reading ---- */

static void
event_read_rows(
        struct amdi_sql *sql, struct amdi_request *request, sqlite3_stmt *stmt)
{
    struct amdi_event *events = request->out.events.events;
    size_t nevents = 0;
    size_t nbytes = 0;

    while (nevents < MAX_EVENTS_READ && nbytes < MAX_EVENTS_READ_BYTES &&
            amdi_sql_step(sql, stmt)) {
        struct amdi_event *event = &events[nevents++];

        *event = (struct amdi_event){
                .seq = (uint64_t)sqlite3_column_int64(stmt, 0),
                .attempt = (uint32_t)sqlite3_column_int64(stmt, 1),
                .at_us = sqlite3_column_int64(stmt, 2),
                .kind = (enum amdi_event_kind)sqlite3_column_int(stmt, 3),
        };
        amdi_sql_copy(sql, request, stmt, 4, &event->data);
        nbytes += event->data.len;
    }
    request->out.events.nevents = nevents;
}

static void
event_read_after(struct amdi_sql *sql, struct amdi_request *request,
        const struct amdi_sql_head *head)
{
    struct amdi_events_request *in = &request->in.events;
    uint64_t nleft = head->last_seq - in->after_seq;
    sqlite3_stmt *stmt;
    uint64_t nevents;

    if (nleft > MAX_EVENTS_READ) {
        nleft = MAX_EVENTS_READ;
    }
    if (nleft > 0) {
        request->out.events.events = amdi_arena_alloc(
                &request->arena, nleft * sizeof(struct amdi_event));
        if (request->out.events.events == NULL) {
            request->result = AMDI_STORE_NOMEM;
            return;
        }
        stmt = amdi_sql_bind(sql, AMDI_SQL_EVENT_READ, "iii", (int64_t)in->id,
                (int64_t)in->after_seq, (int64_t)nleft);
        event_read_rows(sql, request, stmt);
        amdi_sql_reset(stmt);
    }
    nevents = request->out.events.nevents;
    request->out.events.has_more = in->after_seq + nevents < head->last_seq;
    request->result = AMDI_STORE_OK;
    if (head->state == AMDI_OP_DONE && !request->out.events.has_more) {
        request->result = AMDI_STORE_DONE;
    }
}

void
amdi_sql_read_events(struct amdi_sql *sql, struct amdi_request *request)
{
    struct amdi_events_request *in = &request->in.events;
    struct amdi_sql_head head;

    if (!amdi_sql_read_head(sql, in->id, &head)) {
        request->result = AMDI_STORE_NOTFOUND;
    } else if (in->after_seq > head.last_seq) {
        request->result = AMDI_STORE_INVALID;
    } else if (in->after_seq + 1 < head.first_seq) {
        request->result = AMDI_STORE_GONE;
    } else {
        event_read_after(sql, request, &head);
    }
}
