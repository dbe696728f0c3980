/** Reads the messages that have a JSON form of their own. */
#include "common/json/json_read.h"

#include <string.h>

static void
emit_varint(struct json_reader *reader, uint32_t number, int64_t value)
{
    if (value == 0) {
        return;
    }
    amdi_json_check(&reader->context,
            amdi_wire_put_tag(reader->out, number, AMDI_WIRE_VARINT));
    amdi_json_check(&reader->context,
            amdi_wire_put_varint(reader->out, (uint64_t)value));
}

static void
emit_text(struct json_reader *reader, uint32_t number, const char *text,
        size_t len)
{
    amdi_json_check(&reader->context,
            amdi_wire_put_tag(reader->out, number, AMDI_WIRE_BYTES));
    amdi_json_check(
            &reader->context, amdi_wire_put_bytes(reader->out, text, len));
}

/* Timestamp and Duration: seconds = 1, nanos = 2. */
static void
get_time(struct json_reader *reader, const struct amdi_message *message,
        const json_t *json)
{
    const char *text = json_string_value(json);
    bool (*parse)(const char *, int64_t *, int32_t *) =
            message->kind == AMDI_MESSAGE_TIMESTAMP ? amdi_json_parse_timestamp
                                                    : amdi_json_parse_duration;
    int64_t seconds;
    int32_t nanos;

    if (text == NULL || strlen(text) != json_string_length(json) ||
            !parse(text, &seconds, &nanos)) {
        amdi_json_fail_value(reader, json, message->full_name);
        return;
    }
    emit_varint(reader, 1, seconds);
    emit_varint(reader, 2, nanos);
}

/* "fooBar.baz" → "foo_bar.baz". False when it is no such path. */
static bool
put_mask_path(
        struct amdi_buf *out, const char *path, size_t len, amdrpc_err *out_err)
{
    for (size_t i = 0; i < len && *out_err == AMDRPC_OK; i++) {
        char c = path[i];

        if (c >= 'A' && c <= 'Z') {
            char pair[] = {'_', (char)(c - 'A' + 'a')};

            *out_err = amdi_buf_append(out, pair, sizeof(pair));
        } else if (amdi_json_is_in_both_masks(c)) {
            *out_err = amdi_buf_append(out, &c, 1);
        } else {
            return false;
        }
    }
    return true;
}

static bool
get_mask_path(struct json_reader *reader, const char *path, size_t len)
{
    size_t begin = amdi_json_emit_begin(reader, 1);
    amdrpc_err err = reader->context.err;
    bool is_path = put_mask_path(reader->out, path, len, &err);

    amdi_json_check(&reader->context, err);
    amdi_json_emit_end(reader, begin);
    return is_path;
}

/* FieldMask: repeated string paths = 1. */
static void
get_field_mask(struct json_reader *reader, const json_t *json)
{
    const char *path = json_string_value(json);

    if (path == NULL) {
        amdi_json_fail_value(reader, json, "field mask");
        return;
    }
    while (*path != '\0') {
        size_t len = strcspn(path, ",");

        if (!get_mask_path(reader, path, len)) {
            amdi_json_fail_value(reader, json, "field mask");
            return;
        }
        path += len;
        path += *path == ',' ? 1 : 0;
    }
}

/* What an Any holds: the fields beside "@type", or "value" alone. */
static void
get_any_value(struct json_reader *reader, const struct amdi_message *type,
        const json_t *json)
{
    size_t begin = amdi_json_emit_begin(reader, 2);
    json_t *value = json_object_get(json, "value");

    if (type->kind == AMDI_MESSAGE_ORDINARY) {
        amdi_json_get_fields(reader, type, json, "@type");
    } else if (value == NULL || json_object_size(json) != 2) {
        amdi_json_fail(&reader->context, AMDRPC_EINVAL,
                "needs '@type' and 'value', and nothing else, to hold a %s",
                type->full_name);
    } else {
        amdi_json_get_message(reader, type, value);
    }
    amdi_json_emit_end(reader, begin);
}

/* Any: type_url = 1, value = 2. */
static void
get_any(struct json_reader *reader, const json_t *json)
{
    const json_t *url = json_object_get(json, "@type");
    const struct amdi_message *type;

    if (!json_is_object(json) ||
            (json_object_size(json) > 0 && !json_is_string(url))) {
        amdi_json_fail(&reader->context, AMDRPC_EINVAL,
                "a google.protobuf.Any is an object with the text '@type'");
        return;
    }
    if (json_object_size(json) == 0) {
        return;
    }
    type = amdi_json_find_type(
            &reader->context, json_string_value(url), json_string_length(url));
    if (type != NULL) {
        emit_text(reader, 1, json_string_value(url), json_string_length(url));
        get_any_value(reader, type, json);
    }
}

/* Wrappers, Struct and ListValue: nothing but their field 1. */
static void
get_only_field(struct json_reader *reader, const struct amdi_message *message,
        const json_t *json)
{
    const struct amdi_field *field = amdi_message_find_field(message, 1);

    if (field == NULL ||
            field->is_map != (message->kind == AMDI_MESSAGE_STRUCT) ||
            (message->kind == AMDI_MESSAGE_LIST_VALUE && !field->is_repeated)) {
        amdi_json_fail(&reader->context, AMDRPC_EINVAL,
                "%s is declared in another way than it should be",
                message->full_name);
        return;
    }
    amdi_json_get_field_value(reader, field, json);
}

/* Value: the field whose number the kind of JSON has there. */
static void
get_value(struct json_reader *reader, const struct amdi_message *message,
        const json_t *json)
{
    static const uint32_t numbers[] = {
            [JSON_OBJECT] = 5,
            [JSON_ARRAY] = 6,
            [JSON_STRING] = 3,
            [JSON_INTEGER] = 2,
            [JSON_REAL] = 2,
            [JSON_TRUE] = 4,
            [JSON_FALSE] = 4,
            [JSON_NULL] = 1,
    };
    const struct amdi_field *field =
            amdi_message_find_field(message, numbers[json_typeof(json)]);

    if (field == NULL) {
        amdi_json_fail_value(reader, json, message->full_name);
        return;
    }
    amdi_json_get_field_value(reader, field, json);
}

void
amdi_json_get_special(struct json_reader *reader,
        const struct amdi_message *message, const json_t *json)
{
    switch (message->kind) {
    case AMDI_MESSAGE_ANY:
        get_any(reader, json);
        break;
    case AMDI_MESSAGE_DURATION:
    case AMDI_MESSAGE_TIMESTAMP:
        get_time(reader, message, json);
        break;
    case AMDI_MESSAGE_FIELD_MASK:
        get_field_mask(reader, json);
        break;
    case AMDI_MESSAGE_LIST_VALUE:
    case AMDI_MESSAGE_STRUCT:
    case AMDI_MESSAGE_WRAPPER:
        get_only_field(reader, message, json);
        break;
    case AMDI_MESSAGE_VALUE:
        get_value(reader, message, json);
        break;
    case AMDI_MESSAGE_ORDINARY:
        break; // has no form of its own
    }
}
