/** A call's request messages. */
#include "client/channel.h"
#include "client/client_call.h"
#include "common/alloc.h"
#include "common/compress.h"
#include "common/frame.h"
#include "common/thread.h"

#include <string.h>

struct send_bytes {
    const void *data;
    size_t len;
};

static void
bytes_write(uint8_t *out, const void *arg)
{
    const struct send_bytes *bytes = arg;

    if (bytes->len > 0) {
        memcpy(out, bytes->data, bytes->len);
    }
}

static void
message_write(uint8_t *out, const void *arg)
{
    (void)protobuf_c_message_pack(arg, out); // as long as it was measured
}

/** Returns the message compressed, owned; NULL: it does not get shorter. */
static amdrpc_err
call_deflate(size_t len, void (*write)(uint8_t *out, const void *arg),
        const void *arg, struct amdi_message **out)
{
    uint8_t *plain = len > UINT32_MAX ? NULL : amdi_alloc(len + 1);
    amdrpc_err err;

    if (plain == NULL) {
        return len > UINT32_MAX ? AMDRPC_ELIMIT : AMDRPC_ENOMEM;
    }
    write(plain, arg);
    err = amdi_gzip_deflate(plain, (uint32_t)len, out);
    amdi_free(plain);
    return err;
}

/** Adds the message compressed; AMDRPC_EUNSUPPORTED: send it plain. */
static amdrpc_err
call_push_compressed(struct amdrpc_client_call *call, size_t len,
        bool may_block, void (*write)(uint8_t *out, const void *arg),
        const void *arg)
{
    struct amdi_message *message = NULL;
    amdrpc_err err = call_deflate(len, write, arg, &message);

    if (err == AMDRPC_OK) {
        err = message == NULL
                ? AMDRPC_EUNSUPPORTED
                : amdi_outbox_push_message(&call->outbox, message, may_block);
    }
    amdi_message_free(message);
    return err;
}

static amdrpc_err
call_push(struct amdrpc_client_call *call, size_t len, bool may_block,
        struct amdi_arena *arena, void (*write)(uint8_t *out, const void *arg),
        const void *arg)
{
    if (len > call->channel->options.max_send_message_bytes) {
        return AMDRPC_ELIMIT;
    }
    amdrpc_err err = AMDRPC_EUNSUPPORTED;

    if (call->is_compressing) {
        err = call_push_compressed(call, len, may_block, write, arg);
    }
    if (err == AMDRPC_EUNSUPPORTED) {
        err = amdi_outbox_push(
                &call->outbox, len, may_block, arena, write, arg);
    }
    // The outbox closes with the call.
    return err == AMDRPC_ECANCELED ? AMDRPC_ECLOSED : err;
}

amdrpc_err
amdi_client_call_push(struct amdrpc_client_call *call,
        const ProtobufCMessage *msg, bool may_block, struct amdi_arena *arena)
{
    return call_push(call, protobuf_c_message_get_packed_size(msg), may_block,
            arena, message_write, msg);
}

/** Tells the loop what follows a push; a unary request is complete with it. */
static void
call_sent(struct amdrpc_client_call *call)
{
    if (amdrpc_method_has_request_stream(call->method)) {
        amdi_client_call_signal(call, CALL_SIGNAL_SEND);
    } else {
        amdrpc_client_call_close_send(call);
    }
}

static bool
call_may_send(const struct amdrpc_client_call *call)
{
    return !atomic_load_explicit(&call->is_send_closed, memory_order_relaxed);
}

amdrpc_err
amdrpc_client_call_send(amdrpc_client_call *call, const ProtobufCMessage *msg)
{
    if (!call_may_send(call)) {
        return AMDRPC_ESTATE;
    }
    amdrpc_err err =
            amdi_client_call_push(call, msg, !amdi_thread_is_loop(), NULL);
    if (err == AMDRPC_OK) {
        call_sent(call);
    }
    return err;
}

amdrpc_err
amdrpc_client_call_send_bytes(
        amdrpc_client_call *call, const void *data, size_t len)
{
    const struct send_bytes bytes = {.data = data, .len = len};

    if (!call_may_send(call)) {
        return AMDRPC_ESTATE;
    }
    amdrpc_err err = call_push(
            call, len, !amdi_thread_is_loop(), NULL, bytes_write, &bytes);
    if (err == AMDRPC_OK) {
        call_sent(call);
    }
    return err;
}

void
amdrpc_client_call_set_compression(amdrpc_client_call *call, bool is_on)
{
    call->is_compressing = is_on && call->request.is_gzipped;
}

void
amdrpc_client_call_close_send(amdrpc_client_call *call)
{
    if (!atomic_exchange_explicit(
                &call->is_send_closed, true, memory_order_relaxed)) {
        amdi_client_call_signal(call, CALL_SIGNAL_CLOSE_SEND);
    }
}
