/** One request message, one future. */
#include "client/client_call.h"

amdrpc_err
amdrpc_channel_call(amdrpc_channel *channel, const amdrpc_method_desc *method,
        const ProtobufCMessage *request, const amdrpc_call_options *options,
        amdrpc_future **out)
{
    amdrpc_client_call *call = NULL;
    amdrpc_err err = amdi_client_call_create(channel, method, options, &call);

    if (err != AMDRPC_OK) {
        return err;
    }
    err = amdi_client_call_push(
            call, request, /*may_block=*/false, &call->arena);
    if (err == AMDRPC_OK) {
        err = amdi_client_call_add_future(call); // has our reference now
    }
    if (err != AMDRPC_OK) {
        amdi_client_call_discard(call);
        return err;
    }
    atomic_store_explicit(&call->is_send_closed, true, memory_order_relaxed);
    *out = amdrpc_future_ref(call->future);
    // One message to the loop says it all.
    amdi_client_call_signal(call, CALL_SIGNAL_START | CALL_SIGNAL_CLOSE_SEND);
    return AMDRPC_OK;
}
