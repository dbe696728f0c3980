/** Sockets that listen: TCP, and files of the Unix domain. */
#include "server/conn/listen_socket.h"

#include "common/address.h"
#include "common/alloc.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 1024

#define UNIX_PREFIX "unix:"

static amdrpc_err
unix_error(int code)
{
    switch (code) {
    case EADDRINUSE:
        return AMDRPC_EADDRINUSE;
    case EACCES:
    case EPERM:
    case EROFS:
        return AMDRPC_EACCES;
    case ENOENT:
    case ENOTDIR:
        return AMDRPC_ENOTFOUND;
    default:
        return AMDRPC_EIO;
    }
}

/** bind, with its error translated. */
static amdrpc_err
socket_bind(int fd, const struct sockaddr *address, socklen_t len)
{
    return bind(fd, address, len) == 0 ? AMDRPC_OK : unix_error(errno);
}

static int
socket_new(int family)
{
    return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/** Tells whether the file is a socket that nobody listens on any more. */
static bool
unix_is_stale(const struct sockaddr_un *address)
{
    struct stat info;
    bool is_refused = false;
    int fd;

    if (lstat(address->sun_path, &info) != 0 || !S_ISSOCK(info.st_mode)) {
        return false; // not ours to remove
    }
    fd = socket_new(AF_UNIX);
    if (fd < 0) {
        return false;
    }
    is_refused = connect(fd, (const struct sockaddr *)address,
                         sizeof(*address)) != 0 &&
            errno == ECONNREFUSED;
    (void)close(fd); // nothing was written to it
    return is_refused;
}

static amdrpc_err
unix_bind(int fd, const struct sockaddr_un *address)
{
    const struct sockaddr *any = (const struct sockaddr *)address;
    amdrpc_err err = socket_bind(fd, any, sizeof(*address));

    if (err != AMDRPC_EADDRINUSE || !unix_is_stale(address) ||
            unlink(address->sun_path) != 0) {
        return err;
    }
    return socket_bind(fd, any, sizeof(*address));
}

/** Remembers which file it is, and sets its mode before anyone can connect. */
static amdrpc_err
unix_own_file(
        struct amdi_listen_socket *listening, const char *path, uint32_t mode)
{
    struct stat info;

    listening->path = amdi_strdup(path);
    if (listening->path == NULL) {
        (void)unlink(path); // best effort: it is ours, and of no use
        return AMDRPC_ENOMEM;
    }
    if (lstat(path, &info) != 0) {
        return AMDRPC_EIO;
    }
    listening->device = info.st_dev;
    listening->inode = info.st_ino;
    return chmod(path, (mode_t)mode) == 0 ? AMDRPC_OK : unix_error(errno);
}

static amdrpc_err
unix_open(struct amdi_listen_socket *out, const char *path, uint32_t mode)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    amdrpc_err err;

    if (len == 0 || len >= sizeof(address.sun_path)) {
        return AMDRPC_EINVAL;
    }
    memcpy(address.sun_path, path, len + 1);
    out->fd = socket_new(AF_UNIX);
    if (out->fd < 0) {
        return AMDRPC_EIO;
    }
    err = unix_bind(out->fd, &address);
    if (err == AMDRPC_OK) {
        err = unix_own_file(out, path, mode);
    }
    if (err == AMDRPC_OK && listen(out->fd, BACKLOG) != 0) {
        err = unix_error(errno);
    }
    return err;
}

/** "unix:///path" is the URI form of "unix:/path". */
static const char *
unix_path(const char *address)
{
    const char *path = address + strlen(UNIX_PREFIX);

    return strncmp(path, "//", 2) == 0 ? path + 2 : path;
}

amdrpc_err
amdi_listen_socket_open(
        struct amdi_listen_socket *out, const char *address, uint32_t mode)
{
    bool is_unix = strncmp(address, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0;
    amdrpc_err err;

    *out = (struct amdi_listen_socket){.fd = -1};
    err = is_unix ? unix_open(out, unix_path(address), mode)
                  : amdi_address_listen(address, &out->fd);
    if (err != AMDRPC_OK) {
        amdi_listen_socket_close(out);
    }
    return err;
}

static void
unix_remove(const struct amdi_listen_socket *listening)
{
    struct stat info;

    if (lstat(listening->path, &info) == 0 &&
            info.st_dev == listening->device &&
            info.st_ino == listening->inode) {
        (void)unlink(listening->path); // who comes next finds it stale
    }
}

void
amdi_listen_socket_close(struct amdi_listen_socket *listening)
{
    if (listening->path != NULL) {
        unix_remove(listening);
        amdi_free(listening->path);
        listening->path = NULL;
    }
    if (listening->fd >= 0) {
        (void)close(listening->fd); // no data on a listening socket
        listening->fd = -1;
    }
}
