/** The end of calls that are refused: why, and when to try again. */
#include "common/metadata.h"
#include "google/protobuf/any.pb-c.h"
#include "google/protobuf/duration.pb-c.h"
#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "server/call.h"
#include "server/service.h"

#include <inttypes.h>
#include <stdio.h>

#define RETRY_INFO_TYPE "type.googleapis.com/google.rpc.RetryInfo"

/** Packs a message into the call's arena; returns whether there was memory. */
static bool
call_pack(struct amdrpc_call *call, const ProtobufCMessage *msg,
        ProtobufCBinaryData *out)
{
    out->len = protobuf_c_message_get_packed_size(msg);
    out->data = amdi_arena_alloc(&call->arena, out->len + 1);
    if (out->data == NULL) {
        return false;
    }
    (void)protobuf_c_message_pack(msg, out->data);
    return true;
}

/** A google.rpc.Status with RetryInfo, for grpc-status-details-bin. */
static bool
refusal_pack_details(
        struct amdrpc_call *call, const char *text, ProtobufCBinaryData *out)
{
    Google__Protobuf__Duration delay = GOOGLE__PROTOBUF__DURATION__INIT;
    Google__Rpc__RetryInfo info = GOOGLE__RPC__RETRY_INFO__INIT;
    Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
    Google__Protobuf__Any *details[] = {&any};
    Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;

    delay.seconds = call->wait_ms / 1000;
    delay.nanos = (int32_t)(call->wait_ms % 1000) * 1000000;
    info.retry_delay = &delay;
    any.type_url = (char *)RETRY_INFO_TYPE;
    if (!call_pack(call, &info.base, &any.value)) {
        return false;
    }
    status.code = AMDRPC_STATUS_RESOURCE_EXHAUSTED;
    status.message = (char *)text;
    status.n_details = 1;
    status.details = details;
    return call_pack(call, &status.base, out);
}

static void
refusal_add_trailers(struct amdrpc_call *call, const char *text)
{
    char pushback[16];
    int len = snprintf(pushback, sizeof(pushback), "%" PRIu32, call->wait_ms);
    ProtobufCBinaryData details = {0};

    amdi_call_add_own_trailing(
            call, "grpc-retry-pushback-ms", pushback, (size_t)len);
    if (refusal_pack_details(call, text, &details)) {
        amdi_call_add_own_trailing(
                call, "grpc-status-details-bin", details.data, details.len);
    }
}

void
amdi_call_refuse(struct amdrpc_call *call)
{
    const char *text = "too many calls of this method are waiting";

    switch (call->refusal) {
    case AMDI_REFUSAL_NONE:
    case AMDI_REFUSAL_FULL:
        break;
    case AMDI_REFUSAL_LATE:
        text = "the expected wait is longer than the deadline allows";
        break;
    case AMDI_REFUSAL_SHED:
        text = "the server is overloaded, and the call had waited too long";
        break;
    }
    refusal_add_trailers(call, text);
    amdrpc_call_finish(call, AMDRPC_STATUS_RESOURCE_EXHAUSTED, text);
}
