/**
 * Bytes to and from one connected socket.
 *
 * An event may destroy the transport that tells it. Reading goes on after its
 * events; so a transport that is destroyed by one of them is closed at once,
 * and freed by the function that reads. All others end with their event.
 *
 * TLS stands between the socket and transport_receive and transport_send, and
 * adds the state HANDSHAKING; nothing else knows of it, but for one thing: it
 * may hold bytes that the socket does not show any more. So a wake-up reads
 * until TLS has none, and reading that goes on begins with a look at it.
 */
#include "common/transport.h"

#include "common/alloc.h"
#include "common/assertion.h"
#include "common/buf.h"
#include "common/socket.h"
#include "common/tls/tls.h"

#include <event2/event.h>
#include <event2/event_struct.h>

#include <errno.h>
#include <unistd.h>

// A connection that always has more to say must let others have their turn.
#define READS_PER_TURN 4

enum transport_state {
    TRANSPORT_CONNECTING,  // waits for the socket to be writable
    TRANSPORT_HANDSHAKING, // waits for what TLS waits for
    TRANSPORT_OPEN,        // reads, unless told not to
    TRANSPORT_BLOCKED,     // as OPEN, and waits for the kernel to take `rest`
    TRANSPORT_LOST,        // waits to be destroyed
    TRANSPORT_DESTROYED,   // waits for the event in progress to return
};

struct amdi_transport {
    // Loop thread only.
    struct amdi_loop *loop;                     // borrowed
    const struct amdi_transport_events *events; // borrowed
    void *ctx;                                  // of the events
    int fd;                                     // owned
    struct amdi_tls_conn *tls;                  // owned; NULL: plaintext
    enum transport_state state;
    bool is_reading;      // wanted, and so it is unless connecting or lost
    amdrpc_err failure;   // to be told by the next event
    bool is_in_read;      // an event of reading is in progress
    struct amdi_buf rest; // what the kernel has not taken
    uint64_t nread;
    uint64_t nwritten;
    struct event read_event;
    struct event write_event;
};

/* ---- bytes, plain or through TLS ---- */

static amdrpc_err
transport_receive(struct amdi_transport *transport, uint8_t *data, size_t size,
        size_t *out_len)
{
    return transport->tls == NULL
            ? amdi_socket_read(transport->fd, data, size, out_len)
            : amdi_tls_conn_read(transport->tls, data, size, out_len);
}

static amdrpc_err
transport_send(struct amdi_transport *transport, const struct iovec *iov,
        int niov, size_t *out_len)
{
    return transport->tls == NULL
            ? amdi_socket_write(transport->fd, iov, niov, out_len)
            : amdi_tls_conn_write(transport->tls, iov, niov, out_len);
}

/* ---- state ---- */

static bool
transport_may_enter(enum transport_state now, enum transport_state next)
{
    switch (now) {
    case TRANSPORT_CONNECTING:
        return next == TRANSPORT_HANDSHAKING || next == TRANSPORT_OPEN ||
                next == TRANSPORT_LOST;
    case TRANSPORT_HANDSHAKING:
        return next == TRANSPORT_OPEN || next == TRANSPORT_LOST;
    case TRANSPORT_OPEN:
        return next == TRANSPORT_HANDSHAKING || next == TRANSPORT_BLOCKED ||
                next == TRANSPORT_LOST;
    case TRANSPORT_BLOCKED:
        return next == TRANSPORT_OPEN || next == TRANSPORT_LOST;
    case TRANSPORT_LOST:
        return next == TRANSPORT_DESTROYED;
    case TRANSPORT_DESTROYED:
        return false;
    }
    return false;
}

static amdrpc_err
transport_watch(struct event *event, bool on)
{
    // event_del cannot fail for an event that was assigned.
    int failure = on ? event_add(event, NULL) : event_del(event);

    return failure == 0 ? AMDRPC_OK : AMDRPC_ENOMEM;
}

static bool
transport_is_open(const struct amdi_transport *transport)
{
    return transport->state == TRANSPORT_OPEN ||
            transport->state == TRANSPORT_BLOCKED;
}

/** Watches what the state waits for. */
static amdrpc_err
transport_watch_state(struct amdi_transport *transport)
{
    bool is_handshaking = transport->state == TRANSPORT_HANDSHAKING;
    bool reads = is_handshaking ||
            (transport_is_open(transport) && transport->is_reading);
    bool writes = transport->state == TRANSPORT_BLOCKED ||
            (is_handshaking && amdi_tls_conn_wants_write(transport->tls));
    amdrpc_err err = transport_watch(&transport->read_event, reads);

    return err == AMDRPC_OK ? transport_watch(&transport->write_event, writes)
                            : err;
}

/** Moves to @next and watches what it waits for; LOST never fails. */
static amdrpc_err
transport_set_state(struct amdi_transport *transport, enum transport_state next)
{
    amdi_assert(transport_may_enter(transport->state, next));
    transport->state = next;
    if (next == TRANSPORT_LOST) {
        amdi_buf_fini(&transport->rest);
    }
    return transport_watch_state(transport);
}

static void
transport_lose(struct amdi_transport *transport, amdrpc_err err)
{
    (void)transport_set_state(transport, TRANSPORT_LOST); // never fails
    transport->events->on_closed(transport->ctx, err);
}

/** Loses the connection from an event of its own, not from in here. */
static void
transport_fail_later(struct amdi_transport *transport, amdrpc_err err)
{
    transport->failure = err;
    event_active(&transport->write_event, EV_WRITE, 0);
}

/* ---- reading ---- */

/** TLS may hold bytes of which the socket does not tell. */
static void
transport_look_again(struct amdi_transport *transport)
{
    if (transport->tls != NULL && transport->is_reading) {
        event_active(&transport->read_event, EV_READ, 0);
    }
}

/** Reads once; returns whether there may be more, and a reason to go on. */
static bool
transport_read_some(struct amdi_transport *transport)
{
    uint8_t *data = amdi_loop_read_buffer(transport->loop);
    size_t len = 0;
    amdrpc_err err =
            transport_receive(transport, data, AMDI_LOOP_BUFFER_BYTES, &len);

    if (err == AMDRPC_EAGAIN) {
        return false;
    }
    if (err != AMDRPC_OK) {
        transport_lose(transport, err);
        return false;
    }
    transport->nread += len;
    transport->events->on_read(transport->ctx, data, len);
    return (len == AMDI_LOOP_BUFFER_BYTES || transport->tls != NULL) &&
            transport_is_open(transport) && transport->is_reading;
}

/** Reads what came; TLS bounds what it takes from the socket in a wake-up. */
static void
transport_read_all(struct amdi_transport *transport)
{
    int nreads = 1;

    if (transport->tls != NULL) {
        amdi_tls_conn_wake(transport->tls);
    }
    while (transport_read_some(transport) &&
            (nreads < READS_PER_TURN || transport->tls != NULL)) {
        nreads++;
    }
}

/** Goes on with the handshake. */
static void
transport_handshake(struct amdi_transport *transport)
{
    amdrpc_err err = amdi_tls_conn_handshake(transport->tls);

    if (err == AMDRPC_EAGAIN) {
        err = transport_watch_state(transport);
        if (err != AMDRPC_OK) {
            transport_lose(transport, err);
        }
        return;
    }
    if (err == AMDRPC_OK) {
        err = transport_set_state(transport, TRANSPORT_OPEN);
    }
    if (err != AMDRPC_OK) {
        transport_lose(transport, err);
        return;
    }
    transport_look_again(transport); // bytes may have come with its last word
    transport->events->on_connected(transport->ctx);
}

static void
transport_on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct amdi_transport *transport = arg;

    (void)fd;
    (void)what;
    transport->is_in_read = true;
    if (transport->state == TRANSPORT_HANDSHAKING) {
        transport_handshake(transport);
    } else {
        transport_read_all(transport);
    }
    transport->is_in_read = false;
    if (transport->state == TRANSPORT_DESTROYED) {
        amdi_free(transport);
    }
}

void
amdi_transport_set_reading(struct amdi_transport *transport, bool on)
{
    if (transport->is_reading == on) {
        return;
    }
    transport->is_reading = on;
    if (!transport_is_open(transport)) {
        return;
    }
    if (transport_watch(&transport->read_event, on) != AMDRPC_OK) {
        transport_fail_later(transport, AMDRPC_ENOMEM);
    }
    transport_look_again(transport);
}

/* ---- writing ---- */

/** Keeps what is left of @iov after @taken bytes, and waits. */
static amdrpc_err
transport_keep_rest(struct amdi_transport *transport, const struct iovec *iov,
        int niov, size_t taken)
{
    for (int i = 0; i < niov; i++) {
        size_t skip = taken < iov[i].iov_len ? taken : iov[i].iov_len;
        amdrpc_err err = amdi_buf_append(&transport->rest,
                (const uint8_t *)iov[i].iov_base + skip, iov[i].iov_len - skip);

        if (err != AMDRPC_OK) {
            return err;
        }
        taken -= skip;
    }
    return transport_set_state(transport, TRANSPORT_BLOCKED);
}

static size_t
iov_bytes(const struct iovec *iov, int niov)
{
    size_t len = 0;

    for (int i = 0; i < niov; i++) {
        len += iov[i].iov_len;
    }
    return len;
}

amdrpc_err
amdi_transport_write(
        struct amdi_transport *transport, const struct iovec *iov, int niov)
{
    size_t taken = 0;
    amdrpc_err err;

    if (transport->state == TRANSPORT_LOST) {
        return AMDRPC_ECLOSED;
    }
    amdi_assert(transport->state == TRANSPORT_OPEN);
    err = transport_send(transport, iov, niov, &taken);
    transport->nwritten += taken;
    if (err == AMDRPC_OK && taken == iov_bytes(iov, niov)) {
        return AMDRPC_OK;
    }
    if (err == AMDRPC_OK || err == AMDRPC_EAGAIN) {
        err = transport_keep_rest(transport, iov, niov, taken);
    }
    if (err != AMDRPC_OK) {
        (void)transport_set_state(transport, TRANSPORT_LOST); // never fails
        return err;
    }
    return AMDRPC_EAGAIN;
}

void
amdi_transport_shutdown(struct amdi_transport *transport)
{
    if (transport_is_open(transport)) {
        amdi_tls_conn_shutdown(transport->tls);
        // A socket that is lost already tells so when it is read.
        (void)shutdown(transport->fd, SHUT_WR);
    }
}

static void
transport_write_rest(struct amdi_transport *transport)
{
    struct iovec iov = {
            .iov_base = (uint8_t *)amdi_buf_peek(&transport->rest), // only read
            .iov_len = amdi_buf_len(&transport->rest),
    };
    size_t taken = 0;
    amdrpc_err err = transport_send(transport, &iov, 1, &taken);

    if (err == AMDRPC_EAGAIN) {
        return;
    }
    if (err == AMDRPC_OK) {
        transport->nwritten += taken;
        amdi_buf_consume(&transport->rest, taken);
        if (amdi_buf_len(&transport->rest) > 0) {
            return;
        }
        // Most connections are never blocked again: the memory goes.
        amdi_buf_fini(&transport->rest);
        err = transport_set_state(transport, TRANSPORT_OPEN);
    }
    if (err != AMDRPC_OK) {
        transport_lose(transport, err);
        return;
    }
    transport->events->on_drained(transport->ctx);
}

/* ---- connecting ---- */

static void
transport_finish_connect(struct amdi_transport *transport)
{
    amdrpc_err err = amdi_socket_take_error(transport->fd);

    if (err == AMDRPC_OK) {
        err = transport_set_state(transport,
                transport->tls == NULL ? TRANSPORT_OPEN
                                       : TRANSPORT_HANDSHAKING);
    }
    if (err != AMDRPC_OK) {
        transport_lose(transport, err);
    } else if (transport->tls != NULL) {
        transport_handshake(transport);
    } else {
        transport->events->on_connected(transport->ctx);
    }
}

static void
transport_on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct amdi_transport *transport = arg;

    (void)fd;
    (void)what;
    if (transport->failure != AMDRPC_OK) {
        transport_lose(transport, transport->failure);
        return;
    }
    switch (transport->state) {
    case TRANSPORT_CONNECTING:
        transport_finish_connect(transport);
        break;
    case TRANSPORT_HANDSHAKING:
        transport_handshake(transport);
        break;
    case TRANSPORT_BLOCKED:
        transport_write_rest(transport);
        break;
    case TRANSPORT_OPEN: // drained meanwhile
    case TRANSPORT_LOST: // has no events any more, as when destroyed
    case TRANSPORT_DESTROYED:
        break;
    }
}

/* ---- life ---- */

static amdrpc_err
transport_new(struct amdi_loop *loop, int fd, enum transport_state state,
        const struct amdi_transport_events *events, void *ctx,
        struct amdi_transport **out)
{
    struct amdi_transport *transport = amdi_zalloc(sizeof(*transport));
    struct event_base *base = amdi_loop_base(loop);

    if (transport == NULL) {
        (void)close(fd); // nothing was written to it
        return AMDRPC_ENOMEM;
    }
    transport->loop = loop;
    transport->events = events;
    transport->ctx = ctx;
    transport->fd = fd;
    transport->state = state;
    transport->is_reading = true;
    amdi_buf_init(&transport->rest);
    // Both only fail for arguments that are wrong.
    (void)event_assign(&transport->read_event, base, fd, EV_READ | EV_PERSIST,
            transport_on_readable, transport);
    (void)event_assign(&transport->write_event, base, fd, EV_WRITE | EV_PERSIST,
            transport_on_writable, transport);
    *out = transport;
    return AMDRPC_OK;
}

amdrpc_err
amdi_transport_create(struct amdi_loop *loop, int fd,
        const struct amdi_transport_events *events, void *ctx,
        struct amdi_transport **out)
{
    struct amdi_transport *transport = NULL;
    amdrpc_err err =
            transport_new(loop, fd, TRANSPORT_OPEN, events, ctx, &transport);

    if (err != AMDRPC_OK) {
        return err;
    }
    err = amdi_socket_prepare(fd);
    if (err == AMDRPC_OK) {
        err = transport_watch(&transport->read_event, true);
    }
    if (err != AMDRPC_OK) {
        amdi_transport_destroy(transport);
        return err;
    }
    *out = transport;
    return AMDRPC_OK;
}

/** Begins to connect; the write event tells how it went. */
static amdrpc_err
transport_start_connect(struct amdi_transport *transport,
        const struct sockaddr *address, socklen_t address_len)
{
    if (connect(transport->fd, address, address_len) == 0) {
        event_active(&transport->write_event, EV_WRITE, 0);
    } else if (errno == EINPROGRESS) {
        return transport_watch(&transport->write_event, true);
    } else {
        // EAGAIN is a Unix socket whose listener has no room.
        transport_fail_later(transport,
                errno == EAGAIN ? AMDRPC_EIO : amdi_socket_error(errno));
    }
    return AMDRPC_OK;
}

amdrpc_err
amdi_transport_connect(struct amdi_loop *loop, const struct sockaddr *address,
        socklen_t address_len, const struct amdi_transport_events *events,
        void *ctx, struct amdi_transport **out)
{
    struct amdi_transport *transport = NULL;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    amdrpc_err err;

    if (fd < 0) {
        return AMDRPC_EIO;
    }
    err = transport_new(
            loop, fd, TRANSPORT_CONNECTING, events, ctx, &transport);
    if (err != AMDRPC_OK) {
        return err;
    }
    err = amdi_socket_prepare(fd);
    if (err == AMDRPC_OK) {
        err = transport_start_connect(transport, address, address_len);
    }
    if (err != AMDRPC_OK) {
        amdi_transport_destroy(transport);
        return err;
    }
    *out = transport;
    return AMDRPC_OK;
}

amdrpc_err
amdi_transport_secure(struct amdi_transport *transport, amdrpc_tls *tls,
        const char *server_name)
{
    amdrpc_err err = amdi_tls_conn_create(
            tls, transport->fd, server_name, &transport->tls);

    if (err == AMDRPC_OK && transport->state == TRANSPORT_OPEN) {
        err = transport_set_state(transport, TRANSPORT_HANDSHAKING);
        event_active(&transport->write_event, EV_WRITE, 0); // begins
    }
    return err;
}

void
amdi_transport_destroy(struct amdi_transport *transport)
{
    if (transport == NULL) {
        return;
    }
    if (transport->state != TRANSPORT_LOST) {
        (void)transport_set_state(transport, TRANSPORT_LOST); // never fails
    }
    amdi_tls_conn_destroy(transport->tls);
    transport->tls = NULL;
    (void)close(transport->fd); // what it took is the kernel's by now
    if (transport->is_in_read) {
        (void)transport_set_state(transport, TRANSPORT_DESTROYED); // as above
    } else {
        amdi_free(transport);
    }
}

/* ---- questions ---- */

bool
amdi_transport_is_blocked(const struct amdi_transport *transport)
{
    return transport->state == TRANSPORT_BLOCKED ||
            transport->state == TRANSPORT_HANDSHAKING;
}

const char *
amdi_transport_get_identity(const struct amdi_transport *transport)
{
    return amdi_tls_conn_get_identity(transport->tls);
}

const char *
amdi_transport_get_cipher(const struct amdi_transport *transport)
{
    return amdi_tls_conn_get_cipher(transport->tls);
}

void
amdi_transport_get_addresses(const struct amdi_transport *transport,
        struct amdi_socket_address *local, struct amdi_socket_address *peer)
{
    amdi_socket_get_local(transport->fd, local);
    amdi_socket_get_peer(transport->fd, peer);
}

const char *
amdi_transport_get_reason(const struct amdi_transport *transport)
{
    return amdi_tls_conn_get_reason(transport->tls);
}

size_t
amdi_transport_nqueued(const struct amdi_transport *transport)
{
    return amdi_buf_len(&transport->rest);
}

uint64_t
amdi_transport_nread(const struct amdi_transport *transport)
{
    return transport->nread;
}

uint64_t
amdi_transport_nwritten(const struct amdi_transport *transport)
{
    return transport->nwritten;
}
