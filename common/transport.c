/**
 * Bytes to and from one connected socket.
 *
 * An event may destroy the transport that tells it. Reading goes on after its
 * events; so a transport that is destroyed by one of them is closed at once,
 * and freed by the function that reads. All others end with their event.
 *
 * socket_read and socket_write are all that knows it is a plain socket.
 */
#include "common/transport.h"

#include "common/alloc.h"
#include "common/assertion.h"
#include "common/buf.h"

#include <event2/event.h>
#include <event2/event_struct.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <unistd.h>

// A connection that always has more to say must let others have their turn.
#define READS_PER_TURN 4

enum transport_state {
    TRANSPORT_CONNECTING, // waits for the socket to be writable
    TRANSPORT_OPEN,       // reads, unless told not to
    TRANSPORT_BLOCKED,    // as OPEN, and waits for the kernel to take `rest`
    TRANSPORT_LOST,       // waits to be destroyed
    TRANSPORT_DESTROYED,  // waits for the event in progress to return
};

struct amdi_transport {
    // Loop thread only.
    struct amdi_loop *loop;                     // borrowed
    const struct amdi_transport_events *events; // borrowed
    void *ctx;                                  // of the events
    int fd;                                     // owned
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

/* ---- the socket ---- */

static amdrpc_err
socket_error(int code)
{
    switch (code) {
    case EAGAIN:
        return AMDRPC_EAGAIN;
    case ECONNREFUSED:
    case EPIPE:
        return AMDRPC_ECLOSED;
    case ETIMEDOUT:
        return AMDRPC_ETIMEDOUT;
    case ENOMEM:
    case ENOBUFS:
        return AMDRPC_ENOMEM;
    default:
        return AMDRPC_EIO;
    }
}

static amdrpc_err
socket_read(int fd, uint8_t *data, size_t size, size_t *out_len)
{
    ssize_t len;

    do {
        len = recv(fd, data, size, 0);
    } while (len < 0 && errno == EINTR);
    if (len < 0) {
        return socket_error(errno);
    }
    *out_len = (size_t)len;
    return len == 0 ? AMDRPC_ECLOSED : AMDRPC_OK;
}

static amdrpc_err
socket_write(int fd, const struct iovec *iov, int niov, size_t *out_len)
{
    struct msghdr msg = {
            .msg_iov = (struct iovec *)iov, // only read
            .msg_iovlen = (size_t)niov,
    };
    ssize_t len;

    do {
        len = sendmsg(fd, &msg, MSG_NOSIGNAL);
    } while (len < 0 && errno == EINTR);
    if (len < 0) {
        return socket_error(errno);
    }
    *out_len = (size_t)len;
    return AMDRPC_OK;
}

static amdrpc_err
socket_prepare(int fd)
{
    static const int on = 1;

    if (evutil_make_socket_nonblocking(fd) != 0 ||
            evutil_make_socket_closeonexec(fd) != 0) {
        return AMDRPC_EIO;
    }
    // Fails for what is not TCP, and that has no Nagle to switch off.
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return AMDRPC_OK;
}

/* ---- state ---- */

static bool
transport_may_enter(enum transport_state now, enum transport_state next)
{
    switch (now) {
    case TRANSPORT_CONNECTING:
        return next == TRANSPORT_OPEN || next == TRANSPORT_LOST;
    case TRANSPORT_OPEN:
        return next == TRANSPORT_BLOCKED || next == TRANSPORT_LOST;
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

/** Moves to @next and watches what it waits for. */
static amdrpc_err
transport_set_state(struct amdi_transport *transport, enum transport_state next)
{
    bool was_open = transport_is_open(transport);

    amdi_assert(transport_may_enter(transport->state, next));
    transport->state = next;
    if (!transport_is_open(transport)) {
        (void)transport_watch(&transport->read_event, false);
        (void)transport_watch(&transport->write_event, false);
        amdi_buf_fini(&transport->rest);
        return AMDRPC_OK;
    }
    if (!was_open && transport->is_reading) {
        amdrpc_err err = transport_watch(&transport->read_event, true);

        if (err != AMDRPC_OK) {
            return err;
        }
    }
    return transport_watch(&transport->write_event, next == TRANSPORT_BLOCKED);
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

/** Reads once; returns whether there may be more, and a reason to go on. */
static bool
transport_read_some(struct amdi_transport *transport)
{
    uint8_t *data = amdi_loop_read_buffer(transport->loop);
    size_t len = 0;
    amdrpc_err err =
            socket_read(transport->fd, data, AMDI_LOOP_BUFFER_BYTES, &len);

    if (err == AMDRPC_EAGAIN) {
        return false;
    }
    if (err != AMDRPC_OK) {
        transport_lose(transport, err);
        return false;
    }
    transport->nread += len;
    transport->events->on_read(transport->ctx, data, len);
    return len == AMDI_LOOP_BUFFER_BYTES && transport_is_open(transport) &&
            transport->is_reading;
}

static void
transport_on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct amdi_transport *transport = arg;
    int nreads = 1;

    (void)fd;
    (void)what;
    transport->is_in_read = true;
    while (transport_read_some(transport) && nreads < READS_PER_TURN) {
        nreads++;
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
    if (transport_is_open(transport) &&
            transport_watch(&transport->read_event, on) != AMDRPC_OK) {
        transport_fail_later(transport, AMDRPC_ENOMEM);
    }
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
    err = socket_write(transport->fd, iov, niov, &taken);
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
    amdrpc_err err = socket_write(transport->fd, &iov, 1, &taken);

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
    int code = 0;
    socklen_t size = sizeof(code);
    amdrpc_err err = AMDRPC_OK;

    if (getsockopt(transport->fd, SOL_SOCKET, SO_ERROR, &code, &size) != 0) {
        code = errno;
    }
    if (code != 0) {
        err = socket_error(code);
    } else {
        err = transport_set_state(transport, TRANSPORT_OPEN);
    }
    if (err != AMDRPC_OK) {
        transport_lose(transport, err);
        return;
    }
    transport->events->on_connected(transport->ctx);
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
    err = socket_prepare(fd);
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
        transport_fail_later(
                transport, errno == EAGAIN ? AMDRPC_EIO : socket_error(errno));
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
    err = socket_prepare(fd);
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

void
amdi_transport_destroy(struct amdi_transport *transport)
{
    if (transport == NULL) {
        return;
    }
    if (transport->state != TRANSPORT_LOST) {
        (void)transport_set_state(transport, TRANSPORT_LOST); // never fails
    }
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
    return transport->state == TRANSPORT_BLOCKED;
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

static void
format_ip(
        char *out, size_t size, int family, const void *address, in_port_t port)
{
    char text[INET6_ADDRSTRLEN];
    bool is_ip6 = family == AF_INET6;

    if (inet_ntop(family, address, text, sizeof(text)) != NULL) {
        (void)snprintf(out, size, "%s%s%s:%u", is_ip6 ? "[" : "", text,
                is_ip6 ? "]" : "", (unsigned)ntohs(port));
    }
}

void
amdi_transport_format_peer(int fd, char *out, size_t size)
{
    union {
        struct sockaddr any;
        struct sockaddr_in ip4;
        struct sockaddr_in6 ip6;
        struct sockaddr_storage storage;
    } peer;
    socklen_t len = sizeof(peer);

    (void)snprintf(out, size, "unknown");
    if (getpeername(fd, &peer.any, &len) != 0) {
        return;
    }
    if (peer.any.sa_family == AF_INET) {
        format_ip(out, size, AF_INET, &peer.ip4.sin_addr, peer.ip4.sin_port);
    } else if (peer.any.sa_family == AF_INET6) {
        format_ip(out, size, AF_INET6, &peer.ip6.sin6_addr, peer.ip6.sin6_port);
    } else if (peer.any.sa_family == AF_UNIX) {
        (void)snprintf(out, size, "unix:");
    }
}
