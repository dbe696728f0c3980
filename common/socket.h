/** Calls of one connected socket, with their errors translated. */
#ifndef AMDI_SOCKET_H
#define AMDI_SOCKET_H

#include <amdrpc/err.h>

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

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

/** How a connection that was being made came out. Errors as above. */
AMDRPC_NODISCARD amdrpc_err amdi_socket_take_error(int fd);

/**
 * Writes the peer's address, "127.0.0.1:40112" or "[::1]:40112" or "unix:";
 * "unknown" when the socket has none.
 */
void amdi_socket_format_peer(int fd, char *out, size_t size);

#endif
