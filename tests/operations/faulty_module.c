/**
 * A module whose handler takes the process with it.
 *
 * It serves Echo of the bench service. The payload is two bytes: up to which
 * attempt it aborts, and up to which it never ends. Later ones reply with the
 * number of the attempt.
 */
#include <amdrpc/module.h>

#include "amdrpc/bench/v1/bench.amdrpc-server.h"

#include <stdlib.h>

#define PAYLOAD_BYTES 2u
#define DAY_MS (24u * 60 * 60 * 1000)

static void
finish_on_time(amdrpc_call *call, void *arg)
{
    (void)arg; // none
    amdrpc_call_finish(call, AMDRPC_STATUS_UNAVAILABLE, "it was told to stop");
}

static void
on_echo(amdrpc_call *call, const Amdrpc__Bench__V1__EchoRequest *request,
        void *user_data)
{
    Amdrpc__Bench__V1__EchoResponse response =
            AMDRPC__BENCH__V1__ECHO_RESPONSE__INIT;
    uint8_t attempt = (uint8_t)amdrpc_call_get_attempt(call);

    (void)user_data; // none
    if (request->payload.len != PAYLOAD_BYTES) {
        amdrpc_call_finish(
                call, AMDRPC_STATUS_INVALID_ARGUMENT, "payload: not two bytes");
        return;
    }
    if (attempt <= request->payload.data[0]) {
        abort();
    }
    if (attempt <= request->payload.data[1]) {
        amdrpc_call_defer(call);
        amdrpc_call_after(call, DAY_MS, finish_on_time, NULL);
        return;
    }
    response.payload = (ProtobufCBinaryData){.data = &attempt, .len = 1};
    amdrpc_bench_v1_bench_echo_reply(call, &response);
}

static amdrpc_err
faulty_start(amdrpc_server *server, amdrpc_module_host *host, void **state)
{
    static const amdrpc_bench_v1_bench_handlers handlers = {.echo = on_echo};

    (void)host;  // no settings
    (void)state; // nothing to free
    return amdrpc_bench_v1_bench_register(server, &handlers, NULL);
}

const amdrpc_module_desc amdrpc_module = {
        .abi = AMDRPC_MODULE_ABI,
        .name = "faulty",
        .start = faulty_start,
};
