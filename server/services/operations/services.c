/** The services by which clients see operations. */
#include "server/services/operations/services.h"

#include "amdrpc/v1/operations.amdrpc-server.h"
#include "common/alloc.h"
#include "google/longrunning/operations.amdrpc-server.h"
#include "server/call.h"
#include "server/server.h"
#include "server/services/operations/message.h"
#include "server/services/operations/operations.h"
#include "server/services/operations/refuse.h"
#include "server/store/id.h"

#include <string.h>

/* ---- what the handlers share ---- */

struct amdi_arena *
amdi_op_call_arena(amdrpc_call *call)
{
    return &call->arena;
}

struct amdi_loop *
amdi_op_call_loop(const amdrpc_call *call)
{
    return call->sink->owner->get_loop(call);
}

bool
amdi_op_name_read(amdrpc_call *call, const char *name, uint64_t *out_id)
{
    if (amdi_op_name_parse(name, strlen(name), out_id) == AMDRPC_OK) {
        return true;
    }
    amdi_op_refuse_argument(call, "NAME_INVALID",
            "name: \"operations/{id}\" is expected, as a server gave it");
    return false;
}

bool
amdi_op_is_own(const amdrpc_call *call, const struct amdi_op *op)
{
    const char *identity = amdrpc_call_get_identity(call);
    size_t len = strlen(identity);

    return op->principal.len == len &&
            (len == 0 || memcmp(op->principal.data, identity, len) == 0);
}

Google__Longrunning__Operation *
amdi_op_describe(struct amdi_op_services *services, amdrpc_call *call,
        const struct amdi_op *op)
{
    struct amdi_op_estimate estimate = {0};

    if (op->state == AMDI_OP_QUEUED) {
        amdi_operations_estimate(services->ops, op, &estimate.position,
                &estimate.expected_start_us);
    }
    return amdi_op_message_create(op, &estimate, &call->arena);
}

void
amdi_op_reply(struct amdi_op_services *services, amdrpc_call *call,
        const struct amdi_op *op)
{
    Google__Longrunning__Operation *operation =
            amdi_op_describe(services, call, op);

    if (operation == NULL) {
        amdi_op_refuse_memory(call);
        return;
    }
    amdrpc_call_reply(call, &operation->base);
}

/* ---- life ---- */

static const google_longrunning_operations_handlers standard_handlers = {
        .list_operations = amdi_op_on_list,
        .get_operation = amdi_op_on_get,
        .delete_operation = amdi_op_on_delete,
        .cancel_operation = amdi_op_on_cancel,
        .wait_operation = amdi_op_on_wait,
};

static const amdrpc_v1_operations_handlers own_handlers = {
        .submit = amdi_op_on_submit,
        .watch = amdi_op_on_watch,
};

static amdrpc_err
services_register(struct amdi_op_services *services)
{
    amdrpc_err err = google_longrunning_operations_register(
            services->server, &standard_handlers, services);

    return err == AMDRPC_OK ? amdrpc_v1_operations_register(
                                      services->server, &own_handlers, services)
                            : err;
}

/** All are asynchronous; those that wait do so until the client's deadline. */
static amdrpc_err
services_set_policies(struct amdi_op_services *services)
{
    static const amdrpc_policy quick = {.dispatch = AMDRPC_DISPATCH_INLINE};
    static const amdrpc_policy endless = {.dispatch = AMDRPC_DISPATCH_INLINE,
            .default_deadline_ms = UINT32_MAX};
    static const struct {
        const char *path;
        const amdrpc_policy *policy;
    } rows[] = {
            {"/google.longrunning.Operations/", &quick},
            {"/google.longrunning.Operations/WaitOperation", &endless},
            {"/amdrpc.v1.Operations/", &quick},
            {"/amdrpc.v1.Operations/Watch", &endless},
    };
    amdrpc_err err = AMDRPC_OK;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && err == AMDRPC_OK;
            i++) {
        err = amdrpc_server_set_policy(
                services->server, rows[i].path, rows[i].policy);
    }
    return err;
}

/** All services are there: the calls of their methods can be detached. */
static amdrpc_err
services_prepare(struct amdi_server_part *part)
{
    struct amdi_op_services *services =
            AMDI_CONTAINER_OF(part, struct amdi_op_services, part);

    return amdi_service_table_make_detached(&services->server->services);
}

static void
services_close(struct amdi_server_part *part)
{
    struct amdi_op_services *services =
            AMDI_CONTAINER_OF(part, struct amdi_op_services, part);

    amdi_op_waiters_fini(&services->waiters);
    amdi_endless_fini(&services->follows);
    amdi_free(services);
}

amdrpc_err
amdi_operations_services_add(
        struct amdrpc_server *server, struct amdi_operations *ops)
{
    struct amdi_op_services *services = amdi_zalloc(sizeof(*services));
    amdrpc_err err;

    if (services == NULL) {
        return AMDRPC_ENOMEM;
    }
    services->part.prepare = services_prepare;
    services->part.close = services_close;
    services->server = server;
    services->ops = ops;
    services->store = amdi_operations_store(ops);
    amdi_endless_init(&services->follows);
    amdi_op_waiters_init(&services->waiters);
    // Whatever fails below: it ends with the server, which knows of it.
    amdi_server_add_part(server, &services->part);
    amdi_service_table_set_detached(
            &server->services, amdi_op_on_detached, services);
    err = services_register(services);
    if (err == AMDRPC_OK) {
        err = services_set_policies(services);
    }
    return err == AMDRPC_OK ? amdi_endless_attach(&services->follows, server)
                            : err;
}
