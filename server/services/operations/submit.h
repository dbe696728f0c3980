/** A call that becomes an operation. */
#ifndef AMDI_OPERATIONS_SUBMIT_H
#define AMDI_OPERATIONS_SUBMIT_H

#include <amdrpc/call.h>

#include "server/operation/operations.h"

struct amdi_op_services;

/** An identifier of a request is a UUID, say; more has no use. */
#define AMDI_OP_REQUEST_ID_MAX_BYTES 256u

/** Lies in the call's memory. */
struct amdi_op_submit {
    // Set by who starts it.
    struct amdi_op_services *services;
    amdrpc_call *call;
    struct amdi_submission submission; // but for what the call tells
    // The operation is kept, now or since an earlier call. Takes the call.
    void (*on_kept)(struct amdi_op_submit *submit, const struct amdi_op *op);
};

/**
 * Submits, in place of the handler's answer. The call is taken; when it cannot
 * be done, it is refused. Thread: loop.
 */
void amdi_op_submit_start(struct amdi_op_submit *submit);

#endif
