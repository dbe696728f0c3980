/** Makes the futures of operations. */
#include "client/operation/operation.h"
#include "client/operation/submission.h"
#include "common/alloc.h"
#include "common/future.h"

#include <string.h>

static amdrpc_err
operation_create(struct amdrpc_channel *channel,
        const amdrpc_method_desc *method,
        const amdrpc_operation_options *options, struct amdi_operation **out)
{
    struct amdi_operation *operation = amdi_zalloc(sizeof(*operation));

    if (operation == NULL) {
        return AMDRPC_ENOMEM;
    }
    operation->channel = channel;
    operation->method = method;
    operation->no_wait = options->no_wait;
    atomic_init(&operation->nrefs, 2); // the machine's, the future's
    amdi_patience_init(&operation->patience, options->max_unavailable_ms);
    amdi_list_init(&operation->node);
    amdi_arena_init(&operation->arena, /*max_bytes=*/0);
    amdi_metadata_init(&operation->metadata, &operation->arena);
    amdrpc_err err =
            amdi_metadata_copy(&operation->metadata, options->metadata);
    if (err != AMDRPC_OK) {
        amdi_operation_discard(operation);
        return err;
    }
    *out = operation;
    return AMDRPC_OK;
}

static void
future_on_cancel(void *arg)
{
    amdi_operation_cancel(arg);
}

static void
future_on_release(void *arg)
{
    amdi_operation_unref(arg);
}

/** Makes the future and starts the machine; frees it on failure. */
static amdrpc_err
operation_run_take(struct amdi_operation *operation, amdrpc_future **out)
{
    const struct amdi_future_work work = {
            .cancel = future_on_cancel,
            .release = future_on_release,
            .arg = operation,
    };
    amdrpc_future *future = NULL;
    amdrpc_err err = amdi_future_create(&work, &future);

    if (err == AMDRPC_OK && operation->name != NULL) {
        err = amdi_future_set_name(future, operation->name);
    }
    if (err != AMDRPC_OK) {
        amdrpc_future_unref(future); // gives back its reference only
        amdi_operation_discard(operation);
        return err;
    }
    operation->future = future;
    *out = amdrpc_future_ref(future);
    amdi_operation_start(operation);
    return AMDRPC_OK;
}

amdrpc_err
amdrpc_operation_submit_bytes(amdrpc_channel *channel,
        const amdrpc_method_desc *method, const void *data, size_t len,
        const amdrpc_operation_options *options, amdrpc_future **out)
{
    static const amdrpc_operation_options defaults;
    struct amdi_operation *operation = NULL;

    if (options == NULL) {
        options = &defaults;
    }
    amdrpc_err err = operation_create(channel, method, options, &operation);
    if (err != AMDRPC_OK) {
        return err;
    }
    err = amdi_submission_pack(method, data, len, options, &operation->arena,
            &operation->submission, &operation->submission_len);
    if (err != AMDRPC_OK) {
        amdi_operation_discard(operation);
        return err;
    }
    return operation_run_take(operation, out);
}

amdrpc_err
amdrpc_operation_submit(amdrpc_channel *channel,
        const amdrpc_method_desc *method, const ProtobufCMessage *request,
        const amdrpc_operation_options *options, amdrpc_future **out)
{
    size_t len = protobuf_c_message_get_packed_size(request);
    uint8_t *data = amdi_alloc(len + 1);

    if (data == NULL) {
        return AMDRPC_ENOMEM;
    }
    (void)protobuf_c_message_pack(request, data); // as long as it was measured
    amdrpc_err err = amdrpc_operation_submit_bytes(
            channel, method, data, len, options, out);
    amdi_free(data);
    return err;
}

amdrpc_err
amdrpc_future_from_name(amdrpc_channel *channel,
        const amdrpc_method_desc *method, const char *name,
        const amdrpc_operation_options *options, amdrpc_future **out)
{
    static const amdrpc_operation_options defaults;
    struct amdi_operation *operation = NULL;

    if (options == NULL) {
        options = &defaults;
    }
    amdrpc_err err = operation_create(channel, method, options, &operation);
    if (err != AMDRPC_OK) {
        return err;
    }
    operation->no_wait = false; // there is nothing else to do
    operation->name = amdi_arena_strndup(&operation->arena, name, strlen(name));
    if (operation->name == NULL) {
        amdi_operation_discard(operation);
        return AMDRPC_ENOMEM;
    }
    return operation_run_take(operation, out);
}

const char *
amdrpc_future_get_operation_name(const amdrpc_future *future)
{
    return amdi_future_get_name(future);
}
