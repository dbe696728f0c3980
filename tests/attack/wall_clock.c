/**
 * Preloaded into the daemon: a wall clock that jumps by two days with every
 * look at it, to and fro. The monotonic clock is left alone.
 */
#include <stdatomic.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define DAY_S (24 * 60 * 60)

static atomic_uint nlooks;

static int
wall_read(struct timespec *out)
{
    int rc = (int)syscall(SYS_clock_gettime, CLOCK_REALTIME, out);

    out->tv_sec += atomic_fetch_add(&nlooks, 1) % 2 == 0 ? DAY_S : -DAY_S;
    return rc;
}

int
clock_gettime(clockid_t clock, struct timespec *out)
{
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE
            ? wall_read(out)
            : (int)syscall(SYS_clock_gettime, clock, out);
}

int
gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec now;
    int rc = wall_read(&now);

    (void)zone; // of no use since long ago
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return rc;
}

time_t
time(time_t *out)
{
    struct timespec now;

    (void)wall_read(&now); // cannot fail: the clock is a valid one
    if (out != NULL) {
        *out = now.tv_sec;
    }
    return now.tv_sec;
}
