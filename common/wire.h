/** Protobuf's wire form: reading, writing, and what to look at first. */
#ifndef AMDI_WIRE_H
#define AMDI_WIRE_H

#include <amdrpc/err.h>

#include "common/buf.h"

#include <protobuf-c/protobuf-c.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * How deep messages may lie in each other, as in C++ and Java. A peer decides
 * how deep they are, and protobuf-c follows with the stack: 100 levels need
 * some 25 KB of it.
 */
#define AMDI_WIRE_MAX_DEPTH 100u

enum amdi_wire_type {
    AMDI_WIRE_VARINT = 0,
    AMDI_WIRE_FIXED64 = 1,
    AMDI_WIRE_BYTES = 2,
    AMDI_WIRE_FIXED32 = 5,
};

/* ---- reading: false when too little is left, or it is no such thing ---- */

bool amdi_wire_read_varint(struct amdi_buf_reader *reader, uint64_t *out);
bool amdi_wire_read_fixed32(struct amdi_buf_reader *reader, uint32_t *out);
bool amdi_wire_read_fixed64(struct amdi_buf_reader *reader, uint64_t *out);

/** Reads a length and makes @out a view of as many bytes. */
bool amdi_wire_read_bytes(
        struct amdi_buf_reader *reader, struct amdi_buf_reader *out);

/** Reads a field's number (1 to 2^29 - 1) and type; groups are refused. */
bool amdi_wire_read_tag(struct amdi_buf_reader *reader, uint32_t *out_number,
        enum amdi_wire_type *out_type);

/** Skips a value of that type. */
bool amdi_wire_skip(struct amdi_buf_reader *reader, enum amdi_wire_type type);

static inline int64_t
amdi_wire_unzigzag(uint64_t value)
{
    return (int64_t)(value >> 1 ^ (~(value & 1) + 1));
}

/* ---- writing: AMDRPC_ENOMEM, and then nothing was appended ---- */

AMDRPC_NODISCARD amdrpc_err amdi_wire_put_varint(
        struct amdi_buf *buf, uint64_t value);
AMDRPC_NODISCARD amdrpc_err amdi_wire_put_fixed32(
        struct amdi_buf *buf, uint32_t value);
AMDRPC_NODISCARD amdrpc_err amdi_wire_put_fixed64(
        struct amdi_buf *buf, uint64_t value);
AMDRPC_NODISCARD amdrpc_err amdi_wire_put_tag(
        struct amdi_buf *buf, uint32_t number, enum amdi_wire_type type);

/** Appends a length and the bytes. */
AMDRPC_NODISCARD amdrpc_err amdi_wire_put_bytes(
        struct amdi_buf *buf, const void *data, size_t len);

static inline uint64_t
amdi_wire_zigzag(int64_t value)
{
    return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

/* ---- the look before protobuf-c unpacks ---- */

/** What is wrong with a message, and where. */
struct amdi_wire_fault {
    const char *reason; // static: "is not UTF-8"
    const ProtobufCMessageDescriptor *message;
    const ProtobufCFieldDescriptor *field; // NULL: the message itself
};

/**
 * Looks through a message for what protobuf-c unpacks without looking:
 * nesting without end, strings that are not UTF-8. One pass, no allocation.
 *
 * @out_fault  written on failure; may be NULL
 * Errors:     AMDRPC_EINVAL  not such a message
 *             AMDRPC_ELIMIT  more than @max_depth messages in each other
 */
AMDRPC_NODISCARD amdrpc_err amdi_wire_check(
        const ProtobufCMessageDescriptor *desc, const void *data, size_t len,
        unsigned max_depth, struct amdi_wire_fault *out_fault);

/**
 * Writes the sentence of a fault, "amdrpc.v1.Foo.bar is not UTF-8", into
 * @out; cut to @size.
 */
void amdi_wire_fault_print(
        const struct amdi_wire_fault *fault, char *out, size_t size);

#endif
