/** How values are written in settings: counts, sizes, durations. Pure. */
#ifndef AMDI_VALUE_H
#define AMDI_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum amdi_value_unit {
    AMDI_VALUE_COUNT, // "16"
    AMDI_VALUE_BYTES, // "65536", "64k", "64KiB", "4m", "1g"
    AMDI_VALUE_MS,    // "500ms", "30s", "5m", "1h"; the unit is needed
};

/** Reads a whole number; returns false when the text is not one. */
bool amdi_value_parse(
        enum amdi_value_unit unit, const char *text, uint64_t *out);

#define AMDI_VALUE_TEXT_BYTES 32u

/** Writes the value in the largest unit that shows it exactly. */
void amdi_value_format(enum amdi_value_unit unit, uint64_t value,
        char out[AMDI_VALUE_TEXT_BYTES]);

#endif
