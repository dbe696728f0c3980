/**
 * Fuzzes the HTTP/2 engine alone, as a server and as a client. The owner of
 * its streams is as simple as one can be, and keeps count of what it is told.
 */
#include "common/h2/h2.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/split.h"

#include <stdlib.h>
#include <string.h>

#define MAX_STREAMS 64u
#define ANSWER_BYTES 100000u
#define OUT_BYTES 20000u

struct owner;

/** In memory of its own, so that a sanitizer sees who comes too late. */
struct owned_stream {
    struct owner *owner;
    int32_t id;
    bool has_headers;
    bool has_ended;
    size_t nleft; // of its answer
    size_t ntold; // bytes that on_body spoke of and on_take did not give yet
};

struct owner {
    struct amdi_h2 *h2;
    struct owned_stream *streams[MAX_STREAMS];
    bool is_server;
    bool has_failed;
    bool is_lazy; // consumes nothing
};

static struct owned_stream **
owner_slot(struct owner *owner, const struct owned_stream *stream)
{
    for (size_t i = 0; i < MAX_STREAMS; i++) {
        if (owner->streams[i] == stream) {
            return &owner->streams[i];
        }
    }
    return NULL;
}

static struct owned_stream *
owner_add(struct owner *owner)
{
    struct owned_stream **slot = owner_slot(owner, NULL);

    if (slot != NULL) {
        *slot = calloc(1, sizeof(**slot));
        fuzz_check(*slot != NULL);
        (*slot)->owner = owner;
        (*slot)->nleft = ANSWER_BYTES;
    }
    return slot == NULL ? NULL : *slot;
}

static void
owner_drop(struct owner *owner, struct owned_stream *stream)
{
    struct owned_stream **slot = owner_slot(owner, stream);

    fuzz_check(slot != NULL);
    free(stream);
    *slot = NULL;
}

static void *
on_open(void *ctx, int32_t stream_id)
{
    struct owned_stream *stream = owner_add(ctx);

    if (stream != NULL) {
        stream->id = stream_id;
    }
    return stream;
}

static bool
on_field(void *ctx, void *user, const struct amdi_h2_field *field)
{
    const struct owned_stream *stream = user;

    fuzz_check(stream->owner == ctx && field->name_len > 0);
    return field->name[0] != '!';
}

static void
on_headers(void *ctx, void *user, bool is_trailers)
{
    static const struct amdi_h2_field fields[] = {
            {":status", 7, "200", 3, false},
            {"content-type", 12, "application/grpc", 16, false},
    };
    struct owner *owner = ctx;
    struct owned_stream *stream = user;

    fuzz_check(stream->has_headers == is_trailers || !owner->is_server);
    if (owner->is_server && !stream->has_headers) {
        fuzz_check(amdi_h2_submit_response(owner->h2, stream->id, fields, 2,
                           stream->id % 8 != 7) == AMDRPC_OK);
    }
    stream->has_headers = true;
}

static void
on_same_headers(void *ctx, void *user)
{
    on_headers(ctx, user, /*is_trailers=*/false);
}

static void
on_data(void *ctx, void *user, const uint8_t *data, size_t len)
{
    struct owner *owner = ctx;
    struct owned_stream *stream = user;

    fuzz_check(stream->has_headers && !stream->has_ended && len > 0);
    if (data[0] == 'R') {
        amdi_h2_reset(owner->h2, stream->id, AMDI_H2_CANCEL);
    } else if (!owner->is_lazy) {
        amdi_h2_consume(owner->h2, stream->id, len);
    }
}

static void
on_end(void *ctx, void *user)
{
    struct owned_stream *stream = user;

    fuzz_check(stream->owner == ctx && !stream->has_ended);
    stream->has_ended = true;
}

static void
on_close(void *ctx, void *user, enum amdi_h2_code code, bool by_peer)
{
    (void)code;
    (void)by_peer;
    owner_drop(ctx, user);
}

static void
on_body(void *ctx, void *user, size_t room, struct amdi_h2_body *body)
{
    static const struct amdi_h2_field trailers[] = {
            {"grpc-status", 11, "0", 1, false}};
    struct owned_stream *stream = user;
    size_t len = stream->nleft < room ? stream->nleft : room;

    // Without room it is asked too: the end may need none.
    fuzz_check(stream->owner == ctx && stream->ntold == 0);
    stream->nleft -= len;
    stream->ntold = len;
    body->len = len;
    body->is_last = stream->nleft == 0;
    body->trailers = stream->id % 8 == 3 ? NULL : trailers;
    body->ntrailers = stream->id % 8 == 3 ? 0 : 1;
}

static void
on_take(void *ctx, void *user, struct amdi_out *out, size_t len)
{
    static const uint8_t zeros[OUT_BYTES];
    struct owned_stream *stream = user;

    fuzz_check(stream->owner == ctx && len == stream->ntold);
    fuzz_check(len <= sizeof(zeros));
    stream->ntold = 0;
    if (len >= AMDI_OUT_REFERENCE_BYTES) {
        amdi_out_reference(out, zeros, len);
    } else {
        amdi_out_copy(out, zeros, len);
    }
}

static void
on_goaway(void *ctx, int32_t last_stream_id, enum amdi_h2_code code,
        const uint8_t *debug, size_t debug_len)
{
    volatile uint8_t last = debug_len > 0 ? debug[debug_len - 1] : 0;

    (void)ctx;
    (void)code;
    (void)last;
    fuzz_check(last_stream_id >= 0);
}

static void
on_ping_ack(void *ctx, const uint8_t opaque[8])
{
    (void)ctx;
    (void)opaque;
}

static bool
on_ping(void *ctx)
{
    (void)ctx;
    return true;
}

static const struct amdi_h2_events events = {
        .on_open = on_open,
        .on_field = on_field,
        .on_headers = on_headers,
        .on_same_headers = on_same_headers,
        .on_data = on_data,
        .on_end = on_end,
        .on_close = on_close,
        .on_body = on_body,
        .on_take = on_take,
        .on_goaway = on_goaway,
        .on_ping = on_ping,
        .on_ping_ack = on_ping_ack,
};

/** Everything that can be sent is; it must come to an end. */
static void
owner_produce(struct owner *owner)
{
    static uint8_t scratch[OUT_BYTES];
    struct amdi_out out;

    do {
        amdi_out_init(&out, scratch, sizeof(scratch));
        if (amdi_h2_produce(owner->h2, &out) != AMDRPC_OK) {
            owner->has_failed = true;
            return;
        }
    } while (out.niov > 0);
}

static void
owner_take(void *arg, const uint8_t *data, size_t len)
{
    struct owner *owner = arg;

    if (owner->has_failed) {
        return;
    }
    if (amdi_h2_receive(owner->h2, data, len) != AMDRPC_OK) {
        owner->has_failed = true;
        owner_produce(owner); // the GOAWAY that says why
        return;
    }
    owner_produce(owner);
}

static void
owner_request(struct owner *owner)
{
    static const struct amdi_h2_field fields[] = {
            {":method", 7, "POST", 4, false},
            {":scheme", 7, "http", 4, false},
            {":path", 5, "/a.B/C", 6, false},
            {"authorization", 13, "secret", 6, true},
    };
    struct owned_stream *stream = owner_add(owner);

    fuzz_check(stream != NULL);
    fuzz_check(amdi_h2_submit_request(
                       owner->h2, fields, 4, stream, &stream->id) == AMDRPC_OK);
}

/** What every peer begins with, so that inputs need not. */
static void
owner_greet(struct owner *owner)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    static const uint8_t settings[] = {0, 0, 0, 4, 0, 0, 0, 0, 0};

    if (owner->is_server) {
        owner_take(owner, (const uint8_t *)preface, sizeof(preface) - 1);
    } else {
        for (int i = 0; i < 3; i++) {
            owner_request(owner);
        }
    }
    owner_take(owner, settings, sizeof(settings));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    uint8_t choices = fuzz_take(&data, &len);
    struct owner owner = {
            .is_server = (choices & 1) == 0, .is_lazy = (choices & 2) != 0};
    const struct amdi_h2_options options = {.is_server = owner.is_server,
            .max_concurrent_streams = 16,
            .stream_window_bytes = 65536,
            .connection_window_bytes = 100000,
            .max_header_list_bytes = 16384};

    fuzz_check(
            amdi_h2_create(&options, &events, &owner, &owner.h2) == AMDRPC_OK);
    if ((choices & 4) == 0) {
        owner_greet(&owner);
    }
    test_split_stream(choices >> 3, data, len, owner_take, &owner);
    amdi_h2_destroy(owner.h2);
    for (size_t i = 0; i < MAX_STREAMS; i++) {
        free(owner.streams[i]);
    }
    return 0;
}
