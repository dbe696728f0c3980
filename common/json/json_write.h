/** What the parts of writing JSON share. */
#ifndef AMDI_JSON_WRITE_H
#define AMDI_JSON_WRITE_H

#include "common/json/json_internal.h"
#include "common/wire.h"

/** One value of a field, as it stands on the wire. */
struct json_item {
    const struct amdi_field *field;
    size_t position; // counts the message's values
    enum amdi_wire_type type;
    uint64_t number;              // of every type but AMDI_WIRE_BYTES
    struct amdi_buf_reader bytes; // of AMDI_WIRE_BYTES
};

struct json_writer {
    struct json_context context;
    struct amdi_buf *out;
    unsigned indent;
    // The values of the messages we are in, those of the innermost last; by
    // field, then as they came. May move whenever a message is entered.
    struct json_item *items; // owned
    size_t nitems;
    size_t size;
};

/** Some of the writer's items. */
struct json_range {
    size_t first;
    size_t end;
};

/* ---- text ---- */

void amdi_json_put(struct json_writer *writer, const char *text, size_t len);
void amdi_json_put_text(struct json_writer *writer, const char *text);

/** Writes a string in quotes; fails unless it is UTF-8. */
void amdi_json_put_string(
        struct json_writer *writer, const void *text, size_t len);
void amdi_json_put_base64(
        struct json_writer *writer, const void *data, size_t len);

/** The shortest digits that give the same number again; NaN in quotes. */
void amdi_json_put_double(struct json_writer *writer, double value);
void amdi_json_put_float(struct json_writer *writer, float value);

/** @bracket is '{' or '['; closing takes '}' or ']'. */
void amdi_json_open(struct json_writer *writer, char bracket);
void amdi_json_close(struct json_writer *writer, char bracket);

/** Goes to the next element: comma, new line. */
void amdi_json_next(struct json_writer *writer);

/** amdi_json_next, then a key. */
void amdi_json_put_key(struct json_writer *writer, const char *key);

/* ---- values ---- */

/** Finds the items of a message; free them with _leave in any case. */
struct json_range amdi_json_index(struct json_writer *writer,
        const struct amdi_message *message, struct amdi_buf_reader wire);
void amdi_json_leave(struct json_writer *writer, struct json_range range);

/** Returns the items of one field. */
struct json_range amdi_json_range_of(const struct json_writer *writer,
        struct json_range range, const struct amdi_field *field);

/** Writes a message in whatever form it has. */
void amdi_json_put_message(struct json_writer *writer,
        const struct amdi_message *message, struct amdi_buf_reader wire);

/** Writes the fields of an ordinary message, without the brackets. */
void amdi_json_put_fields(struct json_writer *writer,
        const struct amdi_message *message, struct amdi_buf_reader wire);

/** Writes a field's value without its name; the default when there is none. */
void amdi_json_put_field_value(struct json_writer *writer,
        const struct amdi_field *field, struct json_range items);

/** Writes one value that is no message. */
void amdi_json_put_scalar(
        struct json_writer *writer, const struct json_item *item);

/** Writes the items of a map. */
void amdi_json_put_map(struct json_writer *writer,
        const struct amdi_field *field, struct json_range items);

/** Writes a message that has a form of its own. */
void amdi_json_put_special(struct json_writer *writer,
        const struct amdi_message *message, struct amdi_buf_reader wire);

#endif
