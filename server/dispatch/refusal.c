/** The end of calls that are refused: why, and when to try again. */
#include "server/call.h"
#include "server/details.h"

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
    amdi_details_add(
            &(struct amdi_details){
                    .code = AMDRPC_STATUS_RESOURCE_EXHAUSTED,
                    .message = text,
                    .reason = reason,
                    .has_retry = true,
                    .retry_ms = call->wait_ms,
            },
            call);
    amdrpc_call_finish(call, AMDRPC_STATUS_RESOURCE_EXHAUSTED, text);
}
