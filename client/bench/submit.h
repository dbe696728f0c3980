/** Submissions as a load: each with a request id of its own. */
#ifndef AMDI_BENCH_SUBMIT_H
#define AMDI_BENCH_SUBMIT_H

#include <amdrpc/client.h>

#include <stdbool.h>
#include <stddef.h>

/** What is submitted again and again. */
struct amdi_bench_submit {
    const char *path;    // of the method
    const void *request; // serialized; borrowed
    size_t request_len;
    bool has_random_ids; // else they sort by time
};

/** The method that the calls of the load are of. */
const amdrpc_method_desc *amdi_bench_submit_method(void);

/** Sends one submission; as the plan's `send`. @arg: amdi_bench_submit */
AMDRPC_NODISCARD amdrpc_err amdi_bench_submit_send(
        amdrpc_client_call *call, const void *arg);

#endif
