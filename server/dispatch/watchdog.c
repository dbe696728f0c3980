/** Reports handlers that run longer than their method's watchdog_ms. */
#include "server/dispatch/watchdog.h"

#include "common/alloc.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/thread.h"
#include "server/dispatch/stack.h"
#include "server/dispatch/worker_pool.h"

#include <dlfcn.h>
#include <inttypes.h>

struct amdi_watchdog {
    // Setup only.
    struct amdi_worker_pool **pools; // borrowed
    size_t npools;
    pthread_t thread;

    pthread_mutex_t mtx;
    pthread_cond_t has_changed;
    bool is_stopping;
};

/* ---- reports ---- */

static void
report_frame(const struct amdi_overdue *overdue, size_t index, void *address)
{
    Dl_info info = {0};
    const char *file = "?";
    const char *symbol = "?";
    size_t offset = 0;

    if (dladdr(address, &info) != 0) {
        file = info.dli_fname != NULL ? info.dli_fname : "?";
        symbol = info.dli_sname != NULL ? info.dli_sname : "?";
        // Without a name, the place in the file is what tools can look up.
        offset = (size_t)((char *)address -
                (char *)(info.dli_sname != NULL ? info.dli_saddr
                                                : info.dli_fbase));
    }
    amdi_log_warn("", "handler-stack", "worker=%u frame=%zu at=%s+0x%zx in=%s",
            overdue->worker, index, symbol, offset, file);
}

static void
report(const struct amdi_overdue *overdue)
{
    void *frames[AMDI_STACK_FRAMES];
    size_t n = overdue->is_stack_coming ? amdi_stack_await(frames) : 0;

    amdi_log_warn("", "handler-slow",
            "method=%s age_ms=%" PRIu64 " worker=%u frames=%zu", overdue->path,
            overdue->age_ms, overdue->worker, n);
    for (size_t i = 0; i < n; i++) {
        report_frame(overdue, i, frames[i]);
    }
}

void
amdi_watchdog_check(struct amdi_worker_pool *pool)
{
    struct amdi_overdue overdue;

    while (amdi_worker_pool_find_overdue(pool, amdi_clock_now_ns(), &overdue)) {
        report(&overdue);
    }
}

/* ---- the thread ---- */

/** Waits for a second; false when the watchdog stops. */
static bool
watchdog_wait(struct amdi_watchdog *watchdog)
{
    const struct timespec at = amdi_clock_deadline(1000);
    int rv = 0;
    bool is_stopping = false;

    pthread_mutex_lock(&watchdog->mtx);
    while (!watchdog->is_stopping && rv == 0) {
        rv = pthread_cond_timedwait(
                &watchdog->has_changed, &watchdog->mtx, &at);
    }
    is_stopping = watchdog->is_stopping;
    pthread_mutex_unlock(&watchdog->mtx);
    return !is_stopping;
}

static void *
watchdog_main(void *arg)
{
    struct amdi_watchdog *watchdog = arg;

    amdi_thread_set_name("amd-watch");
    while (watchdog_wait(watchdog)) {
        for (size_t i = 0; i < watchdog->npools; i++) {
            amdi_watchdog_check(watchdog->pools[i]);
        }
    }
    return NULL;
}

static void
watchdog_free(struct amdi_watchdog *watchdog)
{
    pthread_cond_destroy(&watchdog->has_changed);
    pthread_mutex_destroy(&watchdog->mtx);
    amdi_free(watchdog);
}

amdrpc_err
amdi_watchdog_start(struct amdi_worker_pool **pools, size_t npools,
        struct amdi_watchdog **out)
{
    struct amdi_watchdog *watchdog = amdi_zalloc(sizeof(*watchdog));
    pthread_condattr_t attr;

    if (watchdog == NULL) {
        return AMDRPC_ENOMEM;
    }
    watchdog->pools = pools;
    watchdog->npools = npools;
    pthread_mutex_init(&watchdog->mtx, NULL);
    // None of these can fail with these arguments.
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&watchdog->has_changed, &attr);
    (void)pthread_condattr_destroy(&attr);
    amdi_stack_init();
    if (pthread_create(&watchdog->thread, NULL, watchdog_main, watchdog) != 0) {
        watchdog_free(watchdog);
        return AMDRPC_EIO;
    }
    *out = watchdog;
    return AMDRPC_OK;
}

void
amdi_watchdog_stop(struct amdi_watchdog *watchdog)
{
    if (watchdog == NULL) {
        return;
    }
    pthread_mutex_lock(&watchdog->mtx);
    watchdog->is_stopping = true;
    pthread_cond_signal(&watchdog->has_changed);
    pthread_mutex_unlock(&watchdog->mtx);
    (void)pthread_join(watchdog->thread, NULL);
    watchdog_free(watchdog);
}
