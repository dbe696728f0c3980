/** What h2.c and h2_events.c share; nobody else includes this. */
#ifndef AMDI_H2_SESSION_H
#define AMDI_H2_SESSION_H

#include "common/h2.h"

#include <nghttp2/nghttp2.h>

struct amdi_h2 {
    nghttp2_session *session; // owned
    const struct amdi_h2_events *events;
    void *ctx;
    struct amdi_out *out; // only while producing
    bool is_server;

    // Looking a stream up costs a hash; fields of one block come in a row.
    int32_t field_stream_id;
    void *field_stream;
    bool has_seen_regular_field; // in this block: no pseudo field may follow
    bool is_trailers;            // this block follows a body or a response
    bool is_informational;       // this block is a 1xx response

    int32_t reset_stream_id; // of the RST_STREAM being received
};

amdrpc_err amdi_h2_err(int nghttp2_err);

/** Makes the callback table of both roles; returned owned. */
AMDRPC_NODISCARD amdrpc_err amdi_h2_make_callbacks(
        nghttp2_session_callbacks **out);

/** nghttp2's data source of every body. */
ssize_t amdi_h2_on_read(nghttp2_session *session, int32_t stream_id,
        uint8_t *buf, size_t len, uint32_t *data_flags,
        nghttp2_data_source *source, void *arg);

/** Queues trailers; false without memory. */
bool amdi_h2_submit_trailers(struct amdi_h2 *h2, int32_t stream_id,
        const struct amdi_h2_field *fields, size_t nfields);

#endif
