/** One log line for each call that ended. */
#include "server/metrics/access_log.h"

#include "common/log.h"
#include "server/conn/conn.h"
#include "server/conn/request_head.h"
#include "server/service.h"
#include "server/stream/stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// A traceparent has 55 characters (W3C Trace Context, section 3.2); the 16
// bytes of a trace's identifier are 32 hexadecimal digits.
#define TRACE_TEXT_BYTES 64u

// grpc-trace-bin: version, then field 0, the trace's identifier.
#define TRACE_ID_OFFSET 2u
#define TRACE_ID_BYTES 16u

/** The identifier in OpenCensus' binary form, in hexadecimal. */
static void
trace_print_binary(
        const amdrpc_metadata_field *field, char out[TRACE_TEXT_BYTES])
{
    const uint8_t *bytes = (const uint8_t *)field->value;

    if (field->value_len < TRACE_ID_OFFSET + TRACE_ID_BYTES || bytes[0] != 0 ||
            bytes[1] != 0) {
        return;
    }
    for (size_t i = 0; i < TRACE_ID_BYTES; i++) {
        (void)snprintf(out + 2 * i, 3, "%02x", bytes[TRACE_ID_OFFSET + i]);
    }
}

static void
trace_print(const struct amdrpc_metadata *metadata, char out[TRACE_TEXT_BYTES])
{
    const amdrpc_metadata_field *text =
            amdrpc_metadata_get(metadata, "traceparent");
    const amdrpc_metadata_field *binary =
            amdrpc_metadata_get(metadata, "grpc-trace-bin");

    (void)snprintf(out, TRACE_TEXT_BYTES, "-");
    if (text != NULL) {
        (void)snprintf(out, TRACE_TEXT_BYTES, "%.*s",
                (int)(text->value_len < TRACE_TEXT_BYTES
                                ? text->value_len
                                : TRACE_TEXT_BYTES - 1),
                text->value);
    } else if (binary != NULL) {
        trace_print_binary(binary, out);
    }
}

void
amdi_access_log_write(const struct amdi_stream *stream, uint64_t now_ns)
{
    const struct amdrpc_call *call = &stream->call;
    char trace[TRACE_TEXT_BYTES];

    if (stream->head == NULL) {
        return; // it went before it had said what it wanted
    }
    trace_print(&stream->head->metadata, trace);
    amdi_log_info("", "call-ended",
            "method=%s status=%s duration_us=%" PRIu64 " waited_us=%" PRIu64
            " peer=%s trace=%s",
            call->method != NULL ? call->method->desc->path : "-",
            amdrpc_status_name(stream->code),
            (now_ns - stream->opened_at_ns) / 1000, call->waited_ns / 1000,
            amdi_peer_text(stream->peer), trace);
}
