/** The request messages of a call: from JSON text to the wire. */
#ifndef AMDI_REQUEST_H
#define AMDI_REQUEST_H

#include <amdrpc/client.h>

#include "client/cli/codec.h"
#include "client/cli/input.h"
#include "client/cli/json_split.h"

#include <pthread.h>

/** Functions that return an int return an exit status, and print its reason. */
struct amdi_request {
    const struct amdi_codec *codec; // borrowed
    struct amdi_input input;
    struct amdi_json_split split;
    bool at_end;      // the input has ended
    bool is_stopped;  // before its end, as nobody wants more
    size_t nmessages; // made so far

    // While the sender runs, these are its own.
    pthread_t sender;
    amdrpc_client_call *call; // borrowed
    int exit_status;
};

/**
 * Opens the source: a JSON text, "@FILE" or "-".
 *
 * @source  borrowed until close
 * @codec   borrowed until close
 */
int amdi_request_open(struct amdi_request *request, const char *source,
        const struct amdi_codec *codec);

void amdi_request_close(struct amdi_request *request);

/** Reads the one message of a unary request; none is an empty one. */
int amdi_request_read_single(
        struct amdi_request *request, struct amdi_buf *out);

/**
 * Sends every message as it comes, from a thread of its own; then closes the
 * sending side. What goes wrong cancels the call.
 */
int amdi_request_start(struct amdi_request *request, amdrpc_client_call *call);

/** Ends the thread: when the call has ended. */
int amdi_request_stop(struct amdi_request *request);

#endif
