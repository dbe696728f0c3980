/** The service with which a server describes itself. */
#include <amdrpc/describe.h>

#include "amdrpc/v1/server.amdrpc-server.h"
#include "common/clock.h"
#include "server/dispatch/policy.h"
#include "server/dispatch/worker_pool.h"
#include "server/server.h"

#include <stdio.h>
#include <string.h>

typedef Amdrpc__V1__Method method_message;
typedef Amdrpc__V1__Policy policy_message;

/** What one method's messages need; in the call's memory. */
struct description {
    method_message method;
    policy_message policy;
    char fair_by[AMDI_FAIR_BY_BYTES];
};

static void
policy_describe(struct description *out, const amdrpc_policy *policy)
{
    policy_message *msg = &out->policy;

    amdrpc__v1__policy__init(msg);
    amdi_policy_format_fair_by(policy, out->fair_by);
    msg->dispatch = (char *)amdi_dispatch_text(policy->dispatch);
    msg->pool = (char *)policy->pool;
    msg->priority = (char *)amdi_priority_text(policy->priority);
    msg->max_running = policy->max_running;
    msg->max_queued = policy->max_queued;
    msg->fair_by = out->fair_by;
    msg->max_per_key = policy->max_per_key;
    msg->default_deadline_ms = policy->default_deadline_ms;
    msg->is_long = policy->is_long;
    msg->watchdog_ms = policy->watchdog_ms == AMDRPC_WATCHDOG_NEVER
            ? 0
            : policy->watchdog_ms;
    msg->max_attempts = policy->max_attempts;
}

static void
method_describe(struct description *out, struct amdi_method *method)
{
    struct amdi_lane_gauges gauges = {0};

    amdrpc__v1__method__init(&out->method);
    policy_describe(out, &method->policy);
    amdi_worker_pool_get_lane(
            method->pool, method, amdi_clock_now_ns(), &gauges);
    out->method.path = (char *)method->desc->path;
    out->method.policy = &out->policy;
    out->method.queued = gauges.nqueued;
    out->method.running = gauges.nrunning;
    out->method.oldest_wait_us = gauges.oldest_ns / 1000;
}

/** "/a.B/C" is part of "", of "a.B" and of "a.B.C". */
static bool
method_is_part_of(const amdrpc_service_desc *service,
        const amdrpc_method_desc *method, const char *symbol)
{
    size_t len = strlen(service->name);

    if (symbol[0] == '\0' || strcmp(symbol, service->name) == 0) {
        return true;
    }
    return strncmp(symbol, service->name, len) == 0 && symbol[len] == '.' &&
            strcmp(symbol + len + 1, method->name) == 0;
}

static size_t
server_count_methods(const amdrpc_server *server)
{
    const amdrpc_service_desc *service = NULL;
    size_t n = 0;

    for (size_t i = 0; (service = amdrpc_server_get_service(server, i)) != NULL;
            i++) {
        n += service->nmethods;
    }
    return n;
}

/** Fills in those that @symbol asks for; returns how many. */
static size_t
server_describe(amdrpc_server *server, const char *symbol,
        struct description *descriptions, method_message **out)
{
    const amdrpc_service_desc *service = NULL;
    size_t n = 0;

    for (size_t i = 0; (service = amdrpc_server_get_service(server, i)) != NULL;
            i++) {
        for (size_t k = 0; k < service->nmethods; k++) {
            const amdrpc_method_desc *method = &service->methods[k];

            if (method_is_part_of(service, method, symbol)) {
                method_describe(&descriptions[n],
                        amdi_service_table_find(&server->services, method->path,
                                strlen(method->path)));
                out[n] = &descriptions[n].method;
                n++;
            }
        }
    }
    return n;
}

static void
describe_on_list(amdrpc_call *call,
        const Amdrpc__V1__ListMethodsRequest *request, void *user_data)
{
    amdrpc_server *server = user_data;
    size_t nmax = server_count_methods(server);
    Amdrpc__V1__ListMethodsResponse response =
            AMDRPC__V1__LIST_METHODS_RESPONSE__INIT;
    struct description *descriptions =
            amdrpc_call_alloc(call, nmax * sizeof(*descriptions));

    response.methods =
            amdrpc_call_alloc(call, nmax * sizeof(*response.methods));
    if (descriptions == NULL || response.methods == NULL) {
        amdrpc_call_finish(call, AMDRPC_STATUS_RESOURCE_EXHAUSTED, "no memory");
        return;
    }
    response.n_methods = server_describe(
            server, request->symbol, descriptions, response.methods);
    if (response.n_methods == 0 && request->symbol[0] != '\0') {
        amdrpc_call_finishf(call, AMDRPC_STATUS_NOT_FOUND,
                "%s is no service or method of this server", request->symbol);
        return;
    }
    amdrpc_v1_server_list_methods_reply(call, &response);
}

amdrpc_err
amdrpc_describe_add(amdrpc_server *server)
{
    static const amdrpc_v1_server_handlers handlers = {
            .list_methods = describe_on_list};
    static const amdrpc_policy quick = {.dispatch = AMDRPC_DISPATCH_INLINE};
    amdrpc_err err = amdrpc_v1_server_register(server, &handlers, server);

    return err == AMDRPC_OK
            ? amdrpc_server_set_policy(server, "/amdrpc.v1.Server/", &quick)
            : err;
}
