/** What is asked for when an operation is submitted: the request's bytes. */
#ifndef AMDI_SUBMISSION_H
#define AMDI_SUBMISSION_H

#include <amdrpc/operation.h>

#include "common/arena.h"

#include <stddef.h>

/**
 * Packs an amdrpc.v1.SubmitRequest.
 *
 * @data, @len  the method's serialized request
 * @arena       holds the result
 * Errors:      AMDRPC_EINVAL, AMDRPC_EIO, AMDRPC_ENOMEM: as
 *              amdrpc_operation_submit
 */
AMDRPC_NODISCARD amdrpc_err amdi_submission_pack(
        const amdrpc_method_desc *method, const void *data, size_t len,
        const amdrpc_operation_options *options, struct amdi_arena *arena,
        const void **out, size_t *out_len);

#endif
