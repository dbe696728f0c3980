/** Finding fields, values and imports in descriptors that are linked. */
#include "common/alloc.h"
#include "common/descriptor/descriptor.h"

#include <string.h>

const struct amdi_field *
amdi_message_find_field(const struct amdi_message *message, uint32_t number)
{
    size_t low = 0;
    size_t high = message->nfields;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (message->fields[middle].number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < message->nfields && message->fields[low].number == number
            ? &message->fields[low]
            : NULL;
}

const struct amdi_field *
amdi_message_find_field_by_name(
        const struct amdi_message *message, const char *name)
{
    for (size_t i = 0; i < message->nfields; i++) {
        const struct amdi_field *field = &message->fields[i];

        if (strcmp(field->json_name, name) == 0 ||
                strcmp(field->name, name) == 0) {
            return field;
        }
    }
    return NULL;
}

const struct amdi_enum_value *
amdi_enum_find_number(const struct amdi_enum *type, int32_t number)
{
    for (size_t i = 0; i < type->nvalues; i++) {
        if (type->values[i].number == number) {
            return &type->values[i];
        }
    }
    return NULL;
}

const struct amdi_enum_value *
amdi_enum_find_name(const struct amdi_enum *type, const char *name)
{
    for (size_t i = 0; i < type->nvalues; i++) {
        if (strcmp(type->values[i].name, name) == 0) {
            return &type->values[i];
        }
    }
    return NULL;
}

/* The files listed so far, and which of their imports were looked at. */
struct closure {
    const struct amdi_file **files;
    size_t nfiles;
    size_t size;
};

static bool
closure_add(struct closure *closure, const struct amdi_file *file)
{
    for (size_t i = 0; i < closure->nfiles; i++) {
        if (closure->files[i] == file) {
            return true;
        }
    }
    if (closure->nfiles == closure->size) {
        size_t size = closure->size == 0 ? 16 : closure->size * 2;
        void *files = amdi_realloc(closure->files, size * sizeof(file));

        if (files == NULL) {
            return false;
        }
        closure->files = files;
        closure->size = size;
    }
    closure->files[closure->nfiles++] = file;
    return true;
}

amdrpc_err
amdi_file_list_closure(const struct amdi_file *file,
        const struct amdi_file ***out, size_t *out_nfiles)
{
    struct closure closure = {0};
    bool is_done = closure_add(&closure, file);

    for (size_t i = 0; is_done && i < closure.nfiles; i++) {
        for (size_t j = 0; is_done && j < closure.files[i]->nimports; j++) {
            is_done = closure_add(&closure, closure.files[i]->imports[j]);
        }
    }
    if (!is_done) {
        amdi_free(closure.files);
        return AMDRPC_ENOMEM;
    }
    *out = closure.files;
    *out_nfiles = closure.nfiles;
    return AMDRPC_OK;
}
