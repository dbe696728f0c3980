/**
 * Messages on their way from a stream to whoever reads them.
 *
 * The window: bytes that came are held back, which keeps the peer from
 * sending, while more than keep_bytes of complete messages wait for the reader.
 * Otherwise they are given back at once, so that a message longer than the
 * window can be completed.
 */
#include "common/inbox.h"

#include "common/assertion.h"
#include "common/clock.h"
#include "common/frame.h"
#include "common/thread.h"

#include <errno.h>

/** Messages completed by one feed, before they are queued. */
struct inbox_batch {
    struct amdi_message *first;
    struct amdi_message **end;
    size_t nmessages;
    size_t nbytes; // with prefixes
};

static void
inbox_free_messages(struct amdi_message *message)
{
    while (message != NULL) {
        struct amdi_message *next = message->next;

        amdi_message_free(message);
        message = next;
    }
}

static size_t
message_bytes(const struct amdi_message *message)
{
    return AMDI_FRAME_PREFIX_BYTES + (size_t)message->len;
}

void
amdi_inbox_init(
        struct amdi_inbox *inbox, uint32_t max_message_bytes, size_t keep_bytes)
{
    *inbox = (struct amdi_inbox){.keep_bytes = keep_bytes};
    inbox->queued_end = &inbox->queued;
    amdi_frame_reader_init(&inbox->reader, max_message_bytes);
    // A default mutex needs no memory, so this cannot fail on Linux.
    (void)pthread_mutex_init(&inbox->mtx, NULL);
}

void
amdi_inbox_fini(struct amdi_inbox *inbox)
{
    amdi_assert(inbox->waiter == NULL);
    amdi_frame_reader_fini(&inbox->reader);
    inbox_free_messages(inbox->queued);
    (void)pthread_mutex_destroy(&inbox->mtx); // nobody holds it
}

static void
inbox_wake_locked(struct amdi_inbox *inbox)
{
    if (inbox->waiter != NULL) {
        (void)pthread_cond_signal(inbox->waiter); // cannot fail
    }
}

/** Returns what may be given back to the window, and counts it as given. */
static size_t
inbox_give_back_locked(struct amdi_inbox *inbox)
{
    size_t nbytes = 0;

    if (inbox->nqueued_bytes <= inbox->keep_bytes) {
        nbytes = inbox->nheld_bytes;
        inbox->nheld_bytes = 0;
    }
    return nbytes;
}

/* ---- loop side ---- */

static amdrpc_err
inbox_read_messages(struct amdi_inbox *inbox, const uint8_t *data, size_t len,
        struct inbox_batch *batch)
{
    while (len > 0) {
        struct amdi_message *message = NULL;
        size_t ntaken = 0;
        amdrpc_err err = amdi_frame_reader_push(
                &inbox->reader, data, len, &ntaken, &message);

        if (err != AMDRPC_OK) {
            return err;
        }
        data += ntaken;
        len -= ntaken;
        if (message != NULL) {
            message->next = NULL;
            *batch->end = message;
            batch->end = &message->next;
            batch->nmessages++;
            batch->nbytes += message_bytes(message);
        }
    }
    return AMDRPC_OK;
}

/** Queues the batch unless nobody will read it. */
static void
inbox_queue_locked(struct amdi_inbox *inbox, struct inbox_batch *batch)
{
    if (inbox->end != AMDRPC_OK) {
        batch->nmessages = 0;
        return;
    }
    if (batch->first != NULL) {
        *inbox->queued_end = batch->first;
        inbox->queued_end = batch->end;
        inbox->nqueued_bytes += batch->nbytes;
        batch->first = NULL;
        inbox_wake_locked(inbox);
    }
}

amdrpc_err
amdi_inbox_feed(struct amdi_inbox *inbox, const uint8_t *data, size_t len,
        size_t *out_nmessages, size_t *out_consume)
{
    struct inbox_batch batch = {.end = &batch.first};
    amdrpc_err err = inbox_read_messages(inbox, data, len, &batch);

    // What was complete before the error counts for nothing: the stream ends.
    if (err == AMDRPC_OK) {
        (void)pthread_mutex_lock(&inbox->mtx);
        inbox_queue_locked(inbox, &batch);
        inbox->nheld_bytes += len;
        *out_consume = inbox_give_back_locked(inbox);
        (void)pthread_mutex_unlock(&inbox->mtx);
        *out_nmessages = batch.nmessages;
    }
    inbox_free_messages(batch.first);
    return err;
}

void
amdi_inbox_end(struct amdi_inbox *inbox, amdrpc_err end)
{
    struct amdi_message *dropped = NULL;

    amdi_assert(end != AMDRPC_OK);
    (void)pthread_mutex_lock(&inbox->mtx);
    if (inbox->end == AMDRPC_OK) {
        inbox->end = end;
        if (end != AMDRPC_EEND) {
            dropped = inbox->queued;
            inbox->queued = NULL;
            inbox->queued_end = &inbox->queued;
            inbox->nqueued_bytes = 0;
        }
        inbox_wake_locked(inbox);
    }
    (void)pthread_mutex_unlock(&inbox->mtx);
    inbox_free_messages(dropped);
}

bool
amdi_inbox_is_partial(const struct amdi_inbox *inbox)
{
    return amdi_frame_reader_is_partial(&inbox->reader);
}

/* ---- reader's side ---- */

static bool
inbox_is_readable_locked(const struct amdi_inbox *inbox)
{
    return inbox->queued != NULL || inbox->end != AMDRPC_OK;
}

/** Waits until there is something to read, or an end, or the time is up. */
static amdrpc_err
inbox_wait_locked(struct amdi_inbox *inbox, int64_t timeout_ms)
{
    pthread_cond_t cond;
    pthread_condattr_t attr;
    struct timespec until = {0};
    int failure = 0;

    if (timeout_ms > 0) {
        until = amdi_clock_deadline((uint64_t)timeout_ms);
    }
    // None of these can fail on Linux.
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&cond, &attr);
    (void)pthread_condattr_destroy(&attr);
    inbox->waiter = &cond;
    while (!inbox_is_readable_locked(inbox) && failure != ETIMEDOUT) {
        failure = timeout_ms > 0
                ? pthread_cond_timedwait(&cond, &inbox->mtx, &until)
                : pthread_cond_wait(&cond, &inbox->mtx);
    }
    inbox->waiter = NULL;
    (void)pthread_cond_destroy(&cond);
    return inbox_is_readable_locked(inbox) ? AMDRPC_OK : AMDRPC_ETIMEDOUT;
}

static struct amdi_message *
inbox_pop_locked(struct amdi_inbox *inbox)
{
    struct amdi_message *message = inbox->queued;

    inbox->queued = message->next;
    if (inbox->queued == NULL) {
        inbox->queued_end = &inbox->queued;
    }
    inbox->nqueued_bytes -= message_bytes(message);
    message->next = NULL;
    return message;
}

amdrpc_err
amdi_inbox_take(struct amdi_inbox *inbox, int64_t timeout_ms,
        struct amdi_message **out, size_t *out_consume)
{
    amdrpc_err err = AMDRPC_OK;

    amdi_assert(timeout_ms == 0 || !amdi_thread_is_loop());
    (void)pthread_mutex_lock(&inbox->mtx);
    if (!inbox_is_readable_locked(inbox)) {
        err = timeout_ms == 0 ? AMDRPC_EAGAIN
                              : inbox_wait_locked(inbox, timeout_ms);
    }
    if (err == AMDRPC_OK && inbox->queued == NULL) {
        err = inbox->end;
    }
    if (err == AMDRPC_OK) {
        *out = inbox_pop_locked(inbox);
        *out_consume = inbox_give_back_locked(inbox);
    }
    (void)pthread_mutex_unlock(&inbox->mtx);
    return err;
}

bool
amdi_inbox_is_readable(struct amdi_inbox *inbox)
{
    bool is_readable;

    (void)pthread_mutex_lock(&inbox->mtx);
    is_readable = inbox_is_readable_locked(inbox);
    (void)pthread_mutex_unlock(&inbox->mtx);
    return is_readable;
}
