/** What the files of the test service share. */
#ifndef TEST_INTEROP_SERVICE_H
#define TEST_INTEROP_SERVICE_H

#include <amdrpc/call.h>

#include "tests/interop/test_service.amdrpc-server.h"

// A request can ask for any size; the memory for it is the server's.
#define INTEROP_MAX_SIZE_BYTES (16 * 1024 * 1024)

/** Sends back the metadata that asks for it. False: the call has been ended. */
bool interop_echo_metadata(amdrpc_call *call);

/**
 * Points @payload to @size zero bytes. False: the call has been ended, with a
 * status that says why.
 */
bool interop_make_payload(amdrpc_call *call, Grpc__Testing__PayloadType type,
        int32_t size, Grpc__Testing__Payload *payload);

/**
 * Ends the call with the status that the request asks for. False: it asks for
 * none.
 */
bool interop_finish_as_asked(
        amdrpc_call *call, const Grpc__Testing__EchoStatus *status);

/** Ends a call whose message did not come compressed as @expected says. */
bool interop_check_compressed(
        amdrpc_call *call, const Grpc__Testing__BoolValue *expected);

/* ---- stream.c ---- */

void interop_on_streaming_output(amdrpc_call *call,
        const Grpc__Testing__StreamingOutputCallRequest *request,
        void *user_data);
void interop_on_full_duplex(amdrpc_call *call, void *user_data);
void interop_on_half_duplex(amdrpc_call *call, void *user_data);

#endif
