/** Gives the system back what malloc keeps after a peak. */
#include "server/daemon/trim.h"

#include "common/log.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

bool
amdi_trim_is_due(
        struct amdi_trim *trim, uint64_t resident_bytes, uint64_t used_bytes)
{
    if (resident_bytes < trim->left_bytes) {
        trim->left_bytes = resident_bytes;
    }
    return resident_bytes >
            used_bytes + used_bytes / 2 + AMDI_TRIM_SLACK_BYTES &&
            resident_bytes - trim->left_bytes > AMDI_TRIM_SLACK_BYTES / 2;
}

/** 0 without /proc. */
static uint64_t
read_resident_bytes(void)
{
    FILE *statm = fopen("/proc/self/statm", "re");
    uint64_t pages = 0;

    if (statm == NULL) {
        return 0;
    }
    if (fscanf(statm, "%*u %" SCNu64, &pages) != 1) {
        pages = 0;
    }
    (void)fclose(statm); // only read from
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

void
amdi_trim_look(struct amdi_trim *trim)
{
    struct mallinfo2 info = mallinfo2();
    uint64_t used_bytes = (uint64_t)info.uordblks + info.hblkhd;
    uint64_t before_bytes = read_resident_bytes();

    if (!amdi_trim_is_due(trim, before_bytes, used_bytes)) {
        return;
    }
    (void)malloc_trim(0);
    trim->left_bytes = read_resident_bytes();
    amdi_log_debug("", "memory-trimmed",
            "before=%" PRIu64 " after=%" PRIu64 " used=%" PRIu64, before_bytes,
            trim->left_bytes, used_bytes);
}
