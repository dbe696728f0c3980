/**
 * Finds where the values of a message's fields stand.
 *
 * The wire may have them in any order and number; JSON wants each field once.
 * So the values are listed first, and the list is sorted by field if it is not
 * already. All messages being written share one stack of such lists.
 */
#include "common/alloc.h"
#include "common/json/json_write.h"

#include <stdlib.h>

static bool
read_value(struct amdi_buf_reader *reader, enum amdi_wire_type type,
        struct json_item *item)
{
    uint32_t fixed32;

    switch (type) {
    case AMDI_WIRE_VARINT:
        return amdi_wire_read_varint(reader, &item->number);
    case AMDI_WIRE_FIXED64:
        return amdi_wire_read_fixed64(reader, &item->number);
    case AMDI_WIRE_BYTES:
        return amdi_wire_read_bytes(reader, &item->bytes);
    case AMDI_WIRE_FIXED32:
        if (!amdi_wire_read_fixed32(reader, &fixed32)) {
            return false;
        }
        item->number = fixed32;
        return true;
    }
    return false;
}

static void
push_item(struct json_writer *writer, struct json_item item, size_t first)
{
    if (writer->nitems == writer->size) {
        size_t size = writer->size == 0 ? 64 : writer->size * 2;
        struct json_item *items =
                amdi_realloc(writer->items, size * sizeof(*items));

        if (items == NULL) {
            amdi_json_check(&writer->context, AMDRPC_ENOMEM);
            return;
        }
        writer->items = items;
        writer->size = size;
    }
    item.position = writer->nitems - first;
    writer->items[writer->nitems++] = item;
}

/* A repeated field's numbers may come packed whatever its descriptor says. */
static void
push_packed(struct json_writer *writer, struct json_item item, size_t first)
{
    struct amdi_buf_reader packed = item.bytes;

    item.type = amdi_json_wire_type(item.field);
    while (packed.len > 0 && amdi_json_is_good(&writer->context)) {
        if (!read_value(&packed, item.type, &item)) {
            amdi_json_fail(&writer->context, AMDRPC_EINVAL, "%s is cut short",
                    item.field->name);
            return;
        }
        push_item(writer, item, first);
    }
}

/* A value of another type than its field's is as unknown as its number. */
static void
push_value(struct json_writer *writer, struct json_item item, size_t first)
{
    enum amdi_wire_type type = amdi_json_wire_type(item.field);

    if (item.type == type) {
        push_item(writer, item, first);
    } else if (item.type == AMDI_WIRE_BYTES && item.field->is_repeated) {
        push_packed(writer, item, first);
    }
}

static int
compare_items(const void *left, const void *right)
{
    const struct json_item *a = left;
    const struct json_item *b = right;

    if (a->field->number != b->field->number) {
        return a->field->number < b->field->number ? -1 : 1;
    }
    return a->position < b->position ? -1 : a->position > b->position;
}

static void
sort_items(struct json_item *items, size_t nitems)
{
    for (size_t i = 1; i < nitems; i++) {
        if (compare_items(&items[i - 1], &items[i]) > 0) {
            qsort(items, nitems, sizeof(*items), compare_items);
            return;
        }
    }
}

struct json_range
amdi_json_index(struct json_writer *writer, const struct amdi_message *message,
        struct amdi_buf_reader wire)
{
    size_t first = writer->nitems;

    while (wire.len > 0 && amdi_json_is_good(&writer->context)) {
        struct json_item item = {0};
        uint32_t number;

        if (!amdi_wire_read_tag(&wire, &number, &item.type) ||
                !read_value(&wire, item.type, &item)) {
            amdi_json_fail(&writer->context, AMDRPC_EINVAL,
                    "the bytes are no %s", message->full_name);
            break;
        }
        item.field = amdi_message_find_field(message, number);
        if (item.field != NULL) {
            push_value(writer, item, first);
        }
    }
    if (writer->nitems > first) {
        sort_items(writer->items + first, writer->nitems - first);
    }
    return (struct json_range){.first = first, .end = writer->nitems};
}

void
amdi_json_leave(struct json_writer *writer, struct json_range range)
{
    writer->nitems = range.first;
}

struct json_range
amdi_json_range_of(const struct json_writer *writer, struct json_range range,
        const struct amdi_field *field)
{
    size_t low = range.first;
    size_t high = range.end;
    size_t end;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (writer->items[middle].field->number < field->number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    end = low;
    while (end < range.end && writer->items[end].field == field) {
        end++;
    }
    return (struct json_range){.first = low, .end = end};
}
