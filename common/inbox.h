/**
 * Messages on their way from a stream to whoever reads them; server and client
 * calls have one each. The loop feeds bytes; a reader takes whole messages.
 */
#ifndef AMDI_INBOX_H
#define AMDI_INBOX_H

#include <amdrpc/err.h>

#include "common/frame.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct amdi_inbox {
    // Loop thread only.
    struct amdi_frame_reader reader;

    // Any thread, under mtx.
    pthread_mutex_t mtx;
    struct amdi_message *queued; // oldest first; owned
    struct amdi_message **queued_end;
    size_t nqueued_bytes;   // with prefixes
    size_t nheld_bytes;     // received, not yet given back to the window
    size_t keep_bytes;      // above this many queued bytes the window closes
    pthread_cond_t *waiter; // of the reader that waits, on its stack; or NULL
    amdrpc_err end;         // AMDRPC_OK while messages may still come
};

void amdi_inbox_init(struct amdi_inbox *inbox, uint32_t max_message_bytes,
        size_t keep_bytes);
void amdi_inbox_fini(struct amdi_inbox *inbox);

/* ---- loop side ---- */

/**
 * Takes bytes of the body; after an end that is an error it only counts them.
 *
 * @out_nmessages  messages completed by them
 * @out_consume    bytes to give back to the window now
 * Errors:         as amdi_frame_reader_push
 */
AMDRPC_NODISCARD amdrpc_err amdi_inbox_feed(struct amdi_inbox *inbox,
        const uint8_t *data, size_t len, size_t *out_nmessages,
        size_t *out_consume);

/**
 * No more bytes follow. @end: AMDRPC_EEND in good order (what is queued can
 * still be read), or the error that readers get at once (what is queued is
 * dropped). The first end counts. Thread: any.
 */
void amdi_inbox_end(struct amdi_inbox *inbox, amdrpc_err end);

/** Tells whether an unfinished message is waiting for bytes. */
bool amdi_inbox_is_partial(const struct amdi_inbox *inbox);

/* ---- reader's side; any thread, one at a time ---- */

/**
 * Takes the oldest message.
 *
 * @timeout_ms   0 never waits, negative waits without limit
 * @out          returned owned; free with amdi_free
 * @out_consume  bytes to give back to the window now, by the loop
 * Errors:       AMDRPC_EAGAIN (only for timeout 0), AMDRPC_ETIMEDOUT,
 *               AMDRPC_EEND, or the error of amdi_inbox_end
 */
AMDRPC_NODISCARD amdrpc_err amdi_inbox_take(struct amdi_inbox *inbox,
        int64_t timeout_ms, struct amdi_message **out, size_t *out_consume);

/** Tells whether amdi_inbox_take would not wait. */
bool amdi_inbox_is_readable(struct amdi_inbox *inbox);

#endif
