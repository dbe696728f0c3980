/** Addresses of sockets as people write them. */
#ifndef AMDI_ADDRESS_H
#define AMDI_ADDRESS_H

#include <amdrpc/err.h>

#include <stdint.h>
#include <sys/socket.h>

struct amdi_address {
    struct sockaddr_storage storage;
    socklen_t len;
};

/**
 * Reads "127.0.0.1:50051", "[::1]:50051" or "localhost:50051"; a host name
 * other than localhost is no address (that is for resolvers). An empty host
 * or "*" means all IPv4 addresses.
 * Errors: AMDRPC_EINVAL
 */
AMDRPC_NODISCARD amdrpc_err amdi_address_parse(
        const char *text, struct amdi_address *out);

/**
 * Makes a non-blocking socket that listens there; port 0 takes a free one.
 *
 * @out    returned owned
 * Errors: AMDRPC_EINVAL (no such address here), AMDRPC_EADDRINUSE,
 *         AMDRPC_EACCES, AMDRPC_EIO
 */
AMDRPC_NODISCARD amdrpc_err amdi_address_listen(const char *text, int *out);

/** The port a socket is bound to, 0 if none. */
uint16_t amdi_address_local_port(int fd);

#endif
