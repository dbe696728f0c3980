/** Bytes that grow, and a bounds-checked reader. */
#ifndef AMDI_BUF_H
#define AMDI_BUF_H

#include <amdrpc/err.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Bytes data[start … end), owned, in room for `size`. Zero bytes: empty. */
struct amdi_buf {
    uint8_t *data;
    size_t start;
    size_t end;
    size_t size;
};

void amdi_buf_init(struct amdi_buf *buf);
void amdi_buf_fini(struct amdi_buf *buf);

static inline size_t
amdi_buf_len(const struct amdi_buf *buf)
{
    return buf->end - buf->start;
}

/** The first byte; NULL while the buffer has no memory. */
static inline const uint8_t *
amdi_buf_peek(const struct amdi_buf *buf)
{
    return buf->data == NULL ? NULL : buf->data + buf->start;
}

/** Makes room for @len more bytes at the end. Errors: AMDRPC_ENOMEM. */
AMDRPC_NODISCARD amdrpc_err amdi_buf_reserve(struct amdi_buf *buf, size_t len);

/** Appends a copy. Errors: AMDRPC_ENOMEM; then nothing was appended. */
AMDRPC_NODISCARD amdrpc_err amdi_buf_append(
        struct amdi_buf *buf, const void *data, size_t len);

/** Drops @len bytes (at most what is there) from the front. */
void amdi_buf_consume(struct amdi_buf *buf, size_t len);

/** Drops all bytes and keeps the memory. */
void amdi_buf_clear(struct amdi_buf *buf);

/** A view that is read from front to back; borrowed. */
struct amdi_buf_reader {
    const uint8_t *data;
    size_t len; // what is left
};

/** Each returns false, and reads nothing, when too little is left. */
bool amdi_buf_read_u8(struct amdi_buf_reader *reader, uint8_t *out);
bool amdi_buf_read_u32be(struct amdi_buf_reader *reader, uint32_t *out);
bool amdi_buf_read_bytes(
        struct amdi_buf_reader *reader, size_t len, const uint8_t **out);

#endif
