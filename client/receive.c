/** A call's response, as its user reads it. */
#include "client/channel.h"
#include "client/client_call.h"
#include "common/compress.h"
#include "common/frame.h"
#include "common/thread.h"
#include "common/wire.h"

const ProtobufCMessage *
amdi_client_call_unpack(const struct amdrpc_client_call *call,
        const struct amdi_message *message, struct amdi_arena *arena)
{
    const ProtobufCMessageDescriptor *desc = call->method->output;
    ProtobufCAllocator allocator = amdi_arena_allocator(arena);

    if (amdi_wire_check(desc, message->data, message->len, AMDI_WIRE_MAX_DEPTH,
                NULL) != AMDRPC_OK) {
        return NULL;
    }
    return protobuf_c_message_unpack(
            desc, &allocator, message->len, message->data);
}

amdrpc_err
amdi_client_call_inflate(
        const struct amdrpc_client_call *call, struct amdi_message **message)
{
    return (*message)->is_compressed
            ? amdi_gzip_inflate(
                      message, call->channel->options.max_recv_message_bytes)
            : AMDRPC_OK;
}

amdrpc_status_code
amdi_client_call_judge_unreadable(amdrpc_err err, const char **out_message)
{
    if (err == AMDRPC_ELIMIT) {
        *out_message = "a response message is larger than "
                       "max_recv_message_bytes once decompressed";
        return AMDRPC_STATUS_RESOURCE_EXHAUSTED;
    }
    if (err == AMDRPC_ENOMEM) {
        *out_message = "no memory for a response message";
        return amdrpc_status_from_err(err);
    }
    *out_message = "response does not parse";
    return AMDRPC_STATUS_INTERNAL;
}

static amdrpc_err
reader_get_unreadable(const struct amdrpc_client_call *call)
{
    return (amdrpc_err)atomic_load_explicit(
            &call->unreadable, memory_order_relaxed);
}

/** Ends the call over a message that is none: its status says so. */
static amdrpc_err
reader_give_up(struct amdrpc_client_call *call, amdrpc_err err)
{
    atomic_store_explicit(&call->unreadable, (int)err, memory_order_relaxed);
    amdi_client_call_signal(call, CALL_SIGNAL_UNREADABLE);
    return AMDRPC_EEND;
}

/** Keeps the message as the one read last, in its plain form. */
static amdrpc_err
reader_keep_take(struct amdrpc_client_call *call, struct amdi_message *message)
{
    amdrpc_err err;

    amdi_message_free(call->message);
    call->message = message;
    call->was_compressed = message->is_compressed;
    err = amdi_client_call_inflate(call, &call->message);
    return err == AMDRPC_OK ? AMDRPC_OK : reader_give_up(call, err);
}

/** Takes the next message; the one before it goes. */
static amdrpc_err
reader_take(struct amdrpc_client_call *call, int64_t timeout_ms)
{
    struct amdi_message *message = NULL;
    size_t nconsume = 0;

    if (reader_get_unreadable(call) != AMDRPC_OK) {
        return AMDRPC_EEND;
    }
    amdrpc_err err = amdi_inbox_take(&call->inbox,
            amdi_thread_is_loop() ? 0 : timeout_ms, &message, &nconsume);
    if (nconsume > 0) {
        atomic_fetch_add_explicit(
                &call->ntaken_bytes, nconsume, memory_order_relaxed);
        amdi_client_call_signal(call, CALL_SIGNAL_CONSUME);
    }
    if (err == AMDRPC_OK) {
        return reader_keep_take(call, message);
    }
    // However it ended, the status says it.
    return err == AMDRPC_EAGAIN || err == AMDRPC_ETIMEDOUT ? err : AMDRPC_EEND;
}

amdrpc_err
amdrpc_client_call_recv(amdrpc_client_call *call, int64_t timeout_ms,
        const ProtobufCMessage **out)
{
    amdrpc_err err = reader_take(call, timeout_ms);

    if (err != AMDRPC_OK) {
        return err;
    }
    amdi_arena_reset(&call->message_arena);
    const ProtobufCMessage *message =
            amdi_client_call_unpack(call, call->message, &call->message_arena);
    if (message == NULL) {
        return reader_give_up(call, AMDRPC_EPROTO);
    }
    *out = message;
    return AMDRPC_OK;
}

amdrpc_err
amdrpc_client_call_recv_bytes(amdrpc_client_call *call, int64_t timeout_ms,
        const void **out_data, size_t *out_len)
{
    amdrpc_err err = reader_take(call, timeout_ms);

    if (err != AMDRPC_OK) {
        return err;
    }
    *out_data = call->message->data;
    *out_len = call->message->len;
    return AMDRPC_OK;
}

bool
amdrpc_client_call_was_compressed(const amdrpc_client_call *call)
{
    return call->was_compressed;
}

static bool
call_is_ended(const struct amdrpc_client_call *call)
{
    return atomic_load_explicit(&call->is_ended, memory_order_acquire);
}

amdrpc_status_code
amdrpc_client_call_get_status(const amdrpc_client_call *call)
{
    amdrpc_err unreadable = reader_get_unreadable(call);
    const char *message = NULL;

    if (unreadable != AMDRPC_OK) {
        return amdi_client_call_judge_unreadable(unreadable, &message);
    }
    return call_is_ended(call) ? call->status : AMDRPC_STATUS_UNKNOWN;
}

const char *
amdrpc_client_call_get_status_message(const amdrpc_client_call *call)
{
    amdrpc_err unreadable = reader_get_unreadable(call);
    const char *message = NULL;

    if (unreadable != AMDRPC_OK) {
        (void)amdi_client_call_judge_unreadable(unreadable, &message);
        return message;
    }
    return call_is_ended(call) ? call->status_message : "";
}

const amdrpc_metadata *
amdrpc_client_call_get_initial_metadata(const amdrpc_client_call *call)
{
    return atomic_load_explicit(&call->has_initial, memory_order_acquire)
            ? &call->initial
            : NULL;
}

const amdrpc_metadata *
amdrpc_client_call_get_trailing_metadata(const amdrpc_client_call *call)
{
    return call_is_ended(call) ? &call->trailing : NULL;
}
