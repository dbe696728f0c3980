/** HTTP/2 by nghttp2: sessions, and what is submitted to them. */
#include "common/h2.h"

#include "common/alloc.h"
#include "common/h2_mem.h"
#include "common/h2_session.h"

#include <nghttp2/nghttp2.h>

#include <string.h>

// Most fields of one header block that we send: the pseudo and gRPC fields
// and what users add, which the callers bound.
#define MAX_SEND_FIELDS 128u

// A header block that we send; more than any peer takes by default.
#define MAX_SEND_HEADER_BYTES 65536u

amdrpc_err
amdi_h2_err(int nghttp2_err)
{
    return nghttp2_err == NGHTTP2_ERR_NOMEM ? AMDRPC_ENOMEM : AMDRPC_EPROTO;
}

/** What the engine leaves to us: field checks, windows, closed streams. */
static amdrpc_err
h2_make_option(nghttp2_option **out)
{
    nghttp2_option *option = NULL;

    if (nghttp2_option_new(&option) != 0) {
        return AMDRPC_ENOMEM;
    }
    // Our own checks (h2_events.c) cost a third of nghttp2's.
    nghttp2_option_set_no_http_messaging(option, 1);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    nghttp2_option_set_max_send_header_block_length(
            option, MAX_SEND_HEADER_BYTES);
    *out = option;
    return AMDRPC_OK;
}

static amdrpc_err
h2_open_session(struct amdi_h2 *h2, const struct amdi_h2_options *options)
{
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    amdrpc_err err = amdi_h2_make_callbacks(&callbacks);
    int rv = 0;

    if (err != AMDRPC_OK) {
        return err;
    }
    err = h2_make_option(&option);
    if (err == AMDRPC_OK) {
        rv = options->is_server ? nghttp2_session_server_new3(&h2->session,
                                          callbacks, h2, option, &amdi_h2_mem)
                                : nghttp2_session_client_new3(&h2->session,
                                          callbacks, h2, option, &amdi_h2_mem);
        err = rv == 0 ? AMDRPC_OK : amdi_h2_err(rv);
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return err;
}

static amdrpc_err
h2_submit_settings(struct amdi_h2 *h2, const struct amdi_h2_options *options)
{
    const nghttp2_settings_entry server[] = {
            {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
                    options->max_concurrent_streams},
            {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
                    options->stream_window_bytes},
            {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
                    options->max_header_list_bytes},
            // RFC 9218: the old priority tree costs and is used by no one.
            {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    const nghttp2_settings_entry client[] = {
            {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
            {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
                    options->stream_window_bytes},
            {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
                    options->max_header_list_bytes},
    };
    int rv = options->is_server
            ? nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, server,
                      sizeof(server) / sizeof(server[0]))
            : nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, client,
                      sizeof(client) / sizeof(client[0]));

    if (rv == 0) {
        rv = nghttp2_session_set_local_window_size(h2->session,
                NGHTTP2_FLAG_NONE, 0,
                (int32_t)options->connection_window_bytes);
    }
    return rv == 0 ? AMDRPC_OK : amdi_h2_err(rv);
}

amdrpc_err
amdi_h2_create(const struct amdi_h2_options *options,
        const struct amdi_h2_events *events, void *ctx, struct amdi_h2 **out)
{
    struct amdi_h2 *h2 = amdi_zalloc(sizeof(*h2));
    amdrpc_err err = AMDRPC_ENOMEM;

    if (h2 == NULL) {
        return AMDRPC_ENOMEM;
    }
    h2->events = events;
    h2->ctx = ctx;
    h2->is_server = options->is_server;
    err = h2_open_session(h2, options);
    if (err == AMDRPC_OK) {
        err = h2_submit_settings(h2, options);
    }
    if (err != AMDRPC_OK) {
        amdi_h2_destroy(h2);
        return err;
    }
    *out = h2;
    return AMDRPC_OK;
}

void
amdi_h2_destroy(struct amdi_h2 *h2)
{
    if (h2 == NULL) {
        return;
    }
    nghttp2_session_del(h2->session);
    amdi_free(h2);
}

amdrpc_err
amdi_h2_receive(struct amdi_h2 *h2, const uint8_t *data, size_t len)
{
    ssize_t n = nghttp2_session_mem_recv(h2->session, data, len);

    if (n < 0) {
        return amdi_h2_err((int)n);
    }
    return AMDRPC_OK;
}

amdrpc_err
amdi_h2_produce(struct amdi_h2 *h2, struct amdi_out *out)
{
    int rv = 0;

    h2->out = out;
    rv = nghttp2_session_send(h2->session);
    h2->out = NULL;
    return rv == 0 ? AMDRPC_OK : amdi_h2_err(rv);
}

bool
amdi_h2_wants_write(const struct amdi_h2 *h2)
{
    return nghttp2_session_want_write(h2->session) != 0;
}

bool
amdi_h2_is_over(const struct amdi_h2 *h2)
{
    return nghttp2_session_want_write(h2->session) == 0 &&
            nghttp2_session_want_read(h2->session) == 0;
}

/** Names and values outlive the submission only when they are literals, so
 * nghttp2 copies them. */
static size_t
h2_to_nv(const struct amdi_h2_field *fields, size_t nfields, nghttp2_nv *out)
{
    size_t n = nfields < MAX_SEND_FIELDS ? nfields : MAX_SEND_FIELDS;

    for (size_t i = 0; i < n; i++) {
        out[i] = (nghttp2_nv){
                .name = (uint8_t *)(uintptr_t)fields[i].name,
                .value = (uint8_t *)(uintptr_t)fields[i].value,
                .namelen = fields[i].name_len,
                .valuelen = fields[i].value_len,
                .flags = fields[i].is_secret ? NGHTTP2_NV_FLAG_NO_INDEX
                                             : NGHTTP2_NV_FLAG_NONE,
        };
    }
    return n;
}

amdrpc_err
amdi_h2_submit_response(struct amdi_h2 *h2, int32_t stream_id,
        const struct amdi_h2_field *fields, size_t nfields, bool has_body)
{
    const nghttp2_data_provider body = {.read_callback = amdi_h2_on_read};
    nghttp2_nv nv[MAX_SEND_FIELDS];
    size_t n = h2_to_nv(fields, nfields, nv);
    int rv = nghttp2_submit_response(
            h2->session, stream_id, nv, n, has_body ? &body : NULL);

    return rv == 0 ? AMDRPC_OK : amdi_h2_err(rv);
}

amdrpc_err
amdi_h2_submit_request(struct amdi_h2 *h2, const struct amdi_h2_field *fields,
        size_t nfields, void *stream, int32_t *out_stream_id)
{
    const nghttp2_data_provider body = {.read_callback = amdi_h2_on_read};
    nghttp2_nv nv[MAX_SEND_FIELDS];
    size_t n = h2_to_nv(fields, nfields, nv);
    int32_t id =
            nghttp2_submit_request(h2->session, NULL, nv, n, &body, stream);

    if (id == NGHTTP2_ERR_STREAM_ID_NOT_AVAILABLE) {
        return AMDRPC_ECLOSED;
    }
    if (id < 0) {
        return amdi_h2_err(id);
    }
    *out_stream_id = id;
    return AMDRPC_OK;
}

bool
amdi_h2_submit_trailers(struct amdi_h2 *h2, int32_t stream_id,
        const struct amdi_h2_field *fields, size_t nfields)
{
    nghttp2_nv nv[MAX_SEND_FIELDS];
    size_t n = h2_to_nv(fields, nfields, nv);

    return nghttp2_submit_trailer(h2->session, stream_id, nv, n) == 0;
}

void
amdi_h2_resume(struct amdi_h2 *h2, int32_t stream_id)
{
    // Fails only when the stream is gone or waits for nothing.
    (void)nghttp2_session_resume_data(h2->session, stream_id);
}

void
amdi_h2_reset(struct amdi_h2 *h2, int32_t stream_id, enum amdi_h2_code code)
{
    // Without memory the stream stays until its connection ends.
    (void)nghttp2_submit_rst_stream(
            h2->session, NGHTTP2_FLAG_NONE, stream_id, (uint32_t)code);
}

void
amdi_h2_consume(struct amdi_h2 *h2, int32_t stream_id, size_t len)
{
    // A stream that is gone still gives its bytes back to the connection.
    (void)nghttp2_session_consume(h2->session, stream_id, len);
}

void
amdi_h2_submit_shutdown_notice(struct amdi_h2 *h2)
{
    (void)nghttp2_submit_shutdown_notice(h2->session);
}

void
amdi_h2_submit_goaway(
        struct amdi_h2 *h2, enum amdi_h2_code code, const char *debug)
{
    size_t len = debug == NULL ? 0 : strlen(debug);

    (void)nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE,
            nghttp2_session_get_last_proc_stream_id(h2->session),
            (uint32_t)code, (const uint8_t *)debug, len);
}

void
amdi_h2_submit_ping(struct amdi_h2 *h2, const uint8_t opaque[8])
{
    (void)nghttp2_submit_ping(h2->session, NGHTTP2_FLAG_NONE, opaque);
}

uint32_t
amdi_h2_peer_max_streams(const struct amdi_h2 *h2)
{
    return nghttp2_session_get_remote_settings(
            h2->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}
