/** Messages packed into google.protobuf.Any. */
#include "server/operation/any.h"

#include <string.h>

#define TYPE_PREFIX "type.googleapis.com/"
#define TYPE_PREFIX_LEN (sizeof(TYPE_PREFIX) - 1)

// Fields 1 (type_url) and 2 (value), both of wire type 2.
#define TAG_TYPE_URL 0x0a
#define TAG_VALUE 0x12

static size_t
varint_size(uint64_t value)
{
    size_t size = 1;

    for (; value >= 0x80; value >>= 7) {
        size++;
    }
    return size;
}

static uint8_t *
varint_write(uint8_t *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) {
        *out++ = (uint8_t)(value | 0x80);
    }
    *out++ = (uint8_t)value;
    return out;
}

static size_t
url_len(const ProtobufCMessage *msg)
{
    return TYPE_PREFIX_LEN + strlen(msg->descriptor->name);
}

size_t
amdi_any_size(const ProtobufCMessage *msg)
{
    size_t len = protobuf_c_message_get_packed_size(msg);
    size_t url = url_len(msg);

    return 2 + varint_size(url) + url + varint_size(len) + len;
}

void
amdi_any_pack(const ProtobufCMessage *msg, uint8_t *out)
{
    size_t url = url_len(msg);

    *out++ = TAG_TYPE_URL;
    out = varint_write(out, url);
    memcpy(out, TYPE_PREFIX, TYPE_PREFIX_LEN);
    memcpy(out + TYPE_PREFIX_LEN, msg->descriptor->name, url - TYPE_PREFIX_LEN);
    out += url;
    *out++ = TAG_VALUE;
    out = varint_write(out, protobuf_c_message_get_packed_size(msg));
    (void)protobuf_c_message_pack(msg, out); // as long as it was measured
}
