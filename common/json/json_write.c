/** Writes messages as JSON: fields and their values. */
#include "common/json/json_write.h"

#include "common/alloc.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- one value ---- */

static void put_number(struct json_writer *writer, const char *format, ...)
        AMDRPC_PRINTF(2, 3);

static void
put_number(struct json_writer *writer, const char *format, ...)
{
    char digits[32];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(digits, sizeof(digits), format, args); // 22 at most
    va_end(args);
    amdi_json_put_text(writer, digits);
}

static void
put_enum(struct json_writer *writer, const struct json_item *item)
{
    const struct amdi_enum *type = item->field->enum_type;
    int32_t number = (int32_t)item->number;
    const struct amdi_enum_value *value = amdi_enum_find_number(type, number);

    if (strcmp(type->full_name, "google.protobuf.NullValue") == 0) {
        amdi_json_put_text(writer, "null");
    } else if (value != NULL) {
        amdi_json_put_string(writer, value->name, strlen(value->name));
    } else {
        put_number(writer, "%" PRId32, number);
    }
}

static void
put_double(struct json_writer *writer, const struct json_item *item)
{
    double value;

    memcpy(&value, &item->number, sizeof(value));
    amdi_json_put_double(writer, value);
}

static void
put_float(struct json_writer *writer, const struct json_item *item)
{
    uint32_t bits = (uint32_t)item->number;
    float value;

    memcpy(&value, &bits, sizeof(value));
    amdi_json_put_float(writer, value);
}

static void
put_int64(struct json_writer *writer, const struct json_item *item)
{
    put_number(writer, "\"%" PRId64 "\"", (int64_t)item->number);
}

static void
put_sint64(struct json_writer *writer, const struct json_item *item)
{
    put_number(writer, "\"%" PRId64 "\"", amdi_wire_unzigzag(item->number));
}

static void
put_uint64(struct json_writer *writer, const struct json_item *item)
{
    put_number(writer, "\"%" PRIu64 "\"", item->number);
}

static void
put_int32(struct json_writer *writer, const struct json_item *item)
{
    put_number(writer, "%" PRId32, (int32_t)item->number);
}

static void
put_sint32(struct json_writer *writer, const struct json_item *item)
{
    put_number(writer, "%" PRId32,
            (int32_t)amdi_wire_unzigzag((uint32_t)item->number));
}

static void
put_uint32(struct json_writer *writer, const struct json_item *item)
{
    put_number(writer, "%" PRIu32, (uint32_t)item->number);
}

static void
put_bool(struct json_writer *writer, const struct json_item *item)
{
    amdi_json_put_text(writer, item->number != 0 ? "true" : "false");
}

static void
put_string(struct json_writer *writer, const struct json_item *item)
{
    amdi_json_put_string(writer, item->bytes.data, item->bytes.len);
}

static void
put_bytes(struct json_writer *writer, const struct json_item *item)
{
    amdi_json_put_base64(writer, item->bytes.data, item->bytes.len);
}

void
amdi_json_put_scalar(struct json_writer *writer, const struct json_item *item)
{
    static void (*const put[])(
            struct json_writer *, const struct json_item *) = {
            [AMDI_FIELD_DOUBLE] = put_double,
            [AMDI_FIELD_FLOAT] = put_float,
            [AMDI_FIELD_INT64] = put_int64,
            [AMDI_FIELD_UINT64] = put_uint64,
            [AMDI_FIELD_INT32] = put_int32,
            [AMDI_FIELD_FIXED64] = put_uint64,
            [AMDI_FIELD_FIXED32] = put_uint32,
            [AMDI_FIELD_BOOL] = put_bool,
            [AMDI_FIELD_STRING] = put_string,
            [AMDI_FIELD_BYTES] = put_bytes,
            [AMDI_FIELD_UINT32] = put_uint32,
            [AMDI_FIELD_ENUM] = put_enum,
            [AMDI_FIELD_SFIXED32] = put_int32,
            [AMDI_FIELD_SFIXED64] = put_int64,
            [AMDI_FIELD_SINT32] = put_sint32,
            [AMDI_FIELD_SINT64] = put_sint64,
    };

    put[item->field->type](writer, item);
}

/* Takes a copy, for the items move while a message is written. */
static void
put_item(struct json_writer *writer, struct json_item item)
{
    if (item.field->type == AMDI_FIELD_MESSAGE) {
        amdi_json_put_message(writer, item.field->message, item.bytes);
    } else {
        amdi_json_put_scalar(writer, &item);
    }
}

/*
 * A message that came in parts is their sum: the bytes one after another are
 * the wire form of the merged message.
 */
static void
put_merged(struct json_writer *writer, const struct amdi_field *field,
        struct json_range items)
{
    struct amdi_buf merged;

    amdi_buf_init(&merged);
    for (size_t i = items.first; i < items.end; i++) {
        amdi_json_check(&writer->context,
                amdi_buf_append(&merged, writer->items[i].bytes.data,
                        writer->items[i].bytes.len));
    }
    amdi_json_put_message(writer, field->message,
            (struct amdi_buf_reader){.data = amdi_buf_peek(&merged),
                    .len = amdi_buf_len(&merged)});
    amdi_buf_fini(&merged);
}

/* What a field holds that is not there. */
static const uint8_t no_bytes[1];

static void
put_singular(struct json_writer *writer, const struct amdi_field *field,
        struct json_range items)
{
    struct json_item zero = {.field = field, .bytes.data = no_bytes};

    if (items.first == items.end) {
        put_item(writer, zero);
    } else if (field->type == AMDI_FIELD_MESSAGE &&
            items.end - items.first > 1) {
        put_merged(writer, field, items);
    } else {
        put_item(writer, writer->items[items.end - 1]); // the last one counts
    }
}

static void
put_array(struct json_writer *writer, struct json_range items)
{
    amdi_json_open(writer, '[');
    for (size_t i = items.first;
            i < items.end && amdi_json_is_good(&writer->context); i++) {
        struct json_path step = {
                .up = writer->context.path, .index = i - items.first};

        writer->context.path = &step;
        amdi_json_next(writer);
        put_item(writer, writer->items[i]);
        writer->context.path = step.up;
    }
    amdi_json_close(writer, ']');
}

void
amdi_json_put_field_value(struct json_writer *writer,
        const struct amdi_field *field, struct json_range items)
{
    if (field->type == AMDI_FIELD_GROUP) {
        amdi_json_fail(&writer->context, AMDRPC_EINVAL,
                "is a group, which has no JSON form");
    } else if (field->is_map) {
        amdi_json_put_map(writer, field, items);
    } else if (field->is_repeated) {
        put_array(writer, items);
    } else {
        put_singular(writer, field, items);
    }
}

/* ---- the fields of a message ---- */

static bool
item_is_zero(const struct json_item *item)
{
    return item->number == 0 && item->bytes.len == 0;
}

/* Tells whether a later value belongs to another field of the same oneof. */
static bool
is_overruled(const struct json_writer *writer, struct json_range all,
        const struct json_item *item)
{
    for (size_t i = all.first; item->field->oneof >= 0 && i < all.end; i++) {
        const struct json_item *other = &writer->items[i];

        if (other->field->oneof == item->field->oneof &&
                other->field != item->field &&
                other->position > item->position) {
            return true;
        }
    }
    return false;
}

static bool
field_is_shown(const struct json_writer *writer, struct json_range all,
        const struct amdi_field *field, struct json_range items)
{
    const struct json_item *last;

    if (items.first == items.end) {
        return writer->context.options.emit_defaults && !field->has_presence;
    }
    last = &writer->items[items.end - 1];
    if (!field->is_repeated && !field->has_presence) {
        return writer->context.options.emit_defaults || !item_is_zero(last);
    }
    return !is_overruled(writer, all, last);
}

static void
put_field(struct json_writer *writer, const struct amdi_field *field,
        struct json_range items)
{
    struct json_path step = {.up = writer->context.path, .name = field->name};

    writer->context.path = &step;
    amdi_json_put_key(writer,
            writer->context.options.original_names ? field->name
                                                   : field->json_name);
    amdi_json_put_field_value(writer, field, items);
    writer->context.path = step.up;
}

void
amdi_json_put_fields(struct json_writer *writer,
        const struct amdi_message *message, struct amdi_buf_reader wire)
{
    struct json_range all = amdi_json_index(writer, message, wire);

    for (size_t i = 0;
            i < message->nfields && amdi_json_is_good(&writer->context); i++) {
        const struct amdi_field *field = &message->fields[i];
        struct json_range items = amdi_json_range_of(writer, all, field);

        if (field_is_shown(writer, all, field, items)) {
            put_field(writer, field, items);
        }
    }
    amdi_json_leave(writer, all);
}

void
amdi_json_put_message(struct json_writer *writer,
        const struct amdi_message *message, struct amdi_buf_reader wire)
{
    if (!amdi_json_enter(&writer->context)) {
        return;
    }
    if (message->kind != AMDI_MESSAGE_ORDINARY) {
        amdi_json_put_special(writer, message, wire);
    } else {
        amdi_json_open(writer, '{');
        amdi_json_put_fields(writer, message, wire);
        amdi_json_close(writer, '}');
    }
    writer->context.depth--;
}

amdrpc_err
amdi_json_write(const struct amdi_descriptors *descriptors,
        const struct amdi_message *message, const void *data, size_t len,
        const struct amdi_json_options *options, struct amdi_buf *out,
        struct amdi_error *error)
{
    struct json_writer writer = {
            .context = {.descriptors = descriptors, .error = error}};
    size_t old_len = amdi_buf_len(out);

    writer.out = out;
    if (options != NULL) {
        writer.context.options = *options;
    }
    amdi_json_put_message(&writer, message,
            (struct amdi_buf_reader){.data = data, .len = len});
    amdi_free(writer.items);
    if (!amdi_json_is_good(&writer.context)) {
        out->end = out->start + old_len;
    }
    return writer.context.err;
}
