/** What protoc-gen-amdrpc tells about a service; read by server and client. */
#ifndef AMDRPC_SERVICE_H
#define AMDRPC_SERVICE_H

#include <protobuf-c/protobuf-c.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Which sides of a method are streams. */
typedef enum amdrpc_method_kind {
    AMDRPC_UNARY = 0,
    AMDRPC_CLIENT_STREAMING = 1,
    AMDRPC_SERVER_STREAMING = 2,
    AMDRPC_BIDI_STREAMING = 3,
} amdrpc_method_kind;

/** One rpc of a service. Static data, written by protoc-gen-amdrpc. */
typedef struct amdrpc_method_desc {
    const char *name; // "Echo"
    const char *path; // "/amdrpc.bench.v1.Bench/Echo"
    amdrpc_method_kind kind;
    const ProtobufCMessageDescriptor *input;
    const ProtobufCMessageDescriptor *output;
} amdrpc_method_desc;

/** One service. Static data, written by protoc-gen-amdrpc. */
typedef struct amdrpc_service_desc {
    const char *name; // "amdrpc.bench.v1.Bench"
    const amdrpc_method_desc *methods;
    size_t nmethods;
    // A serialized google.protobuf.FileDescriptorSet: the file that declares
    // the service, after every file that it imports.
    const uint8_t *descriptor_set;
    size_t descriptor_set_len;
} amdrpc_service_desc;

/** Tells whether the client may send other than exactly one message. */
static inline bool
amdrpc_method_has_request_stream(const amdrpc_method_desc *method)
{
    return (method->kind & AMDRPC_CLIENT_STREAMING) != 0;
}

/** Tells whether the server may send other than exactly one message. */
static inline bool
amdrpc_method_has_response_stream(const amdrpc_method_desc *method)
{
    return (method->kind & AMDRPC_SERVER_STREAMING) != 0;
}

#ifdef __cplusplus
}
#endif

#endif
