/** A call as its handler sees it: the public functions, whatever the sink. */
#include "server/call.h"

#include "common/clock.h"
#include "common/frame.h"
#include "common/log.h"
#include "server/call_codec.h"
#include "server/details.h"
#include "server/fd_wait.h"
#include "server/service.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// A status message for people; longer ones are cut.
#define MAX_MESSAGE_BYTES 1024u

/** The handler that this thread is in, to see how it left its call. */
struct running {
    const struct amdrpc_call *call;
    bool is_settled; // finished or deferred: the call is no longer ours
};

static _Thread_local struct running *running;

void
amdi_call_init(struct amdrpc_call *call, const struct amdi_sink_ops *sink)
{
    memset(call, 0, sizeof(*call));
    call->sink = sink;
    call->identity = "";
    amdi_arena_init(&call->arena, /*max_bytes=*/0);
    amdi_list_init(&call->queue.node);
    atomic_init(&call->is_cancelled, false);
    amdi_call_link_init(&call->link);
}

void
amdi_call_fini(struct amdrpc_call *call)
{
    amdi_message_free(call->request);
    call->request = NULL;
    if (call->recv_arena != NULL) {
        amdi_arena_fini(call->recv_arena);
    }
    amdi_arena_fini(&call->arena);
}

static void
running_settle(const struct amdrpc_call *call)
{
    if (running != NULL && running->call == call) {
        running->is_settled = true;
    }
}

/**
 * Settles how the call ends, whatever its handler will say: a request that
 * cannot be read is no handler's to judge.
 */
static void
call_set_fault(struct amdrpc_call *call, amdrpc_err err, const char *why)
{
    static const char format[] = "the request cannot be unpacked: %s";
    size_t size = sizeof(format) + strlen(why);
    char *text = amdi_arena_alloc(&call->arena, size);

    if (text != NULL) {
        (void)snprintf(text, size, format, why); // it fits
    }
    call->has_fault = true;
    call->message = text != NULL ? text : "the request cannot be unpacked";
    call->code = err == AMDRPC_EPROTO ? AMDRPC_STATUS_INTERNAL
                                      : amdrpc_status_from_err(err);
    amdi_details_add(&(struct amdi_details){.code = call->code,
                             .message = call->message},
            call);
}

/**
 * Ends a call with an error of ours that its handler brought about. @reason:
 * for programs.
 */
static void AMDRPC_PRINTF(4, 5) call_fail(struct amdrpc_call *call,
        amdrpc_status_code code, const char *reason, const char *format, ...)
{
    char text[MAX_MESSAGE_BYTES];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (!call->has_fault) { // whose details are there already
        amdi_details_add(
                &(struct amdi_details){
                        .code = code, .message = text, .reason = reason},
                call);
    }
    amdrpc_call_finish(call, code, text);
}

/** The request of a method without request stream, unpacked; or the end. */
static const ProtobufCMessage *
call_unpack_request(struct amdrpc_call *call)
{
    ProtobufCMessage *msg = NULL;
    char why[AMDI_UNPACK_WHY_BYTES];
    amdrpc_err err =
            amdi_call_decode(call, &call->request, &call->arena, &msg, why);

    if (err == AMDRPC_OK) {
        // Nothing refers to the bytes, and the call may wait for long.
        amdi_message_free(call->request);
        call->request = NULL;
        return msg;
    }
    call_set_fault(call, err, why);
    amdrpc_call_finish(call, call->code, NULL);
    return NULL;
}

void
amdi_call_run(struct amdrpc_call *call)
{
    const struct amdi_method *method = call->method;
    struct running self = {.call = call};
    const ProtobufCMessage *request = NULL;

    if (amdrpc_call_is_cancelled(call)) {
        amdrpc_call_finish(call, AMDRPC_STATUS_CANCELLED, NULL);
        return;
    }
    if (!amdrpc_method_has_request_stream(method->desc)) {
        request = call_unpack_request(call);
        if (request == NULL) {
            return;
        }
    }
    running = &self;
    method->invoke(method->handlers, call, request, method->user_data);
    running = NULL;
    if (!self.is_settled) {
        call_fail(call, AMDRPC_STATUS_UNKNOWN, "HANDLER_GAVE_NO_STATUS",
                "the handler of %s returned without a status",
                method->desc->path);
    }
}

amdrpc_err
amdrpc_call_send(amdrpc_call *call, const ProtobufCMessage *msg)
{
    return call->sink->send(call, msg);
}

/** Copies a status message; without memory the status goes without one. */
static const char *
call_copy_message(amdrpc_call *call, const char *message)
{
    size_t len = 0;

    if (message == NULL || message[0] == '\0') {
        return NULL;
    }
    len = strnlen(message, MAX_MESSAGE_BYTES);
    return amdi_arena_strndup(&call->arena, message, len);
}

void
amdrpc_call_finish(
        amdrpc_call *call, amdrpc_status_code code, const char *message)
{
    running_settle(call);
    if (!call->has_fault) {
        call->code = code;
        call->message = call_copy_message(call, message);
    }
    call->sink->finish(call);
}

void
amdrpc_call_fail(amdrpc_call *call, amdrpc_status_code code,
        const char *message, const amdrpc_error_info *info)
{
    const struct amdi_details details = {.code = code,
            .message = message,
            .reason = info->reason,
            .domain = info->domain,
            .facts = info->facts};

    if (!call->has_fault) {
        amdi_details_add(&details, call);
    }
    amdrpc_call_finish(call, code, message);
}

void
amdrpc_call_finishf(
        amdrpc_call *call, amdrpc_status_code code, const char *format, ...)
{
    char text[MAX_MESSAGE_BYTES];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    amdrpc_call_finish(call, code, text);
}

void
amdrpc_call_reply(amdrpc_call *call, const ProtobufCMessage *msg)
{
    amdrpc_err err = amdrpc_call_send(call, msg);

    if (err == AMDRPC_OK) {
        amdrpc_call_finish(call, AMDRPC_STATUS_OK, NULL);
        return;
    }
    call_fail(call, amdrpc_status_from_err(err), "RESPONSE_NOT_SENT",
            "the response could not be sent: %s", amdrpc_err_text(err));
}

void
amdrpc_call_defer(amdrpc_call *call)
{
    running_settle(call);
}

bool
amdrpc_call_checkpoint(amdrpc_call *call, uint64_t done, uint64_t total)
{
    return amdrpc_call_checkpoint_note(call, done, total, NULL);
}

bool
amdrpc_call_checkpoint_note(
        amdrpc_call *call, uint64_t done, uint64_t total, const char *note)
{
    return call->sink->progress(call, done, total, note) &&
            !amdrpc_call_is_cancelled(call);
}

/** Where the message last received lies: made on first use, then reused. */
static struct amdi_arena *
call_get_recv_arena(amdrpc_call *call)
{
    if (call->recv_arena != NULL) {
        amdi_arena_reset(call->recv_arena);
        return call->recv_arena;
    }
    call->recv_arena =
            amdi_arena_alloc(&call->arena, sizeof(*call->recv_arena));
    if (call->recv_arena != NULL) {
        amdi_arena_init(call->recv_arena, /*max_bytes=*/0);
    }
    return call->recv_arena;
}

amdrpc_err
amdrpc_call_recv(amdrpc_call *call, const ProtobufCMessage **out)
{
    struct amdi_arena *arena = call_get_recv_arena(call);
    struct amdi_message *raw = NULL;
    ProtobufCMessage *msg = NULL;
    char why[AMDI_UNPACK_WHY_BYTES];
    amdrpc_err err = AMDRPC_ENOMEM;

    if (arena == NULL) {
        return AMDRPC_ENOMEM;
    }
    err = call->sink->recv(call, &raw);
    if (err != AMDRPC_OK) {
        return err;
    }
    err = amdi_call_decode(call, &raw, arena, &msg, why);
    amdi_message_free(raw);
    if (err != AMDRPC_OK) {
        call_set_fault(call, err, why);
        return err == AMDRPC_EPROTO ? AMDRPC_EINVAL : err;
    }
    *out = msg;
    return AMDRPC_OK;
}

void
amdrpc_call_set_events(
        amdrpc_call *call, const amdrpc_call_events *events, void *arg)
{
    if (call->events != NULL) {
        return;
    }
    call->events_arg = arg;
    call->events = events;
    amdi_call_notify(call, AMDI_CALL_EV_EVENTS);
}

void
amdrpc_call_after(
        amdrpc_call *call, uint32_t delay_ms, amdrpc_call_fn fn, void *arg)
{
    call->after = (struct amdi_call_after){
            .at_ms = amdi_clock_now_ms() + delay_ms, .fn = fn, .arg = arg};
    amdi_call_notify(call, AMDI_CALL_EV_AFTER);
}

amdrpc_err
amdrpc_call_wait_fd(amdrpc_call *call, int fd, unsigned events,
        int64_t timeout_ms, amdrpc_call_fd_fn fn, void *arg)
{
    struct amdi_fd_wait *wait = call->fd_wait;

    if (fd < 0 || events == 0 ||
            (events & ~(unsigned)(AMDRPC_FD_READ | AMDRPC_FD_WRITE)) != 0) {
        return AMDRPC_EINVAL;
    }
    if (wait == NULL) {
        wait = amdi_arena_alloc(&call->arena, sizeof(*wait));
        if (wait == NULL) {
            return AMDRPC_ENOMEM;
        }
        memset(wait, 0, sizeof(*wait));
        call->fd_wait = wait;
    } else if (wait->is_waiting) {
        return AMDRPC_ESTATE;
    }
    wait->fd = fd;
    wait->events = events;
    wait->timeout_ms = timeout_ms;
    wait->fn = fn;
    wait->arg = arg;
    wait->is_waiting = true;
    amdi_call_notify(call, AMDI_CALL_EV_FD);
    return AMDRPC_OK;
}

bool
amdrpc_call_is_cancelled(const amdrpc_call *call)
{
    return atomic_load_explicit(&call->is_cancelled, memory_order_acquire);
}

int64_t
amdrpc_call_time_left_ms(const amdrpc_call *call)
{
    uint64_t now_ms = amdi_clock_now_ms();

    return call->deadline_at_ms > now_ms
            ? (int64_t)(call->deadline_at_ms - now_ms)
            : 0;
}

const char *
amdrpc_call_get_peer(const amdrpc_call *call)
{
    return call->sink->get_peer(call);
}

const char *
amdrpc_call_get_identity(const amdrpc_call *call)
{
    return call->identity;
}

const char *
amdrpc_call_get_method(const amdrpc_call *call)
{
    return call->method->desc->path;
}

const amdrpc_metadata *
amdrpc_call_get_metadata(const amdrpc_call *call)
{
    return call->metadata;
}

static struct amdi_call_attempt
call_get_attempt(const struct amdrpc_call *call)
{
    struct amdi_call_attempt attempt = {.operation = "", .number = 1};

    if (call->sink->get_attempt != NULL) {
        call->sink->get_attempt(call, &attempt);
    }
    return attempt;
}

const char *
amdrpc_call_get_operation(const amdrpc_call *call)
{
    return call_get_attempt(call).operation;
}

uint32_t
amdrpc_call_get_attempt(const amdrpc_call *call)
{
    return call_get_attempt(call).number;
}

uint64_t
amdrpc_call_get_delivered(const amdrpc_call *call)
{
    return call_get_attempt(call).ndelivered;
}

/** Makes a list in the call's arena on first use. */
static amdrpc_err
call_need_metadata(amdrpc_call *call, struct amdrpc_metadata **list)
{
    if (*list == NULL) {
        struct amdrpc_metadata *made =
                amdi_arena_alloc(&call->arena, sizeof(*made));

        if (made == NULL) {
            return AMDRPC_ENOMEM;
        }
        amdi_metadata_init(made, &call->arena);
        *list = made;
    }
    return AMDRPC_OK;
}

static amdrpc_err
call_add_metadata(amdrpc_call *call, struct amdrpc_metadata **list,
        const char *name, const void *value, size_t value_len)
{
    amdrpc_err err = call_need_metadata(call, list);

    return err != AMDRPC_OK
            ? err
            : amdrpc_metadata_add(*list, name, value, value_len);
}

void
amdi_call_add_own_trailing(struct amdrpc_call *call, const char *name,
        const void *value, size_t value_len)
{
    amdrpc_err err = call_need_metadata(call, &call->trailing);

    if (err == AMDRPC_OK) {
        err = amdi_metadata_add_own(call->trailing, name, value, value_len);
    }
    if (err != AMDRPC_OK) {
        amdi_log_debug("", "call-trailer-lost", "name=%s", name);
    }
}

amdrpc_err
amdrpc_call_add_initial_metadata(amdrpc_call *call, const char *name,
        const void *value, size_t value_len)
{
    if (call->sink->has_sent_initial(call)) {
        return AMDRPC_ESTATE;
    }
    return call_add_metadata(call, &call->initial, name, value, value_len);
}

void
amdrpc_call_send_initial_metadata(amdrpc_call *call)
{
    call->sink->send_initial(call);
}

amdrpc_err
amdrpc_call_add_trailing_metadata(amdrpc_call *call, const char *name,
        const void *value, size_t value_len)
{
    return call_add_metadata(call, &call->trailing, name, value, value_len);
}

void *
amdrpc_call_alloc(amdrpc_call *call, size_t size)
{
    return amdi_arena_alloc(&call->arena, size);
}
