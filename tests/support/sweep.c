/** The allocation sweep. */
#include "tests/support/sweep.h"

#include "common/alloc.h"
#include "common/cache.h"

#include <check.h>

#include <stdbool.h>
#include <stdint.h>

#define SWEEP_MAX_ALLOCATIONS 10000

/** Lets one allocation fail; tells whether the function got that far. */
static bool
sweep_fail_one(test_sweep_fn make, void *arg, int64_t n)
{
    amdrpc_err err;
    bool has_failed;

    amdi_cache_thread_flush(); // a block from there is no allocation
    amdi_alloc_fail_at(n);
    err = make(arg);
    has_failed = amdi_alloc_has_failed();
    amdi_alloc_fail_at(-1);
    ck_assert_msg(err == (has_failed ? AMDRPC_ENOMEM : AMDRPC_OK),
            "allocation %d %s, result %s", (int)n,
            has_failed ? "failed" : "was not made", amdrpc_err_name(err));
    return has_failed;
}

size_t
test_sweep_allocations(test_sweep_fn make, void *arg)
{
    int64_t n = 0;

    while (sweep_fail_one(make, arg, n)) {
        n++;
        ck_assert_msg(n < SWEEP_MAX_ALLOCATIONS, "the sweep does not end");
    }
    return (size_t)n;
}
