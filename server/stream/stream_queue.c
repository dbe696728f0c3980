/** A call's HTTP/2 stream: what its client is told of the queue. */
#include "server/dispatch/dispatch.h"
#include "server/server.h"
#include "server/server_loop.h"
#include "server/stream/stream.h"

#include <inttypes.h>
#include <stdio.h>

static void
stream_add_number(struct amdi_stream *stream, const char *name, uint64_t value)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%" PRIu64, value);

    if (amdrpc_call_add_initial_metadata(
                &stream->call, name, text, (size_t)len) != AMDRPC_OK) {
        return; // no memory: the client does without
    }
}

bool
amdi_stream_wants_queue_info(const struct amdi_stream *stream)
{
    return amdrpc_metadata_get(stream->call.metadata, "amdrpc-queue-info") !=
            NULL;
}

void
amdi_stream_tell_queue(struct amdi_stream *stream)
{
    uint64_t position = 0;
    uint64_t wait_ms = 0;

    amdi_dispatcher_get_queue_info(
            stream->sl->server->dispatcher, &stream->call, &position, &wait_ms);
    stream_add_number(stream, "amdrpc-queue-position", position);
    stream_add_number(stream, "amdrpc-expected-wait-ms", wait_ms);
    if (position > 0 || wait_ms > 0) {
        atomic_store(&stream->is_initial_sent, true);
        amdi_stream_send(stream);
    }
}
