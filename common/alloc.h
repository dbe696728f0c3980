/** Memory: every allocation of the libraries goes through here. */
#ifndef AMDI_ALLOC_H
#define AMDI_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ProtobufCAllocator;

/** Returns @size bytes, or NULL. Thread: any. */
void *amdi_alloc(size_t size);

/** Returns @size zero bytes, or NULL. Thread: any. */
void *amdi_zalloc(size_t size);

/** Returns room for @count zeroed items; NULL also when that overflows. */
void *amdi_calloc(size_t count, size_t size);

/** As realloc. @ptr is untouched on failure. */
void *amdi_realloc(void *ptr, size_t size);

/** NULL is accepted. */
void amdi_free(void *ptr);

/** Returns an owned copy of a text, or NULL. */
char *amdi_strdup(const char *text);

/** Returns an owned, NUL-terminated copy of @len bytes, or NULL. */
char *amdi_strndup(const char *text, size_t len);

/**
 * Lets the n-th allocation from now on (0: the next) fail once, in this
 * thread and all others; negative: none. For tests. Thread: setup.
 */
void amdi_alloc_fail_at(int64_t n);

/** Tells whether the failure asked for has happened. For tests. */
bool amdi_alloc_has_failed(void);

#endif
