/** How a server dispatches methods, for `amdrpc describe`. */
#include "client/cli/policy.h"

#include "amdrpc/v1/server.amdrpc.h"
#include "amdrpc/v1/server.pb-c.h"
#include "client/cli/session.h"
#include "client/program/program.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void
limit_print(const char *before, uint32_t limit, const char *after)
{
    if (limit != 0 && limit != UINT32_MAX) {
        (void)printf("%s%" PRIu32 "%s", before, limit, after);
    }
}

static void
policy_print(const Amdrpc__V1__Method *method)
{
    const Amdrpc__V1__Policy *policy = method->policy;

    (void)printf("// %s: %s", method->path, policy->dispatch);
    if (strcmp(policy->dispatch, "pool") == 0) {
        (void)printf(" %s, priority %s, fair by %s", policy->pool,
                policy->priority, policy->fair_by);
        limit_print(", max ", policy->max_running, " running");
        limit_print(", ", policy->max_per_key, " of a caller");
        limit_print(", ", policy->max_queued, " queued");
        limit_print(", watchdog ", policy->watchdog_ms, " ms");
        (void)printf("%s", policy->is_long ? ", long" : "");
    }
    limit_print(", default deadline ", policy->default_deadline_ms, " ms");
    limit_print(", tried ", policy->max_attempts, " times");
    if (method->queued > 0 || method->running > 0) {
        (void)printf("; now %" PRIu32 " running, %" PRIu32
                     " queued, the first for %" PRIu64 " ms",
                method->running, method->queued, method->oldest_wait_us / 1000);
    }
    (void)putchar('\n');
}

static void
response_print(const Amdrpc__V1__ListMethodsResponse *response)
{
    if (response->n_methods > 0) {
        (void)putchar('\n');
    }
    for (size_t i = 0; i < response->n_methods; i++) {
        if (response->methods[i]->policy != NULL) {
            policy_print(response->methods[i]);
        }
    }
}

void
amdi_session_print_policies(struct amdi_session *session, const char *symbol)
{
    Amdrpc__V1__ListMethodsRequest request =
            AMDRPC__V1__LIST_METHODS_REQUEST__INIT;
    const ProtobufCMessage *response = NULL;
    amdrpc_client_call *call = NULL;

    request.symbol = (char *)(uintptr_t)symbol;
    if (amdi_session_start_call(session, &amdrpc_v1_server_service.methods[0],
                session->timeout_ms, NULL, &call) != AMDI_EXIT_OK) {
        return;
    }
    if (amdrpc_client_call_send(call, &request.base) == AMDRPC_OK &&
            amdrpc_client_call_recv(call, /*timeout_ms=*/-1, &response) ==
                    AMDRPC_OK) {
        response_print((const Amdrpc__V1__ListMethodsResponse *)response);
    }
    amdi_session_end_call(session, call);
}
