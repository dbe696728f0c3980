/** Calls of one connected socket, with their errors translated. */
#include "common/socket.h"

#include <event2/util.h>

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

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

void
amdi_socket_set_user_timeout(int fd, uint32_t timeout_ms)
{
    unsigned ms = timeout_ms < INT_MAX ? timeout_ms : INT_MAX;

    // Fails for what is not TCP, where the peer's kernel is ours.
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
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

/** Any address of the kernel's. */
union kernel_address {
    struct sockaddr any;
    struct sockaddr_in ip4;
    struct sockaddr_in6 ip6;
    struct sockaddr_un local;
    struct sockaddr_storage storage;
};

static void
address_read_path(struct amdi_socket_address *out,
        const struct sockaddr_un *address, socklen_t len)
{
    size_t offset = offsetof(struct sockaddr_un, sun_path);

    // An abstract name, which begins with a zero byte, is none here.
    out->family = AMDI_SOCKET_UNIX;
    if (len > offset) {
        (void)snprintf(out->path, sizeof(out->path), "%.*s",
                (int)(len - offset), address->sun_path);
    }
}

static void
address_read(struct amdi_socket_address *out,
        const union kernel_address *address, socklen_t len)
{
    switch (address->any.sa_family) {
    case AF_INET:
        out->family = AMDI_SOCKET_IP;
        out->ip_len = sizeof(address->ip4.sin_addr);
        memcpy(out->ip, &address->ip4.sin_addr, out->ip_len);
        out->port = ntohs(address->ip4.sin_port);
        break;
    case AF_INET6:
        out->family = AMDI_SOCKET_IP;
        out->ip_len = sizeof(address->ip6.sin6_addr);
        memcpy(out->ip, &address->ip6.sin6_addr, out->ip_len);
        out->port = ntohs(address->ip6.sin6_port);
        break;
    case AF_UNIX:
        address_read_path(out, &address->local, len);
        break;
    default:
        break;
    }
}

void
amdi_socket_get_local(int fd, struct amdi_socket_address *out)
{
    union kernel_address address;
    socklen_t len = sizeof(address);

    *out = (struct amdi_socket_address){0};
    if (getsockname(fd, &address.any, &len) == 0) {
        address_read(out, &address, len);
    }
}

void
amdi_socket_get_peer(int fd, struct amdi_socket_address *out)
{
    union kernel_address address;
    socklen_t len = sizeof(address);

    *out = (struct amdi_socket_address){0};
    if (getpeername(fd, &address.any, &len) == 0) {
        address_read(out, &address, len);
        out->path[0] = '\0';
    }
}

void
amdi_socket_address_format(
        const struct amdi_socket_address *address, char *out, size_t size)
{
    char text[INET6_ADDRSTRLEN] = "";
    bool is_ip6 = address->ip_len == sizeof(struct in6_addr);

    switch (address->family) {
    case AMDI_SOCKET_UNKNOWN:
        (void)snprintf(out, size, "unknown");
        break;
    case AMDI_SOCKET_IP:
        // Cannot fail: there is room for every address.
        (void)inet_ntop(
                is_ip6 ? AF_INET6 : AF_INET, address->ip, text, sizeof(text));
        (void)snprintf(out, size, "%s%s%s:%u", is_ip6 ? "[" : "", text,
                is_ip6 ? "]" : "", (unsigned)address->port);
        break;
    case AMDI_SOCKET_UNIX:
        (void)snprintf(out, size, "unix:%s", address->path);
        break;
    }
}

void
amdi_socket_format_peer(int fd, char *out, size_t size)
{
    struct amdi_socket_address peer;

    amdi_socket_get_peer(fd, &peer);
    amdi_socket_address_format(&peer, out, size);
}
