/** HTTP/2 streams: the table of the open ones, and how they end. */
#include "common/alloc.h"
#include "common/assertion.h"
#include "common/cache.h"
#include "common/h2/h2_session.h"

#include <string.h>

#define MIN_SLOTS 16u

_Static_assert(sizeof(struct h2_stream) <= AMDI_CACHE_SMALL_BYTES,
        "a stream fits a cached block");

_Static_assert(sizeof(struct h2_stream) <= 56,
        "every call that waits has one: it fits the second class");

static unsigned
stream_class(void)
{
    return amdi_cache_small_class(sizeof(struct h2_stream));
}

/** Identifiers of one side count by two, so neighbours never collide. */
static size_t
slot_of(const struct h2_streams *streams, int32_t id)
{
    // An odd factor near the golden ratio keeps ids that follow each other in
    // slots of their own, but apart: side by side they would be one long run,
    // through which each removal goes.
    return (((uint32_t)id >> 1) * 0x9e3779b1u) & (streams->nslots - 1);
}

struct h2_stream *
amdi_h2_find(const struct amdi_h2 *h2, int32_t id)
{
    const struct h2_streams *streams = &h2->streams;
    size_t i = 0;

    if (streams->nslots == 0) {
        return NULL;
    }
    for (i = slot_of(streams, id); streams->slots[i] != NULL;
            i = (i + 1) & (streams->nslots - 1)) {
        if (streams->slots[i]->id == id) {
            return streams->slots[i];
        }
    }
    return NULL;
}

static void
streams_insert(struct h2_streams *streams, struct h2_stream *stream)
{
    size_t i = slot_of(streams, stream->id);

    while (streams->slots[i] != NULL) {
        i = (i + 1) & (streams->nslots - 1);
    }
    streams->slots[i] = stream;
}

static amdrpc_err
streams_grow(struct h2_streams *streams)
{
    struct h2_streams grown = {
            .nslots = streams->nslots == 0 ? MIN_SLOTS : 2 * streams->nslots,
            .nstreams = streams->nstreams};

    grown.slots = amdi_calloc(grown.nslots, sizeof(struct h2_stream *));
    if (grown.slots == NULL) {
        return AMDRPC_ENOMEM;
    }
    for (size_t i = 0; i < streams->nslots; i++) {
        if (streams->slots[i] != NULL) {
            streams_insert(&grown, streams->slots[i]);
        }
    }
    amdi_free(streams->slots);
    *streams = grown;
    return AMDRPC_OK;
}

struct h2_stream *
amdi_h2_open(struct amdi_h2 *h2, int32_t id, void *user)
{
    struct h2_streams *streams = &h2->streams;
    struct h2_stream *stream = NULL;

    if (2 * (streams->nstreams + 1) > streams->nslots &&
            streams_grow(streams) != AMDRPC_OK) {
        return NULL;
    }
    stream = amdi_cache_take(stream_class());
    if (stream == NULL) {
        return NULL;
    }
    memset(stream, 0, sizeof(*stream));
    stream->id = id;
    stream->user = user;
    stream->send_window = (int32_t)h2->peer_window_bytes;
    amdi_list_init(&stream->send_node);
    streams_insert(streams, stream);
    streams->nstreams++;
    h2->guard.nstreams++;
    stream->opened_at_ms = h2->received_at_ms;
    return stream;
}

/** Empties slot @i and moves back what had to make room for it. */
static void
streams_remove_at(struct h2_streams *streams, size_t i)
{
    size_t mask = streams->nslots - 1;
    size_t hole = i;

    for (size_t k = (i + 1) & mask; streams->slots[k] != NULL;
            k = (k + 1) & mask) {
        size_t home = slot_of(streams, streams->slots[k]->id);

        if (((k - home) & mask) >= ((k - hole) & mask)) {
            streams->slots[hole] = streams->slots[k];
            hole = k;
        }
    }
    streams->slots[hole] = NULL;
    streams->nstreams--;
}

static void
streams_remove(struct h2_streams *streams, const struct h2_stream *stream)
{
    size_t i = slot_of(streams, stream->id);

    while (streams->slots[i] != stream) {
        i = (i + 1) & (streams->nslots - 1);
    }
    streams_remove_at(streams, i);
}

void
amdi_h2_close(struct amdi_h2 *h2, struct h2_stream *stream,
        enum amdi_h2_code code, bool by_peer)
{
    void *user = stream->user;

    amdi_h2_give_back_rest(h2, stream);
    amdi_list_remove(&stream->send_node);
    streams_remove(&h2->streams, stream);
    if (h2->block_stream == stream) {
        h2->block_stream = NULL;
    }
    if (h2->data_stream == stream) {
        h2->data_stream = NULL;
    }
    amdi_cache_give(stream_class(), stream);
    if (user != NULL) {
        h2->events->on_close(h2->ctx, user, code, by_peer);
    }
}

bool
amdi_h2_is_idle(const struct amdi_h2 *h2, int32_t id)
{
    if (h2->options.is_server) {
        return id % 2 == 0 || id > h2->last_peer_id;
    }
    return id % 2 == 0 || id >= h2->next_id;
}

void
amdi_h2_streams_fini(struct h2_streams *streams)
{
    for (size_t i = 0; i < streams->nslots; i++) {
        if (streams->slots[i] != NULL) {
            amdi_cache_give(stream_class(), streams->slots[i]);
        }
    }
    amdi_free(streams->slots);
    memset(streams, 0, sizeof(*streams));
}

void
amdi_h2_each_stream(struct amdi_h2 *h2,
        void (*fn)(struct amdi_h2 *h2, struct h2_stream *stream, int64_t arg),
        int64_t arg)
{
    for (size_t i = 0; i < h2->streams.nslots; i++) {
        if (h2->streams.slots[i] != NULL) {
            fn(h2, h2->streams.slots[i], arg);
        }
    }
}

static bool
stream_may_enter(enum h2_stream_state from, enum h2_stream_state to)
{
    switch (to) {
    case H2_STREAM_OPEN:
        return false;
    case H2_STREAM_LOCAL_CLOSED:
    case H2_STREAM_REMOTE_CLOSED:
        return from == H2_STREAM_OPEN;
    case H2_STREAM_RESETTING:
        return from != H2_STREAM_RESETTING;
    }
    return false;
}

static void
stream_set_state(struct h2_stream *stream, enum h2_stream_state next)
{
    amdi_assert(stream_may_enter(stream->state, next));
    stream->state = next;
}

void
amdi_h2_close_later(struct amdi_h2 *h2, struct h2_stream *stream,
        enum amdi_h2_code code, bool by_peer)
{
    if (stream->state == H2_STREAM_RESETTING) {
        return;
    }
    stream_set_state(stream, H2_STREAM_RESETTING);
    stream->reset_code = code;
    stream->is_reset_by_peer = by_peer;
    stream->has_body = false;
    amdi_list_remove(&stream->send_node);
    amdi_list_push(&h2->resets, &stream->send_node);
}

void
amdi_h2_end_local(struct amdi_h2 *h2, struct h2_stream *stream)
{
    stream->has_body = false;
    amdi_list_remove(&stream->send_node);
    switch (stream->state) {
    case H2_STREAM_OPEN:
        stream_set_state(stream, H2_STREAM_LOCAL_CLOSED);
        if (h2->options.is_server) {
            amdi_h2_close_later(
                    h2, stream, AMDI_H2_NO_ERROR, /*by_peer=*/false);
        }
        break;
    case H2_STREAM_REMOTE_CLOSED:
        amdi_h2_close(h2, stream, AMDI_H2_NO_ERROR, /*by_peer=*/false);
        break;
    case H2_STREAM_LOCAL_CLOSED:
    case H2_STREAM_RESETTING:
        break;
    }
}

void
amdi_h2_end_local_later(struct amdi_h2 *h2, struct h2_stream *stream)
{
    bool knows = stream->state == H2_STREAM_REMOTE_CLOSED;

    // The peer that has said all, and was told all, needs no RST_STREAM.
    amdi_h2_close_later(h2, stream, AMDI_H2_NO_ERROR, knows);
}

void
amdi_h2_end_remote(struct amdi_h2 *h2, struct h2_stream *stream)
{
    // More of a stream that has ended, such as DATA, is not to be told again.
    if (stream->state == H2_STREAM_REMOTE_CLOSED ||
            stream->state == H2_STREAM_RESETTING) {
        return;
    }
    if (stream->user != NULL) {
        h2->events->on_end(h2->ctx, stream->user);
    }
    switch (stream->state) {
    case H2_STREAM_OPEN:
        stream_set_state(stream, H2_STREAM_REMOTE_CLOSED);
        break;
    case H2_STREAM_LOCAL_CLOSED:
        amdi_h2_close(h2, stream, AMDI_H2_NO_ERROR, /*by_peer=*/true);
        break;
    case H2_STREAM_REMOTE_CLOSED:
    case H2_STREAM_RESETTING:
        break;
    }
}

void
amdi_h2_schedule(struct amdi_h2 *h2, struct h2_stream *stream)
{
    if (stream->has_body && !stream->is_waiting &&
            !amdi_list_is_linked(&stream->send_node)) {
        amdi_list_push(&h2->sending, &stream->send_node);
    }
}
