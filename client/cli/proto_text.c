/** Descriptors as the text of a .proto file. */
#include "client/cli/proto_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

// Messages in messages: deeper ones are left out. The server chooses.
#define DEPTH_MAX 16

struct writer {
    FILE *file;
    int depth; // of indentation
};

AMDRPC_PRINTF(2, 3)
static void
writer_line(const struct writer *writer, const char *fmt, ...)
{
    va_list args;

    (void)fprintf(writer->file, "%*s", writer->depth * 2, "");
    va_start(args, fmt);
    (void)vfprintf(writer->file, fmt, args);
    va_end(args);
    (void)fputc('\n', writer->file);
}

static const char *
scalar_name(enum amdi_field_type type)
{
    static const char *const names[] = {
            [AMDI_FIELD_DOUBLE] = "double",
            [AMDI_FIELD_FLOAT] = "float",
            [AMDI_FIELD_INT64] = "int64",
            [AMDI_FIELD_UINT64] = "uint64",
            [AMDI_FIELD_INT32] = "int32",
            [AMDI_FIELD_FIXED64] = "fixed64",
            [AMDI_FIELD_FIXED32] = "fixed32",
            [AMDI_FIELD_BOOL] = "bool",
            [AMDI_FIELD_STRING] = "string",
            [AMDI_FIELD_BYTES] = "bytes",
            [AMDI_FIELD_UINT32] = "uint32",
            [AMDI_FIELD_SFIXED32] = "sfixed32",
            [AMDI_FIELD_SFIXED64] = "sfixed64",
            [AMDI_FIELD_SINT32] = "sint32",
            [AMDI_FIELD_SINT64] = "sint64",
    };

    if ((size_t)type >= sizeof(names) / sizeof(names[0]) ||
            names[type] == NULL) {
        return "?";
    }
    return names[type];
}

static const char *
field_type_name(const struct amdi_field *field)
{
    if (field->enum_type != NULL) {
        return field->enum_type->full_name;
    }
    return field->message != NULL ? field->message->full_name
                                  : scalar_name(field->type);
}

static const char *
field_label(const struct amdi_field *field)
{
    if (field->is_repeated) {
        return "repeated ";
    }
    // Messages and members of a oneof have presence anyway.
    return field->has_presence && field->oneof < 0 && field->message == NULL
            ? "optional "
            : "";
}

static void
write_field(const struct writer *writer, const struct amdi_field *field)
{
    if (field->is_map) {
        const struct amdi_field *entry = field->message->fields;

        writer_line(writer, "map<%s, %s> %s = %" PRIu32 ";",
                field_type_name(&entry[0]), field_type_name(&entry[1]),
                field->name, field->number);
        return;
    }
    writer_line(writer, "%s%s %s = %" PRIu32 ";", field_label(field),
            field_type_name(field), field->name, field->number);
}

static void
write_oneof(struct writer *writer, const struct amdi_message *message,
        int32_t index)
{
    writer_line(writer, "oneof %s {", message->oneofs[index]);
    writer->depth++;
    for (size_t i = 0; i < message->nfields; i++) {
        if (message->fields[i].oneof == index) {
            write_field(writer, &message->fields[i]);
        }
    }
    writer->depth--;
    writer_line(writer, "}");
}

static bool
oneof_is_written(const struct amdi_message *message, size_t field_index)
{
    for (size_t i = 0; i < field_index; i++) {
        if (message->fields[i].oneof == message->fields[field_index].oneof) {
            return true;
        }
    }
    return false;
}

static void
write_fields(struct writer *writer, const struct amdi_message *message)
{
    for (size_t i = 0; i < message->nfields; i++) {
        const struct amdi_field *field = &message->fields[i];

        if (field->oneof < 0) {
            write_field(writer, field);
        } else if (!oneof_is_written(message, i)) {
            write_oneof(writer, message, field->oneof);
        }
    }
}

static const char *
last_part(const char *full_name)
{
    const char *dot = strrchr(full_name, '.');

    return dot == NULL ? full_name : dot + 1;
}

// Whether a name is declared directly inside of a message.
static bool
name_is_inside(const char *full_name, const struct amdi_message *message)
{
    size_t len = strlen(message->full_name);

    return strncmp(full_name, message->full_name, len) == 0 &&
            full_name[len] == '.' &&
            last_part(full_name) == full_name + len + 1;
}

static void
write_enum(struct writer *writer, const struct amdi_enum *type)
{
    writer_line(writer, "enum %s {", last_part(type->full_name));
    writer->depth++;
    for (size_t i = 0; i < type->nvalues; i++) {
        writer_line(writer, "%s = %" PRId32 ";", type->values[i].name,
                type->values[i].number);
    }
    writer->depth--;
    writer_line(writer, "}");
}

static void write_message(
        struct writer *writer, const struct amdi_message *message);

static void
write_nested(struct writer *writer, const struct amdi_message *message)
{
    const struct amdi_file *file = message->file;

    for (size_t i = 0; i < file->nenums; i++) {
        if (name_is_inside(file->enums[i].full_name, message)) {
            write_enum(writer, &file->enums[i]);
        }
    }
    for (size_t i = 0; i < file->nmessages && writer->depth < DEPTH_MAX; i++) {
        if (!file->messages[i].is_map_entry &&
                name_is_inside(file->messages[i].full_name, message)) {
            write_message(writer, &file->messages[i]);
        }
    }
}

static void
write_message(struct writer *writer, const struct amdi_message *message)
{
    writer_line(writer, "message %s {", last_part(message->full_name));
    writer->depth++;
    write_nested(writer, message);
    write_fields(writer, message);
    writer->depth--;
    writer_line(writer, "}");
}

static void
write_method(const struct writer *writer, const struct amdi_method *method)
{
    writer_line(writer, "rpc %s(%s%s) returns (%s%s);", method->name,
            method->client_streaming ? "stream " : "", method->input->full_name,
            method->server_streaming ? "stream " : "",
            method->output->full_name);
}

static void
write_service(struct writer *writer, const struct amdi_service *service)
{
    writer_line(writer, "service %s {", last_part(service->full_name));
    writer->depth++;
    for (size_t i = 0; i < service->nmethods; i++) {
        write_method(writer, &service->methods[i]);
    }
    writer->depth--;
    writer_line(writer, "}");
}

bool
amdi_proto_text_print(const struct amdi_descriptors *descriptors,
        const char *name, FILE *file)
{
    const struct amdi_service *service =
            amdi_descriptors_find_service(descriptors, name);
    const struct amdi_method *method =
            amdi_descriptors_find_method(descriptors, name);
    const struct amdi_message *message =
            amdi_descriptors_find_message(descriptors, name);
    const struct amdi_enum *type =
            amdi_descriptors_find_enum(descriptors, name);
    const struct amdi_file *origin =
            amdi_descriptors_find_symbol(descriptors, name);
    struct writer writer = {.file = file};

    if (service == NULL && method == NULL && message == NULL && type == NULL) {
        return false;
    }
    (void)fprintf(
            file, "// %s, in %s\n", name, origin == NULL ? "?" : origin->name);
    if (service != NULL) {
        write_service(&writer, service);
    } else if (method != NULL) {
        write_method(&writer, method);
    } else if (message != NULL) {
        write_message(&writer, message);
    } else {
        write_enum(&writer, type);
    }
    return true;
}
