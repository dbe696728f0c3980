/** HTTP/2 frames (RFC 9113, sections 4 and 6). Pure. */
#ifndef AMDI_H2_FRAME_H
#define AMDI_H2_FRAME_H

#include <stdint.h>

#define AMDI_H2_FRAME_HEADER_BYTES 9u

// The size every endpoint must take; we neither ask for nor send more.
#define AMDI_H2_MAX_FRAME_BYTES 16384u

#define AMDI_H2_DEFAULT_WINDOW_BYTES 65535u
#define AMDI_H2_MAX_WINDOW_BYTES 2147483647

enum amdi_h2_frame_type {
    AMDI_H2_DATA = 0x0,
    AMDI_H2_HEADERS = 0x1,
    AMDI_H2_PRIORITY = 0x2,
    AMDI_H2_RST_STREAM = 0x3,
    AMDI_H2_SETTINGS = 0x4,
    AMDI_H2_PUSH_PROMISE = 0x5,
    AMDI_H2_PING = 0x6,
    AMDI_H2_GOAWAY = 0x7,
    AMDI_H2_WINDOW_UPDATE = 0x8,
    AMDI_H2_CONTINUATION = 0x9,
};

enum amdi_h2_frame_flag {
    AMDI_H2_END_STREAM = 0x1,
    AMDI_H2_ACK = 0x1,
    AMDI_H2_END_HEADERS = 0x4,
    AMDI_H2_PADDED = 0x8,
    AMDI_H2_HAS_PRIORITY = 0x20,
};

enum amdi_h2_setting {
    AMDI_H2_SETTING_HEADER_TABLE_SIZE = 0x1,
    AMDI_H2_SETTING_ENABLE_PUSH = 0x2,
    AMDI_H2_SETTING_MAX_CONCURRENT_STREAMS = 0x3,
    AMDI_H2_SETTING_INITIAL_WINDOW_SIZE = 0x4,
    AMDI_H2_SETTING_MAX_FRAME_SIZE = 0x5,
    AMDI_H2_SETTING_MAX_HEADER_LIST_SIZE = 0x6,
};

struct amdi_h2_frame {
    uint32_t len; // of the payload
    uint8_t type; // an unknown one is ignored
    uint8_t flags;
    int32_t stream_id;
};

static inline uint16_t
amdi_h2_get_u16(const uint8_t *in)
{
    return (uint16_t)(in[0] << 8 | in[1]);
}

static inline uint32_t
amdi_h2_get_u32(const uint8_t *in)
{
    return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 |
            (uint32_t)in[2] << 8 | in[3];
}

static inline void
amdi_h2_put_u32(uint8_t *out, uint32_t value)
{
    out[0] = (uint8_t)(value >> 24);
    out[1] = (uint8_t)(value >> 16);
    out[2] = (uint8_t)(value >> 8);
    out[3] = (uint8_t)value;
}

/** Reads a frame's header; the reserved bit is ignored. */
static inline struct amdi_h2_frame
amdi_h2_frame_read(const uint8_t in[AMDI_H2_FRAME_HEADER_BYTES])
{
    return (struct amdi_h2_frame){.len = amdi_h2_get_u32(in) >> 8,
            .type = in[3],
            .flags = in[4],
            .stream_id = (int32_t)(amdi_h2_get_u32(in + 5) & 0x7fffffffu)};
}

static inline void
amdi_h2_frame_write(uint8_t out[AMDI_H2_FRAME_HEADER_BYTES],
        const struct amdi_h2_frame *frame)
{
    amdi_h2_put_u32(out, frame->len << 8 | frame->type);
    out[4] = frame->flags;
    amdi_h2_put_u32(out + 5, (uint32_t)frame->stream_id);
}

#endif
