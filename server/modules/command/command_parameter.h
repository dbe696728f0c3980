/** What a client may give a program: a parameter's type and limits. Pure. */
#ifndef AMDI_COMMAND_PARAMETER_H
#define AMDI_COMMAND_PARAMETER_H

#include <amdrpc/err.h>

#include "common/arena.h"
#include "common/error.h"

#include <regex.h>
#include <stdbool.h>
#include <stdint.h>

// The longest value, unless the settings say less; clients write it.
#define AMDI_COMMAND_VALUE_BYTES 4096

enum amdi_command_type {
    AMDI_COMMAND_STRING,
    AMDI_COMMAND_PATH,
    AMDI_COMMAND_INT,
    AMDI_COMMAND_ENUM,
};

/** Lies in an arena. */
struct amdi_command_parameter {
    struct amdi_command_parameter *next;
    const char *name;
    const char *type_text; // "enum(a,b)"
    enum amdi_command_type type;
    int64_t min; // of an int's value, else of the length in bytes
    int64_t max;
    const char *below;        // of a path: the folder; NULL: anywhere
    const char *pattern_text; // NULL: none
    regex_t pattern;          // owned, if there is a text
    bool allows_dash;         // a value may begin with "-"
    bool is_used;             // in the arguments
    const char *fallback;     // of its place there; NULL: it is required
};

/**
 * Reads a type: "string", "path", "int" or "enum(a,b)".
 *
 * @out     in @arena; to be given to _fini
 * Errors:  AMDRPC_EINVAL, AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_command_parameter_create(
        struct amdi_arena *arena, const char *name, const char *type,
        struct amdi_command_parameter **out, struct amdi_error *error);

void amdi_command_parameter_fini(struct amdi_command_parameter *parameter);

/** Sets "min", "max", "below", "pattern" or "dash". Errors as above. */
AMDRPC_NODISCARD amdrpc_err amdi_command_parameter_set(
        struct amdi_command_parameter *parameter, struct amdi_arena *arena,
        const char *name, const char *value, struct amdi_error *error);

/**
 * Tells whether a client may give this value. @error names the parameter, and
 * not the value, which may be anything.
 *
 * Thread:  any
 */
bool amdi_command_parameter_takes(
        const struct amdi_command_parameter *parameter, const char *value,
        struct amdi_error *error);

#endif
