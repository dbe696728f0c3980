/** Memory: the C library's malloc, with a failure that tests can ask for. */
#include "common/alloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

// What every allocation pays for the tests is one relaxed load of this flag.
static atomic_bool alloc_is_armed;
static _Atomic int64_t alloc_countdown;
static atomic_bool alloc_has_failed;

static bool
alloc_count_down(void)
{
    if (atomic_fetch_sub(&alloc_countdown, 1) != 0) {
        return false;
    }
    atomic_store(&alloc_is_armed, false);
    atomic_store(&alloc_has_failed, true);
    return true;
}

static inline bool
alloc_must_fail(void)
{
    bool is_armed = atomic_load_explicit(&alloc_is_armed, memory_order_relaxed);

    return __builtin_expect(is_armed, 0) && alloc_count_down();
}

void *
amdi_alloc(size_t size)
{
    return alloc_must_fail() ? NULL : malloc(size);
}

void *
amdi_zalloc(size_t size)
{
    return amdi_calloc(1, size);
}

// calloc checks this too, but a sanitizer's calloc ends the program over it.
void *
amdi_calloc(size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size) {
        return NULL;
    }
    return alloc_must_fail() ? NULL : calloc(count, size);
}

// A size of 0 would free the memory and return NULL, which reads as failure.
void *
amdi_realloc(void *ptr, size_t size)
{
    return alloc_must_fail() ? NULL : realloc(ptr, size > 0 ? size : 1);
}

void
amdi_free(void *ptr)
{
    free(ptr);
}

char *
amdi_strdup(const char *text)
{
    return amdi_strndup(text, strlen(text));
}

char *
amdi_strndup(const char *text, size_t len)
{
    char *copy = len < SIZE_MAX ? amdi_alloc(len + 1) : NULL;

    if (copy == NULL) {
        return NULL;
    }
    if (len > 0) {
        memcpy(copy, text, len);
    }
    copy[len] = '\0';
    return copy;
}

void
amdi_alloc_fail_at(int64_t n)
{
    atomic_store(&alloc_has_failed, false);
    atomic_store(&alloc_countdown, n);
    atomic_store(&alloc_is_armed, n >= 0);
}

bool
amdi_alloc_has_failed(void)
{
    return atomic_load(&alloc_has_failed);
}
