/** Writes maps as JSON objects. */
#include "common/alloc.h"
#include "common/json/json_write.h"

#include <string.h>

/* One entry. A key may stand on the wire several times: the last one counts. */
struct map_entry {
    struct json_item key;
    struct amdi_buf_reader wire;
    bool is_replaced;
};

/* A set of keys, open-addressed: indexes into the entries, plus one. */
struct map_keys {
    size_t *slots;
    size_t mask;
};

static size_t
key_hash(const struct json_item *key)
{
    uint64_t hash = UINT64_C(14695981039346656037) ^ key->number;

    for (size_t i = 0; i < key->bytes.len; i++) {
        hash = (hash ^ key->bytes.data[i]) * UINT64_C(1099511628211);
    }
    return (size_t)(hash ^ hash >> 29);
}

static bool
key_is_equal(const struct json_item *a, const struct json_item *b)
{
    return a->number == b->number && a->bytes.len == b->bytes.len &&
            (a->bytes.len == 0 ||
                    memcmp(a->bytes.data, b->bytes.data, a->bytes.len) == 0);
}

/* The key of an entry that has none. */
static const uint8_t no_bytes[1];

/* The bits of a number that its type reads: the same keys become equal. */
static uint64_t
key_number(const struct json_item *key)
{
    switch ((int)key->field->type) {
    case AMDI_FIELD_BOOL:
        return key->number != 0;
    case AMDI_FIELD_INT32:
    case AMDI_FIELD_UINT32:
    case AMDI_FIELD_SINT32:
        return (uint32_t)key->number;
    default:
        return key->number;
    }
}

/* Reads the key of an entry; one that is not there is zero or empty. */
static void
read_key(struct json_writer *writer, const struct amdi_message *type,
        struct map_entry *entry)
{
    struct json_range all = amdi_json_index(writer, type, entry->wire);
    struct json_range keys = amdi_json_range_of(writer, all, &type->fields[0]);

    entry->key = (struct json_item){
            .field = &type->fields[0], .bytes.data = no_bytes};
    if (keys.end > keys.first) {
        entry->key = writer->items[keys.end - 1];
        entry->key.number = key_number(&entry->key);
    }
    amdi_json_leave(writer, all);
}

/* Marks entries whose key comes again. */
static void
mark_replaced(struct map_entry *entries, size_t nentries, struct map_keys keys)
{
    for (size_t i = nentries; i-- > 0;) {
        size_t slot = key_hash(&entries[i].key) & keys.mask;

        while (keys.slots[slot] != 0 &&
                !key_is_equal(
                        &entries[keys.slots[slot] - 1].key, &entries[i].key)) {
            slot = (slot + 1) & keys.mask;
        }
        entries[i].is_replaced = keys.slots[slot] != 0;
        if (!entries[i].is_replaced) {
            keys.slots[slot] = i + 1;
        }
    }
}

/* Numbers of 64 bits bring their quotes, like strings; others need them. */
static bool
key_brings_quotes(enum amdi_field_type type)
{
    return type == AMDI_FIELD_STRING || type == AMDI_FIELD_INT64 ||
            type == AMDI_FIELD_UINT64 || type == AMDI_FIELD_SINT64 ||
            type == AMDI_FIELD_FIXED64 || type == AMDI_FIELD_SFIXED64;
}

static void
put_key(struct json_writer *writer, const struct json_item *key)
{
    const char *quote = key_brings_quotes(key->field->type) ? "" : "\"";

    amdi_json_next(writer);
    amdi_json_put_text(writer, quote);
    amdi_json_put_scalar(writer, key);
    amdi_json_put_text(writer, quote);
    amdi_json_put_text(writer, writer->context.options.pretty ? ": " : ":");
}

static void
put_entry(struct json_writer *writer, const struct amdi_message *type,
        const struct map_entry *entry)
{
    struct json_range all;

    put_key(writer, &entry->key);
    all = amdi_json_index(writer, type, entry->wire);
    if (amdi_json_is_good(&writer->context)) {
        amdi_json_put_field_value(writer, &type->fields[1],
                amdi_json_range_of(writer, all, &type->fields[1]));
    }
    amdi_json_leave(writer, all);
}

static void
put_entries(struct json_writer *writer, const struct amdi_message *type,
        struct map_entry *entries, size_t nentries, struct map_keys keys)
{
    mark_replaced(entries, nentries, keys);
    for (size_t i = 0; i < nentries && amdi_json_is_good(&writer->context);
            i++) {
        struct json_path step = {.up = writer->context.path, .index = i};

        writer->context.path = &step;
        if (!entries[i].is_replaced) {
            put_entry(writer, type, &entries[i]);
        }
        writer->context.path = step.up;
    }
}

void
amdi_json_put_map(struct json_writer *writer, const struct amdi_field *field,
        struct json_range items)
{
    size_t nentries = items.end - items.first;
    struct map_entry *entries = amdi_calloc(nentries + 1, sizeof(*entries));
    struct map_keys keys = {.mask = 1};

    while (keys.mask < 2 * nentries) {
        keys.mask = keys.mask * 2 + 1;
    }
    keys.slots = amdi_calloc(keys.mask + 1, sizeof(*keys.slots));
    if (entries == NULL || keys.slots == NULL) {
        amdi_json_check(&writer->context, AMDRPC_ENOMEM);
        nentries = 0;
    }
    amdi_json_open(writer, '{');
    for (size_t i = 0; i < nentries; i++) {
        entries[i].wire = writer->items[items.first + i].bytes;
        read_key(writer, field->message, &entries[i]);
    }
    if (nentries > 0) {
        put_entries(writer, field->message, entries, nentries, keys);
    }
    amdi_json_close(writer, '}');
    amdi_free(keys.slots);
    amdi_free(entries);
}
