/**
 * Follows an operation: one stream after another, each from the event on that
 * was read last.
 *
 * Everything but cancel is the reader's, and happens in its own thread: the
 * stream's window is what holds the server back while the reader is slow.
 */
#include <amdrpc/operation.h>

#include "amdrpc/v1/operations.amdrpc.h"
#include "client/operation/patience.h"
#include "client/operation/watch_event.h"
#include "common/alloc.h"
#include "common/assertion.h"
#include "common/clock.h"
#include "common/metadata.h"
#include "common/thread.h"

#include <pthread.h>
#include <string.h>

enum watch_state {
    WATCH_LOST,      // the next stream begins at resume_at_ms
    WATCH_STREAMING, // a stream goes on
    WATCH_ENDED,     // the status stands
};

struct amdrpc_watch {
    // Set when it is made.
    amdrpc_channel *channel;          // a reference
    const amdrpc_method_desc *method; // NULL: messages stay serialized
    struct amdrpc_metadata metadata;
    struct amdi_arena arena; // of the name and the metadata
    char *name;

    // The reader's.
    enum watch_state state;
    struct amdi_patience patience;
    uint64_t seq;          // of the last event that was read
    uint64_t resume_at_ms; // of the monotonic clock
    amdrpc_status_code status;
    char *status_message; // owned; NULL: ""
    amdrpc_watch_event event;
    struct amdi_arena event_arena; // of its message

    // Any thread, under mtx. The reader alone changes `call`.
    pthread_mutex_t mtx;
    pthread_cond_t cancelled; // told when is_cancelled is set
    amdrpc_client_call *call; // owned; while STREAMING
    bool is_cancelled;
};

/* ---- the state ---- */

static bool
watch_may_enter(enum watch_state state, enum watch_state next)
{
    switch (state) {
    case WATCH_LOST:
        return next == WATCH_STREAMING || next == WATCH_ENDED;
    case WATCH_STREAMING:
        return next == WATCH_LOST || next == WATCH_ENDED;
    case WATCH_ENDED:
        return false;
    }
    return false;
}

/** @call  owned, of STREAMING; else NULL */
static void
watch_set_state(
        amdrpc_watch *watch, enum watch_state next, amdrpc_client_call *call)
{
    amdrpc_client_call *before;
    bool is_late;

    amdi_assert(watch_may_enter(watch->state, next));
    watch->state = next;
    (void)pthread_mutex_lock(&watch->mtx);
    before = watch->call;
    watch->call = call;
    is_late = watch->is_cancelled;
    (void)pthread_mutex_unlock(&watch->mtx);
    amdrpc_client_call_unref(before);
    if (is_late && call != NULL) {
        amdrpc_client_call_cancel(call);
    }
}

static bool
watch_is_cancelled(amdrpc_watch *watch)
{
    (void)pthread_mutex_lock(&watch->mtx);
    bool is_cancelled = watch->is_cancelled;
    (void)pthread_mutex_unlock(&watch->mtx);
    return is_cancelled;
}

static void
watch_end(amdrpc_watch *watch, amdrpc_status_code status, const char *message)
{
    watch->status = status;
    // Without memory for it there is none.
    watch->status_message = amdi_strdup(message);
    watch_set_state(watch, WATCH_ENDED, NULL);
}

/* ---- streams ---- */

static amdrpc_err
watch_start_stream(amdrpc_watch *watch)
{
    Amdrpc__V1__WatchRequest request = AMDRPC__V1__WATCH_REQUEST__INIT;
    const amdrpc_call_options options = {.metadata = &watch->metadata};
    amdrpc_client_call *call = NULL;
    amdrpc_err err = amdrpc_channel_start_call(watch->channel,
            &amdrpc_v1_operations_service.methods[AMDRPC_V1_OPERATIONS_WATCH],
            &options, &call);

    if (err != AMDRPC_OK) {
        return err;
    }
    request.name = watch->name;
    request.after_seq = watch->seq;
    err = amdrpc_client_call_send(call, &request.base);
    if (err != AMDRPC_OK && err != AMDRPC_ECLOSED) {
        amdrpc_client_call_unref(call);
        return err;
    }
    watch_set_state(watch, WATCH_STREAMING, call);
    return AMDRPC_OK;
}

/** The stream has ended without the operation's end. */
static void
watch_lose_stream(amdrpc_watch *watch)
{
    const amdrpc_client_call *call = watch->call;
    amdrpc_status_code status = amdrpc_client_call_get_status(call);
    uint64_t now_ms = amdi_clock_now_ms();
    uint64_t delay_ms = 0;

    if (watch_is_cancelled(watch)) {
        watch_end(watch, AMDRPC_STATUS_CANCELLED, "the watch was cancelled");
        return;
    }
    if (status == AMDRPC_STATUS_OK) {
        status = AMDRPC_STATUS_UNAVAILABLE; // it promised to tell the end
    }
    if (amdi_patience_may_go_on(&watch->patience, status, now_ms, &delay_ms)) {
        watch->resume_at_ms = now_ms + delay_ms;
        watch_set_state(watch, WATCH_LOST, NULL);
        return;
    }
    watch_end(watch, status, amdrpc_client_call_get_status_message(call));
}

/* ---- events ---- */

/**
 * Takes in a response. Errors: AMDRPC_EAGAIN: it is nothing to tell;
 * AMDRPC_EEND: it cannot be read, and the watch has ended.
 */
static amdrpc_err
watch_take(amdrpc_watch *watch, const Amdrpc__V1__WatchResponse *response)
{
    amdi_patience_reset(&watch->patience);
    if (response->seq <= watch->seq) {
        return AMDRPC_EAGAIN; // it was read already
    }
    amdi_arena_reset(&watch->event_arena);
    amdrpc_err err = amdi_watch_event_read(
            response, watch->method, &watch->event_arena, &watch->event);
    if (err == AMDRPC_EPROTO) {
        watch_end(watch, AMDRPC_STATUS_INTERNAL,
                "a message of the operation cannot be read");
        return AMDRPC_EEND;
    }
    if (err == AMDRPC_ENOMEM) {
        // The next stream brings it again.
        watch->resume_at_ms = amdi_clock_now_ms();
        watch_set_state(watch, WATCH_LOST, NULL);
        return err;
    }
    watch->seq = response->seq;
    return err == AMDRPC_OK ? AMDRPC_OK : AMDRPC_EAGAIN;
}

/* ---- waiting ---- */

/** A point in time of the monotonic clock, in ms; UINT64_MAX: never. */
static uint64_t
deadline_after(int64_t timeout_ms)
{
    uint64_t now_ms = amdi_clock_now_ms();

    return timeout_ms < 0 || (uint64_t)timeout_ms > UINT64_MAX - now_ms
            ? UINT64_MAX
            : now_ms + (uint64_t)timeout_ms;
}

static int64_t
deadline_left_ms(uint64_t deadline_ms)
{
    uint64_t now_ms = amdi_clock_now_ms();

    if (deadline_ms == UINT64_MAX) {
        return -1;
    }
    return now_ms >= deadline_ms ? 0 : (int64_t)(deadline_ms - now_ms);
}

/** Sleeps so long, or until the watch is cancelled. */
static void
watch_sleep(amdrpc_watch *watch, uint64_t ms)
{
    const struct timespec until = amdi_clock_deadline(ms);

    (void)pthread_mutex_lock(&watch->mtx);
    while (!watch->is_cancelled &&
            pthread_cond_timedwait(&watch->cancelled, &watch->mtx, &until) ==
                    0) {
    }
    (void)pthread_mutex_unlock(&watch->mtx);
}

/** Waits for the time to ask again. Errors: AMDRPC_ETIMEDOUT and others. */
static amdrpc_err
watch_resume(amdrpc_watch *watch, uint64_t deadline_ms)
{
    uint64_t now_ms = amdi_clock_now_ms();
    bool is_due = watch->resume_at_ms <= deadline_ms;
    uint64_t until_ms = is_due ? watch->resume_at_ms : deadline_ms;

    if (until_ms > now_ms) {
        watch_sleep(watch, until_ms - now_ms);
    }
    if (watch_is_cancelled(watch)) {
        watch_end(watch, AMDRPC_STATUS_CANCELLED, "the watch was cancelled");
        return AMDRPC_OK;
    }
    return is_due ? watch_start_stream(watch) : AMDRPC_ETIMEDOUT;
}

/** One step towards the next event. Errors: AMDRPC_EAGAIN: another one. */
static amdrpc_err
watch_step(amdrpc_watch *watch, uint64_t deadline_ms)
{
    const ProtobufCMessage *message = NULL;
    amdrpc_err err;

    switch (watch->state) {
    case WATCH_LOST:
        err = watch_resume(watch, deadline_ms);
        return err == AMDRPC_OK ? AMDRPC_EAGAIN : err;
    case WATCH_STREAMING:
        err = amdrpc_client_call_recv(
                watch->call, deadline_left_ms(deadline_ms), &message);
        if (err == AMDRPC_OK) {
            return watch_take(
                    watch, (const Amdrpc__V1__WatchResponse *)message);
        }
        if (err == AMDRPC_EEND) {
            watch_lose_stream(watch);
            return AMDRPC_EAGAIN;
        }
        return AMDRPC_ETIMEDOUT;
    case WATCH_ENDED:
        break;
    }
    return AMDRPC_EEND;
}

amdrpc_err
amdrpc_watch_next(
        amdrpc_watch *watch, int64_t timeout_ms, const amdrpc_watch_event **out)
{
    uint64_t deadline_ms = deadline_after(timeout_ms);
    amdrpc_err err = AMDRPC_EAGAIN;

    if (amdi_thread_is_loop()) {
        return AMDRPC_ESTATE;
    }
    if (watch->event.kind == AMDRPC_WATCH_END && watch->state != WATCH_ENDED) {
        watch_end(watch, AMDRPC_STATUS_OK, "");
    }
    while (err == AMDRPC_EAGAIN) {
        err = watch_step(watch, deadline_ms);
    }
    if (err == AMDRPC_OK) {
        *out = &watch->event;
    }
    return err;
}

/* ---- its life ---- */

static amdrpc_err
watch_init(amdrpc_watch *watch, amdrpc_channel *channel, const char *name,
        const amdrpc_operation_options *options)
{
    pthread_condattr_t attr;

    watch->channel = amdrpc_channel_ref(channel);
    watch->status = AMDRPC_STATUS_UNKNOWN;
    amdi_patience_init(&watch->patience, options->max_unavailable_ms);
    amdi_arena_init(&watch->arena, /*max_bytes=*/0);
    amdi_arena_init(&watch->event_arena, /*max_bytes=*/0);
    amdi_metadata_init(&watch->metadata, &watch->arena);
    (void)pthread_mutex_init(&watch->mtx, NULL); // cannot fail on Linux
    (void)pthread_condattr_init(&attr);          // nor these
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&watch->cancelled, &attr);
    (void)pthread_condattr_destroy(&attr);
    watch->name = amdi_arena_strndup(&watch->arena, name, strlen(name));
    if (watch->name == NULL) {
        return AMDRPC_ENOMEM;
    }
    return amdi_metadata_copy(&watch->metadata, options->metadata);
}

amdrpc_err
amdrpc_watch_open(amdrpc_channel *channel, const amdrpc_method_desc *method,
        const char *name, uint64_t after_seq,
        const amdrpc_operation_options *options, amdrpc_watch **out)
{
    static const amdrpc_operation_options defaults;
    amdrpc_watch *watch = amdi_zalloc(sizeof(*watch));

    if (watch == NULL) {
        return AMDRPC_ENOMEM;
    }
    watch->method = method;
    watch->seq = after_seq;
    amdrpc_err err = watch_init(
            watch, channel, name, options == NULL ? &defaults : options);
    if (err == AMDRPC_OK) {
        err = watch_start_stream(watch);
    }
    if (err != AMDRPC_OK) {
        amdrpc_watch_close(watch);
        return err;
    }
    *out = watch;
    return AMDRPC_OK;
}

amdrpc_status_code
amdrpc_watch_get_status(const amdrpc_watch *watch)
{
    return watch->status;
}

const char *
amdrpc_watch_get_status_message(const amdrpc_watch *watch)
{
    return watch->status_message == NULL ? "" : watch->status_message;
}

uint64_t
amdrpc_watch_get_seq(const amdrpc_watch *watch)
{
    return watch->seq;
}

void
amdrpc_watch_cancel(amdrpc_watch *watch)
{
    amdrpc_client_call *call = NULL;

    (void)pthread_mutex_lock(&watch->mtx);
    watch->is_cancelled = true;
    if (watch->call != NULL) {
        call = amdrpc_client_call_ref(watch->call);
    }
    (void)pthread_cond_signal(&watch->cancelled);
    (void)pthread_mutex_unlock(&watch->mtx);
    if (call != NULL) {
        amdrpc_client_call_cancel(call);
        amdrpc_client_call_unref(call);
    }
}

void
amdrpc_watch_close(amdrpc_watch *watch)
{
    if (watch == NULL) {
        return;
    }
    amdrpc_client_call_unref(watch->call);
    amdi_free(watch->status_message);
    amdi_arena_fini(&watch->event_arena);
    amdi_arena_fini(&watch->arena);
    (void)pthread_cond_destroy(&watch->cancelled); // nobody waits
    (void)pthread_mutex_destroy(&watch->mtx);      // nobody holds it
    amdrpc_channel_unref(watch->channel);
    amdi_free(watch);
}
