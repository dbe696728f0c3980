/** Messages of one method between their JSON and their wire form. */
#include "client/cli/codec.h"

#include "common/json/json.h"

amdrpc_err
amdi_codec_encode(const struct amdi_codec *codec, const char *json, size_t len,
        struct amdi_buf *out, struct amdi_error *error)
{
    return amdi_json_read(codec->descriptors, codec->input, json, len,
            /*options=*/NULL, out, error);
}

amdrpc_err
amdi_codec_decode(const struct amdi_codec *codec, const void *data, size_t len,
        struct amdi_buf *out, struct amdi_error *error)
{
    struct amdi_json_options options = {
            .pretty = !codec->is_compact,
            .emit_defaults = codec->emit_defaults,
    };

    return amdi_json_write(
            codec->descriptors, codec->output, data, len, &options, out, error);
}
