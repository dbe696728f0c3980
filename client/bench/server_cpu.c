/** What a server process on this machine has used, from /proc. */
#include "client/bench/server_cpu.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

amdrpc_err
amdi_process_usage_parse(const char *text, uint64_t ticks_per_s,
        uint64_t page_bytes, struct amdi_process_usage *out)
{
    // The second field is the program's name, which may hold anything.
    const char *rest = strrchr(text, ')');
    uint64_t utime;
    uint64_t stime;
    int64_t rss_pages;

    // proc(5): utime and stime are fields 14 and 15, rss is 24.
    if (rest == NULL || ticks_per_s == 0 ||
            sscanf(rest + 1,
                    " %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s"
                    " %" SCNu64 " %" SCNu64
                    " %*s %*s %*s %*s %*s %*s %*s %*s %" SCNd64,
                    &utime, &stime, &rss_pages) != 3 ||
            rss_pages < 0) {
        return AMDRPC_EINVAL;
    }
    out->cpu_us = (utime + stime) * 1000000 / ticks_per_s;
    out->rss_bytes = (uint64_t)rss_pages * page_bytes;
    return AMDRPC_OK;
}

// The scheduler's own count for a process, in nanoseconds.
static bool
process_read_clock(pid_t pid, uint64_t *out_us)
{
    clockid_t clock;
    struct timespec now;

    if (clock_getcpuclockid(pid, &clock) != 0 ||
            clock_gettime(clock, &now) != 0) {
        return false;
    }
    *out_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    return true;
}

amdrpc_err
amdi_process_usage_read(pid_t pid, struct amdi_process_usage *out)
{
    char path[64];
    char text[1024];
    size_t len;
    FILE *file;
    amdrpc_err err;

    (void)snprintf(path, sizeof(path), "/proc/%jd/stat", (intmax_t)pid);
    file = fopen(path, "re");
    if (file == NULL) {
        return AMDRPC_ENOTFOUND;
    }
    len = fread(text, 1, sizeof(text) - 1, file);
    (void)fclose(file);
    text[len] = '\0';
    err = amdi_process_usage_parse(text, (uint64_t)sysconf(_SC_CLK_TCK),
            (uint64_t)sysconf(_SC_PAGESIZE), out);
    if (err != AMDRPC_OK) {
        return AMDRPC_ENOTFOUND;
    }
    (void)process_read_clock(pid, &out->cpu_us);
    return AMDRPC_OK;
}
