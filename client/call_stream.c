/**
 * What a call's stream says: the response as it comes, the request as it goes.
 *
 * The order of a response is: one block of fields, messages, a second block
 * with the status. A block that carries the status itself is the last one
 * (Trailers-Only). Whatever breaks that order ends the call with a status of
 * our own and resets the stream; the connection goes on.
 */
#include "client/call_stream.h"

#include "client/client_call.h"
#include "client/client_conn.h"
#include "client/wire_status.h"
#include "common/clock.h"
#include "common/compress.h"
#include "common/encoding.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// A request message up to here is kept until the call's end rather than freed.
#define STREAM_SMALL_BYTES 4096u

// Room for a sentence with a number in it.
#define STREAM_MESSAGE_BYTES 128u

/** Formats into the call's arena; without memory the plain sentence. */
static const char *stream_format(struct amdrpc_client_call *call,
        const char *format, const char *plain, ...)
        __attribute__((format(printf, 2, 4)));

static const char *
stream_format(struct amdrpc_client_call *call, const char *format,
        const char *plain, ...)
{
    char *text = amdi_arena_alloc(&call->arena, STREAM_MESSAGE_BYTES);
    va_list args;

    if (text == NULL) {
        return plain;
    }
    va_start(args, plain);
    (void)vsnprintf(text, STREAM_MESSAGE_BYTES, format, args); // may be cut
    va_end(args);
    return text;
}

/* ---- fields ---- */

static bool
field_is(const struct amdi_h2_field *field, const char *name, size_t len)
{
    return field->name_len == len && memcmp(field->name, name, len) == 0;
}

static bool
field_value_is(const struct amdi_h2_field *field, const char *value, size_t len)
{
    return field->value_len == len && memcmp(field->value, value, len) == 0;
}

#define FIELD_VALUE_IS(field, literal) \
    field_value_is((field), literal, sizeof(literal) - 1)
#define FIELD_IS(field, literal) field_is((field), literal, sizeof(literal) - 1)

static void
stream_read_content_type(
        struct amdrpc_client_call *call, const struct amdi_h2_field *field)
{
    static const char prefix[] = "application/grpc";
    size_t len = sizeof(prefix) - 1;
    const char *value = field->value;

    // "application/grpc-web" is another protocol.
    call->is_grpc = field->value_len >= len &&
            memcmp(value, prefix, len) == 0 &&
            (field->value_len == len || value[len] == '+' || value[len] == ';');
}

static void
stream_read_status(
        struct amdrpc_client_call *call, const struct amdi_h2_field *field)
{
    int code = AMDRPC_STATUS_UNKNOWN;

    if (!amdi_status_parse(field->value, field->value_len, &code) ||
            code > AMDRPC_STATUS_UNAUTHENTICATED) {
        code = AMDRPC_STATUS_UNKNOWN;
    }
    call->wire_status = code;
}

static void
stream_read_message(
        struct amdrpc_client_call *call, const struct amdi_h2_field *field)
{
    char *text = field->value_len == 0
            ? NULL
            : amdi_arena_alloc(&call->arena, field->value_len + 1);

    // A status without its sentence is better than none.
    if (text != NULL) {
        size_t len = amdi_percent_decode(field->value, field->value_len, text);

        text[len] = '\0';
        call->wire_message = text;
    }
}

/** Reads what the protocol itself uses; false: it is metadata. */
static bool
stream_read_own(
        struct amdrpc_client_call *call, const struct amdi_h2_field *field)
{
    if (FIELD_IS(field, ":status")) {
        int status = 0;

        (void)amdi_status_parse(field->value, field->value_len, &status);
        call->http_status = status;
        return true;
    }
    if (FIELD_IS(field, "content-type")) {
        stream_read_content_type(call, field);
        return true;
    }
    if (FIELD_IS(field, "grpc-status")) {
        stream_read_status(call, field);
        return true;
    }
    if (FIELD_IS(field, "grpc-message")) {
        stream_read_message(call, field);
        return true;
    }
    if (FIELD_IS(field, AMDI_ENCODING_FIELD)) {
        call->inbox.reader.refuses_compressed =
                !FIELD_VALUE_IS(field, AMDI_ENCODING_GZIP);
        return true;
    }
    return field->name_len == 0 || field->name[0] == ':' ||
            FIELD_IS(field, AMDI_ACCEPT_ENCODING_FIELD);
}

/** Bounds what a block may be; the session does not. */
static bool
stream_count_field(
        struct amdrpc_client_call *call, const struct amdi_h2_field *field)
{
    // RFC 9113, section 6.5.2: each field counts 32 bytes more.
    call->nfield_bytes += field->name_len + field->value_len + 32;
    call->nfields++;
    if (call->nfields <= AMDI_CALL_STREAM_HEADER_FIELDS &&
            call->nfield_bytes <= AMDI_CALL_STREAM_HEADER_BYTES) {
        return true;
    }
    amdi_client_call_abort(call, AMDRPC_STATUS_RESOURCE_EXHAUSTED,
            "the response's header fields are too many or too long");
    return false;
}

bool
amdi_call_stream_on_field(
        void *ctx, void *stream, const struct amdi_h2_field *field)
{
    struct amdrpc_client_call *call = stream;

    (void)ctx;
    if (call->state != CALL_OPEN || !stream_count_field(call, field) ||
            stream_read_own(call, field)) {
        return true;
    }
    amdrpc_err err = amdi_metadata_add_wire(
            call->has_headers ? &call->trailing : &call->initial, field->name,
            field->name_len, field->value, field->value_len);
    // A "-bin" value that is no base64 is left out: that is no reason to lose
    // the answer.
    if (err != AMDRPC_OK && err != AMDRPC_EINVAL) {
        amdi_client_call_abort(
                call, amdrpc_status_from_err(err), amdrpc_err_text(err));
    }
    return true;
}

/** The answer is the user's: no other attempt will be made. */
static void
stream_commit(struct amdrpc_client_call *call)
{
    if (call->has_committed) {
        return;
    }
    call->has_committed = true;
    atomic_store_explicit(&call->has_initial, true, memory_order_release);
    amdi_client_call_tell(call, CALL_TELL_READABLE);
    call->was_released = true;
    if (call->outbox.ntaken > STREAM_SMALL_BYTES) {
        (void)amdi_outbox_release(&call->outbox); // nobody waits for the room
    }
}

static void
stream_refuse_http(struct amdrpc_client_call *call)
{
    amdi_client_call_abort_attempt(call,
            amdi_status_from_http(call->http_status),
            stream_format(call, "the server answered with HTTP status %d",
                    "the server answered with an HTTP error",
                    call->http_status));
}

void
amdi_call_stream_on_headers(void *ctx, void *stream, bool is_trailers)
{
    struct amdi_client_conn *conn = ctx;
    struct amdrpc_client_call *call = stream;

    conn->has_answered = true;
    if (call->state != CALL_OPEN || is_trailers) {
        return; // on_end reads what the trailers said
    }
    call->has_headers = true;
    call->nfields = 0;
    call->nfield_bytes = 0;
    if (call->wire_status >= 0) {
        // Trailers-Only: what came was the trailing metadata. The stream's end
        // follows, and decides whether this is the answer.
        call->trailing = call->initial;
        amdi_metadata_init(&call->initial, &call->arena);
        return;
    }
    if (call->http_status != 200) {
        stream_refuse_http(call);
        return;
    } else if (!call->is_grpc) {
        amdi_client_call_abort(call, AMDRPC_STATUS_UNKNOWN,
                "the response's content-type is not application/grpc");
        return;
    }
    stream_commit(call);
}

/* ---- the body ---- */

static void
stream_refuse_data(struct amdrpc_client_call *call, amdrpc_err err)
{
    if (err == AMDRPC_ELIMIT) {
        amdi_client_call_abort(call, AMDRPC_STATUS_RESOURCE_EXHAUSTED,
                "a response message is larger than max_recv_message_bytes");
    } else if (err == AMDRPC_EPROTO) {
        amdi_client_call_abort(call, AMDRPC_STATUS_INTERNAL,
                "a response message has a malformed prefix");
    } else if (err == AMDRPC_EUNSUPPORTED) {
        amdi_client_call_abort(call, AMDRPC_STATUS_INTERNAL,
                "a response message is compressed by no codec that we have");
    } else {
        amdi_client_call_abort(
                call, amdrpc_status_from_err(err), amdrpc_err_text(err));
    }
}

static void
stream_count_messages(struct amdrpc_client_call *call, size_t nmessages)
{
    if (nmessages == 0) {
        return;
    }
    call->nmessages += nmessages;
    if (call->nmessages > 1 &&
            !amdrpc_method_has_response_stream(call->method)) {
        amdi_client_call_abort(call, AMDRPC_STATUS_UNIMPLEMENTED,
                "more than one response message for a unary method");
        return;
    }
    amdi_client_call_tell(call, CALL_TELL_READABLE);
}

void
amdi_call_stream_on_data(
        void *ctx, void *stream, const uint8_t *data, size_t len)
{
    struct amdrpc_client_call *call = stream;
    size_t nmessages = 0;
    size_t nconsume = 0;

    (void)ctx;
    call->nheld_bytes += len;
    if (call->state != CALL_OPEN) {
        amdi_client_call_consume(call, len); // nobody wants it any more
        return;
    }
    if (!call->has_headers) {
        amdi_client_call_abort(call, AMDRPC_STATUS_INTERNAL,
                "the response has a body before its headers");
        return;
    }
    stream_commit(call); // an odd answer, with a status and yet a body
    amdrpc_err err =
            amdi_inbox_feed(&call->inbox, data, len, &nmessages, &nconsume);
    amdi_client_call_consume(call, nconsume);
    if (err != AMDRPC_OK) {
        stream_refuse_data(call, err);
        return;
    }
    stream_count_messages(call, nmessages);
}

void
amdi_call_stream_on_body(
        void *ctx, void *stream, size_t room, struct amdi_h2_body *body)
{
    struct amdrpc_client_call *call = stream;
    size_t ready = amdi_outbox_collect(&call->outbox);

    (void)ctx;
    body->len = ready < room ? ready : room;
    body->is_last = call->is_request_complete && body->len == ready;
    call->is_request_sent = body->is_last;
}

void
amdi_call_stream_on_take(
        void *ctx, void *stream, struct amdi_out *out, size_t len)
{
    // How many messages that is matters to nobody here.
    (void)amdi_outbox_take(
            &((struct amdrpc_client_call *)stream)->outbox, out, len);
    amdi_client_conn_add_writing(ctx, stream);
}

void
amdi_client_call_on_written(struct amdrpc_client_call *call)
{
    // A single request message is kept until the server answers, for the case
    // that it did not look at it; a stream's makes room for the next ones.
    if (!call->was_released &&
            !amdrpc_method_has_request_stream(call->method)) {
        return;
    }
    call->was_released = true;
    if (amdi_outbox_release(&call->outbox)) {
        amdi_client_call_tell(call, CALL_TELL_WRITABLE);
    }
}

/* ---- the end ---- */

/** Finds the status of a response that ended in good order. */
static amdrpc_status_code
stream_judge(struct amdrpc_client_call *call, const char **message)
{
    *message = call->wire_message == NULL ? "" : call->wire_message;
    if (call->wire_status < 0) {
        *message = "the response ended without grpc-status";
        return amdi_status_from_http(call->http_status);
    }
    if (call->wire_status != AMDRPC_STATUS_OK) {
        return (amdrpc_status_code)call->wire_status;
    }
    if (amdi_inbox_is_partial(&call->inbox)) {
        *message = "the response ended inside a message";
        return AMDRPC_STATUS_INTERNAL;
    }
    if (call->nmessages == 0 &&
            !amdrpc_method_has_response_stream(call->method)) {
        *message = "no response message for a unary method";
        return AMDRPC_STATUS_UNIMPLEMENTED;
    }
    return AMDRPC_STATUS_OK;
}

void
amdi_call_stream_on_end(void *ctx, void *stream)
{
    struct amdi_client_conn *conn = ctx;
    struct amdrpc_client_call *call = stream;
    const char *message = "";

    if (call->state != CALL_OPEN) {
        return;
    }
    amdrpc_status_code code = stream_judge(call, &message);
    if (!call->is_request_sent) {
        // The server does not want the rest (RFC 9113, section 8.1).
        amdi_h2_reset(conn->h2, call->stream_id, AMDI_H2_NO_ERROR);
    }
    if (!amdi_client_call_fail_attempt(call, code)) {
        stream_commit(call);
        amdi_client_call_end(call, code, message, AMDRPC_EEND);
    }
}

/** Tells whether the server said that it did nothing with the stream. */
static bool
stream_was_refused(const struct amdi_client_conn *conn,
        const struct amdrpc_client_call *call, enum amdi_h2_code code,
        bool by_peer)
{
    return call->stream_id > conn->last_stream_id ||
            (by_peer && code == AMDI_H2_REFUSED_STREAM);
}

static bool
stream_may_begin_again(const struct amdrpc_client_call *call)
{
    return !call->was_released && !call->is_retried && !call->is_released;
}

static bool
stream_is_past_deadline(const struct amdrpc_client_call *call)
{
    return call->deadline_at_ns != 0 &&
            amdi_clock_now_ns() >= call->deadline_at_ns;
}

static void
stream_end_by_reset(struct amdrpc_client_call *call, enum amdi_h2_code code)
{
    if (code == AMDI_H2_CANCEL && stream_is_past_deadline(call)) {
        // The server's clock was as quick as ours.
        amdi_client_call_end(call, AMDRPC_STATUS_DEADLINE_EXCEEDED,
                "deadline exceeded", AMDRPC_ECANCELED);
        return;
    }
    amdi_client_call_end_attempt(call, amdi_status_from_h2(code),
            stream_format(call, "the stream was reset with HTTP/2 code %d",
                    "the stream was reset", (int)code),
            AMDRPC_EEND);
}

/** Ends an attempt whose stream ended before the answer did. */
static void
stream_end_early(const struct amdi_client_conn *conn,
        struct amdrpc_client_call *call, enum amdi_h2_code code,
        bool was_refused)
{
    if (was_refused) {
        amdi_client_call_end_attempt(call, AMDRPC_STATUS_UNAVAILABLE,
                "the server refused the stream", AMDRPC_ECANCELED);
    } else if (conn->state == CONN_CLOSED) {
        amdi_client_call_end_attempt(call, AMDRPC_STATUS_UNAVAILABLE,
                "the connection was lost", AMDRPC_EEND);
    } else {
        stream_end_by_reset(call, code);
    }
}

void
amdi_call_stream_on_close(
        void *ctx, void *stream, enum amdi_h2_code code, bool by_peer)
{
    struct amdi_client_conn *conn = ctx;
    struct amdrpc_client_call *call = stream;

    if (call->state == CALL_OPEN) {
        bool was_refused = stream_was_refused(conn, call, code, by_peer);

        if (was_refused && stream_may_begin_again(call)) {
            amdi_client_call_begin_again(call);
            return;
        }
        stream_end_early(conn, call, code, was_refused);
    }
    if (call->state == CALL_FAILING) {
        amdi_client_call_back_off(call);
    } else {
        amdi_client_call_close(call);
    }
}
