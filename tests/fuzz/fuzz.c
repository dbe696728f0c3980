/** What the fuzz targets share. */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>

uint8_t
fuzz_take(const uint8_t **data, size_t *len)
{
    if (*len == 0) {
        return 0;
    }
    (*len)--;
    return *(*data)++;
}

void
fuzz_fail(const char *file, int line, const char *what)
{
    (void)fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
    abort();
}
