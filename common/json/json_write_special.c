/** Writes the messages that have a JSON form of their own. */
#include "common/json/json_write.h"

#include <math.h>
#include <string.h>

/* The last value of a field of that number and wire type, or NULL. */
static const struct json_item *
find_item(const struct json_writer *writer, struct json_range all,
        uint32_t number, enum amdi_wire_type type)
{
    for (size_t i = all.end; i-- > all.first;) {
        const struct json_item *item = &writer->items[i];

        if (item->field->number == number && item->type == type) {
            return item;
        }
    }
    return NULL;
}

/* Timestamp and Duration: seconds = 1, nanos = 2. */
static void
put_time(struct json_writer *writer, struct json_range all,
        const struct amdi_message *message)
{
    const struct json_item *seconds =
            find_item(writer, all, 1, AMDI_WIRE_VARINT);
    const struct json_item *nanos = find_item(writer, all, 2, AMDI_WIRE_VARINT);
    int64_t s = seconds != NULL ? (int64_t)seconds->number : 0;
    int32_t n = nanos != NULL ? (int32_t)nanos->number : 0;
    char text[JSON_TIME_BYTES];
    bool is_possible = message->kind == AMDI_MESSAGE_TIMESTAMP
            ? amdi_json_print_timestamp(s, n, text)
            : amdi_json_print_duration(s, n, text);

    if (!is_possible) {
        amdi_json_fail(&writer->context, AMDRPC_EINVAL,
                "%lld s and %d ns are no %s", (long long)s, (int)n,
                message->full_name);
        return;
    }
    amdi_json_put_string(writer, text, strlen(text));
}

/* "foo_bar.baz" → "fooBar.baz"; false when that could not be undone. */
static bool
put_mask_path(struct json_writer *writer, struct amdi_buf_reader path)
{
    for (size_t i = 0; i < path.len; i++) {
        char c = (char)path.data[i];

        if (c == '_') {
            i++;
            if (i == path.len || path.data[i] < 'a' || path.data[i] > 'z') {
                return false;
            }
            c = (char)(path.data[i] - 'a' + 'A');
        } else if (!amdi_json_is_in_both_masks(c)) {
            return false;
        }
        amdi_json_put(writer, &c, 1);
    }
    return true;
}

/* FieldMask: repeated string paths = 1. */
static void
put_field_mask(struct json_writer *writer, struct json_range all)
{
    const char *comma = "";

    amdi_json_put_text(writer, "\"");
    for (size_t i = all.first; i < all.end; i++) {
        const struct json_item *item = &writer->items[i];

        if (item->field->number != 1 || item->type != AMDI_WIRE_BYTES) {
            continue;
        }
        amdi_json_put_text(writer, comma);
        comma = ",";
        if (!put_mask_path(writer, item->bytes)) {
            amdi_json_fail(&writer->context, AMDRPC_EINVAL,
                    "'%.*s' is no path of lower-case names",
                    (int)item->bytes.len, (const char *)item->bytes.data);
        }
    }
    amdi_json_put_text(writer, "\"");
}

/* Any: type_url = 1, value = 2. */
static void
put_any(struct json_writer *writer, struct json_range all)
{
    const struct json_item *url = find_item(writer, all, 1, AMDI_WIRE_BYTES);
    const struct json_item *value = find_item(writer, all, 2, AMDI_WIRE_BYTES);
    struct amdi_buf_reader wire = {0};
    const struct amdi_message *type;

    if (value != NULL) {
        wire = value->bytes;
    }
    amdi_json_open(writer, '{');
    if (url != NULL && (url->bytes.len > 0 || wire.len > 0)) {
        type = amdi_json_find_type(&writer->context,
                (const char *)url->bytes.data, url->bytes.len);
        amdi_json_put_key(writer, "@type");
        amdi_json_put_string(writer, url->bytes.data, url->bytes.len);
        if (type != NULL && type->kind == AMDI_MESSAGE_ORDINARY) {
            amdi_json_put_fields(writer, type, wire);
        } else if (type != NULL) {
            amdi_json_put_key(writer, "value");
            amdi_json_put_message(writer, type, wire);
        }
    } else if (wire.len > 0) {
        amdi_json_fail(&writer->context, AMDRPC_EINVAL,
                "is a google.protobuf.Any without type");
    }
    amdi_json_close(writer, '}');
}

/* Wrappers, Struct and ListValue: nothing but their field 1. */
static void
put_only_field(struct json_writer *writer, struct json_range all,
        const struct amdi_message *message)
{
    const struct amdi_field *field = amdi_message_find_field(message, 1);

    if (field == NULL ||
            field->is_map != (message->kind == AMDI_MESSAGE_STRUCT) ||
            (message->kind == AMDI_MESSAGE_LIST_VALUE && !field->is_repeated)) {
        amdi_json_fail(&writer->context, AMDRPC_EINVAL,
                "%s is declared in another way than it should be",
                message->full_name);
        return;
    }
    amdi_json_put_field_value(
            writer, field, amdi_json_range_of(writer, all, field));
}

/* JSON knows no such numbers, and in quotes they would come back as text. */
static bool
is_no_number(const struct json_item *item)
{
    double value;

    if (item->type != AMDI_WIRE_FIXED64) {
        return false;
    }
    memcpy(&value, &item->number, sizeof(value));
    return !isfinite(value);
}

/* Value: a oneof of all that JSON knows; the last value counts. */
static void
put_value(struct json_writer *writer, struct json_range all)
{
    const struct json_item *last = NULL;

    for (size_t i = all.first; i < all.end; i++) {
        if (last == NULL || writer->items[i].position > last->position) {
            last = &writer->items[i];
        }
    }
    if (last == NULL) {
        amdi_json_put_text(writer, "null");
    } else if (is_no_number(last)) {
        amdi_json_fail(&writer->context, AMDRPC_EINVAL,
                "holds NaN or infinity, which google.protobuf.Value may not");
    } else {
        amdi_json_put_field_value(writer, last->field,
                amdi_json_range_of(writer, all, last->field));
    }
}

void
amdi_json_put_special(struct json_writer *writer,
        const struct amdi_message *message, struct amdi_buf_reader wire)
{
    struct json_range all = amdi_json_index(writer, message, wire);

    if (amdi_json_is_good(&writer->context)) {
        switch (message->kind) {
        case AMDI_MESSAGE_ANY:
            put_any(writer, all);
            break;
        case AMDI_MESSAGE_DURATION:
        case AMDI_MESSAGE_TIMESTAMP:
            put_time(writer, all, message);
            break;
        case AMDI_MESSAGE_FIELD_MASK:
            put_field_mask(writer, all);
            break;
        case AMDI_MESSAGE_LIST_VALUE:
        case AMDI_MESSAGE_STRUCT:
        case AMDI_MESSAGE_WRAPPER:
            put_only_field(writer, all, message);
            break;
        case AMDI_MESSAGE_VALUE:
            put_value(writer, all);
            break;
        case AMDI_MESSAGE_ORDINARY:
            break; // has no form of its own
        }
    }
    amdi_json_leave(writer, all);
}
