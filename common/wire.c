/** Protobuf's wire form: reading and writing its few kinds of values. */
#include "common/wire.h"

#include <string.h>

#define VARINT_MAX_BYTES 10u

// The tenth byte holds the 64th bit, and nothing else.
bool
amdi_wire_read_varint(struct amdi_buf_reader *reader, uint64_t *out)
{
    size_t len =
            reader->len < VARINT_MAX_BYTES ? reader->len : VARINT_MAX_BYTES;
    uint64_t value = 0;

    for (size_t i = 0; i < len; i++) {
        uint8_t byte = reader->data[i];

        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) == 0) {
            if (i == VARINT_MAX_BYTES - 1 && byte > 1) {
                return false;
            }
            reader->data += i + 1;
            reader->len -= i + 1;
            *out = value;
            return true;
        }
    }
    return false;
}

bool
amdi_wire_read_fixed32(struct amdi_buf_reader *reader, uint32_t *out)
{
    const uint8_t *bytes;

    if (!amdi_buf_read_bytes(reader, 4, &bytes)) {
        return false;
    }
    *out = bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
            (uint32_t)bytes[3] << 24;
    return true;
}

bool
amdi_wire_read_fixed64(struct amdi_buf_reader *reader, uint64_t *out)
{
    uint32_t low;
    uint32_t high;

    if (reader->len < 8 || !amdi_wire_read_fixed32(reader, &low) ||
            !amdi_wire_read_fixed32(reader, &high)) {
        return false;
    }
    *out = (uint64_t)high << 32 | low;
    return true;
}

bool
amdi_wire_read_bytes(
        struct amdi_buf_reader *reader, struct amdi_buf_reader *out)
{
    struct amdi_buf_reader rest = *reader;
    const uint8_t *data;
    uint64_t len;

    if (!amdi_wire_read_varint(&rest, &len) || len > rest.len ||
            !amdi_buf_read_bytes(&rest, (size_t)len, &data)) {
        return false;
    }
    *reader = rest;
    *out = (struct amdi_buf_reader){.data = data, .len = (size_t)len};
    return true;
}

static bool
wire_type_is_known(uint64_t type)
{
    return type == AMDI_WIRE_VARINT || type == AMDI_WIRE_FIXED64 ||
            type == AMDI_WIRE_BYTES || type == AMDI_WIRE_FIXED32;
}

bool
amdi_wire_read_tag(struct amdi_buf_reader *reader, uint32_t *out_number,
        enum amdi_wire_type *out_type)
{
    uint64_t tag;

    if (!amdi_wire_read_varint(reader, &tag) || tag > UINT32_MAX ||
            tag >> 3 == 0 || !wire_type_is_known(tag & 7)) {
        return false;
    }
    *out_number = (uint32_t)(tag >> 3);
    *out_type = (enum amdi_wire_type)(tag & 7);
    return true;
}

bool
amdi_wire_skip(struct amdi_buf_reader *reader, enum amdi_wire_type type)
{
    struct amdi_buf_reader view;
    const uint8_t *bytes;
    uint64_t value;

    switch (type) {
    case AMDI_WIRE_VARINT:
        return amdi_wire_read_varint(reader, &value);
    case AMDI_WIRE_FIXED64:
        return amdi_buf_read_bytes(reader, 8, &bytes);
    case AMDI_WIRE_BYTES:
        return amdi_wire_read_bytes(reader, &view);
    case AMDI_WIRE_FIXED32:
        return amdi_buf_read_bytes(reader, 4, &bytes);
    }
    return false;
}

amdrpc_err
amdi_wire_put_varint(struct amdi_buf *buf, uint64_t value)
{
    uint8_t bytes[VARINT_MAX_BYTES];
    size_t len = 0;

    while (value >= 0x80) {
        bytes[len++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    bytes[len++] = (uint8_t)value;
    return amdi_buf_append(buf, bytes, len);
}

amdrpc_err
amdi_wire_put_fixed32(struct amdi_buf *buf, uint32_t value)
{
    uint8_t bytes[4];

    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
    return amdi_buf_append(buf, bytes, sizeof(bytes));
}

amdrpc_err
amdi_wire_put_fixed64(struct amdi_buf *buf, uint64_t value)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(value >> (8 * i));
    }
    return amdi_buf_append(buf, bytes, sizeof(bytes));
}

amdrpc_err
amdi_wire_put_tag(
        struct amdi_buf *buf, uint32_t number, enum amdi_wire_type type)
{
    return amdi_wire_put_varint(buf, (uint64_t)number << 3 | (uint64_t)type);
}

amdrpc_err
amdi_wire_put_bytes(struct amdi_buf *buf, const void *data, size_t len)
{
    amdrpc_err err = amdi_buf_reserve(buf, VARINT_MAX_BYTES + len);

    if (err == AMDRPC_OK) {
        err = amdi_wire_put_varint(buf, len);
    }
    return err == AMDRPC_OK ? amdi_buf_append(buf, data, len) : err;
}
