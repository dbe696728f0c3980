/** Messages of one method between their JSON and their wire form. */
#ifndef AMDI_CODEC_H
#define AMDI_CODEC_H

#include "common/buf.h"
#include "common/descriptor/descriptor.h"

#include <stdbool.h>

/** How messages look. */
struct amdi_codec {
    const struct amdi_descriptors *descriptors; // borrowed
    const struct amdi_message *input;           // NULL when raw
    const struct amdi_message *output;          // NULL when raw
    bool is_compact;                            // one line for each message
    bool emit_defaults; // fields that hold their default value too
};

/** Tells whether messages pass as they are, in and out. */
static inline bool
amdi_codec_is_raw(const struct amdi_codec *codec)
{
    return codec->input == NULL;
}

/** Appends the wire form of one message. As amdi_json_read. */
AMDRPC_NODISCARD amdrpc_err amdi_codec_encode(const struct amdi_codec *codec,
        const char *json, size_t len, struct amdi_buf *out,
        struct amdi_error *error);

/** Appends the JSON of one message, without a line end. As amdi_json_write. */
AMDRPC_NODISCARD amdrpc_err amdi_codec_decode(const struct amdi_codec *codec,
        const void *data, size_t len, struct amdi_buf *out,
        struct amdi_error *error);

#endif
