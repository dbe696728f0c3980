/** A log sink that writes one JSON object a line to stderr. */
#ifndef AMDI_LOG_JSON_H
#define AMDI_LOG_JSON_H

#include <amdrpc/log.h>

/** An amdrpc_log_fn; @arg is ignored. */
void amdi_log_json(
        void *arg, amdrpc_log_level level, const char *id, const char *text);

#endif
