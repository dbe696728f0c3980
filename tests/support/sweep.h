/** The allocation sweep: every allocation of a function fails once. */
#ifndef TEST_SWEEP_H
#define TEST_SWEEP_H

#include <amdrpc/err.h>

#include <stddef.h>

/**
 * Makes something and unmakes it again. When making fails, it hands the error
 * back with nothing left behind.
 */
typedef amdrpc_err (*test_sweep_fn)(void *arg);

/**
 * Runs @make with its allocation 0, 1, 2 … failing, until it runs without a
 * failure. Each failure must become AMDRPC_ENOMEM, the last run AMDRPC_OK.
 * Returns the number of allocations.
 */
size_t test_sweep_allocations(test_sweep_fn make, void *arg);

#endif
