/** Packs what is asked for when an operation is submitted. */
#include "client/operation/submission.h"

#include "amdrpc/v1/operations.pb-c.h"

#define MS_PER_S 1000
#define NS_PER_MS 1000000

/** The message with the parts that it points to. */
struct submission {
    Amdrpc__V1__SubmitRequest request;
    Google__Protobuf__Duration timeout;
    Google__Protobuf__Duration ttl;
    Google__Protobuf__Timestamp start_at;
    char request_id[AMDRPC_REQUEST_ID_BYTES];
};

static Google__Protobuf__Duration *
duration_set(Google__Protobuf__Duration *duration, int64_t ms)
{
    google__protobuf__duration__init(duration);
    duration->seconds = ms / MS_PER_S;
    duration->nanos = (int32_t)(ms % MS_PER_S) * NS_PER_MS;
    return ms == 0 ? NULL : duration;
}

static Google__Protobuf__Timestamp *
timestamp_set(Google__Protobuf__Timestamp *timestamp, int64_t ms)
{
    google__protobuf__timestamp__init(timestamp);
    timestamp->seconds = ms / MS_PER_S;
    timestamp->nanos = (int32_t)(ms % MS_PER_S) * NS_PER_MS;
    return ms == 0 ? NULL : timestamp;
}

static amdrpc_err
submission_fill(
        struct submission *submission, const amdrpc_operation_options *options)
{
    Amdrpc__V1__SubmitRequest *request = &submission->request;

    if (options->timeout_ms < 0 || options->ttl_ms < 0 ||
            options->start_at_ms < 0) {
        return AMDRPC_EINVAL;
    }
    request->priority = (Amdrpc__V1__Priority)options->priority;
    request->timeout = duration_set(&submission->timeout, options->timeout_ms);
    request->ttl = duration_set(&submission->ttl, options->ttl_ms);
    request->start_at =
            timestamp_set(&submission->start_at, options->start_at_ms);
    request->max_attempts = options->max_attempts;
    request->request_id = (char *)(uintptr_t)options->request_id;
    if (options->request_id != NULL) {
        return AMDRPC_OK;
    }
    request->request_id = submission->request_id;
    return amdrpc_request_id_create(submission->request_id);
}

amdrpc_err
amdi_submission_pack(const amdrpc_method_desc *method, const void *data,
        size_t len, const amdrpc_operation_options *options,
        struct amdi_arena *arena, const void **out, size_t *out_len)
{
    struct submission submission;
    Amdrpc__V1__SubmitRequest *request = &submission.request;

    if (amdrpc_method_has_request_stream(method)) {
        return AMDRPC_EINVAL;
    }
    amdrpc__v1__submit_request__init(request);
    amdrpc_err err = submission_fill(&submission, options);
    if (err != AMDRPC_OK) {
        return err;
    }
    request->method = (char *)(uintptr_t)method->path;
    request->request.data = (uint8_t *)(uintptr_t)data;
    request->request.len = len;
    size_t nbytes = amdrpc__v1__submit_request__get_packed_size(request);
    uint8_t *bytes = amdi_arena_alloc(arena, nbytes);
    if (bytes == NULL) {
        return AMDRPC_ENOMEM;
    }
    *out_len = amdrpc__v1__submit_request__pack(request, bytes);
    *out = bytes;
    return AMDRPC_OK;
}
