/** The end of calls that are refused: why, and when to try again. */
#include "common/metadata.h"
#include "server/call.h"
#include "server/details.h"
#include "server/service.h"

#include <inttypes.h>
#include <stdio.h>

static void
refusal_add_trailers(
        struct amdrpc_call *call, const char *reason, const char *text)
{
    const struct amdi_details details = {
            .code = AMDRPC_STATUS_RESOURCE_EXHAUSTED,
            .message = text,
            .reason = reason,
            .has_retry = true,
            .retry_ms = call->wait_ms,
    };
    char pushback[16];
    int len = snprintf(pushback, sizeof(pushback), "%" PRIu32, call->wait_ms);

    amdi_call_add_own_trailing(
            call, "grpc-retry-pushback-ms", pushback, (size_t)len);
    amdi_details_add(&details, call);
}

void
amdi_call_refuse(struct amdrpc_call *call)
{
    const char *text = "too many calls of this method are waiting";
    const char *reason = "QUEUE_FULL";

    switch (call->refusal) {
    case AMDI_REFUSAL_NONE:
    case AMDI_REFUSAL_FULL:
        break;
    case AMDI_REFUSAL_LATE:
        reason = "WAIT_TOO_LONG";
        text = "the expected wait is longer than the deadline allows";
        break;
    case AMDI_REFUSAL_SHED:
        reason = "SERVER_OVERLOADED";
        text = "the server is overloaded, and the call had waited too long";
        break;
    }
    refusal_add_trailers(call, reason, text);
    amdrpc_call_finish(call, AMDRPC_STATUS_RESOURCE_EXHAUSTED, text);
}
