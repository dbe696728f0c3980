/** Reads messages from JSON: fields, arrays and maps. */
#include "common/json/json_read.h"

#include "common/alloc.h"

#include <string.h>

/* ---- onto the wire ---- */

static amdrpc_err
put_scalar(struct amdi_buf *out, const struct amdi_field *field,
        const struct json_scalar *scalar)
{
    switch (amdi_json_wire_type(field)) {
    case AMDI_WIRE_FIXED64:
        return amdi_wire_put_fixed64(out, scalar->number);
    case AMDI_WIRE_FIXED32:
        return amdi_wire_put_fixed32(out, (uint32_t)scalar->number);
    case AMDI_WIRE_BYTES:
        return amdi_wire_put_bytes(out, scalar->data, scalar->len);
    case AMDI_WIRE_VARINT:
        break;
    }
    return amdi_wire_put_varint(out, scalar->number);
}

void
amdi_json_emit_scalar(struct json_reader *reader,
        const struct amdi_field *field, uint32_t number,
        const struct json_scalar *scalar)
{
    if (number != 0) {
        amdi_json_check(&reader->context,
                amdi_wire_put_tag(
                        reader->out, number, amdi_json_wire_type(field)));
    }
    amdi_json_check(&reader->context, put_scalar(reader->out, field, scalar));
}

size_t
amdi_json_emit_begin(struct json_reader *reader, uint32_t number)
{
    amdi_json_check(&reader->context,
            amdi_wire_put_tag(reader->out, number, AMDI_WIRE_BYTES));
    return amdi_buf_len(reader->out);
}

/* The length goes before what was written, which moves to make room. */
void
amdi_json_emit_end(struct json_reader *reader, size_t begin)
{
    size_t len = amdi_buf_len(reader->out) - begin;
    size_t shift;
    uint8_t *start;
    uint8_t prefix[10];

    if (!amdi_json_is_good(&reader->context)) {
        return;
    }
    // Written at the end first: that makes room, and tells how much is needed.
    amdi_json_check(&reader->context, amdi_wire_put_varint(reader->out, len));
    if (!amdi_json_is_good(&reader->context)) {
        return;
    }
    start = reader->out->data + reader->out->start + begin;
    shift = amdi_buf_len(reader->out) - begin - len;
    memcpy(prefix, start + len, shift);
    memmove(start + shift, start, len);
    memcpy(start, prefix, shift);
}

/* ---- one field ---- */

static bool
field_takes_null(const struct amdi_field *field)
{
    if (field->type == AMDI_FIELD_ENUM) {
        return strcmp(field->enum_type->full_name,
                       "google.protobuf.NullValue") == 0;
    }
    return field->type == AMDI_FIELD_MESSAGE &&
            field->message->kind == AMDI_MESSAGE_VALUE;
}

static void
get_message_value(struct json_reader *reader, const struct amdi_field *field,
        const json_t *json)
{
    size_t begin = amdi_json_emit_begin(reader, field->number);

    amdi_json_get_message(reader, field->message, json);
    amdi_json_emit_end(reader, begin);
}

/* A null among others is no value, but where the type says what it means. */
static void
get_element(struct json_reader *reader, const struct amdi_field *field,
        uint32_t number, const json_t *json)
{
    struct json_scalar scalar;

    if (json_is_null(json) && !field_takes_null(field)) {
        amdi_json_fail(&reader->context, AMDRPC_EINVAL, "may not be null");
    } else if (field->type == AMDI_FIELD_MESSAGE) {
        get_message_value(reader, field, json);
    } else if (amdi_json_get_scalar(reader, field, json, &scalar)) {
        amdi_json_emit_scalar(reader, field, number, &scalar);
        amdi_free(scalar.owned);
    }
}

static void
get_array(struct json_reader *reader, const struct amdi_field *field,
        const json_t *json)
{
    bool is_packed = field->is_packed && json_array_size(json) > 0;
    size_t begin = 0;
    size_t i;
    json_t *element;

    if (!json_is_array(json)) {
        amdi_json_fail_value(reader, json, "array");
        return;
    }
    if (is_packed) {
        begin = amdi_json_emit_begin(reader, field->number);
    }
    json_array_foreach(json, i, element)
    {
        struct json_path step = {.up = reader->context.path, .index = i};

        reader->context.path = &step;
        if (amdi_json_is_good(&reader->context)) {
            get_element(reader, field, is_packed ? 0 : field->number, element);
        }
        reader->context.path = step.up;
    }
    if (is_packed) {
        amdi_json_emit_end(reader, begin);
    }
}

static void
get_entry(struct json_reader *reader, const struct amdi_field *field,
        const char *key, const json_t *json)
{
    const struct amdi_field *key_field = &field->message->fields[0];
    const struct amdi_field *value_field = &field->message->fields[1];
    size_t begin = amdi_json_emit_begin(reader, field->number);
    struct json_scalar scalar;

    if (amdi_json_get_key(reader, key_field, key, &scalar)) {
        amdi_json_emit_scalar(reader, key_field, key_field->number, &scalar);
        get_element(reader, value_field, value_field->number, json);
    }
    amdi_json_emit_end(reader, begin);
}

static void
get_map(struct json_reader *reader, const struct amdi_field *field,
        const json_t *json)
{
    const char *key;
    json_t *value;

    if (!json_is_object(json)) {
        amdi_json_fail_value(reader, json, "object");
        return;
    }
    // jansson's macro has no const, and changes nothing.
    json_object_foreach((json_t *)json, key, value)
    {
        struct json_path step = {
                .up = reader->context.path, .name = key, .is_key = true};

        reader->context.path = &step;
        if (amdi_json_is_good(&reader->context)) {
            get_entry(reader, field, key, value);
        }
        reader->context.path = step.up;
    }
}

/* What equals the default, and could not be told from it, is not written. */
static bool
scalar_is_default(
        const struct amdi_field *field, const struct json_scalar *scalar)
{
    return !field->has_presence &&
            (amdi_json_wire_type(field) == AMDI_WIRE_BYTES
                            ? scalar->len == 0
                            : scalar->number == 0);
}

static void
get_singular(struct json_reader *reader, const struct amdi_field *field,
        const json_t *json)
{
    struct json_scalar scalar;

    if (field->type == AMDI_FIELD_MESSAGE) {
        get_message_value(reader, field, json);
    } else if (amdi_json_get_scalar(reader, field, json, &scalar)) {
        if (!scalar_is_default(field, &scalar)) {
            amdi_json_emit_scalar(reader, field, field->number, &scalar);
        }
        amdi_free(scalar.owned);
    }
}

void
amdi_json_get_field_value(struct json_reader *reader,
        const struct amdi_field *field, const json_t *json)
{
    if (field->type == AMDI_FIELD_GROUP) {
        amdi_json_fail(&reader->context, AMDRPC_EINVAL,
                "is a group, which has no JSON form");
    } else if (field->is_map) {
        get_map(reader, field, json);
    } else if (field->is_repeated) {
        get_array(reader, field, json);
    } else {
        get_singular(reader, field, json);
    }
}

/* ---- the fields of a message ---- */

/* One mark for each field, then one for each oneof: set already. */
static void
mark_set(struct json_reader *reader, const struct amdi_message *message,
        const struct amdi_field *field, bool *marks)
{
    bool *field_mark = &marks[field - message->fields];
    bool *oneof_mark = field->oneof >= 0
            ? &marks[message->nfields + (size_t)field->oneof]
            : NULL;

    if (*field_mark) {
        amdi_json_fail(&reader->context, AMDRPC_EINVAL, "is set twice");
    } else if (oneof_mark != NULL && *oneof_mark) {
        amdi_json_fail(&reader->context, AMDRPC_EINVAL,
                "another field of the oneof %s is set too",
                message->oneofs[field->oneof]);
    }
    *field_mark = true;
    if (oneof_mark != NULL) {
        *oneof_mark = true;
    }
}

static void
get_field(struct json_reader *reader, const struct amdi_message *message,
        const char *key, const json_t *json, bool *marks)
{
    const struct amdi_field *field =
            amdi_message_find_field_by_name(message, key);
    struct json_path step = {.up = reader->context.path, .name = key};

    if (field == NULL) {
        if (!reader->context.options.ignore_unknown) {
            amdi_json_fail(&reader->context, AMDRPC_EINVAL,
                    "%s has no field '%s'", message->full_name, key);
        }
        return;
    }
    if (json_is_null(json) &&
            (field->is_repeated || !field_takes_null(field))) {
        return; // null is as good as nothing
    }
    reader->context.path = &step;
    mark_set(reader, message, field, marks);
    if (amdi_json_is_good(&reader->context)) {
        amdi_json_get_field_value(reader, field, json);
    }
    reader->context.path = step.up;
}

void
amdi_json_get_fields(struct json_reader *reader,
        const struct amdi_message *message, const json_t *json,
        const char *skip)
{
    bool *marks = amdi_calloc(
            message->nfields + message->noneofs + 1, sizeof(*marks));
    const char *key;
    json_t *value;

    if (marks == NULL) {
        amdi_json_check(&reader->context, AMDRPC_ENOMEM);
        return;
    }
    json_object_foreach((json_t *)json, key, value)
    {
        bool is_skipped = skip != NULL && strcmp(key, skip) == 0;

        if (!is_skipped && amdi_json_is_good(&reader->context)) {
            get_field(reader, message, key, value, marks);
        }
    }
    amdi_free(marks);
}

void
amdi_json_get_message(struct json_reader *reader,
        const struct amdi_message *message, const json_t *json)
{
    if (!amdi_json_enter(&reader->context)) {
        return;
    }
    if (message->kind != AMDI_MESSAGE_ORDINARY) {
        amdi_json_get_special(reader, message, json);
    } else if (json_is_object(json)) {
        amdi_json_get_fields(reader, message, json, NULL);
    } else {
        amdi_json_fail_value(reader, json, message->full_name);
    }
    reader->context.depth--;
}

/* ---- the text ---- */

static json_t *
parse_text(struct json_reader *reader, const char *text, size_t len)
{
    json_error_t error = {.line = 0};
    json_t *json;

    if (len > AMDI_JSON_MAX_BYTES) {
        amdi_json_fail(&reader->context, AMDRPC_ELIMIT,
                "the JSON text is longer than %zu bytes", AMDI_JSON_MAX_BYTES);
        return NULL;
    }
    json = json_loadb(text, len,
            JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    // Without the memory to begin, jansson says nothing at all.
    if (json == NULL &&
            (error.text[0] == '\0' ||
                    json_error_code(&error) == json_error_out_of_memory)) {
        amdi_json_check(&reader->context, AMDRPC_ENOMEM);
    } else if (json == NULL) {
        amdi_json_fail(&reader->context, AMDRPC_EINVAL,
                "line %d, column %d: %s", error.line, error.column, error.text);
    }
    return json;
}

amdrpc_err
amdi_json_read(const struct amdi_descriptors *descriptors,
        const struct amdi_message *message, const char *text, size_t len,
        const struct amdi_json_options *options, struct amdi_buf *out,
        struct amdi_error *error)
{
    struct json_reader reader = {
            .context = {.descriptors = descriptors, .error = error}};
    size_t old_len = amdi_buf_len(out);
    json_t *json;

    reader.out = out;
    if (options != NULL) {
        reader.context.options = *options;
    }
    json = parse_text(&reader, text, len);
    if (json != NULL) {
        amdi_json_get_message(&reader, message, json);
        json_decref(json);
    }
    if (!amdi_json_is_good(&reader.context)) {
        out->end = out->start + old_len;
    }
    return reader.context.err;
}
