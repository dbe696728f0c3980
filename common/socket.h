/** Calls of one connected socket, with their errors translated. */
#ifndef AMDI_SOCKET_H
#define AMDI_SOCKET_H

#include <amdrpc/err.h>

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

/** What @code, an errno of a socket, means to us. */
amdrpc_err amdi_socket_error(int code);

/** Makes it non-blocking, closed on exec, and quick to send small pieces. */
AMDRPC_NODISCARD amdrpc_err amdi_socket_prepare(int fd);

/**
 * Errors: AMDRPC_EAGAIN  AMDRPC_ECLOSED (in good order, too)  AMDRPC_EIO
 *         AMDRPC_ETIMEDOUT  AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_socket_read(
        int fd, uint8_t *data, size_t size, size_t *out_len);

/** Takes as much as the kernel does. Errors as amdi_socket_read. */
AMDRPC_NODISCARD amdrpc_err amdi_socket_write(
        int fd, const struct iovec *iov, int niov, size_t *out_len);

/**
 * Loses the connection when what was sent is not acknowledged for so long, or
 * the peer keeps its window shut for so long (TCP_USER_TIMEOUT). Does nothing
 * to what is not TCP.
 */
void amdi_socket_set_user_timeout(int fd, uint32_t timeout_ms);

/** How a connection that was being made came out. Errors as above. */
AMDRPC_NODISCARD amdrpc_err amdi_socket_take_error(int fd);

enum amdi_socket_family {
    AMDI_SOCKET_UNKNOWN, // nothing else is set
    AMDI_SOCKET_IP,
    AMDI_SOCKET_UNIX,
};

/** Where one end of a socket is. */
struct amdi_socket_address {
    enum amdi_socket_family family;
    uint8_t ip[16]; // the first ip_len: 4 or 16
    size_t ip_len;
    uint16_t port;
    char path[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1]; // maybe ""
};

/** Where the socket's own end is; also of one that listens. */
void amdi_socket_get_local(int fd, struct amdi_socket_address *out);

/**
 * Where the other end is. A Unix socket's has no path: the peer would have
 * chosen it, and nobody checks it.
 */
void amdi_socket_get_peer(int fd, struct amdi_socket_address *out);

/**
 * Writes "127.0.0.1:40112" or "[::1]:40112" or "unix:/PATH"; "unknown" when the
 * socket has none.
 */
void amdi_socket_address_format(
        const struct amdi_socket_address *address, char *out, size_t size);

/** Writes the other end's address in that form. */
void amdi_socket_format_peer(int fd, char *out, size_t size);

#endif
