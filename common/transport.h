/** Bytes to and from one connected socket, in plaintext or through TLS. */
#ifndef AMDI_TRANSPORT_H
#define AMDI_TRANSPORT_H

#include <amdrpc/err.h>
#include <amdrpc/tls.h>

#include "common/loop.h"

#include <sys/socket.h>
#include <sys/uio.h>

struct amdi_socket_address;
struct amdi_transport;

/** All on the loop's thread. After on_closed nothing follows. */
struct amdi_transport_events {
    // The connection stands: made (connect), or secured by TLS.
    void (*on_connected)(void *ctx);
    // Bytes came; borrowed until return.
    void (*on_read)(void *ctx, const uint8_t *data, size_t len);
    // What amdi_transport_write kept back is with the kernel now.
    void (*on_drained)(void *ctx);
    // The connection is lost, or there is none: AMDRPC_ECLOSED when the peer
    // refused it or closed it in good order, AMDRPC_EPROTO when TLS failed,
    // else AMDRPC_EIO, AMDRPC_ETIMEDOUT or AMDRPC_ENOMEM. The transport is
    // still to be destroyed.
    void (*on_closed)(void *ctx, amdrpc_err err);
};

/**
 * Wraps a connected socket and starts to read.
 *
 * Thread:  loop
 * @fd      taken
 * @events  borrowed for the transport's life
 */
AMDRPC_NODISCARD amdrpc_err amdi_transport_create(struct amdi_loop *loop,
        int fd, const struct amdi_transport_events *events, void *ctx,
        struct amdi_transport **out);

/**
 * Connects a new socket; on_connected or on_closed follows, never before
 * this returns.
 */
AMDRPC_NODISCARD amdrpc_err amdi_transport_connect(struct amdi_loop *loop,
        const struct sockaddr *address, socklen_t address_len,
        const struct amdi_transport_events *events, void *ctx,
        struct amdi_transport **out);

/**
 * Puts TLS in between, right after the transport was created or told to
 * connect. It counts as blocked until on_connected tells that the handshake
 * is done; on_closed with AMDRPC_EPROTO when it failed. The time it may take
 * is for its user to limit.
 *
 * @tls          counted
 * @server_name  the name that the server's certificate must have, a DNS name
 *               or an address; copied. NULL on the server's side
 * Errors:       AMDRPC_ENOMEM, AMDRPC_EINVAL (not such a name); destroy it
 */
AMDRPC_NODISCARD amdrpc_err amdi_transport_secure(
        struct amdi_transport *transport, amdrpc_tls *tls,
        const char *server_name);

/** Closes and frees; NULL is accepted. Also from inside its own events. */
void amdi_transport_destroy(struct amdi_transport *transport);

/**
 * Writes; what the kernel does not take now is copied and written later.
 *
 * Returns: AMDRPC_OK      the kernel took all
 *          AMDRPC_EAGAIN  the rest waits here; on_drained follows. Do not write
 *                         before it.
 *          AMDRPC_ECLOSED, AMDRPC_EIO, AMDRPC_ENOMEM  the connection is lost;
 *                         on_closed does not follow
 */
AMDRPC_NODISCARD amdrpc_err amdi_transport_write(
        struct amdi_transport *transport, const struct iovec *iov, int niov);

/**
 * Says that nothing more will be written. Reading goes on: on_closed follows
 * when the peer has closed too. Thread: loop.
 */
void amdi_transport_shutdown(struct amdi_transport *transport);

/** Tells whether bytes wait for the kernel, or all for the handshake. */
bool amdi_transport_is_blocked(const struct amdi_transport *transport);

/** Stops or goes on with reading, for back-pressure. */
void amdi_transport_set_reading(struct amdi_transport *transport, bool on);

/** The name in the peer's certificate, "" when it gave none; borrowed. */
const char *amdi_transport_get_identity(const struct amdi_transport *transport);

/** The cipher suite, as TLS_AES_128_GCM_SHA256; "" when there is none; static.
 */
const char *amdi_transport_get_cipher(const struct amdi_transport *transport);

/** Where both ends are, now: UNKNOWN when one is gone. */
void amdi_transport_get_addresses(const struct amdi_transport *transport,
        struct amdi_socket_address *local, struct amdi_socket_address *peer);

/** Why TLS failed, in words; "" when it did not; borrowed. */
const char *amdi_transport_get_reason(const struct amdi_transport *transport);

/** Bytes that wait here for the kernel. */
size_t amdi_transport_nqueued(const struct amdi_transport *transport);

/** Bytes read and written since the start. */
uint64_t amdi_transport_nread(const struct amdi_transport *transport);
uint64_t amdi_transport_nwritten(const struct amdi_transport *transport);

#endif
