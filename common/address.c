/** Addresses of sockets as people write them. */
#include "common/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_HOST_BYTES 64u

#define BACKLOG 1024

static bool
port_parse(const char *text, uint16_t *out)
{
    unsigned long port = 0;
    size_t len = strlen(text);

    if (len == 0 || len > 5 || strspn(text, "0123456789") != len) {
        return false;
    }
    port = strtoul(text, NULL, 10);
    if (port > 65535) {
        return false;
    }
    *out = (uint16_t)port;
    return true;
}

static bool
address_set_ipv4(struct amdi_address *out, const char *host, uint16_t port)
{
    struct sockaddr_in *in = (struct sockaddr_in *)&out->storage;

    if (host[0] == '\0' || strcmp(host, "*") == 0) {
        host = "0.0.0.0";
    } else if (strcmp(host, "localhost") == 0) {
        host = "127.0.0.1";
    }
    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    out->len = sizeof(*in);
    return inet_pton(AF_INET, host, &in->sin_addr) == 1;
}

static bool
address_set_ipv6(struct amdi_address *out, const char *host, uint16_t port)
{
    struct sockaddr_in6 *in = (struct sockaddr_in6 *)&out->storage;

    in->sin6_family = AF_INET6;
    in->sin6_port = htons(port);
    out->len = sizeof(*in);
    return inet_pton(AF_INET6, host, &in->sin6_addr) == 1;
}

amdrpc_err
amdi_address_parse(const char *text, struct amdi_address *out)
{
    const char *colon = strrchr(text, ':');
    char host[MAX_HOST_BYTES];
    size_t len = 0;
    uint16_t port = 0;
    bool is_ipv6 = text[0] == '[';

    if (colon == NULL || !port_parse(colon + 1, &port)) {
        return AMDRPC_EINVAL;
    }
    len = (size_t)(colon - text);
    if (is_ipv6 && (len < 2 || text[len - 1] != ']')) {
        return AMDRPC_EINVAL;
    }
    text += is_ipv6 ? 1 : 0;
    len -= is_ipv6 ? 2 : 0;
    if (len >= sizeof(host)) {
        return AMDRPC_EINVAL;
    }
    memcpy(host, text, len);
    host[len] = '\0';
    memset(out, 0, sizeof(*out));
    if (is_ipv6 ? !address_set_ipv6(out, host, port)
                : !address_set_ipv4(out, host, port)) {
        return AMDRPC_EINVAL;
    }
    return AMDRPC_OK;
}

uint16_t
amdi_address_local_port(int fd)
{
    struct sockaddr_storage storage;
    socklen_t len = sizeof(storage);

    if (getsockname(fd, (struct sockaddr *)&storage, &len) != 0) {
        return 0;
    }
    if (storage.ss_family == AF_INET6) {
        return ntohs(((struct sockaddr_in6 *)&storage)->sin6_port);
    }
    if (storage.ss_family != AF_INET) {
        return 0;
    }
    return ntohs(((struct sockaddr_in *)&storage)->sin_port);
}

static amdrpc_err
listen_error(int code)
{
    switch (code) {
    case EADDRINUSE:
        return AMDRPC_EADDRINUSE;
    case EACCES:
        return AMDRPC_EACCES;
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
        return AMDRPC_EINVAL;
    default:
        return AMDRPC_EIO;
    }
}

static amdrpc_err
address_listen(const struct amdi_address *address, int *out)
{
    static const int on = 1;
    int fd = socket(address->storage.ss_family,
            SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return AMDRPC_EIO;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (const struct sockaddr *)&address->storage, address->len) !=
                    0 ||
            listen(fd, BACKLOG) != 0) {
        amdrpc_err err = listen_error(errno);

        (void)close(fd); // the reason to fail is known
        return err;
    }
    *out = fd;
    return AMDRPC_OK;
}

amdrpc_err
amdi_address_listen(const char *text, int *out)
{
    struct amdi_address address;
    amdrpc_err err = amdi_address_parse(text, &address);

    return err == AMDRPC_OK ? address_listen(&address, out) : err;
}
