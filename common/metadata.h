/** Metadata between its wire form and amdrpc_metadata. */
#ifndef AMDI_METADATA_H
#define AMDI_METADATA_H

#include <amdrpc/metadata.h>

#include "common/arena.h"

/**
 * The list lies in its owner and takes memory from the owner's arena. Lists
 * of amdrpc_metadata_create own an arena of their own.
 */
struct amdrpc_metadata {
    struct amdi_arena *arena; // borrowed
    amdrpc_metadata_field *fields;
    size_t nfields;
    size_t room;
};

/** Makes an empty list whose memory is @arena's. */
void amdi_metadata_init(
        struct amdrpc_metadata *metadata, struct amdi_arena *arena);

/**
 * Adds a field as it came from the wire: odd but legal values are kept, "-bin"
 * values split at commas and decoded (PROTOCOL-HTTP2, "Custom-Metadata").
 * Errors: AMDRPC_EINVAL  a "-bin" value that is no base64
 *         AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_metadata_add_wire(
        struct amdrpc_metadata *metadata, const char *name, size_t name_len,
        const char *value, size_t value_len);

/**
 * As amdrpc_metadata_add, for names that users may not send.
 * Errors: AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_metadata_add_own(
        struct amdrpc_metadata *metadata, const char *name, const void *value,
        size_t value_len);

/**
 * Adds every field of another list that users may send; NULL: none.
 * Errors: as amdrpc_metadata_add
 */
AMDRPC_NODISCARD amdrpc_err amdi_metadata_copy(
        struct amdrpc_metadata *metadata, const amdrpc_metadata *from);

/** Tells whether users may send a field of that name and value. */
bool amdi_metadata_is_valid(
        const char *name, const void *value, size_t value_len);

/** Tells whether a name ends in "-bin". */
bool amdi_metadata_is_binary(const char *name, size_t name_len);

/**
 * The wire form of a field's value: itself, or base64 for "-bin" names.
 * @out  borrowed from @arena or the field
 */
AMDRPC_NODISCARD amdrpc_err amdi_metadata_wire_value(
        const amdrpc_metadata_field *field, struct amdi_arena *arena,
        const char **out, size_t *out_len);

#endif
