/** A listening socket; hands connections to the loops in turn. */
#ifndef AMDI_LISTENER_H
#define AMDI_LISTENER_H

#include <amdrpc/err.h>
#include <amdrpc/server.h>

#include <stdbool.h>
#include <stdint.h>

struct amdi_listener;
struct amdi_socket_address;

/** As amdrpc_server_listen_with. Thread: setup. */
AMDRPC_NODISCARD amdrpc_err amdi_listener_open(struct amdrpc_server *server,
        const char *address, const amdrpc_listen_options *options,
        struct amdi_listener **out, uint16_t *out_port);

/** Begins to accept, on the server's first loop. Thread: setup. */
AMDRPC_NODISCARD amdrpc_err amdi_listener_start(struct amdi_listener *listener);

/**
 * Stops on that loop, soon: takes what has connected, and closes the socket.
 * Thread: any.
 */
void amdi_listener_stop(struct amdi_listener *listener);

/** Frees it; its loop has ended or never ran. NULL is accepted. */
void amdi_listener_destroy(struct amdi_listener *listener);

/** Constant. */
uint64_t amdi_listener_get_id(const struct amdi_listener *listener);
const struct amdi_socket_address *amdi_listener_get_address(
        const struct amdi_listener *listener);

/** Tells whether it still listens. Thread: any. */
bool amdi_listener_is_open(const struct amdi_listener *listener);

/** What secures its connections; NULL: nothing. */
amdrpc_tls *amdi_listener_get_tls(const struct amdi_listener *listener);

/** For the server's list. */
struct amdi_listener *amdi_listener_next(const struct amdi_listener *listener);
void amdi_listener_link(
        struct amdi_listener *listener, struct amdi_listener *next);

#endif
