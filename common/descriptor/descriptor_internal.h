/** What the parts of the descriptor registry share; nobody else's. */
#ifndef AMDI_DESCRIPTOR_INTERNAL_H
#define AMDI_DESCRIPTOR_INTERNAL_H

#include "common/arena.h"
#include "common/descriptor/descriptor.h"

#define DESCRIPTORS_NBUCKETS 1024u

enum symbol_kind {
    SYMBOL_OTHER, // fields, enum values, extensions, oneofs
    SYMBOL_MESSAGE,
    SYMBOL_ENUM,
    SYMBOL_SERVICE,
    SYMBOL_METHOD,
};

/** A full name and what it belongs to; in the arena. */
struct symbol {
    struct symbol *bucket_next;
    struct symbol *file_next; // of the same file
    const char *name;
    enum symbol_kind kind;
    const void *item; // by kind; NULL for SYMBOL_OTHER
    struct descriptor_file *file;
};

enum file_state {
    FILE_ADDED,   // its names are known, what they refer to is not
    FILE_LINKING, // waits for its imports
    FILE_LINKED,  // may be found
};

struct descriptor_file {
    struct amdi_file file; // what users see
    struct descriptor_file *next;
    struct symbol *symbols;
    enum file_state state;
    bool is_proto3;
};

struct amdi_descriptors {
    struct amdi_arena arena;       // of all that follows
    struct descriptor_file *first; // in the order they were added
    struct descriptor_file *last;
    struct symbol *buckets[DESCRIPTORS_NBUCKETS];
};

/** Returns the symbol of that name, or NULL; linked or not. */
struct symbol *amdi_symbol_find(
        const struct amdi_descriptors *descriptors, const char *name);

struct descriptor_file *amdi_descriptor_file_find(
        const struct amdi_descriptors *descriptors, const char *name);

/** Makes @out from its serialized form, with all symbols but none entered. */
AMDRPC_NODISCARD amdrpc_err amdi_descriptor_file_build(
        struct amdi_descriptors *descriptors, const void *data, size_t len,
        struct descriptor_file **out, struct amdi_error *error);

#endif
