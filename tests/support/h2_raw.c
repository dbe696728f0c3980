/** HTTP/2 frames made by hand. */
#include "tests/support/h2_raw.h"

#include <check.h>

#include <string.h>

static void
put(struct amdi_buf *buf, const void *data, size_t len)
{
    ck_assert_int_eq(amdi_buf_append(buf, data, len), AMDRPC_OK);
}

void
test_raw_preface(struct amdi_buf *buf)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

    put(buf, preface, sizeof(preface) - 1);
    test_raw_settings(buf);
}

void
test_raw_settings(struct amdi_buf *buf)
{
    test_raw_frame(buf, TEST_RAW_SETTINGS, 0, 0, NULL, 0);
}

void
test_raw_frame(struct amdi_buf *buf, enum test_raw_type type, unsigned flags,
        uint32_t stream_id, const void *payload, size_t len)
{
    const uint8_t header[9] = {(uint8_t)(len >> 16), (uint8_t)(len >> 8),
            (uint8_t)len, (uint8_t)type, (uint8_t)flags,
            (uint8_t)(stream_id >> 24), (uint8_t)(stream_id >> 16),
            (uint8_t)(stream_id >> 8), (uint8_t)stream_id};

    put(buf, header, sizeof(header));
    if (len > 0) {
        put(buf, payload, len);
    }
}

/** RFC 7541, section 5.1, with a prefix of seven bits. */
static void
put_length(struct amdi_buf *buf, size_t len)
{
    uint8_t byte = 0x7f;

    if (len < 0x7f) {
        byte = (uint8_t)len;
        put(buf, &byte, 1);
        return;
    }
    put(buf, &byte, 1);
    for (len -= 0x7f; len >= 0x80; len >>= 7) {
        byte = (uint8_t)(len | 0x80);
        put(buf, &byte, 1);
    }
    byte = (uint8_t)len;
    put(buf, &byte, 1);
}

void
test_raw_headers(struct amdi_buf *buf, unsigned flags, uint32_t stream_id,
        const struct amdi_h2_field *fields, size_t nfields)
{
    static const uint8_t literal_without_indexing = 0;
    struct amdi_buf block;

    amdi_buf_init(&block);
    for (size_t i = 0; i < nfields; i++) {
        put(&block, &literal_without_indexing, 1);
        put_length(&block, fields[i].name_len);
        put(&block, fields[i].name, fields[i].name_len);
        put_length(&block, fields[i].value_len);
        put(&block, fields[i].value, fields[i].value_len);
    }
    test_raw_frame(buf, TEST_RAW_HEADERS, flags | TEST_RAW_END_HEADERS,
            stream_id, amdi_buf_peek(&block), amdi_buf_len(&block));
    amdi_buf_fini(&block);
}
