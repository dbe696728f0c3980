/** The registry of descriptors: adding files, finding what they declare. */
#include "common/descriptor/descriptor.h"

#include "common/alloc.h"
#include "common/descriptor/descriptor_internal.h"
#include "common/wire.h"

#include <string.h>

amdrpc_err
amdi_descriptors_create(struct amdi_descriptors **out)
{
    struct amdi_descriptors *descriptors = amdi_zalloc(sizeof(*descriptors));

    if (descriptors == NULL) {
        return AMDRPC_ENOMEM;
    }
    amdi_arena_init(&descriptors->arena, AMDI_DESCRIPTORS_MAX_BYTES);
    *out = descriptors;
    return AMDRPC_OK;
}

void
amdi_descriptors_destroy(struct amdi_descriptors *descriptors)
{
    if (descriptors != NULL) {
        amdi_arena_fini(&descriptors->arena);
        amdi_free(descriptors);
    }
}

/* ---- the table of names ---- */

/* FNV-1a: short, and good enough for names that share long prefixes. */
static size_t
symbol_hash(const char *name)
{
    uint32_t hash = 2166136261u;

    for (; *name != '\0'; name++) {
        hash = (hash ^ (uint8_t)*name) * 16777619u;
    }
    return hash % DESCRIPTORS_NBUCKETS;
}

struct symbol *
amdi_symbol_find(const struct amdi_descriptors *descriptors, const char *name)
{
    struct symbol *symbol = descriptors->buckets[symbol_hash(name)];

    while (symbol != NULL && strcmp(symbol->name, name) != 0) {
        symbol = symbol->bucket_next;
    }
    return symbol;
}

static void
symbol_enter(struct amdi_descriptors *descriptors, struct symbol *symbol)
{
    struct symbol **bucket = &descriptors->buckets[symbol_hash(symbol->name)];

    symbol->bucket_next = *bucket;
    *bucket = symbol;
}

/* Takes out the file's symbols before @end: the newest of their buckets. */
static void
symbols_take_out(struct amdi_descriptors *descriptors, struct symbol *first,
        const struct symbol *end)
{
    for (struct symbol *symbol = first; symbol != end;
            symbol = symbol->file_next) {
        struct symbol **link = &descriptors->buckets[symbol_hash(symbol->name)];

        while (*link != symbol) {
            link = &(*link)->bucket_next;
        }
        *link = symbol->bucket_next;
    }
}

static amdrpc_err
file_enter(struct amdi_descriptors *descriptors, struct descriptor_file *file,
        struct amdi_error *error)
{
    for (struct symbol *symbol = file->symbols; symbol != NULL;
            symbol = symbol->file_next) {
        const struct symbol *other =
                amdi_symbol_find(descriptors, symbol->name);

        if (other != NULL) {
            symbols_take_out(descriptors, file->symbols, symbol);
            return amdi_error_set(error, AMDRPC_EINVAL,
                    "%s declares \"%s\", which %s declares too",
                    file->file.name, symbol->name, other->file->file.name);
        }
        symbol_enter(descriptors, symbol);
    }
    if (descriptors->last != NULL) {
        descriptors->last->next = file;
        descriptors->last->file.next = &file->file;
    } else {
        descriptors->first = file;
    }
    descriptors->last = file;
    return AMDRPC_OK;
}

/* ---- adding ---- */

struct descriptor_file *
amdi_descriptor_file_find(
        const struct amdi_descriptors *descriptors, const char *name)
{
    struct descriptor_file *file = descriptors->first;

    while (file != NULL && strcmp(file->file.name, name) != 0) {
        file = file->next;
    }
    return file;
}

amdrpc_err
amdi_descriptors_add_file(struct amdi_descriptors *descriptors,
        const void *data, size_t len, struct amdi_error *error)
{
    struct descriptor_file *file = NULL;
    amdrpc_err err =
            amdi_descriptor_file_build(descriptors, data, len, &file, error);

    if (err != AMDRPC_OK || file == NULL) {
        return err;
    }
    return file_enter(descriptors, file, error);
}

amdrpc_err
amdi_descriptors_add_set(struct amdi_descriptors *descriptors, const void *data,
        size_t len, struct amdi_error *error)
{
    struct amdi_buf_reader reader = {.data = data, .len = len};
    amdrpc_err err = AMDRPC_OK;

    while (reader.len > 0 && err == AMDRPC_OK) {
        struct amdi_buf_reader file;
        enum amdi_wire_type type;
        uint32_t number;

        if (!amdi_wire_read_tag(&reader, &number, &type) || number != 1 ||
                type != AMDI_WIRE_BYTES ||
                !amdi_wire_read_bytes(&reader, &file)) {
            return amdi_error_set(error, AMDRPC_EINVAL,
                    "the bytes are no google.protobuf.FileDescriptorSet");
        }
        err = amdi_descriptors_add_file(
                descriptors, file.data, file.len, error);
    }
    return err;
}

const char *
amdi_descriptors_get_missing(const struct amdi_descriptors *descriptors)
{
    for (const struct descriptor_file *file = descriptors->first; file != NULL;
            file = file->next) {
        for (size_t i = 0; i < file->file.nimports; i++) {
            const char *name = file->file.import_names[i];

            if (file->state != FILE_LINKED &&
                    amdi_descriptor_file_find(descriptors, name) == NULL) {
                return name;
            }
        }
    }
    return NULL;
}

/* ---- finding ---- */

static const struct symbol *
find_linked(const struct amdi_descriptors *descriptors, const char *name)
{
    const struct symbol *symbol = amdi_symbol_find(descriptors, name);

    return symbol != NULL && symbol->file->state == FILE_LINKED ? symbol : NULL;
}

static const void *
find_item(const struct amdi_descriptors *descriptors, const char *name,
        enum symbol_kind kind)
{
    const struct symbol *symbol = find_linked(descriptors, name);

    return symbol != NULL && symbol->kind == kind ? symbol->item : NULL;
}

const struct amdi_file *
amdi_descriptors_get_files(const struct amdi_descriptors *descriptors)
{
    return descriptors->first != NULL ? &descriptors->first->file : NULL;
}

const struct amdi_file *
amdi_descriptors_find_file(
        const struct amdi_descriptors *descriptors, const char *name)
{
    const struct descriptor_file *file =
            amdi_descriptor_file_find(descriptors, name);

    return file != NULL && file->state == FILE_LINKED ? &file->file : NULL;
}

const struct amdi_file *
amdi_descriptors_find_symbol(
        const struct amdi_descriptors *descriptors, const char *full_name)
{
    const struct symbol *symbol = find_linked(descriptors, full_name);

    return symbol != NULL ? &symbol->file->file : NULL;
}

const struct amdi_message *
amdi_descriptors_find_message(
        const struct amdi_descriptors *descriptors, const char *full_name)
{
    return find_item(descriptors, full_name, SYMBOL_MESSAGE);
}

const struct amdi_enum *
amdi_descriptors_find_enum(
        const struct amdi_descriptors *descriptors, const char *full_name)
{
    return find_item(descriptors, full_name, SYMBOL_ENUM);
}

const struct amdi_service *
amdi_descriptors_find_service(
        const struct amdi_descriptors *descriptors, const char *full_name)
{
    return find_item(descriptors, full_name, SYMBOL_SERVICE);
}

static const struct amdi_method *
service_find_method(const struct amdi_service *service, const char *name)
{
    for (size_t i = 0; i < service->nmethods; i++) {
        if (strcmp(service->methods[i].name, name) == 0) {
            return &service->methods[i];
        }
    }
    return NULL;
}

/* Compares the services themselves, for the path has no copy to cut. */
static const struct amdi_method *
find_method_of(const struct amdi_descriptors *descriptors, const char *service,
        size_t service_len, const char *method)
{
    for (const struct descriptor_file *file = descriptors->first; file != NULL;
            file = file->next) {
        for (size_t i = 0; i < file->file.nservices; i++) {
            const struct amdi_service *candidate = &file->file.services[i];

            if (file->state == FILE_LINKED &&
                    strlen(candidate->full_name) == service_len &&
                    memcmp(candidate->full_name, service, service_len) == 0) {
                return service_find_method(candidate, method);
            }
        }
    }
    return NULL;
}

const struct amdi_method *
amdi_descriptors_find_method(
        const struct amdi_descriptors *descriptors, const char *path)
{
    const char *service = path[0] == '/' ? path + 1 : path;
    const char *slash = strchr(service, '/');

    if (slash == NULL) {
        return find_item(descriptors, service, SYMBOL_METHOD);
    }
    return find_method_of(
            descriptors, service, (size_t)(slash - service), slash + 1);
}

const struct amdi_file *
amdi_descriptors_find_extension(const struct amdi_descriptors *descriptors,
        const char *extendee, uint32_t number)
{
    for (const struct descriptor_file *file = descriptors->first; file != NULL;
            file = file->next) {
        for (size_t i = 0; i < file->file.nextensions; i++) {
            const struct amdi_extension *extension = &file->file.extensions[i];

            if (file->state == FILE_LINKED && extension->number == number &&
                    strcmp(extension->extendee, extendee) == 0) {
                return &file->file;
            }
        }
    }
    return NULL;
}
