/** HTTP/2 frames made by hand, also those that no engine would send. */
#ifndef TEST_H2_RAW_H
#define TEST_H2_RAW_H

#include "common/buf.h"
#include "common/h2/h2.h"

#include <stddef.h>
#include <stdint.h>

/** AMDI_H2_FIELD as the initializer of a static table. */
#define TEST_RAW_FIELD(n, v)                                  \
    {                                                         \
        .name = (n), .name_len = sizeof(n) - 1, .value = (v), \
        .value_len = sizeof(v) - 1                            \
    }

// RFC 9113, section 6.
enum test_raw_type {
    TEST_RAW_DATA = 0,
    TEST_RAW_HEADERS = 1,
    TEST_RAW_RST_STREAM = 3,
    TEST_RAW_SETTINGS = 4,
    TEST_RAW_PING = 6,
    TEST_RAW_GOAWAY = 7,
    TEST_RAW_WINDOW_UPDATE = 8,
    TEST_RAW_CONTINUATION = 9,
};

#define TEST_RAW_END_STREAM 0x1u
#define TEST_RAW_ACK 0x1u
#define TEST_RAW_END_HEADERS 0x4u

/** What a client says first, with empty SETTINGS. */
void test_raw_preface(struct amdi_buf *buf);

/** Empty SETTINGS, as a server's first frame. */
void test_raw_settings(struct amdi_buf *buf);

/** One frame. */
void test_raw_frame(struct amdi_buf *buf, enum test_raw_type type,
        unsigned flags, uint32_t stream_id, const void *payload, size_t len);

/** One HEADERS frame with its whole block, nothing compressed. */
void test_raw_headers(struct amdi_buf *buf, unsigned flags, uint32_t stream_id,
        const struct amdi_h2_field *fields, size_t nfields);

#endif
