/** Reports handlers that run longer than their method's watchdog_ms. */
#ifndef AMDI_WATCHDOG_H
#define AMDI_WATCHDOG_H

#include <amdrpc/err.h>

#include <stddef.h>

struct amdi_watchdog;
struct amdi_worker_pool;

/**
 * Makes a watchdog and its thread, which looks at the pools once a second.
 *
 * @pools   borrowed
 * Errors:  AMDRPC_ENOMEM, AMDRPC_EIO
 */
AMDRPC_NODISCARD amdrpc_err amdi_watchdog_start(struct amdi_worker_pool **pools,
        size_t npools, struct amdi_watchdog **out);

/** Ends the thread and frees it; NULL is accepted. */
void amdi_watchdog_stop(struct amdi_watchdog *watchdog);

/** Logs what is overdue in a pool and has not been logged yet. */
void amdi_watchdog_check(struct amdi_worker_pool *pool);

#endif
