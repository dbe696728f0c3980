/** What the cases of the interop client share. */
#ifndef TEST_INTEROP_CLIENT_H
#define TEST_INTEROP_CLIENT_H

#include <amdrpc/client.h>

#include "tests/interop/test_service.amdrpc-client.h"
#include "tests/interop/test_service.amdrpc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INTEROP_WHY_BYTES 512u
#define INTEROP_TEXT_BYTES 256u

// Longer than any step takes: only a server that hangs comes here.
#define INTEROP_WAIT_MS 120000

#define INTEROP_LARGE_REQUEST_BYTES 271828
#define INTEROP_LARGE_RESPONSE_BYTES 314159

/** One run of the client. */
struct interop {
    const char *target;
    const amdrpc_channel_options *channel_options;
    amdrpc_channel *channel;
    char why[INTEROP_WHY_BYTES]; // the case failed
};

/** One case; false: interop.why says what was wrong. */
struct interop_case {
    const char *name;
    bool (*run)(struct interop *in);
};

extern const struct interop_case interop_unary_cases[];
extern const struct interop_case interop_status_cases[];
extern const struct interop_case interop_stream_cases[];
extern const struct interop_case interop_load_cases[];
extern const struct interop_case interop_negative_cases[];

/** Keeps the reason; always false. */
bool interop_fail(struct interop *in, const char *format, ...)
        AMDRPC_PRINTF(2, 3);

/** Compares, and keeps the difference as the reason. */
bool interop_check_int(
        struct interop *in, const char *what, int64_t got, int64_t wanted);

/** Points to zero bytes, as many as any case sends. */
ProtobufCBinaryData interop_zeros(int32_t size);

/* ---- calls ---- */

/** How a call with one response message ended. */
struct interop_answer {
    amdrpc_status_code status;
    char message[INTEROP_TEXT_BYTES];
    bool has_response;
    bool was_compressed;
    int64_t size; // of a SimpleResponse's payload, or its sum
    char server_id[INTEROP_TEXT_BYTES];
};

/** Finds a method of the test service. */
const amdrpc_method_desc *interop_method(const char *name);

/** Starts a call; NULL: failed, with the reason kept. */
amdrpc_client_call *interop_start(struct interop *in,
        const amdrpc_method_desc *method, const amdrpc_call_options *options);

/** Sends; a call that has ended already says by its status why. */
bool interop_send(struct interop *in, amdrpc_client_call *call,
        const ProtobufCMessage *request);

/** Reads until the end of a call with one response message. */
bool interop_finish(struct interop *in, amdrpc_client_call *call,
        struct interop_answer *out);

/**
 * Calls UnaryCall.
 *
 * @options   NULL for all defaults
 * @out_call  returned owned, for its metadata; may be NULL
 */
bool interop_unary(struct interop *in,
        const Grpc__Testing__SimpleRequest *request,
        const amdrpc_call_options *options, struct interop_answer *out,
        amdrpc_client_call **out_call);

/** Calls a method that takes and gives an Empty. */
bool interop_empty(struct interop *in, const amdrpc_method_desc *method,
        struct interop_answer *out);

/** Calls UnaryCall with the large messages, and looks at what comes. */
bool interop_large_unary(struct interop *in, amdrpc_channel *channel);

/** Makes so many of these calls at once. */
bool interop_concurrent_large_unary(struct interop *in, size_t ncalls);

/* ---- streams ---- */

/** Waits for the end of a stream without further messages. */
bool interop_expect_end(struct interop *in, amdrpc_client_call *call,
        amdrpc_status_code status);

/** Sends a request for one response of @size, with @payload_size bytes. */
bool interop_send_output(struct interop *in, amdrpc_client_call *call,
        int32_t size, int32_t payload_size);

/** Waits for a response with @size bytes. */
bool interop_recv_output(
        struct interop *in, amdrpc_client_call *call, int32_t size);

#endif
