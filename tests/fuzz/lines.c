/** Inputs that are lines of "name: value". */
#include "tests/fuzz/lines.h"

#include "common/h2/h2_field.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

/** A copy that a sanitizer sees the ends of. */
static char *
copy_of(const uint8_t *data, size_t len)
{
    char *copy = malloc(len > 0 ? len : 1);

    fuzz_check(copy != NULL);
    if (len > 0) {
        memcpy(copy, data, len);
    }
    return copy;
}

static bool
give_line(const uint8_t *line, size_t len,
        bool (*fn)(void *arg, const struct amdi_h2_field *field), void *arg)
{
    const uint8_t *colon = len > 1 ? memchr(line + 1, ':', len - 1) : NULL;
    size_t name_len = colon == NULL ? len : (size_t)(colon - line);
    size_t skip = name_len + (colon == NULL ? 0 : 1);
    struct amdi_h2_field field = {
            .name_len = name_len, .value_len = len - skip};
    char *name = copy_of(line, name_len);
    char *value = copy_of(line + skip, len - skip);
    bool is_going_on = true;

    field.name = name;
    field.value = value;
    if (amdi_h2_field_is_valid(&field)) {
        is_going_on = fn(arg, &field);
    }
    free(name);
    free(value);
    return is_going_on;
}

void
fuzz_each_field(const uint8_t *data, size_t len,
        bool (*fn)(void *arg, const struct amdi_h2_field *field), void *arg)
{
    bool is_going_on = true;

    while (len > 0 && is_going_on) {
        const uint8_t *newline = memchr(data, '\n', len);
        size_t n = newline == NULL ? len : (size_t)(newline - data);

        is_going_on = give_line(data, n, fn, arg);
        n += newline == NULL ? 0 : 1;
        data += n;
        len -= n;
    }
}
