/** Tells systemd how the daemon is doing, where it runs below one. */
#include "server/daemon/notify.h"

#include "common/log.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Returns the address' length, or 0 when the path is none. */
static socklen_t
notify_address(const char *path, struct sockaddr_un *out)
{
    size_t len = strlen(path);

    if ((path[0] != '/' && path[0] != '@') || len >= sizeof(out->sun_path)) {
        return 0;
    }
    memset(out, 0, sizeof(*out));
    out->sun_family = AF_UNIX;
    memcpy(out->sun_path, path, len);
    if (path[0] == '@') {
        out->sun_path[0] = '\0'; // an abstract name has no end but its length
    }
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

void
amdi_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address;
    socklen_t len;
    int fd;

    if (path == NULL || path[0] == '\0') {
        return;
    }
    len = notify_address(path, &address);
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (len == 0 || fd < 0 ||
            sendto(fd, state, strlen(state), MSG_NOSIGNAL,
                    (struct sockaddr *)&address, len) < 0) {
        amdi_log_warn("", "notify-failed", "socket=%s reason=\"%s\"", path,
                len == 0 ? "not a socket's name" : strerror(errno));
    }
    if (fd >= 0) {
        (void)close(fd); // datagrams are not lost by closing
    }
}
