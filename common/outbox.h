/**
 * Framed messages on their way from any thread to a stream; server and client
 * calls have one each.
 *
 * Producers add messages under the lock; small ones share a chunk. The loop
 * takes chunks and sends them. The bytes that wait, on either side, are bounded
 * by a high-water mark: a producer that may block waits for room, others are
 * told "again".
 */
#ifndef AMDI_OUTBOX_H
#define AMDI_OUTBOX_H

#include <amdrpc/err.h>

#include "common/out.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct amdi_arena;
struct amdi_chunk;
struct amdi_message;

struct amdi_outbox {
    // Loop thread only.
    struct amdi_chunk *sending; // oldest first; owned
    struct amdi_chunk **sending_end;
    size_t nsending;          // bytes left in `sending`
    size_t offset;            // bytes of the first chunk that were taken
    struct amdi_chunk *spent; // taken; freed once the write is done
    size_t ntaken;            // bytes taken since the last release

    // Any thread, under mtx.
    pthread_mutex_t mtx;
    struct amdi_chunk *queued; // oldest first; owned
    struct amdi_chunk **queued_end;
    struct amdi_chunk *queued_last; // NULL while nothing is queued
    size_t nwaiting;                // bytes queued, sending or not yet released
    size_t high_water_bytes;
    struct amdi_chunk *spare; // of large messages, for the next; owned
    size_t nspare;            // bytes of them
    pthread_cond_t has_room;  // or is closed; what producers wait for
    unsigned nblocked;        // producers that wait
    bool is_starved;          // a producer was told "again"
    bool is_closed;           // no more messages
};

void amdi_outbox_init(struct amdi_outbox *outbox, size_t high_water_bytes);
void amdi_outbox_fini(struct amdi_outbox *outbox);

/**
 * Frames a message: writes its prefix and lets @write put the @len bytes of
 * the message behind it. A message above the mark goes alone.
 *
 * Thread:      any
 * @may_block   wait for room (never on a loop thread)
 * @arena       the caller's own, where the chunk's memory may come from when
 *              the message is the call's only one; NULL: the heap
 * @write       must not block nor touch the outbox: a lock may be held
 * Errors:      AMDRPC_EAGAIN     no room; amdi_outbox_release tells later
 *              AMDRPC_ECANCELED  closed
 *              AMDRPC_ELIMIT     longer than a prefix can say
 *              AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_outbox_push(struct amdi_outbox *outbox,
        size_t len, bool may_block, struct amdi_arena *arena,
        void (*write)(uint8_t *out, const void *arg), const void *arg);

/**
 * Frames a message that is there already, compressed or not; as
 * amdi_outbox_push otherwise. @message: borrowed until return.
 */
AMDRPC_NODISCARD amdrpc_err amdi_outbox_push_message(struct amdi_outbox *outbox,
        const struct amdi_message *message, bool may_block);

/**
 * Drops what was not collected and lets producers fail with AMDRPC_ECANCELED.
 * What was collected can still be taken, so a message in progress can be
 * completed. Thread: any.
 */
void amdi_outbox_close(struct amdi_outbox *outbox);

/* ---- loop side ---- */

/** Moves what producers queued to the sending side; returns bytes ready. */
size_t amdi_outbox_collect(struct amdi_outbox *outbox);

/**
 * Gives @len bytes (at most those ready) to @out, which must have room for all
 * of them (amdi_out_has_room), though long pieces are only referenced. Returns
 * how many messages are on their way with these bytes: small ones that share
 * memory count together, with the last of them.
 */
size_t amdi_outbox_take(
        struct amdi_outbox *outbox, struct amdi_out *out, size_t len);

/**
 * Frees what was taken, or keeps it for messages that are about to follow, and
 * wakes a waiting producer; to be called after the bytes have been written.
 * Returns true when a producer had been told "again"
 * and there is room now.
 */
bool amdi_outbox_release(struct amdi_outbox *outbox);

/**
 * Makes what was taken since the last release ready to be taken again: for a
 * stream that the peer did not look at.
 */
void amdi_outbox_rewind(struct amdi_outbox *outbox);

#endif
