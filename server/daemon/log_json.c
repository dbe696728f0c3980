/** A log sink that writes one JSON object a line to stderr. */
#include "server/daemon/log_json.h"

#include "common/clock.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* RFC 3339 with microseconds, in UTC. */
static void
time_format(int64_t wall_us, char *out, size_t size)
{
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm tm;
    char day[32];

    gmtime_r(&seconds, &tm);
    (void)strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(out, size, "%s.%06dZ", day, (int)(wall_us % 1000000));
}

void
amdi_log_json(
        void *arg, amdrpc_log_level level, const char *id, const char *text)
{
    char now[64];
    json_t *line;
    char *dump;

    (void)arg;
    time_format(amdi_clock_wall_us(), now, sizeof(now));
    line = json_pack("{s:s, s:s, s:s, s:s}", "time", now, "level",
            amdrpc_log_level_name(level), "id", id, "text", text);
    dump = line != NULL ? json_dumps(line, JSON_COMPACT) : NULL;
    if (dump != NULL) {
        (void)dprintf(STDERR_FILENO, "%s\n", dump); // nobody is left to tell
    }
    free(dump);
    json_decref(line);
}
