/** The table of the daemon's settings: all there is to know about each. */
#ifndef AMDI_SETTINGS_H
#define AMDI_SETTINGS_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum amdi_setting_type {
    AMDI_SETTING_TEXT,     // char *; NULL when unset
    AMDI_SETTING_TEXTS,    // struct amdi_texts
    AMDI_SETTING_MODULE,   // NAME.KEY=VALUE, kept in module_settings
    AMDI_SETTING_COUNT,    // uint32_t
    AMDI_SETTING_BYTES,    // uint32_t
    AMDI_SETTING_BYTES64,  // uint64_t
    AMDI_SETTING_DURATION, // uint32_t, milliseconds
    AMDI_SETTING_CHOICE,   // uint32_t: the value of the choice
};

struct amdi_choice {
    const char *name;
    uint32_t value;
};

/** One row. A setting NAME is --NAME, AMDRPC_NAME and "name = …" in a file. */
struct amdi_setting {
    const char *name;
    enum amdi_setting_type type;
    const char *value_name; // of help: "FILE"
    const char *def;        // as a user would write it; NULL when unset
    const char *def_note;   // the default in words, where def is NULL
    uint64_t min;           // of numbers, inclusive
    uint64_t max;
    const struct amdi_choice *choices; // ends with a NULL name
    // Of texts: what else is wrong with one; NULL: it may be anything.
    amdrpc_err (*check)(const char *value, struct amdi_error *error);
    bool reloadable;
    size_t offset; // of the field in struct amdi_config
    const char *help;
};

#define AMDI_NSETTINGS 81u

/** Returns the row at @index (< AMDI_NSETTINGS); static. */
const struct amdi_setting *amdi_setting_at(size_t index);

/** Returns the row of @name and its index, or NULL. */
const struct amdi_setting *amdi_setting_find(
        const char *name, size_t *out_index);

bool amdi_setting_is_repeatable(const struct amdi_setting *setting);

/* ---- settings_text.c: what people read ---- */

#define AMDI_SETTING_TEXT_BYTES 80u

/** Writes "count", "4m", "1 to 256": what may be said, in words. */
void amdi_setting_format_range(
        const struct amdi_setting *setting, char out[AMDI_SETTING_TEXT_BYTES]);

/** The default as shown to people; static. */
const char *amdi_setting_get_default(const struct amdi_setting *setting);

/** Prints the table for amdrpcd --help. */
void amdi_settings_print_help(FILE *file);

#endif
