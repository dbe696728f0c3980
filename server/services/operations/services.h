/** What the files of the services of operations share. */
#ifndef AMDI_OPERATIONS_SERVICES_H
#define AMDI_OPERATIONS_SERVICES_H

#include <amdrpc/call.h>

#include "amdrpc/v1/operations.pb-c.h"
#include "common/arena.h"
#include "google/longrunning/operations.pb-c.h"
#include "server/operation/operations.h"
#include "server/server.h"
#include "server/services/endless.h"
#include "server/services/operations/waiters.h"

struct amdi_op_services {
    struct amdi_server_part part;
    struct amdrpc_server *server; // borrowed
    struct amdi_operations *ops;  // borrowed
    struct amdi_store *store;     // borrowed

    // Any thread; they lock themselves.
    struct amdi_endless follows;    // calls that watch or wait
    struct amdi_op_waiters waiters; // how many for which operation
};

/** The memory of the call. */
struct amdi_arena *amdi_op_call_arena(amdrpc_call *call);

/** The loop that owns the call, where the store answers. */
struct amdi_loop *amdi_op_call_loop(const amdrpc_call *call);

/**
 * Reads a name, "operations/{id}"; on false the call has been refused: a name
 * that cannot be one is that of no operation.
 */
bool amdi_op_name_read(amdrpc_call *call, const char *name, uint64_t *out_id);

/**
 * Tells whether a call may know of an operation: it is its caller's own.
 * Others learn nothing, not even that it exists.
 */
bool amdi_op_is_own(const amdrpc_call *call, const struct amdi_op *op);

/** An operation as clients see it, in the call's memory; NULL without. */
Google__Longrunning__Operation *amdi_op_describe(
        struct amdi_op_services *services, amdrpc_call *call,
        const struct amdi_op *op);

/** Ends the call with an operation. */
void amdi_op_reply(struct amdi_op_services *services, amdrpc_call *call,
        const struct amdi_op *op);

/* ---- the handlers; @user_data is the services ---- */

void amdi_op_on_get(amdrpc_call *call,
        const Google__Longrunning__GetOperationRequest *request,
        void *user_data);
void amdi_op_on_list(amdrpc_call *call,
        const Google__Longrunning__ListOperationsRequest *request,
        void *user_data);
void amdi_op_on_cancel(amdrpc_call *call,
        const Google__Longrunning__CancelOperationRequest *request,
        void *user_data);
void amdi_op_on_delete(amdrpc_call *call,
        const Google__Longrunning__DeleteOperationRequest *request,
        void *user_data);
void amdi_op_on_wait(amdrpc_call *call,
        const Google__Longrunning__WaitOperationRequest *request,
        void *user_data);
void amdi_op_on_submit(amdrpc_call *call,
        const Amdrpc__V1__SubmitRequest *request, void *user_data);
void amdi_op_on_watch(amdrpc_call *call,
        const Amdrpc__V1__WatchRequest *request, void *user_data);

/** Of methods that are called with amdrpc-detach; an amdrpc_invoke_fn. */
void amdi_op_on_detached(const void *method, amdrpc_call *call,
        const ProtobufCMessage *request, void *user_data);

#endif
