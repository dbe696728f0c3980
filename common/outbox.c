/**
 * Framed messages on their way from any thread to a stream.
 *
 * Chunks move one way: queued (producers, under the lock) → sending (loop) →
 * spent (loop, referenced by a write in progress) → freed. While a stream is
 * in flow its large chunks go back to the producers instead: to free memory of
 * that size here and take it there costs the pages' faults each time. Small
 * messages that follow each other before the loop comes by share a chunk; so a
 * stream of them costs one lock and one memcpy each. A chunk that was collected
 * is never written to again, so the loop reads it without the lock.
 */
#include "common/outbox.h"

#include "common/alloc.h"
#include "common/arena.h"
#include "common/assertion.h"
#include "common/frame.h"
#include "common/thread.h"

#include <string.h>

// Frames up to this size are written under the lock, into a shared chunk.
#define SMALL_BYTES 1024u
// Shared chunks grow to this size; a DATA frame is usually as long.
#define CHUNK_BYTES 16384u
#define CHUNK_MIN_BYTES 512u
#define CHUNK_GROWTH 4u

struct amdi_chunk {
    struct amdi_chunk *next;
    size_t len;
    size_t room;
    size_t nmessages;
    bool is_in_arena; // its memory goes with the arena
    uint8_t data[];
};

/** A message to be framed. */
struct outbox_frame {
    size_t len;
    bool is_compressed;
    void (*write)(uint8_t *out, const void *arg);
    const void *arg;
};

/* ---- chunks ---- */

static struct amdi_chunk *
chunk_create(size_t room, struct amdi_arena *arena)
{
    struct amdi_chunk *chunk = NULL;
    bool is_in_arena = false;

    if (arena != NULL) {
        chunk = amdi_arena_alloc(arena, sizeof(*chunk) + room);
        is_in_arena = chunk != NULL;
    }
    if (chunk == NULL) {
        chunk = amdi_alloc(sizeof(*chunk) + room);
    }
    if (chunk == NULL) {
        return NULL;
    }
    chunk->next = NULL;
    chunk->len = 0;
    chunk->room = room;
    chunk->nmessages = 0;
    chunk->is_in_arena = is_in_arena;
    return chunk;
}

static void
chunk_free(struct amdi_chunk *chunk)
{
    if (!chunk->is_in_arena) {
        amdi_free(chunk);
    }
}

static void
chunk_free_all(struct amdi_chunk *chunk)
{
    while (chunk != NULL) {
        struct amdi_chunk *next = chunk->next;

        chunk_free(chunk);
        chunk = next;
    }
}

static void
chunk_add_message(struct amdi_chunk *chunk, const struct outbox_frame *frame)
{
    uint8_t *out = chunk->data + chunk->len;

    amdi_frame_write_prefix(out, frame->is_compressed, (uint32_t)frame->len);
    frame->write(out + AMDI_FRAME_PREFIX_BYTES, frame->arg);
    chunk->len += AMDI_FRAME_PREFIX_BYTES + frame->len;
    chunk->nmessages++;
}

/* ---- life ---- */

void
amdi_outbox_init(struct amdi_outbox *outbox, size_t high_water_bytes)
{
    *outbox = (struct amdi_outbox){.high_water_bytes = high_water_bytes};
    outbox->sending_end = &outbox->sending;
    outbox->queued_end = &outbox->queued;
    outbox->queued_last = NULL;
    // A default mutex needs no memory, so this cannot fail on Linux.
    (void)pthread_mutex_init(&outbox->mtx, NULL);
    (void)pthread_cond_init(&outbox->has_room, NULL); // nor this
}

void
amdi_outbox_fini(struct amdi_outbox *outbox)
{
    amdi_assert(outbox->nblocked == 0);
    chunk_free_all(outbox->sending);
    chunk_free_all(outbox->spent);
    chunk_free_all(outbox->queued);
    chunk_free_all(outbox->spare);
    (void)pthread_cond_destroy(&outbox->has_room); // nobody waits …
    (void)pthread_mutex_destroy(&outbox->mtx);     // … or holds it
}

/* ---- producers ---- */

static bool
outbox_has_room_locked(const struct amdi_outbox *outbox, size_t need)
{
    // A message above the mark must get through as well, alone.
    return outbox->nwaiting == 0 ||
            (need <= outbox->high_water_bytes &&
                    outbox->nwaiting <= outbox->high_water_bytes - need);
}

/** Unlocks and then wakes, so that who is woken finds no lock held. */
static void
outbox_unlock_and_wake(struct amdi_outbox *outbox)
{
    bool is_awaited = outbox->nblocked > 0;

    (void)pthread_mutex_unlock(&outbox->mtx);
    if (is_awaited) {
        (void)pthread_cond_broadcast(&outbox->has_room); // cannot fail
    }
}

/** Takes room for @need bytes, waiting for it if that is allowed. */
static amdrpc_err
outbox_reserve_locked(struct amdi_outbox *outbox, size_t need, bool may_block)
{
    while (!outbox->is_closed && !outbox_has_room_locked(outbox, need)) {
        if (!may_block) {
            outbox->is_starved = true;
            return AMDRPC_EAGAIN;
        }
        outbox->nblocked++;
        (void)pthread_cond_wait(&outbox->has_room, &outbox->mtx);
        outbox->nblocked--;
    }
    if (outbox->is_closed) {
        return AMDRPC_ECANCELED;
    }
    outbox->nwaiting += need;
    return AMDRPC_OK;
}

static void
outbox_link_locked(struct amdi_outbox *outbox, struct amdi_chunk *chunk)
{
    *outbox->queued_end = chunk;
    outbox->queued_end = &chunk->next;
    outbox->queued_last = chunk;
}

/** Returns the chunk that the next small message goes to, or NULL. */
static struct amdi_chunk *
outbox_shared_chunk_locked(
        struct amdi_outbox *outbox, size_t need, struct amdi_arena *arena)
{
    struct amdi_chunk *last = outbox->queued_last;
    size_t room = need;

    if (last != NULL && last->room - last->len >= need) {
        return last;
    }
    if (last != NULL) {
        // Messages come faster than they are collected: make room for more.
        room = last->room < CHUNK_BYTES / CHUNK_GROWTH
                ? last->room * CHUNK_GROWTH
                : CHUNK_BYTES;
        room = room < CHUNK_MIN_BYTES ? CHUNK_MIN_BYTES : room;
        room = room < need ? need : room;
        arena = NULL; // it was for the only message
    }
    last = chunk_create(room, arena);
    if (last != NULL) {
        outbox_link_locked(outbox, last);
    }
    return last;
}

static amdrpc_err
outbox_push_small(struct amdi_outbox *outbox, const struct outbox_frame *frame,
        bool may_block, struct amdi_arena *arena)
{
    size_t need = AMDI_FRAME_PREFIX_BYTES + frame->len;
    struct amdi_chunk *chunk;
    amdrpc_err err;

    (void)pthread_mutex_lock(&outbox->mtx);
    err = outbox_reserve_locked(outbox, need, may_block);
    if (err == AMDRPC_OK) {
        chunk = outbox_shared_chunk_locked(outbox, need, arena);
        if (chunk != NULL) {
            chunk_add_message(chunk, frame);
        } else {
            outbox->nwaiting -= need;
            err = AMDRPC_ENOMEM;
        }
    }
    (void)pthread_mutex_unlock(&outbox->mtx);
    return err;
}

/** Returns a used chunk for @need bytes that wastes little, or NULL. */
static struct amdi_chunk *
outbox_take_spare_locked(struct amdi_outbox *outbox, size_t need)
{
    struct amdi_chunk *chunk = outbox->spare;

    if (chunk == NULL || chunk->room < need || chunk->room / 2 > need) {
        return NULL;
    }
    outbox->spare = chunk->next;
    outbox->nspare -= chunk->room;
    chunk->next = NULL;
    chunk->len = 0;
    chunk->nmessages = 0;
    return chunk;
}

/** Gives back the room of a message that could not be made. */
static void
outbox_give_back(struct amdi_outbox *outbox, size_t need)
{
    (void)pthread_mutex_lock(&outbox->mtx);
    outbox->nwaiting -= need;
    outbox_unlock_and_wake(outbox);
}

static amdrpc_err
outbox_push_big(struct amdi_outbox *outbox, const struct outbox_frame *frame,
        bool may_block, struct amdi_arena *arena)
{
    size_t need = AMDI_FRAME_PREFIX_BYTES + frame->len;
    struct amdi_chunk *chunk = NULL;
    amdrpc_err err;

    (void)pthread_mutex_lock(&outbox->mtx);
    err = outbox_reserve_locked(outbox, need, may_block);
    if (err == AMDRPC_OK) {
        chunk = outbox_take_spare_locked(outbox, need);
    }
    (void)pthread_mutex_unlock(&outbox->mtx);
    if (err != AMDRPC_OK) {
        return err;
    }
    // The loop must not wait for the lock while a big message is written.
    if (chunk == NULL) {
        chunk = chunk_create(need, arena);
    }
    if (chunk == NULL) {
        outbox_give_back(outbox, need);
        return AMDRPC_ENOMEM;
    }
    chunk_add_message(chunk, frame);
    (void)pthread_mutex_lock(&outbox->mtx);
    if (outbox->is_closed) {
        err = AMDRPC_ECANCELED;
    } else {
        outbox_link_locked(outbox, chunk);
    }
    (void)pthread_mutex_unlock(&outbox->mtx);
    if (err != AMDRPC_OK) {
        chunk_free(chunk);
    }
    return err;
}

static amdrpc_err
outbox_push_frame(struct amdi_outbox *outbox, const struct outbox_frame *frame,
        bool may_block, struct amdi_arena *arena)
{
    amdi_assert(!may_block || !amdi_thread_is_loop());
    if (frame->len > UINT32_MAX) {
        return AMDRPC_ELIMIT;
    }
    if (frame->len + AMDI_FRAME_PREFIX_BYTES <= SMALL_BYTES) {
        return outbox_push_small(outbox, frame, may_block, arena);
    }
    return outbox_push_big(outbox, frame, may_block, arena);
}

amdrpc_err
amdi_outbox_push(struct amdi_outbox *outbox, size_t len, bool may_block,
        struct amdi_arena *arena, void (*write)(uint8_t *out, const void *arg),
        const void *arg)
{
    const struct outbox_frame frame = {.len = len, .write = write, .arg = arg};

    return outbox_push_frame(outbox, &frame, may_block, arena);
}

static void
message_write(uint8_t *out, const void *arg)
{
    const struct amdi_message *message = arg;

    memcpy(out, message->data, message->len);
}

amdrpc_err
amdi_outbox_push_message(struct amdi_outbox *outbox,
        const struct amdi_message *message, bool may_block)
{
    const struct outbox_frame frame = {.len = message->len,
            .is_compressed = message->is_compressed,
            .write = message_write,
            .arg = message};

    return outbox_push_frame(outbox, &frame, may_block, /*arena=*/NULL);
}

void
amdi_outbox_close(struct amdi_outbox *outbox)
{
    struct amdi_chunk *dropped;

    (void)pthread_mutex_lock(&outbox->mtx);
    dropped = outbox->queued;
    outbox->queued = NULL;
    outbox->queued_end = &outbox->queued;
    outbox->queued_last = NULL;
    outbox->is_closed = true;
    outbox_unlock_and_wake(outbox);
    chunk_free_all(dropped);
}

/* ---- loop side ---- */

size_t
amdi_outbox_collect(struct amdi_outbox *outbox)
{
    struct amdi_chunk *queued;
    struct amdi_chunk **queued_end;

    (void)pthread_mutex_lock(&outbox->mtx);
    queued = outbox->queued;
    queued_end = outbox->queued_end;
    outbox->queued = NULL;
    outbox->queued_end = &outbox->queued;
    outbox->queued_last = NULL;
    (void)pthread_mutex_unlock(&outbox->mtx);

    if (queued != NULL) {
        *outbox->sending_end = queued;
        outbox->sending_end = queued_end;
        for (; queued != NULL; queued = queued->next) {
            outbox->nsending += queued->len;
        }
    }
    return outbox->nsending;
}

/** Moves the first chunk, of which all was taken, aside. */
static void
outbox_spend_first(struct amdi_outbox *outbox)
{
    struct amdi_chunk *chunk = outbox->sending;

    outbox->sending = chunk->next;
    if (outbox->sending == NULL) {
        outbox->sending_end = &outbox->sending;
    }
    outbox->offset = 0;
    chunk->next = outbox->spent;
    outbox->spent = chunk;
}

static void
outbox_give_piece(struct amdi_out *out, const uint8_t *data, size_t len)
{
    // A place stays free for a copy that follows the reference.
    if (len >= AMDI_OUT_REFERENCE_BYTES && out->niov + 2 <= AMDI_OUT_NIOV) {
        amdi_out_reference(out, data, len);
    } else {
        amdi_out_copy(out, data, len);
    }
}

size_t
amdi_outbox_take(struct amdi_outbox *outbox, struct amdi_out *out, size_t len)
{
    size_t nmessages = 0;

    amdi_assert(len <= outbox->nsending);
    outbox->nsending -= len;
    outbox->ntaken += len;
    while (len > 0) {
        struct amdi_chunk *chunk = outbox->sending;
        size_t left = chunk->len - outbox->offset;
        size_t piece = left < len ? left : len;

        outbox_give_piece(out, chunk->data + outbox->offset, piece);
        outbox->offset += piece;
        len -= piece;
        if (piece == left) {
            nmessages += chunk->nmessages;
            outbox_spend_first(outbox);
        }
    }
    return nmessages;
}

/** Keeps a chunk for the next message; false when it had better be freed. */
static bool
outbox_spare_locked(struct amdi_outbox *outbox, struct amdi_chunk *chunk)
{
    // All that a call holds stays below the mark.
    if (chunk->is_in_arena || chunk->room <= CHUNK_BYTES ||
            outbox->nwaiting + outbox->nspare + chunk->room >
                    outbox->high_water_bytes) {
        return false;
    }
    chunk->next = outbox->spare;
    outbox->spare = chunk;
    outbox->nspare += chunk->room;
    return true;
}

/** Keeps what was spent while the stream flows; returns what is to be freed. */
static struct amdi_chunk *
outbox_recycle_locked(struct amdi_outbox *outbox)
{
    bool is_in_flow = outbox->nwaiting > 0 || outbox->nblocked > 0;
    struct amdi_chunk *chunk = outbox->spent;
    struct amdi_chunk *freed = NULL;

    outbox->spent = NULL;
    if (!is_in_flow) {
        // Nothing follows for now, and may not for long.
        freed = outbox->spare;
        outbox->spare = NULL;
        outbox->nspare = 0;
    }
    while (chunk != NULL) {
        struct amdi_chunk *next = chunk->next;

        if (!is_in_flow || !outbox_spare_locked(outbox, chunk)) {
            chunk->next = freed;
            freed = chunk;
        }
        chunk = next;
    }
    return freed;
}

bool
amdi_outbox_release(struct amdi_outbox *outbox)
{
    struct amdi_chunk *freed = NULL;
    bool has_ended_famine = false;

    if (outbox->ntaken == 0) {
        return false;
    }
    (void)pthread_mutex_lock(&outbox->mtx);
    outbox->nwaiting -= outbox->ntaken;
    freed = outbox_recycle_locked(outbox);
    // Not for every bit of room: a producer that is woken should find some.
    if (outbox->nwaiting <= outbox->high_water_bytes / 2) {
        has_ended_famine = outbox->is_starved;
        outbox->is_starved = false;
        outbox_unlock_and_wake(outbox);
    } else {
        (void)pthread_mutex_unlock(&outbox->mtx);
    }
    chunk_free_all(freed);
    outbox->ntaken = 0;
    return has_ended_famine;
}

void
amdi_outbox_rewind(struct amdi_outbox *outbox)
{
    while (outbox->spent != NULL) {
        struct amdi_chunk *chunk = outbox->spent; // newest first

        outbox->spent = chunk->next;
        if (outbox->sending == NULL) {
            outbox->sending_end = &chunk->next;
        }
        chunk->next = outbox->sending;
        outbox->sending = chunk;
    }
    outbox->offset = 0;
    outbox->nsending += outbox->ntaken;
    outbox->ntaken = 0;
}
