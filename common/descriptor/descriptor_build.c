/**
 * Turns a FileDescriptorProto into the registry's structs.
 *
 * The first fault is kept in `struct build` and everything after it does as
 * little as possible, so that faults need no handling on the way.
 */
#include "common/descriptor/descriptor_build.h"

#include <stdlib.h>
#include <string.h>

#define FIELD_NUMBER_MAX 536870911 // 2^29 - 1

bool
amdi_build_is_good(const struct build *build)
{
    return build->err == AMDRPC_OK;
}

void *
amdi_build_alloc(struct build *build, size_t count, size_t size)
{
    void *items =
            amdi_arena_alloc(&build->descriptors->arena, count * size + 1);

    if (items == NULL) {
        if (amdi_build_is_good(build)) {
            build->err = amdi_error_nomem(build->error);
        }
        return NULL;
    }
    return memset(items, 0, count * size + 1);
}

const char *
amdi_build_join(struct build *build, const char *scope, const char *name)
{
    size_t scope_len = strlen(scope);
    char *joined;

    if (name == NULL || name[0] == '\0') {
        amdi_build_fail(build, "%s: a declaration in \"%s\" has no name",
                build->file->file.name, scope);
        return "";
    }
    joined = amdi_build_alloc(build, scope_len + 1 + strlen(name), 1);
    if (joined == NULL) {
        return "";
    }
    memcpy(joined, scope, scope_len);
    if (scope_len > 0) {
        joined[scope_len++] = '.';
    }
    memcpy(joined + scope_len, name, strlen(name));
    return joined;
}

void
amdi_build_symbol(struct build *build, const char *name, enum symbol_kind kind,
        const void *item)
{
    struct symbol *symbol = amdi_build_alloc(build, 1, sizeof(*symbol));

    if (symbol != NULL) {
        *symbol = (struct symbol){.file_next = build->file->symbols,
                .name = name,
                .kind = kind,
                .item = item,
                .file = build->file};
        build->file->symbols = symbol;
    }
}

/* ---- messages ---- */

/* "item_count" → "itemCount", for descriptors that come without. */
static const char *
make_json_name(struct build *build, const char *name)
{
    char *json_name = amdi_build_alloc(build, strlen(name), 1);
    char *out = json_name;
    bool next_is_upper = false;

    if (json_name == NULL) {
        return "";
    }
    for (; *name != '\0'; name++) {
        if (*name == '_') {
            next_is_upper = true;
            continue;
        }
        *out++ = next_is_upper && *name >= 'a' && *name <= 'z'
                ? (char)(*name - 'a' + 'A')
                : *name;
        next_is_upper = false;
    }
    return json_name;
}

static bool
field_can_be_packed(const struct amdi_field *field)
{
    return field->is_repeated && field->type != AMDI_FIELD_STRING &&
            field->type != AMDI_FIELD_BYTES &&
            field->type != AMDI_FIELD_MESSAGE &&
            field->type != AMDI_FIELD_GROUP;
}

static void
check_field(struct build *build, const struct amdi_message *message,
        const proto_field *proto)
{
    int type = proto->has_type ? (int)proto->type : 0;
    bool is_named = type == AMDI_FIELD_MESSAGE || type == AMDI_FIELD_ENUM ||
            type == AMDI_FIELD_GROUP;
    const char *name = proto->name != NULL ? proto->name : "";

    if (proto->number < 1 || proto->number > FIELD_NUMBER_MAX) {
        amdi_build_fail(build, "%s.%s has the number %d, which no field may",
                message->full_name, name, proto->number);
    }
    if (type < AMDI_FIELD_DOUBLE || type > AMDI_FIELD_SINT64) {
        amdi_build_fail(
                build, "%s.%s has no known type", message->full_name, name);
    }
    if (is_named && (proto->type_name == NULL || proto->type_name[0] != '.')) {
        amdi_build_fail(build, "%s.%s does not name its type in full",
                message->full_name, name);
    }
    if (proto->has_oneof_index &&
            (proto->oneof_index < 0 ||
                    (size_t)proto->oneof_index >= message->noneofs)) {
        amdi_build_fail(build, "%s.%s is in a oneof that is not there",
                message->full_name, name);
    }
}

static void
build_field(struct build *build, const struct amdi_message *message,
        const proto_field *proto, struct amdi_field *out)
{
    bool is_proto3 = build->file->is_proto3;

    check_field(build, message, proto);
    amdi_build_symbol(build,
            amdi_build_join(build, message->full_name, proto->name),
            SYMBOL_OTHER, NULL);
    if (!amdi_build_is_good(build)) {
        return;
    }
    *out = (struct amdi_field){.name = proto->name,
            .json_name = proto->json_name != NULL
                    ? proto->json_name
                    : make_json_name(build, proto->name),
            .type_name = proto->type_name,
            .number = (uint32_t)proto->number,
            .type = (enum amdi_field_type)proto->type,
            .is_repeated = proto->label ==
                    GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__LABEL__LABEL_REPEATED,
            .oneof = proto->has_oneof_index && !proto->proto3_optional
                    ? proto->oneof_index
                    : -1};
    out->has_presence = !out->is_repeated &&
            (!is_proto3 || proto->has_oneof_index ||
                    out->type == AMDI_FIELD_MESSAGE);
    out->is_packed = field_can_be_packed(out) &&
            (proto->options != NULL && proto->options->has_packed
                            ? proto->options->packed != 0
                            : is_proto3);
}

static int
compare_fields(const void *left, const void *right)
{
    uint32_t a = ((const struct amdi_field *)left)->number;
    uint32_t b = ((const struct amdi_field *)right)->number;

    return a < b ? -1 : a > b;
}

static void
build_fields(struct build *build, const proto_message *proto,
        struct amdi_message *message)
{
    message->fields =
            amdi_build_alloc(build, proto->n_field, sizeof(*message->fields));
    for (size_t i = 0; i < proto->n_field && amdi_build_is_good(build); i++) {
        build_field(build, message, proto->field[i], &message->fields[i]);
    }
    if (!amdi_build_is_good(build)) {
        return;
    }
    message->nfields = proto->n_field;
    qsort(message->fields, message->nfields, sizeof(*message->fields),
            compare_fields);
    for (size_t i = 1; i < message->nfields; i++) {
        if (message->fields[i].number == message->fields[i - 1].number) {
            amdi_build_fail(build, "%s has two fields of the number %u",
                    message->full_name, message->fields[i].number);
        }
    }
}

static void
build_oneofs(struct build *build, const proto_message *proto,
        struct amdi_message *message)
{
    message->oneofs = amdi_build_alloc(
            build, proto->n_oneof_decl, sizeof(*message->oneofs));
    for (size_t i = 0; i < proto->n_oneof_decl && amdi_build_is_good(build);
            i++) {
        amdi_build_symbol(build,
                amdi_build_join(
                        build, message->full_name, proto->oneof_decl[i]->name),
                SYMBOL_OTHER, NULL);
        message->oneofs[i] = proto->oneof_decl[i]->name;
        message->noneofs = i + 1;
    }
}

static bool
is_map_key(const struct amdi_field *field)
{
    return field->number == 1 && !field->is_repeated &&
            field->type != AMDI_FIELD_DOUBLE &&
            field->type != AMDI_FIELD_FLOAT &&
            field->type != AMDI_FIELD_BYTES && field->type != AMDI_FIELD_ENUM &&
            field->type != AMDI_FIELD_MESSAGE &&
            field->type != AMDI_FIELD_GROUP;
}

static void
check_map_entry(struct build *build, const struct amdi_message *message)
{
    if (message->nfields != 2 || !is_map_key(&message->fields[0]) ||
            message->fields[1].number != 2 || message->fields[1].is_repeated) {
        amdi_build_fail(build, "%s is no key and value, as a map entry must be",
                message->full_name);
    }
}

static enum amdi_message_kind
message_kind(const struct amdi_message *message)
{
    static const struct {
        const char *name;
        enum amdi_message_kind kind;
    } kinds[] = {
            {"Any", AMDI_MESSAGE_ANY},
            {"Duration", AMDI_MESSAGE_DURATION},
            {"FieldMask", AMDI_MESSAGE_FIELD_MASK},
            {"ListValue", AMDI_MESSAGE_LIST_VALUE},
            {"Struct", AMDI_MESSAGE_STRUCT},
            {"Timestamp", AMDI_MESSAGE_TIMESTAMP},
            {"Value", AMDI_MESSAGE_VALUE},
            {"BoolValue", AMDI_MESSAGE_WRAPPER},
            {"BytesValue", AMDI_MESSAGE_WRAPPER},
            {"DoubleValue", AMDI_MESSAGE_WRAPPER},
            {"FloatValue", AMDI_MESSAGE_WRAPPER},
            {"Int32Value", AMDI_MESSAGE_WRAPPER},
            {"Int64Value", AMDI_MESSAGE_WRAPPER},
            {"StringValue", AMDI_MESSAGE_WRAPPER},
            {"UInt32Value", AMDI_MESSAGE_WRAPPER},
            {"UInt64Value", AMDI_MESSAGE_WRAPPER},
    };
    static const char package[] = "google.protobuf.";
    size_t package_len = sizeof(package) - 1;

    if (strncmp(message->full_name, package, package_len) != 0) {
        return AMDI_MESSAGE_ORDINARY;
    }
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(message->full_name + package_len, kinds[i].name) == 0) {
            return kinds[i].kind;
        }
    }
    return AMDI_MESSAGE_ORDINARY;
}

static bool
is_wrapper(const struct amdi_message *message)
{
    return message->nfields == 1 && message->fields[0].number == 1 &&
            !message->fields[0].is_repeated &&
            message->fields[0].type_name == NULL;
}

void
amdi_build_message(
        struct build *build, const char *scope, const proto_message *proto)
{
    struct amdi_message *message =
            &build->file->file.messages[build->file->file.nmessages++];

    message->full_name = amdi_build_join(build, scope, proto->name);
    message->file = &build->file->file;
    amdi_build_symbol(build, message->full_name, SYMBOL_MESSAGE, message);
    build_oneofs(build, proto, message);
    build_fields(build, proto, message);
    if (!amdi_build_is_good(build)) {
        return;
    }
    message->is_map_entry = proto->options != NULL && proto->options->map_entry;
    if (message->is_map_entry) {
        check_map_entry(build, message);
    }
    message->kind = message_kind(message);
    if (message->kind == AMDI_MESSAGE_WRAPPER && !is_wrapper(message)) {
        message->kind = AMDI_MESSAGE_ORDINARY;
    }
    amdi_build_nested(build, message->full_name, proto);
}
