/** A call's messages between protobuf-c and the wire's bytes. */
#include "server/call_codec.h"

#include "common/compress.h"
#include "common/frame.h"
#include "server/call.h"
#include "server/service.h"

#include <stdio.h>

static amdrpc_err
call_inflate(struct amdrpc_call *call, struct amdi_message **raw,
        char out_why[AMDI_UNPACK_WHY_BYTES])
{
    uint32_t max_bytes = call->codec.max_message_bytes;
    amdrpc_err err = amdi_gzip_inflate(raw, max_bytes);

    if (err == AMDRPC_ELIMIT) {
        (void)snprintf(out_why, AMDI_UNPACK_WHY_BYTES,
                "decompressed it is over max_recv_message_bytes (%u)",
                max_bytes);
    } else if (err != AMDRPC_OK) {
        (void)snprintf(out_why, AMDI_UNPACK_WHY_BYTES, "%s",
                err == AMDRPC_EPROTO ? "it is no whole gzip member"
                                     : amdrpc_err_text(err));
    }
    return err;
}

amdrpc_err
amdi_call_decode(struct amdrpc_call *call, struct amdi_message **raw,
        struct amdi_arena *arena, ProtobufCMessage **out,
        char out_why[AMDI_UNPACK_WHY_BYTES])
{
    amdrpc_err err = AMDRPC_OK;

    call->codec.was_compressed = (*raw)->is_compressed;
    if ((*raw)->is_compressed) {
        err = call_inflate(call, raw, out_why);
    }
    if (err != AMDRPC_OK) {
        return err;
    }
    return amdi_unpack(call->method->desc->input, (*raw)->data, (*raw)->len,
            arena, &call->unpack_limits, out, out_why);
}

void
amdrpc_call_set_compression(amdrpc_call *call, bool is_on)
{
    struct amdi_call_codec *codec = &call->codec;

    if (is_on && codec->accepts_gzip && !call->sink->has_sent_initial(call)) {
        codec->is_announced = true;
    }
    codec->is_on = is_on && codec->is_announced;
}

bool
amdrpc_call_was_compressed(const amdrpc_call *call)
{
    return call->codec.was_compressed;
}
