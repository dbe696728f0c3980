/**
 * The codec of messages: gzip (PROTOCOL-HTTP2, "Compressed-Flag" and
 * "Message-Encoding"). Each message is compressed for itself. Pure.
 */
#ifndef AMDI_COMPRESS_H
#define AMDI_COMPRESS_H

#include <amdrpc/err.h>

#include <protobuf-c/protobuf-c.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct amdi_message;

// The header fields that name codecs, and what we say in them.
#define AMDI_ENCODING_FIELD "grpc-encoding"
#define AMDI_ACCEPT_ENCODING_FIELD "grpc-accept-encoding"
#define AMDI_ENCODING_GZIP "gzip"
#define AMDI_ENCODING_IDENTITY "identity"
#define AMDI_ACCEPT_ENCODING "identity,gzip"

/** Tells whether a value of grpc-accept-encoding lists gzip. */
bool amdi_gzip_is_listed(const char *value, size_t len);

/**
 * Compresses a message.
 *
 * @out     returned owned, marked as compressed, free with amdi_free; NULL when
 *          it would not get shorter: send it plain
 * Errors:  AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_gzip_deflate(
        const uint8_t *data, uint32_t len, struct amdi_message **out);

/**
 * Packs and compresses a message of @len bytes (its packed size). Otherwise
 * as amdi_gzip_deflate, and AMDRPC_ELIMIT for what is longer than a prefix can
 * say.
 */
AMDRPC_NODISCARD amdrpc_err amdi_gzip_pack(
        const ProtobufCMessage *msg, size_t len, struct amdi_message **out);

/**
 * Puts the plain message in the place of a compressed one. Memory is taken as
 * the bytes come out, never more than @max_bytes ask for.
 *
 * @message  replaced on success only
 * Errors:   AMDRPC_ELIMIT  more than @max_bytes come out
 *           AMDRPC_EPROTO  no gzip, or more or less of it than one member
 *           AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_gzip_inflate(
        struct amdi_message **message, uint32_t max_bytes);

#endif
