/** Resolves what files say about each other: imports, and types by name. */
#include "common/descriptor/descriptor_internal.h"

struct link {
    struct amdi_descriptors *descriptors;
    struct amdi_error *error;
};

/*
 * Finds what a file may refer to: what is linked, and its own. A type may come
 * by a public import of an import, so it is not asked which way it came.
 */
static const void *
link_find(const struct link *link, const struct amdi_file *file,
        const char *type_name, enum symbol_kind kind)
{
    const struct symbol *symbol =
            amdi_symbol_find(link->descriptors, type_name + 1);

    if (symbol == NULL || symbol->kind != kind ||
            (symbol->file->state != FILE_LINKED &&
                    &symbol->file->file != file)) {
        return NULL;
    }
    return symbol->item;
}

static amdrpc_err
link_field(const struct link *link, const struct amdi_message *message,
        struct amdi_field *field)
{
    const struct amdi_file *file = message->file;

    if (field->type == AMDI_FIELD_ENUM) {
        field->enum_type = link_find(link, file, field->type_name, SYMBOL_ENUM);
    } else if (field->type == AMDI_FIELD_MESSAGE ||
            field->type == AMDI_FIELD_GROUP) {
        field->message =
                link_find(link, file, field->type_name, SYMBOL_MESSAGE);
    } else {
        return AMDRPC_OK;
    }
    if (field->enum_type == NULL && field->message == NULL) {
        return amdi_error_set(link->error, AMDRPC_EINVAL,
                "%s: the type of %s.%s, %s, is not there", file->name,
                message->full_name, field->name, field->type_name + 1);
    }
    field->is_map = field->is_repeated && field->message != NULL &&
            field->message->is_map_entry;
    return AMDRPC_OK;
}

static amdrpc_err
link_method_type(const struct link *link, const struct amdi_method *method,
        const char *type_name, const struct amdi_message **out)
{
    const struct amdi_file *file = method->service->file;

    *out = link_find(link, file, type_name, SYMBOL_MESSAGE);
    if (*out == NULL) {
        return amdi_error_set(link->error, AMDRPC_EINVAL,
                "%s: the message %s of %s is not there", file->name,
                type_name + 1, method->full_name);
    }
    return AMDRPC_OK;
}

static amdrpc_err
link_service(const struct link *link, const struct amdi_service *service)
{
    amdrpc_err err = AMDRPC_OK;

    for (size_t i = 0; i < service->nmethods && err == AMDRPC_OK; i++) {
        struct amdi_method *method = &service->methods[i];

        err = link_method_type(
                link, method, method->input_name, &method->input);
        if (err == AMDRPC_OK) {
            err = link_method_type(
                    link, method, method->output_name, &method->output);
        }
    }
    return err;
}

static amdrpc_err
link_types(const struct link *link, const struct amdi_file *file)
{
    amdrpc_err err = AMDRPC_OK;

    for (size_t i = 0; i < file->nmessages; i++) {
        const struct amdi_message *message = &file->messages[i];

        for (size_t j = 0; j < message->nfields && err == AMDRPC_OK; j++) {
            err = link_field(link, message, &message->fields[j]);
        }
    }
    for (size_t i = 0; i < file->nservices && err == AMDRPC_OK; i++) {
        err = link_service(link, &file->services[i]);
    }
    return err;
}

static amdrpc_err link_file(
        const struct link *link, struct descriptor_file *file, unsigned depth);

static amdrpc_err
link_import(const struct link *link, struct descriptor_file *file, size_t index,
        unsigned depth)
{
    const char *name = file->file.import_names[index];
    struct descriptor_file *import =
            amdi_descriptor_file_find(link->descriptors, name);
    amdrpc_err err;

    if (import == NULL) {
        return amdi_error_set(link->error, AMDRPC_EINVAL,
                "%s imports %s, which is not there", file->file.name, name);
    }
    err = link_file(link, import, depth + 1);
    file->file.imports[index] = &import->file;
    return err;
}

static amdrpc_err
link_file(const struct link *link, struct descriptor_file *file, unsigned depth)
{
    amdrpc_err err = AMDRPC_OK;

    if (file->state == FILE_LINKED) {
        return AMDRPC_OK;
    }
    if (file->state == FILE_LINKING ||
            depth > AMDI_DESCRIPTORS_MAX_IMPORT_DEPTH) {
        return amdi_error_set(link->error, AMDRPC_EINVAL,
                "%s imports itself, or the chain of imports is longer than %u",
                file->file.name, AMDI_DESCRIPTORS_MAX_IMPORT_DEPTH);
    }
    file->state = FILE_LINKING;
    for (size_t i = 0; i < file->file.nimports && err == AMDRPC_OK; i++) {
        err = link_import(link, file, i, depth);
    }
    if (err == AMDRPC_OK) {
        err = link_types(link, &file->file);
    }
    file->state = err == AMDRPC_OK ? FILE_LINKED : FILE_ADDED;
    return err;
}

amdrpc_err
amdi_descriptors_link(
        struct amdi_descriptors *descriptors, struct amdi_error *error)
{
    struct link link = {.descriptors = descriptors, .error = error};
    amdrpc_err first_err = AMDRPC_OK;

    for (struct descriptor_file *file = descriptors->first; file != NULL;
            file = file->next) {
        amdrpc_err err = link_file(&link, file, 0);

        if (first_err == AMDRPC_OK && err != AMDRPC_OK) {
            first_err = err;
            link.error = NULL; // the first sentence stands
        }
    }
    return first_err;
}
