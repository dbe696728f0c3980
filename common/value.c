/** How values are written in settings: counts, sizes, durations. Pure. */
#include "common/value.h"

#include <stdio.h>
#include <strings.h>

struct unit_name {
    const char *name;
    uint64_t factor;
};

// Largest first; the first name of each factor is the one that is written.
static const struct unit_name count_names[] = {{"", 1}, {NULL, 0}};
static const struct unit_name bytes_names[] = {{"g", 1u << 30},
        {"GiB", 1u << 30}, {"m", 1u << 20}, {"MiB", 1u << 20}, {"k", 1u << 10},
        {"KiB", 1u << 10}, {"", 1}, {NULL, 0}};
static const struct unit_name ms_names[] = {
        {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0}};

static const struct unit_name *
unit_get_names(enum amdi_value_unit unit)
{
    switch (unit) {
    case AMDI_VALUE_COUNT:
        return count_names;
    case AMDI_VALUE_BYTES:
        return bytes_names;
    case AMDI_VALUE_MS:
        return ms_names;
    }
    return count_names;
}

/* Reads digits; returns where they end, or NULL without any or too many. */
static const char *
digits_read(const char *text, uint64_t *out)
{
    const char *at = text;
    uint64_t value = 0;

    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');

        if (value > (UINT64_MAX - digit) / 10) {
            return NULL;
        }
        value = value * 10 + digit;
    }
    *out = value;
    return at == text ? NULL : at;
}

bool
amdi_value_parse(enum amdi_value_unit unit, const char *text, uint64_t *out)
{
    uint64_t number;
    const char *end = digits_read(text, &number);

    if (end == NULL) {
        return false;
    }
    for (const struct unit_name *name = unit_get_names(unit);
            name->name != NULL; name++) {
        if (strcasecmp(end, name->name) == 0) {
            if (number > UINT64_MAX / name->factor) {
                return false;
            }
            *out = number * name->factor;
            return true;
        }
    }
    return false;
}

void
amdi_value_format(enum amdi_value_unit unit, uint64_t value,
        char out[AMDI_VALUE_TEXT_BYTES])
{
    const struct unit_name *name = unit_get_names(unit);

    while (name->factor > 1 && (value == 0 || value % name->factor != 0)) {
        name++;
    }
    (void)snprintf(out, AMDI_VALUE_TEXT_BYTES, "%llu%s", // 20 digits and "ms"
            (unsigned long long)(value / name->factor), name->name);
}
