/** Bytes that grow, and a bounds-checked reader. */
#include "common/buf.h"

#include "common/alloc.h"

#include <string.h>

#define BUF_FIRST_BYTES 256u

void
amdi_buf_init(struct amdi_buf *buf)
{
    *buf = (struct amdi_buf){0};
}

void
amdi_buf_fini(struct amdi_buf *buf)
{
    amdi_free(buf->data);
    amdi_buf_init(buf);
}

/** Moves what is there into new memory of @size bytes. */
static amdrpc_err
buf_move_to_new(struct amdi_buf *buf, size_t size)
{
    size_t used = amdi_buf_len(buf);
    uint8_t *data = amdi_alloc(size);

    if (data == NULL) {
        return AMDRPC_ENOMEM;
    }
    if (used > 0) {
        memcpy(data, buf->data + buf->start, used);
    }
    amdi_free(buf->data);
    *buf = (struct amdi_buf){.data = data, .end = used, .size = size};
    return AMDRPC_OK;
}

amdrpc_err
amdi_buf_reserve(struct amdi_buf *buf, size_t len)
{
    size_t used = amdi_buf_len(buf);
    size_t size = buf->size < BUF_FIRST_BYTES ? BUF_FIRST_BYTES : buf->size;

    if (len <= buf->size - buf->end) {
        return AMDRPC_OK;
    }
    if (len > SIZE_MAX / 2 - used) {
        return AMDRPC_ENOMEM;
    }
    // Moving is worth it only when at least as much is free as is moved;
    // else one byte out and one byte in would move everything each time.
    if (buf->start >= used && len <= buf->size - used) {
        memmove(buf->data, buf->data + buf->start, used);
        buf->start = 0;
        buf->end = used;
        return AMDRPC_OK;
    }
    while (size < used + len) {
        size *= 2;
    }
    return buf_move_to_new(buf, size);
}

amdrpc_err
amdi_buf_append(struct amdi_buf *buf, const void *data, size_t len)
{
    amdrpc_err err = amdi_buf_reserve(buf, len);

    if (err != AMDRPC_OK || len == 0) {
        return err;
    }
    memcpy(buf->data + buf->end, data, len);
    buf->end += len;
    return AMDRPC_OK;
}

void
amdi_buf_consume(struct amdi_buf *buf, size_t len)
{
    if (len >= amdi_buf_len(buf)) {
        amdi_buf_clear(buf);
        return;
    }
    buf->start += len;
}

void
amdi_buf_clear(struct amdi_buf *buf)
{
    buf->start = 0;
    buf->end = 0;
}

bool
amdi_buf_read_bytes(
        struct amdi_buf_reader *reader, size_t len, const uint8_t **out)
{
    if (len > reader->len) {
        return false;
    }
    *out = reader->data;
    if (len > 0) {
        reader->data += len;
        reader->len -= len;
    }
    return true;
}

bool
amdi_buf_read_u8(struct amdi_buf_reader *reader, uint8_t *out)
{
    const uint8_t *bytes;

    if (!amdi_buf_read_bytes(reader, 1, &bytes)) {
        return false;
    }
    *out = bytes[0];
    return true;
}

bool
amdi_buf_read_u32be(struct amdi_buf_reader *reader, uint32_t *out)
{
    const uint8_t *bytes;

    if (!amdi_buf_read_bytes(reader, 4, &bytes)) {
        return false;
    }
    *out = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
            (uint32_t)bytes[2] << 8 | bytes[3];
    return true;
}
