/** What a server process on this machine has used, from /proc. */
#ifndef AMDI_SERVER_CPU_H
#define AMDI_SERVER_CPU_H

#include <amdrpc/err.h>

#include <stdint.h>
#include <sys/types.h>

struct amdi_process_usage {
    uint64_t cpu_us;    // user and system time of all threads
    uint64_t rss_bytes; // resident memory
};

/**
 * Reads the text of /proc/PID/stat.  (pure)
 *
 * @ticks_per_s  sysconf(_SC_CLK_TCK)
 * @page_bytes   sysconf(_SC_PAGESIZE)
 * Errors:       AMDRPC_EINVAL  not such a text
 */
AMDRPC_NODISCARD amdrpc_err amdi_process_usage_parse(const char *text,
        uint64_t ticks_per_s, uint64_t page_bytes,
        struct amdi_process_usage *out);

/**
 * Reads what a process has used so far. CPU time comes from the scheduler's
 * nanoseconds where the kernel tells them, else in ticks of about 10 ms.
 *
 * Errors:  AMDRPC_ENOTFOUND  no such process
 */
AMDRPC_NODISCARD amdrpc_err amdi_process_usage_read(
        pid_t pid, struct amdi_process_usage *out);

#endif
