/**
 * Messages, enums and services known at run time, from FileDescriptorSets.
 *
 * Filled with _add, made usable with _link, then only read: by any thread,
 * without a lock. Everything it gives out is borrowed for its life.
 */
#ifndef AMDI_DESCRIPTOR_H
#define AMDI_DESCRIPTOR_H

#include <amdrpc/err.h>

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * What all files of a registry may take in memory. A server that is asked by
 * reflection decides how large they are; the largest API sets known to us
 * take a tenth of this.
 */
#define AMDI_DESCRIPTORS_MAX_BYTES ((size_t)64 * 1024 * 1024)

/** How long a chain of imports may be; bounds the stack of _link. */
#define AMDI_DESCRIPTORS_MAX_IMPORT_DEPTH 100u

struct amdi_descriptors;
struct amdi_enum;
struct amdi_message;

/** The numbers are those of google.protobuf.FieldDescriptorProto.Type. */
enum amdi_field_type {
    AMDI_FIELD_DOUBLE = 1,
    AMDI_FIELD_FLOAT = 2,
    AMDI_FIELD_INT64 = 3,
    AMDI_FIELD_UINT64 = 4,
    AMDI_FIELD_INT32 = 5,
    AMDI_FIELD_FIXED64 = 6,
    AMDI_FIELD_FIXED32 = 7,
    AMDI_FIELD_BOOL = 8,
    AMDI_FIELD_STRING = 9,
    AMDI_FIELD_GROUP = 10,
    AMDI_FIELD_MESSAGE = 11,
    AMDI_FIELD_BYTES = 12,
    AMDI_FIELD_UINT32 = 13,
    AMDI_FIELD_ENUM = 14,
    AMDI_FIELD_SFIXED32 = 15,
    AMDI_FIELD_SFIXED64 = 16,
    AMDI_FIELD_SINT32 = 17,
    AMDI_FIELD_SINT64 = 18,
};

struct amdi_field {
    const char *name;      // "item_count"
    const char *json_name; // "itemCount"
    const char *type_name; // ".foo.v1.Item"; NULL for scalars
    uint32_t number;
    enum amdi_field_type type;
    bool is_repeated; // maps too
    bool is_map;
    bool is_packed;    // how it is written; both forms are read
    bool has_presence; // unset differs from the default value
    int32_t oneof;     // index in the message's oneofs, or -1
    const struct amdi_message *message; // of messages and maps
    const struct amdi_enum *enum_type;  // of enums
};

/** Messages that have a JSON form of their own. */
enum amdi_message_kind {
    AMDI_MESSAGE_ORDINARY,
    AMDI_MESSAGE_ANY,
    AMDI_MESSAGE_DURATION,
    AMDI_MESSAGE_FIELD_MASK,
    AMDI_MESSAGE_LIST_VALUE,
    AMDI_MESSAGE_STRUCT,
    AMDI_MESSAGE_TIMESTAMP,
    AMDI_MESSAGE_VALUE,
    AMDI_MESSAGE_WRAPPER, // has exactly one field, number 1
};

struct amdi_message {
    const char *full_name; // "foo.v1.Item"
    const struct amdi_file *file;
    struct amdi_field *fields; // by ascending number
    size_t nfields;
    const char **oneofs; // names
    size_t noneofs;
    enum amdi_message_kind kind;
    bool is_map_entry; // has exactly the fields key = 1 and value = 2
};

struct amdi_enum_value {
    const char *name;
    int32_t number;
};

struct amdi_enum {
    const char *full_name;
    struct amdi_enum_value *values; // as declared
    size_t nvalues;
    bool is_closed; // proto2: a number without a name is no value
};

struct amdi_method {
    const char *name;      // "Echo"
    const char *full_name; // "foo.v1.Bar.Echo"
    const char *input_name;
    const char *output_name;
    const struct amdi_service *service;
    const struct amdi_message *input;
    const struct amdi_message *output;
    bool client_streaming;
    bool server_streaming;
};

struct amdi_service {
    const char *full_name; // "foo.v1.Bar"
    const struct amdi_file *file;
    struct amdi_method *methods;
    size_t nmethods;
};

struct amdi_extension {
    const char *extendee; // "foo.v1.Item"
    uint32_t number;
};

struct amdi_file {
    const char *name;     // "foo/v1/bar.proto"
    const uint8_t *bytes; // the serialized FileDescriptorProto
    size_t len;
    const char **import_names;
    const struct amdi_file **imports; // once linked
    size_t nimports;
    struct amdi_message *messages; // nested ones too
    size_t nmessages;
    struct amdi_enum *enums; // nested ones too
    size_t nenums;
    struct amdi_service *services;
    size_t nservices;
    struct amdi_extension *extensions; // nested ones too
    size_t nextensions;
    const struct amdi_file *next; // in the order they were added
};

/** Makes an empty registry. Errors: AMDRPC_ENOMEM. */
AMDRPC_NODISCARD amdrpc_err amdi_descriptors_create(
        struct amdi_descriptors **out);

/** NULL is accepted. */
void amdi_descriptors_destroy(struct amdi_descriptors *descriptors);

/**
 * Adds a serialized FileDescriptorProto. A file of a name that is there
 * already is passed over. Nothing of a refused file stays.
 *
 * @data    copied
 * Errors:  AMDRPC_EINVAL       not such a message, or one that contradicts
 *                              itself or what was added before
 *          AMDRPC_EUNSUPPORTED an edition we do not know
 *          AMDRPC_ENOMEM       also beyond AMDI_DESCRIPTORS_MAX_BYTES
 */
AMDRPC_NODISCARD amdrpc_err amdi_descriptors_add_file(
        struct amdi_descriptors *descriptors, const void *data, size_t len,
        struct amdi_error *error);

/** Adds each file of a serialized FileDescriptorSet; otherwise the same. */
AMDRPC_NODISCARD amdrpc_err amdi_descriptors_add_set(
        struct amdi_descriptors *descriptors, const void *data, size_t len,
        struct amdi_error *error);

/** Returns the name of a file that is imported and not there, or NULL. */
const char *amdi_descriptors_get_missing(
        const struct amdi_descriptors *descriptors);

/**
 * Resolves what the files added since say about each other. What is found
 * below comes from linked files only. More files may be added later, and
 * linked.
 *
 * Errors:  AMDRPC_EINVAL  an import or type that is not there, imports in a
 *                         circle; files not concerned are linked
 */
AMDRPC_NODISCARD amdrpc_err amdi_descriptors_link(
        struct amdi_descriptors *descriptors, struct amdi_error *error);

/* ---- finding: NULL when it is not there ---- */

/**
 * Returns the first file; the others follow by `next`. Linked or not, so ask
 * when _link has succeeded.
 */
const struct amdi_file *amdi_descriptors_get_files(
        const struct amdi_descriptors *descriptors);
const struct amdi_file *amdi_descriptors_find_file(
        const struct amdi_descriptors *descriptors, const char *name);

/** Finds the file that declares anything that has a name: "foo.v1.Bar". */
const struct amdi_file *amdi_descriptors_find_symbol(
        const struct amdi_descriptors *descriptors, const char *full_name);
const struct amdi_message *amdi_descriptors_find_message(
        const struct amdi_descriptors *descriptors, const char *full_name);
const struct amdi_enum *amdi_descriptors_find_enum(
        const struct amdi_descriptors *descriptors, const char *full_name);
const struct amdi_service *amdi_descriptors_find_service(
        const struct amdi_descriptors *descriptors, const char *full_name);

/** @path is "/foo.v1.Bar/Echo", "foo.v1.Bar/Echo" or "foo.v1.Bar.Echo". */
const struct amdi_method *amdi_descriptors_find_method(
        const struct amdi_descriptors *descriptors, const char *path);

/** Finds the file that declares field @number of message @extendee. */
const struct amdi_file *amdi_descriptors_find_extension(
        const struct amdi_descriptors *descriptors, const char *extendee,
        uint32_t number);

const struct amdi_field *amdi_message_find_field(
        const struct amdi_message *message, uint32_t number);

/** Takes both "item_count" and "itemCount". */
const struct amdi_field *amdi_message_find_field_by_name(
        const struct amdi_message *message, const char *name);

/** Returns the first value of that number. */
const struct amdi_enum_value *amdi_enum_find_number(
        const struct amdi_enum *type, int32_t number);
const struct amdi_enum_value *amdi_enum_find_name(
        const struct amdi_enum *type, const char *name);

/**
 * Lists a file and all that it imports, itself first, each once: the answer
 * of reflection.
 *
 * @out     returned owned: amdi_free
 * Errors:  AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_file_list_closure(const struct amdi_file *file,
        const struct amdi_file ***out, size_t *out_nfiles);

#endif
