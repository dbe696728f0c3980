/** The ends of calls that cannot be served, with details for programs. */
#ifndef AMDI_OPERATIONS_REFUSE_H
#define AMDI_OPERATIONS_REFUSE_H

#include <amdrpc/call.h>

#include "server/details.h"
#include "server/store/store.h"

// All take the call.

/** Ends it; the service of @details (copied) is that of the call. */
void amdi_op_refuse(amdrpc_call *call, const struct amdi_details *details);

/** INVALID_ARGUMENT, with a sentence made as by printf. */
void amdi_op_refuse_argument(amdrpc_call *call, const char *reason,
        const char *format, ...) AMDRPC_PRINTF(3, 4);

/** What the store said, about the operation @name ("" for none). */
void amdi_op_refuse_result(
        amdrpc_call *call, enum amdi_store_result result, const char *name);

/** The events after @after_seq are not kept any more. */
void amdi_op_refuse_gone(
        amdrpc_call *call, uint64_t after_seq, uint64_t first_seq);

/** There is no memory. */
void amdi_op_refuse_memory(amdrpc_call *call);

/** The server begins to drain. */
void amdi_op_refuse_drain(amdrpc_call *call);

#endif
