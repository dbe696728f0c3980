/** An event of an operation, as the public struct. */
#ifndef AMDI_WATCH_EVENT_H
#define AMDI_WATCH_EVENT_H

#include <amdrpc/operation.h>

#include "amdrpc/v1/operations.pb-c.h"
#include "common/arena.h"

/**
 * Reads an event.
 *
 * @response  borrowed for as long as @event is used
 * @method    NULL: messages stay serialized
 * @arena     holds the message
 * Errors:    AMDRPC_EPROTO       the message is not of the method's type
 *            AMDRPC_EUNSUPPORTED an event of a kind that we do not know
 *            AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_watch_event_read(
        const Amdrpc__V1__WatchResponse *response,
        const amdrpc_method_desc *method, struct amdi_arena *arena,
        amdrpc_watch_event *event);

#endif
