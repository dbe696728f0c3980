/** One log line for each call that ended. */
#ifndef AMDI_ACCESS_LOG_H
#define AMDI_ACCESS_LOG_H

#include <stdint.h>

struct amdi_stream;

/**
 * Writes the line of a stream that is about to be freed: method, status,
 * times, peer, and the trace that the client said it belongs to. Thread: loop.
 */
void amdi_access_log_write(const struct amdi_stream *stream, uint64_t now_ns);

#endif
