/** What both directions of the JSON mapping share; nobody else's. */
#ifndef AMDI_JSON_INTERNAL_H
#define AMDI_JSON_INTERNAL_H

#include "common/json/json.h"
#include "common/json/json_time.h"
#include "common/wire.h"

#include <string.h>

/** A step on the way to the value in hand; on the stack, innermost last. */
struct json_path {
    const struct json_path *up;
    const char *name; // a field's or a map's key; NULL: an index
    size_t index;
    bool is_key;
};

/**
 * Where we are. The first failure is kept in `err`; after it everything does
 * as little as possible, so that failures need no handling on the way.
 */
struct json_context {
    const struct amdi_descriptors *descriptors;
    struct amdi_json_options options;
    struct amdi_error *error; // may be NULL
    amdrpc_err err;
    const struct json_path *path;
    unsigned depth; // messages we are in
};

static inline bool
amdi_json_is_good(const struct json_context *context)
{
    return context->err == AMDRPC_OK;
}

/** Keeps a failure, its sentence after the path of the value in hand. */
void amdi_json_fail(struct json_context *context, amdrpc_err err,
        const char *format, ...) AMDRPC_PRINTF(3, 4);

/** Keeps @err, if it is one, without a sentence of its own. */
void amdi_json_check(struct json_context *context, amdrpc_err err);

/** Goes into a message; false, and a failure, when that is too deep. */
bool amdi_json_enter(struct json_context *context);

/** The wire type of a field's single values. */
enum amdi_wire_type amdi_json_wire_type(const struct amdi_field *field);

/** Finds the message that a type URL names; NULL and a failure without. */
const struct amdi_message *amdi_json_find_type(
        struct json_context *context, const char *url, size_t len);

/**
 * A character of a FieldMask's path that is the same in both forms. Others are
 * '_', which only the wire has, letters in upper case, which only JSON has, and
 * what no name has.
 */
static inline bool
amdi_json_is_in_both_masks(char c)
{
    return c > ' ' && c <= '~' && strchr("\"\\,_", c) == NULL &&
            (c < 'A' || c > 'Z');
}

#endif
