/** What programs read about our own errors. */
#include "server/details.h"

#include "google/protobuf/any.pb-c.h"
#include "google/protobuf/duration.pb-c.h"
#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "server/call.h"

#include <inttypes.h>
#include <stdio.h>

typedef Google__Rpc__ErrorInfo__MetadataEntry fact_entry;

#define ERROR_INFO_TYPE "type.googleapis.com/google.rpc.ErrorInfo"
#define RETRY_INFO_TYPE "type.googleapis.com/google.rpc.RetryInfo"
#define DOMAIN "amdrpc"

#define MS_PER_S 1000u
#define NS_PER_MS 1000000

/** What the codes mean that the library gives by itself. */
static const char *
details_reason(const struct amdi_details *details)
{
    if (details->reason != NULL) {
        return details->reason;
    }
    switch ((int)details->code) {
    case AMDRPC_STATUS_CANCELLED:
        return "CALL_CANCELLED";
    case AMDRPC_STATUS_INVALID_ARGUMENT:
        return "REQUEST_INVALID";
    case AMDRPC_STATUS_FAILED_PRECONDITION:
        return "NOT_POSSIBLE_HERE";
    case AMDRPC_STATUS_DEADLINE_EXCEEDED:
        return "DEADLINE_PASSED";
    case AMDRPC_STATUS_PERMISSION_DENIED:
        return "CALLER_NOT_ALLOWED";
    case AMDRPC_STATUS_RESOURCE_EXHAUSTED:
        return "LIMIT_REACHED";
    case AMDRPC_STATUS_UNIMPLEMENTED:
        return "NOT_IMPLEMENTED";
    case AMDRPC_STATUS_INTERNAL:
        return "REQUEST_UNREADABLE";
    case AMDRPC_STATUS_UNAVAILABLE:
        return "SERVER_STOPPING";
    case AMDRPC_STATUS_UNAUTHENTICATED:
        return "CALLER_UNKNOWN";
    default:
        return "SERVER_FAILED";
    }
}

static bool
details_pack_message(const ProtobufCMessage *msg, struct amdi_arena *arena,
        ProtobufCBinaryData *out)
{
    out->len = protobuf_c_message_get_packed_size(msg);
    out->data = amdi_arena_alloc(arena, out->len + 1); // of an empty one too
    if (out->data == NULL) {
        return false;
    }
    (void)protobuf_c_message_pack(msg, out->data); // as long as it was measured
    return true;
}

/** Adds each fact as an entry of the map. */
static bool
error_add_facts(Google__Rpc__ErrorInfo *info, const char *const *facts,
        struct amdi_arena *arena)
{
    size_t n = 0;

    while (facts != NULL && facts[2 * n] != NULL) {
        n++;
    }
    if (n == 0) {
        return true;
    }
    info->metadata = amdi_arena_alloc(arena, n * sizeof(fact_entry *));
    for (size_t i = 0; info->metadata != NULL && i < n; i++) {
        fact_entry *entry = amdi_arena_alloc(arena, sizeof(*entry));

        if (entry == NULL) {
            return false;
        }
        google__rpc__error_info__metadata_entry__init(entry);
        entry->key = (char *)facts[2 * i]; // only packed
        entry->value = (char *)facts[2 * i + 1];
        info->metadata[i] = entry;
    }
    info->n_metadata = n;
    return info->metadata != NULL;
}

static bool
details_pack_error(const struct amdi_details *details, struct amdi_arena *arena,
        Google__Protobuf__Any *out)
{
    Google__Rpc__ErrorInfo info = GOOGLE__RPC__ERROR_INFO__INIT;

    info.reason = (char *)details_reason(details);
    info.domain = (char *)(details->domain != NULL ? details->domain : DOMAIN);
    if (!error_add_facts(&info, details->facts, arena)) {
        return false;
    }
    out->type_url = (char *)ERROR_INFO_TYPE;
    return details_pack_message(&info.base, arena, &out->value);
}

static bool
details_pack_retry(const struct amdi_details *details, struct amdi_arena *arena,
        Google__Protobuf__Any *out)
{
    Google__Protobuf__Duration delay = GOOGLE__PROTOBUF__DURATION__INIT;
    Google__Rpc__RetryInfo info = GOOGLE__RPC__RETRY_INFO__INIT;

    delay.seconds = details->retry_ms / MS_PER_S;
    delay.nanos = (int32_t)(details->retry_ms % MS_PER_S) * NS_PER_MS;
    info.retry_delay = &delay;
    out->type_url = (char *)RETRY_INFO_TYPE;
    return details_pack_message(&info.base, arena, &out->value);
}

bool
amdi_details_pack(const struct amdi_details *details, struct amdi_arena *arena,
        ProtobufCBinaryData *out)
{
    Google__Protobuf__Any error = GOOGLE__PROTOBUF__ANY__INIT;
    Google__Protobuf__Any retry = GOOGLE__PROTOBUF__ANY__INIT;
    Google__Protobuf__Any *list[] = {&error, &retry};
    Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;

    if (!details_pack_error(details, arena, &error) ||
            (details->has_retry &&
                    !details_pack_retry(details, arena, &retry))) {
        return false;
    }
    status.code = (int32_t)details->code;
    if (details->message != NULL) {
        status.message = (char *)details->message;
    }
    status.n_details = details->has_retry ? 2 : 1;
    status.details = list;
    return details_pack_message(&status.base, arena, out);
}

static void
details_add_pushback(
        const struct amdi_details *details, struct amdrpc_call *call)
{
    char pushback[16];
    int len =
            snprintf(pushback, sizeof(pushback), "%" PRIu32, details->retry_ms);

    amdi_call_add_own_trailing(
            call, "grpc-retry-pushback-ms", pushback, (size_t)len);
}

void
amdi_details_add(const struct amdi_details *details, struct amdrpc_call *call)
{
    ProtobufCBinaryData packed = {0};

    if (details->has_retry) {
        details_add_pushback(details, call);
    }
    if (amdi_details_pack(details, &call->arena, &packed)) {
        amdi_call_add_own_trailing(
                call, AMDI_DETAILS_FIELD, packed.data, packed.len);
    }
}
