/** What the parts of reading JSON share. */
#ifndef AMDI_JSON_READ_H
#define AMDI_JSON_READ_H

#include "common/json/json_internal.h"
#include "common/wire.h"

#include <jansson.h>

struct json_reader {
    struct json_context context;
    struct amdi_buf *out;
};

/** A value that is no message, ready for the wire. */
struct json_scalar {
    uint64_t number; // of every type but strings and bytes, as on the wire
    const void *data;
    size_t len;
    void *owned; // what data lies in, or NULL; amdi_free
};

/** Understands a value of @field; a failure and false when it is none. */
bool amdi_json_get_scalar(struct json_reader *reader,
        const struct amdi_field *field, const json_t *json,
        struct json_scalar *out);

/** As amdi_json_get_scalar, from the key of a map. */
bool amdi_json_get_key(struct json_reader *reader,
        const struct amdi_field *field, const char *key,
        struct json_scalar *out);

/** Appends a value, with its tag when @number is not 0. */
void amdi_json_emit_scalar(struct json_reader *reader,
        const struct amdi_field *field, uint32_t number,
        const struct json_scalar *scalar);

/**
 * Appends the tag of something that has a length, which is filled in at the
 * end; returns where it begins.
 */
size_t amdi_json_emit_begin(struct json_reader *reader, uint32_t number);
void amdi_json_emit_end(struct json_reader *reader, size_t begin);

/** Appends a message from whatever form it has. */
void amdi_json_get_message(struct json_reader *reader,
        const struct amdi_message *message, const json_t *json);

/** Appends the fields of an ordinary message; @skip is a key to pass over. */
void amdi_json_get_fields(struct json_reader *reader,
        const struct amdi_message *message, const json_t *json,
        const char *skip);

/** Appends what a JSON value says about a field, under its tag. */
void amdi_json_get_field_value(struct json_reader *reader,
        const struct amdi_field *field, const json_t *json);

/** Appends a message that has a form of its own. */
void amdi_json_get_special(struct json_reader *reader,
        const struct amdi_message *message, const json_t *json);

/** Keeps the failure "'abc' is no uint32". */
void amdi_json_fail_value(
        struct json_reader *reader, const json_t *json, const char *expected);

#endif
