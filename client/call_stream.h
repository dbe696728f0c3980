/** A call's stream: the session's events, as amdi_h2_events wants them. */
#ifndef AMDI_CALL_STREAM_H
#define AMDI_CALL_STREAM_H

#include "common/h2/h2.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What a block of response fields may be (name + value + 32 for each), before
// the call is ended: the server decides how many it sends.
#define AMDI_CALL_STREAM_HEADER_BYTES (16u * 1024u)
#define AMDI_CALL_STREAM_HEADER_FIELDS 100u

struct amdi_out;

bool amdi_call_stream_on_field(
        void *ctx, void *stream, const struct amdi_h2_field *field);
void amdi_call_stream_on_headers(void *ctx, void *stream, bool is_trailers);
void amdi_call_stream_on_data(
        void *ctx, void *stream, const uint8_t *data, size_t len);
void amdi_call_stream_on_end(void *ctx, void *stream);
void amdi_call_stream_on_close(
        void *ctx, void *stream, enum amdi_h2_code code, bool by_peer);
void amdi_call_stream_on_body(
        void *ctx, void *stream, size_t room, struct amdi_h2_body *body);
void amdi_call_stream_on_take(
        void *ctx, void *stream, struct amdi_out *out, size_t len);

#endif
