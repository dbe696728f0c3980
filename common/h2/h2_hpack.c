/** Header blocks as HPACK encodes them, looked through without decoding. */
#include "common/h2/h2_hpack.h"

#include "common/buf.h"

/** The rest of an integer that began in @first (RFC 7541, section 5.1). */
static bool
block_read_integer(struct amdi_buf_reader *reader, uint8_t first, uint8_t mask,
        uint32_t *out)
{
    uint8_t byte = 0x80;

    *out = first & mask;
    if (*out < mask) {
        return true;
    }
    // Two bytes more say all that a short block can.
    for (unsigned shift = 0; (byte & 0x80) != 0; shift += 7) {
        if (shift > 7 || !amdi_buf_read_u8(reader, &byte)) {
            return false;
        }
        *out += (uint32_t)(byte & 0x7f) << shift;
    }
    return true;
}

/** A string (RFC 7541, section 5.2), passed over. */
static bool
block_skip_string(struct amdi_buf_reader *reader)
{
    const uint8_t *bytes;
    uint8_t first;
    uint32_t len;

    return amdi_buf_read_u8(reader, &first) &&
            block_read_integer(reader, first, 0x7f, &len) &&
            amdi_buf_read_bytes(reader, len, &bytes);
}

bool
amdi_h2_block_keeps_table(const uint8_t *data, size_t len)
{
    struct amdi_buf_reader reader = {.data = data, .len = len};
    uint8_t first;
    uint32_t index;

    while (amdi_buf_read_u8(&reader, &first)) {
        if (first >= 0x80) {
            if (!block_read_integer(&reader, first, 0x7f, &index)) {
                return false;
            }
        } else if (first >= 0x10 ||
                !block_read_integer(&reader, first, 0x0f, &index) ||
                (index == 0 && !block_skip_string(&reader)) ||
                !block_skip_string(&reader)) {
            return false;
        }
    }
    return true;
}
