/** Metadata: the list, what users may send, and the wire's form of it. */
#include "common/metadata.h"

#include "common/alloc.h"
#include "common/encoding.h"
#include "common/list.h"

#include <stdint.h>
#include <string.h>

#define METADATA_FIRST_FIELDS 4u

/** What amdrpc_metadata_create makes: a list with its own arena. */
struct metadata_owned {
    struct amdrpc_metadata list;
    struct amdi_arena arena;
};

void
amdi_metadata_init(struct amdrpc_metadata *metadata, struct amdi_arena *arena)
{
    *metadata = (struct amdrpc_metadata){.arena = arena};
}

amdrpc_err
amdrpc_metadata_create(amdrpc_metadata **out)
{
    struct metadata_owned *owned = amdi_alloc(sizeof(*owned));

    if (owned == NULL) {
        return AMDRPC_ENOMEM;
    }
    amdi_arena_init(&owned->arena, /*max_bytes=*/0);
    amdi_metadata_init(&owned->list, &owned->arena);
    *out = &owned->list;
    return AMDRPC_OK;
}

void
amdrpc_metadata_destroy(amdrpc_metadata *metadata)
{
    struct metadata_owned *owned;

    if (metadata == NULL) {
        return;
    }
    owned = AMDI_CONTAINER_OF(metadata, struct metadata_owned, list);
    amdi_arena_fini(&owned->arena);
    amdi_free(owned);
}

bool
amdi_metadata_is_binary(const char *name, size_t name_len)
{
    return name_len >= 4 && memcmp(name + name_len - 4, "-bin", 4) == 0;
}

static bool
metadata_name_char_is_valid(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
            c == '-' || c == '.';
}

/** Names that belong to gRPC, to HTTP/2 or to this library. */
static bool
metadata_name_is_reserved(const char *name)
{
    static const char *const reserved[] = {
            "connection",
            "content-length",
            "content-type",
            "host",
            "keep-alive",
            "proxy-connection",
            "te",
            "trailer",
            "transfer-encoding",
            "upgrade",
            "user-agent",
    };

    if (strncmp(name, "grpc-", 5) == 0) {
        return true;
    }
    for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
        if (strcmp(name, reserved[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool
metadata_text_is_valid(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] < 0x20 || text[i] > 0x7e) {
            return false;
        }
    }
    return true;
}

bool
amdi_metadata_is_valid(const char *name, const void *value, size_t value_len)
{
    size_t name_len = strlen(name);

    if (name_len == 0 || metadata_name_is_reserved(name)) {
        return false;
    }
    for (size_t i = 0; i < name_len; i++) {
        if (!metadata_name_char_is_valid(name[i])) {
            return false;
        }
    }
    return amdi_metadata_is_binary(name, name_len) ||
            metadata_text_is_valid(value, value_len);
}

/** Makes room for one more field. */
static amdrpc_err
metadata_reserve(struct amdrpc_metadata *metadata)
{
    size_t room =
            metadata->room > 0 ? metadata->room * 2 : METADATA_FIRST_FIELDS;
    amdrpc_metadata_field *fields;

    if (metadata->nfields < metadata->room) {
        return AMDRPC_OK;
    }
    // An arena frees nothing, but all the smaller arrays together are no
    // larger than the new one. The arena's memory bounds the number of fields.
    fields = amdi_arena_alloc(metadata->arena, room * sizeof(*fields));
    if (fields == NULL) {
        return AMDRPC_ENOMEM;
    }
    if (metadata->nfields > 0) {
        memcpy(fields, metadata->fields, metadata->nfields * sizeof(*fields));
    }
    metadata->fields = fields;
    metadata->room = room;
    return AMDRPC_OK;
}

/** Adds a field whose name and value are the arena's already. */
static amdrpc_err
metadata_push(struct amdrpc_metadata *metadata, const char *name,
        const char *value, size_t value_len)
{
    amdrpc_err err;

    if (name == NULL || value == NULL) { // the arena had no memory for it
        return AMDRPC_ENOMEM;
    }
    err = metadata_reserve(metadata);
    if (err != AMDRPC_OK) {
        return err;
    }
    metadata->fields[metadata->nfields++] = (amdrpc_metadata_field){
            .name = name,
            .value = value,
            .value_len = value_len,
    };
    return AMDRPC_OK;
}

static amdrpc_err
metadata_add_copy(struct amdrpc_metadata *metadata, const char *name,
        size_t name_len, const char *value, size_t value_len)
{
    struct amdi_arena *arena = metadata->arena;

    return metadata_push(metadata, amdi_arena_strndup(arena, name, name_len),
            amdi_arena_strndup(arena, value, value_len), value_len);
}

amdrpc_err
amdrpc_metadata_add(amdrpc_metadata *metadata, const char *name,
        const void *value, size_t value_len)
{
    if (!amdi_metadata_is_valid(name, value, value_len)) {
        return AMDRPC_EINVAL;
    }
    return metadata_add_copy(metadata, name, strlen(name), value, value_len);
}

amdrpc_err
amdi_metadata_add_own(struct amdrpc_metadata *metadata, const char *name,
        const void *value, size_t value_len)
{
    return metadata_add_copy(metadata, name, strlen(name), value, value_len);
}

amdrpc_err
amdrpc_metadata_add_text(
        amdrpc_metadata *metadata, const char *name, const char *value)
{
    return amdrpc_metadata_add(metadata, name, value, strlen(value));
}

amdrpc_err
amdi_metadata_copy(
        struct amdrpc_metadata *metadata, const amdrpc_metadata *from)
{
    for (size_t i = 0; i < amdrpc_metadata_count(from); i++) {
        const amdrpc_metadata_field *field = amdrpc_metadata_at(from, i);
        amdrpc_err err = amdrpc_metadata_add(
                metadata, field->name, field->value, field->value_len);

        if (err != AMDRPC_OK) {
            return err;
        }
    }
    return AMDRPC_OK;
}

size_t
amdrpc_metadata_count(const amdrpc_metadata *metadata)
{
    return metadata == NULL ? 0 : metadata->nfields;
}

const amdrpc_metadata_field *
amdrpc_metadata_at(const amdrpc_metadata *metadata, size_t index)
{
    return &metadata->fields[index];
}

const amdrpc_metadata_field *
amdrpc_metadata_get(const amdrpc_metadata *metadata, const char *name)
{
    for (size_t i = 0; i < amdrpc_metadata_count(metadata); i++) {
        if (strcmp(metadata->fields[i].name, name) == 0) {
            return &metadata->fields[i];
        }
    }
    return NULL;
}

/** Adds one base64 value, spaces around it left out. */
static amdrpc_err
metadata_add_base64(struct amdrpc_metadata *metadata, const char *name,
        const char *text, size_t len)
{
    char *value;
    size_t value_len;
    amdrpc_err err;

    while (len > 0 && (text[0] == ' ' || text[0] == '\t')) {
        text++;
        len--;
    }
    while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t')) {
        len--;
    }
    value = amdi_arena_alloc(metadata->arena, len / 4 * 3 + 2 + 1);
    if (value == NULL) {
        return AMDRPC_ENOMEM;
    }
    err = amdi_base64_decode(text, len, (uint8_t *)value, &value_len);
    if (err != AMDRPC_OK) {
        return err;
    }
    value[value_len] = '\0';
    return metadata_push(metadata, name, value, value_len);
}

/** Adds each of the values that a comma joins. */
static amdrpc_err
metadata_add_base64_list(struct amdrpc_metadata *metadata, const char *name,
        const char *text, size_t len)
{
    for (;;) {
        const char *comma = len > 0 ? memchr(text, ',', len) : NULL;
        size_t part_len = comma != NULL ? (size_t)(comma - text) : len;
        amdrpc_err err = metadata_add_base64(metadata, name, text, part_len);

        if (err != AMDRPC_OK || comma == NULL) {
            return err;
        }
        text += part_len + 1;
        len -= part_len + 1;
    }
}

amdrpc_err
amdi_metadata_add_wire(struct amdrpc_metadata *metadata, const char *name,
        size_t name_len, const char *value, size_t value_len)
{
    size_t nfields = metadata->nfields;
    char *owned_name;
    amdrpc_err err;

    if (!amdi_metadata_is_binary(name, name_len)) {
        return metadata_add_copy(metadata, name, name_len, value, value_len);
    }
    owned_name = amdi_arena_strndup(metadata->arena, name, name_len);
    if (owned_name == NULL) {
        return AMDRPC_ENOMEM;
    }
    err = metadata_add_base64_list(metadata, owned_name, value, value_len);
    if (err != AMDRPC_OK) {
        metadata->nfields = nfields; // all of the values or none
    }
    return err;
}

amdrpc_err
amdi_metadata_wire_value(const amdrpc_metadata_field *field,
        struct amdi_arena *arena, const char **out, size_t *out_len)
{
    char *text;

    if (!amdi_metadata_is_binary(field->name, strlen(field->name))) {
        *out = field->value;
        *out_len = field->value_len;
        return AMDRPC_OK;
    }
    text = amdi_arena_alloc(arena, AMDI_BASE64_BYTES(field->value_len));
    if (text == NULL) {
        return AMDRPC_ENOMEM;
    }
    *out_len = amdi_base64_encode(field->value, field->value_len, text);
    *out = text;
    return AMDRPC_OK;
}
