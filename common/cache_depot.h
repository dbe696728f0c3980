/**
 * Small blocks that threads leave to each other.
 *
 * Here lies what threads had too many of, for threads that have none. A loop
 * takes the memory of a request, which a worker gives back; a worker takes that
 * of an answer, which the loop gives back. Moved many at a time, they cost a
 * lock once for many calls, and malloc nothing. What lies here is bounded by
 * AMDI_CACHE_LEFT_BYTES for each class.
 */
#ifndef AMDI_CACHE_DEPOT_H
#define AMDI_CACHE_DEPOT_H

#include <stdbool.h>
#include <stddef.h>

/** A block that nobody uses, in a list of its class. */
struct amdi_cache_block {
    struct amdi_cache_block *next;
    struct amdi_cache_block *next_batch; // the depot's own
};

void amdi_cache_blocks_free(struct amdi_cache_block *list);

/**
 * Moves some blocks of a list with @nbytes here, if there is room, and enough
 * of them. Returns how many bytes it were, or 0. Thread: any.
 */
size_t amdi_depot_put(
        unsigned class, struct amdi_cache_block **list, size_t nbytes);

/** Tells whether it is worth to ask. Thread: any. */
bool amdi_depot_has(unsigned class);

/** Returns a list, owned, of @out_nbytes; or NULL. Thread: any. */
struct amdi_cache_block *amdi_depot_take(unsigned class, size_t *out_nbytes);

/** Frees what lies here. Thread: any. */
void amdi_depot_flush(void);

#endif
