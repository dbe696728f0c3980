/** Submissions as a load: each with a request id of its own. */
#include "client/bench/submit.h"

#include <amdrpc/operation.h>

#include "amdrpc/v1/operations.amdrpc.h"
#include "amdrpc/v1/operations.pb-c.h"

const amdrpc_method_desc *
amdi_bench_submit_method(void)
{
    return &amdrpc_v1_operations_service.methods[AMDRPC_V1_OPERATIONS_SUBMIT];
}

/** Turned round it begins with its random digits. */
static void
id_reverse(char *id)
{
    for (size_t i = 0, j = AMDRPC_REQUEST_ID_BYTES - 2; i < j; i++, j--) {
        char c = id[i];

        id[i] = id[j];
        id[j] = c;
    }
}

amdrpc_err
amdi_bench_submit_send(amdrpc_client_call *call, const void *arg)
{
    const struct amdi_bench_submit *submit = arg;
    Amdrpc__V1__SubmitRequest msg = AMDRPC__V1__SUBMIT_REQUEST__INIT;
    char id[AMDRPC_REQUEST_ID_BYTES];
    amdrpc_err err = amdrpc_request_id_create(id);

    if (err != AMDRPC_OK) {
        return err;
    }
    if (submit->has_random_ids) {
        id_reverse(id);
    }
    msg.method = (char *)(uintptr_t)submit->path;
    msg.request.data = (uint8_t *)(uintptr_t)submit->request;
    msg.request.len = submit->request_len;
    msg.request_id = id;
    return amdrpc_client_call_send(call, &msg.base);
}
