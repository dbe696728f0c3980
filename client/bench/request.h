/** The one request that a load sends again and again. */
#ifndef AMDI_BENCH_REQUEST_H
#define AMDI_BENCH_REQUEST_H

#include <amdrpc/service.h>

#include "client/bench/options.h"
#include "common/buf.h"

/** A method and its serialized request. */
struct amdi_bench_request {
    amdrpc_method_desc method; // borrows from the options
    struct amdi_buf bytes;
};

/** @return  an exit status; its reason is printed */
int amdi_bench_request_init(struct amdi_bench_request *request,
        const struct amdi_bench_options *options);

void amdi_bench_request_fini(struct amdi_bench_request *request);

#endif
