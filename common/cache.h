/**
 * Small blocks that a thread keeps for its next use.
 *
 * Calls come in bursts of hundreds, each with the same few sizes; malloc's own
 * thread cache holds seven of a size. A block may be freed by another thread
 * than took it, and is kept there; what that one has too many of goes to
 * threads that have none. What is kept is bounded, and given back when the
 * thread ends, or has been idle for a while (amdi_cache_thread_flush). Under
 * AddressSanitizer nothing is kept, so that it sees every use of freed memory.
 */
#ifndef AMDI_CACHE_H
#define AMDI_CACHE_H

#include <stddef.h>

// Classes 0 … 15 are 24, 56 … 504 bytes, 16 … 22 are 112, 240 … 8176 bytes:
// with malloc's own header each fills what malloc gives it.
#define AMDI_CACHE_NSMALL 16u
#define AMDI_CACHE_NCLASSES 23u
#define AMDI_CACHE_SMALL_BYTES 504u

// Of a block that is too large for a class.
#define AMDI_CACHE_NONE AMDI_CACHE_NCLASSES

// What one thread keeps of each class; what it has more than that it leaves to
// others. No more, since it lies idle where a thread only gives: a worker that
// freed the requests of calls which wait.
#if defined(__SANITIZE_ADDRESS__) // gcc
#define AMDI_CACHE_BYTES ((size_t)0)
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) // clang
#define AMDI_CACHE_BYTES ((size_t)0)
#endif
#endif
#ifndef AMDI_CACHE_BYTES
#define AMDI_CACHE_BYTES ((size_t)128 * 1024)
#endif

// What lies between threads of each class; the rest goes back to malloc. Enough
// for the calls that one turn of a busy loop handles.
#define AMDI_CACHE_LEFT_BYTES (4 * AMDI_CACHE_BYTES)

/** The bytes of a block of that class. */
static inline size_t
amdi_cache_bytes(unsigned class)
{
    return class < AMDI_CACHE_NSMALL
            ? ((size_t) class + 1) * 32 - 8
            : ((size_t)128 << (class - AMDI_CACHE_NSMALL)) - 16;
}

/** The smallest small class that holds @size (1 … AMDI_CACHE_SMALL_BYTES). */
static inline unsigned
amdi_cache_small_class(size_t size)
{
    return (unsigned)((size + 7) / 32);
}

/** Returns a block, or NULL. Thread: any. */
void *amdi_cache_take(unsigned class);

/** Gives a block of that class back. Thread: any. */
void amdi_cache_give(unsigned class, void *block);

/**
 * A block of any size, from the small class that holds it.
 *
 * @out_class  for amdi_cache_free; AMDI_CACHE_NONE: from malloc
 */
void *amdi_cache_alloc(size_t size, unsigned *out_class);

/** Gives back what amdi_cache_alloc returned. Thread: any. */
void amdi_cache_free(unsigned class, void *block);

/**
 * Frees what the calling thread keeps, and what threads left to each other:
 * when it has nothing to do for now.
 */
void amdi_cache_thread_flush(void);

/** What the calling thread keeps. */
size_t amdi_cache_thread_bytes(void);

#endif
