/** A listening socket; hands connections to the loops in turn. */
#include "server/conn/listener.h"

#include "common/alloc.h"
#include "common/log.h"
#include "common/socket.h"
#include "server/conn/conn.h"
#include "server/conn/listen_socket.h"
#include "server/server.h"
#include "server/server_loop.h"

#include <event2/event.h>

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

// Of a Unix socket's file: its owner.
#define DEFAULT_SOCKET_MODE 0600u

// Connections taken before others on this loop have their turn.
#define ACCEPTS_PER_TURN 64

// Connections that a listener still takes when it stops: what the kernel may
// keep for it. Who goes on connecting does not keep it open.
#define MAX_LAST_ACCEPTS 4096

struct amdi_listener {
    // Set when it is opened.
    uint64_t id;
    struct amdi_socket_address address;

    // Setup, then the first loop's.
    struct amdrpc_server *server; // borrowed
    struct amdi_listener *next;
    struct amdi_listen_socket socket; // owned
    amdrpc_tls *tls;                  // counted; NULL: plaintext
    int spare_fd;        // owned; given up to refuse what we have no room for
    struct event *event; // owned
    uint32_t next_loop;
    struct amdi_task stop;

    // Any thread.
    atomic_bool is_open;
};

/** A socket on its way to its loop. */
struct handover {
    struct amdi_task task;
    struct amdi_server_loop *sl;
    struct amdi_address_entry *address;
    amdrpc_tls *tls; // the listener's, which is there as long as its server
    int fd;
};

amdrpc_err
amdi_listener_open(struct amdrpc_server *server, const char *address,
        const amdrpc_listen_options *options, struct amdi_listener **out,
        uint16_t *out_port)
{
    struct amdi_listener *listener = amdi_zalloc(sizeof(*listener));
    amdrpc_err err;

    if (listener == NULL) {
        return AMDRPC_ENOMEM;
    }
    listener->server = server;
    listener->spare_fd = -1;
    listener->tls = options->tls == NULL ? NULL : amdrpc_tls_ref(options->tls);
    err = amdi_listen_socket_open(&listener->socket, address,
            options->socket_mode == 0 ? DEFAULT_SOCKET_MODE
                                      : options->socket_mode);
    if (err != AMDRPC_OK) {
        amdi_listener_destroy(listener);
        return err;
    }
    listener->id = amdi_server_new_id(server);
    amdi_socket_get_local(listener->socket.fd, &listener->address);
    atomic_store(&listener->is_open, true);
    if (out_port != NULL) {
        *out_port = listener->address.port; // 0 of a Unix socket
    }
    *out = listener;
    return AMDRPC_OK;
}

static void
handover_run(struct amdi_task *task)
{
    struct handover *handover = (struct handover *)task;
    struct amdi_server_loop *sl = handover->sl;
    struct amdi_address_entry *address = handover->address;
    amdrpc_tls *tls = handover->tls;
    int fd = handover->fd;

    amdi_free(handover);
    if (amdi_conn_create(sl, fd, tls, address) != AMDRPC_OK) {
        amdi_log_warn("", "conn-refused", "reason=memory");
        atomic_fetch_sub(&sl->server->nconns, 1);
    }
}

static void
listener_refuse(int fd, const char *reason)
{
    amdi_log_warn("", "conn-refused", "reason=%s", reason);
    (void)close(fd); // nothing was written to it
}

/** Everyone on this machine has the same address: no measure of anything. */
static uint32_t
listener_get_address_limit(const struct amdi_listener *listener)
{
    return listener->socket.path != NULL
            ? AMDRPC_NO_LIMIT
            : listener->server->options.max_connections_per_address;
}

/** Gives the socket to the loop whose turn it is. */
static void
listener_hand_over(struct amdi_listener *listener, int fd,
        const struct sockaddr_storage *address)
{
    struct amdrpc_server *server = listener->server;
    struct amdi_address_entry *entry = NULL;
    struct handover *handover = NULL;

    if (atomic_load(&server->nconns) >= server->options.max_connections) {
        listener_refuse(fd, "max_connections");
        return;
    }
    if (!amdi_address_count_add(&server->addresses, address,
                listener_get_address_limit(listener), &entry)) {
        listener_refuse(fd, "max_connections_per_address");
        return;
    }
    handover = amdi_alloc(sizeof(*handover));
    if (handover == NULL) {
        amdi_address_count_remove(&server->addresses, entry);
        listener_refuse(fd, "memory");
        return;
    }
    atomic_fetch_add(&server->nconns, 1);
    handover->task.run = handover_run;
    handover->sl =
            &server->loops[listener->next_loop++ % server->options.loops];
    handover->address = entry;
    handover->tls = listener->tls;
    handover->fd = fd;
    amdi_loop_post(handover->sl->loop, &handover->task);
}

static void
listener_take_spare(struct amdi_listener *listener)
{
    if (listener->spare_fd < 0) {
        listener->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
}

/**
 * Out of descriptors: what waits would make the socket readable for ever, so
 * one descriptor was kept to take and close it with.
 */
static void
listener_refuse_one(struct amdi_listener *listener)
{
    int fd = -1;

    amdi_log_warn("", "conn-refused", "reason=descriptors");
    if (listener->spare_fd >= 0) {
        (void)close(listener->spare_fd); // only read from
        listener->spare_fd = -1;
        fd = accept4(listener->socket.fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            (void)close(fd); // nothing was written to it
        }
    }
    listener_take_spare(listener);
}

/** Takes what waits, up to so many. */
static void
listener_accept(struct amdi_listener *listener, int max)
{
    for (int i = 0; i < max; i++) {
        struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
        socklen_t len = sizeof(address);
        int conn_fd = accept4(listener->socket.fd, (struct sockaddr *)&address,
                &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (conn_fd >= 0) {
            listener_hand_over(listener, conn_fd, &address);
        } else if (errno == EMFILE || errno == ENFILE) {
            listener_refuse_one(listener);
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return;
        }
    }
}

static void
listener_on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    listener_accept(arg, ACCEPTS_PER_TURN);
}

static void
listener_close(struct amdi_listener *listener)
{
    atomic_store(&listener->is_open, false);
    if (listener->event != NULL) {
        event_free(listener->event);
        listener->event = NULL;
    }
    amdi_listen_socket_close(&listener->socket);
    if (listener->spare_fd >= 0) {
        (void)close(listener->spare_fd); // only read from
        listener->spare_fd = -1;
    }
}

/** Who is connected already is told to go away, rather than cut off. */
static void
listener_run_stop(struct amdi_task *task)
{
    struct amdi_listener *listener =
            AMDI_CONTAINER_OF(task, struct amdi_listener, stop);

    listener_accept(listener, MAX_LAST_ACCEPTS);
    listener_close(listener);
}

amdrpc_err
amdi_listener_start(struct amdi_listener *listener)
{
    struct event_base *base = amdi_loop_base(listener->server->loops[0].loop);

    listener->stop.run = listener_run_stop;
    listener_take_spare(listener);
    listener->event = event_new(base, listener->socket.fd, EV_READ | EV_PERSIST,
            listener_on_readable, listener);
    if (listener->event == NULL || event_add(listener->event, NULL) != 0) {
        return AMDRPC_ENOMEM;
    }
    return AMDRPC_OK;
}

void
amdi_listener_stop(struct amdi_listener *listener)
{
    amdi_loop_post(listener->server->loops[0].loop, &listener->stop);
}

void
amdi_listener_destroy(struct amdi_listener *listener)
{
    if (listener != NULL) {
        listener_close(listener);
        amdrpc_tls_unref(listener->tls);
        amdi_free(listener);
    }
}

struct amdi_listener *
amdi_listener_next(const struct amdi_listener *listener)
{
    return listener->next;
}

void
amdi_listener_link(struct amdi_listener *listener, struct amdi_listener *next)
{
    listener->next = next;
}

amdrpc_tls *
amdi_listener_get_tls(const struct amdi_listener *listener)
{
    return listener->tls;
}

uint64_t
amdi_listener_get_id(const struct amdi_listener *listener)
{
    return listener->id;
}

const struct amdi_socket_address *
amdi_listener_get_address(const struct amdi_listener *listener)
{
    return &listener->address;
}

bool
amdi_listener_is_open(const struct amdi_listener *listener)
{
    return atomic_load(&listener->is_open);
}
