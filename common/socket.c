/** Calls of one connected socket, with their errors translated. */
#include "common/socket.h"

#include <event2/util.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>

amdrpc_err
amdi_socket_error(int code)
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

amdrpc_err
amdi_socket_read(int fd, uint8_t *data, size_t size, size_t *out_len)
{
    ssize_t len;

    do {
        len = recv(fd, data, size, 0);
    } while (len < 0 && errno == EINTR);
    if (len < 0) {
        return amdi_socket_error(errno);
    }
    *out_len = (size_t)len;
    return len == 0 ? AMDRPC_ECLOSED : AMDRPC_OK;
}

amdrpc_err
amdi_socket_write(int fd, const struct iovec *iov, int niov, size_t *out_len)
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
        return amdi_socket_error(errno);
    }
    *out_len = (size_t)len;
    return AMDRPC_OK;
}

amdrpc_err
amdi_socket_prepare(int fd)
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

amdrpc_err
amdi_socket_take_error(int fd)
{
    int code = 0;
    socklen_t size = sizeof(code);

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) != 0) {
        code = errno;
    }
    return code == 0 ? AMDRPC_OK : amdi_socket_error(code);
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
amdi_socket_format_peer(int fd, char *out, size_t size)
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
