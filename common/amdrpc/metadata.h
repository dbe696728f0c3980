/** Metadata of a call: an ordered list of names and values. */
#ifndef AMDRPC_METADATA_H
#define AMDRPC_METADATA_H

#include <amdrpc/err.h>

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Metadata as in gRPC's PROTOCOL-HTTP2 "Custom-Metadata": lower-case names
 * of letters, digits, `_`, `-` and `.`; names that end in "-bin" hold any
 * bytes (base64 exists on the wire only), others printable ASCII. A name may
 * stand several times; the order is kept. Not locked.
 */
typedef struct amdrpc_metadata amdrpc_metadata;

/** One field; a borrowed view. The value is followed by a NUL byte. */
typedef struct amdrpc_metadata_field {
    const char *name;
    const char *value;
    size_t value_len;
} amdrpc_metadata_field;

/**
 * Creates an empty list.
 *
 * Thread:  any
 * @out     returned owned
 * Errors:  AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_metadata_create(amdrpc_metadata **out);

/** Frees the list and what it holds; NULL is accepted. */
void amdrpc_metadata_destroy(amdrpc_metadata *metadata);

/**
 * Adds a field at the end.
 *
 * Thread:  the list's user
 * @name    copied
 * @value   copied; @value_len bytes
 * Errors:  AMDRPC_EINVAL  a name or value gRPC does not allow, or a name that
 *                         is reserved ("grpc-…", ":…", HTTP/2's own)
 *          AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_metadata_add(amdrpc_metadata *metadata,
        const char *name, const void *value, size_t value_len);

/** Adds a text value; otherwise as amdrpc_metadata_add. */
AMDRPC_NODISCARD amdrpc_err amdrpc_metadata_add_text(
        amdrpc_metadata *metadata, const char *name, const char *value);

/** Returns how many fields there are; 0 for NULL. */
size_t amdrpc_metadata_count(const amdrpc_metadata *metadata);

/** Returns the field at @index (< count); borrowed. */
const amdrpc_metadata_field *amdrpc_metadata_at(
        const amdrpc_metadata *metadata, size_t index);

/** Returns the first field of that name, or NULL; borrowed. */
const amdrpc_metadata_field *amdrpc_metadata_get(
        const amdrpc_metadata *metadata, const char *name);

#ifdef __cplusplus
}
#endif

#endif
