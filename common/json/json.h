/**
 * Protobuf messages as JSON, by the rules of proto3's JSON mapping.
 *
 * Driven by the descriptors of a registry alone, so any method of any server
 * that tells its descriptors can be called. One deviation: a number without
 * quotes must fit into 64 bits with a sign; larger ones go in quotes, as every
 * writer of this mapping puts them.
 */
#ifndef AMDI_JSON_H
#define AMDI_JSON_H

#include <amdrpc/err.h>

#include "common/buf.h"
#include "common/descriptor/descriptor.h"
#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>

/** The largest text that is read; its tree takes some twenty times as much. */
#define AMDI_JSON_MAX_BYTES ((size_t)4 * 1024 * 1024)

/** How deep messages may lie in each other, either way; bounds the stack. */
#define AMDI_JSON_MAX_DEPTH 100u

/** All off: compact, canonical, strict. */
struct amdi_json_options {
    bool ignore_unknown; // reading: pass over fields that do not exist
    bool pretty;         // writing: one field a line, two blanks a level
    bool emit_defaults;  // writing: fields without presence although unset
    bool original_names; // writing: "item_count" instead of "itemCount"
};

/**
 * Appends the wire form of what a JSON text says.
 *
 * @options  NULL for none
 * @out      as it was on failure
 * Errors:   AMDRPC_EINVAL  the sentence names the field,
 *                          "items[2].count: 'abc' is no uint32"
 *           AMDRPC_ELIMIT  too long, or too deep
 *           AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_json_read(
        const struct amdi_descriptors *descriptors,
        const struct amdi_message *message, const char *text, size_t len,
        const struct amdi_json_options *options, struct amdi_buf *out,
        struct amdi_error *error);

/**
 * Appends the JSON text of a message's wire form, without a NUL.
 *
 * @options  NULL for none
 * @out      as it was on failure
 * Errors:   AMDRPC_EINVAL  the bytes are no such message, or hold what has no
 *                          JSON form; the sentence names the field
 *           AMDRPC_ELIMIT  too deep
 *           AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_json_write(
        const struct amdi_descriptors *descriptors,
        const struct amdi_message *message, const void *data, size_t len,
        const struct amdi_json_options *options, struct amdi_buf *out,
        struct amdi_error *error);

#endif
