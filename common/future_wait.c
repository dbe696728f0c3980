/**
 * Waiting for futures.
 *
 * A waiting thread puts a link on each future and sleeps on one semaphore,
 * which a future posts when it completes. The links go before the function
 * returns, so a future never meets a waiter that has left.
 */
#include "common/alloc.h"
#include "common/future.h"
#include "common/thread.h"

#include <errno.h>
#include <time.h>

#define NS_PER_MS 1000000
#define NS_PER_S 1000000000

// Waiting for no more futures than this takes no memory from the heap.
#define WAIT_SMALL_LINKS 8u

#define WAIT_FOREVER INT64_MAX

/**
 * Returns when the time is over, or WAIT_FOREVER. This is the system's clock
 * and not amdi_clock, which a test may have replaced: the system does the
 * sleeping.
 */
static int64_t
wait_deadline_ns(int64_t timeout_ms)
{
    struct timespec now;
    int64_t now_ns;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); // cannot fail: a valid clock
    now_ns = (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
    if (timeout_ms < 0 || timeout_ms > (WAIT_FOREVER - now_ns) / NS_PER_MS) {
        return WAIT_FOREVER;
    }
    return now_ns + timeout_ms * NS_PER_MS;
}

/** Sleeps until the semaphore is posted or the time is over. */
static void
wait_sleep(sem_t *woken, int64_t deadline_ns)
{
    struct timespec until = {
            .tv_sec = (time_t)(deadline_ns / NS_PER_S),
            .tv_nsec = (long)(deadline_ns % NS_PER_S),
    };
    int result;

    do {
        result = deadline_ns == WAIT_FOREVER
                ? sem_wait(woken)
                : sem_clockwait(woken, CLOCK_MONOTONIC, &until);
    } while (result != 0 && errno == EINTR);
}

/** Finds the first complete future. */
static bool
wait_find_ready(
        amdrpc_future *const *futures, size_t nfutures, size_t *out_index)
{
    for (size_t i = 0; i < nfutures; i++) {
        if (amdrpc_future_is_ready(futures[i])) {
            *out_index = i;
            return true;
        }
    }
    return false;
}

/** Sleeps until one of them is complete, with one link for each. */
static void
wait_with_links(amdrpc_future *const *futures, size_t nfutures,
        int64_t deadline_ns, struct amdi_future_link *links)
{
    bool is_ongoing = true;
    size_t nlinks = 0;
    sem_t woken;

    (void)sem_init(&woken, /*pshared=*/0, /*value=*/0); // valid, so it succeeds
    while (is_ongoing && nlinks < nfutures) {
        links[nlinks].woken = &woken;
        amdi_list_init(&links[nlinks].node);
        is_ongoing = amdi_future_watch(futures[nlinks], &links[nlinks]);
        nlinks++;
    }
    if (is_ongoing) {
        wait_sleep(&woken, deadline_ns);
    }
    for (size_t i = 0; i < nlinks; i++) {
        amdi_future_unwatch(futures[i], &links[i]);
    }
    (void)sem_destroy(&woken); // nobody can be waiting
}

static amdrpc_err
wait_until(amdrpc_future *const *futures, size_t nfutures, int64_t deadline_ns,
        size_t *out_index)
{
    struct amdi_future_link small[WAIT_SMALL_LINKS];
    struct amdi_future_link *links = small;

    if (wait_find_ready(futures, nfutures, out_index)) {
        return AMDRPC_OK;
    }
    if (nfutures > WAIT_SMALL_LINKS) {
        links = amdi_calloc(nfutures, sizeof(*links));
        if (links == NULL) {
            return AMDRPC_ENOMEM;
        }
    }
    wait_with_links(futures, nfutures, deadline_ns, links);
    if (links != small) {
        amdi_free(links);
    }
    return wait_find_ready(futures, nfutures, out_index) ? AMDRPC_OK
                                                         : AMDRPC_ETIMEDOUT;
}

/** Who may wait can as well do the work, if that has not begun. */
static void
wait_help(amdrpc_future *const *futures, size_t nfutures, int64_t timeout_ms)
{
    size_t index;

    if (timeout_ms == 0 || wait_find_ready(futures, nfutures, &index)) {
        return;
    }
    for (size_t i = 0; i < nfutures; i++) {
        if (amdi_future_help(futures[i])) {
            return;
        }
    }
}

amdrpc_err
amdrpc_future_wait_any(amdrpc_future *const *futures, size_t nfutures,
        int64_t timeout_ms, size_t *out_index)
{
    int64_t deadline_ns = wait_deadline_ns(timeout_ms);

    if (amdi_thread_is_loop()) {
        return AMDRPC_ESTATE;
    }
    if (nfutures == 0) {
        return AMDRPC_EINVAL;
    }
    wait_help(futures, nfutures, timeout_ms);
    return wait_until(futures, nfutures, deadline_ns, out_index);
}

amdrpc_err
amdrpc_future_wait(amdrpc_future *future, int64_t timeout_ms)
{
    size_t index;

    return amdrpc_future_wait_any(&future, 1, timeout_ms, &index);
}

// One after the other: the last one to complete ends the wait in any order.
amdrpc_err
amdrpc_future_wait_all(
        amdrpc_future *const *futures, size_t nfutures, int64_t timeout_ms)
{
    int64_t deadline_ns = wait_deadline_ns(timeout_ms);

    if (amdi_thread_is_loop()) {
        return AMDRPC_ESTATE;
    }
    for (size_t i = 0; i < nfutures; i++) {
        size_t index;
        amdrpc_err err;

        wait_help(&futures[i], 1, timeout_ms);
        err = wait_until(&futures[i], 1, deadline_ns, &index);
        if (err != AMDRPC_OK) {
            return err;
        }
    }
    return AMDRPC_OK;
}
