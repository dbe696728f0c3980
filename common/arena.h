/**
 * Per-call memory: allocate piece by piece, free all at once.
 *
 * An arena lies in its owner's struct and starts with no memory of its own.
 * Its first block is small, so that a waiting call costs little; each later
 * one is twice as large, up to a limit. A thread keeps some of the blocks that
 * it freed for its next arenas, so that a call costs no malloc once a thread
 * is warm. No lock: one thread at a time, but not always the same one.
 */
#ifndef AMDI_ARENA_H
#define AMDI_ARENA_H

#include <protobuf-c/protobuf-c.h>

#include <stddef.h>

struct amdi_arena_block;

struct amdi_arena {
    char *next; // free bytes of the newest block: next … end
    char *end;
    struct amdi_arena_block *blocks; // newest first; owned
    size_t used_bytes;               // given out so far
    size_t max_bytes;                // 0: unlimited
};

/**
 * Makes an empty arena. @max_bytes bounds what it gives out, alignment
 * included; 0: unlimited.
 */
void amdi_arena_init(struct amdi_arena *arena, size_t max_bytes);

/** Frees everything that came from it; it is empty afterwards. */
void amdi_arena_fini(struct amdi_arena *arena);

/** As fini, but keeps the first small block for the next use. */
void amdi_arena_reset(struct amdi_arena *arena);

/** Returns @size bytes aligned for anything, or NULL (memory or limit). */
void *amdi_arena_alloc(struct amdi_arena *arena, size_t size);

/** Returns a NUL-terminated copy of @len bytes, or NULL. */
char *amdi_arena_strndup(
        struct amdi_arena *arena, const char *text, size_t len);

/** Lets protobuf-c allocate from the arena; its frees do nothing. */
ProtobufCAllocator amdi_arena_allocator(struct amdi_arena *arena);

#endif
