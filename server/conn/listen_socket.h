/** Sockets that listen: TCP, and files of the Unix domain. */
#ifndef AMDI_LISTEN_SOCKET_H
#define AMDI_LISTEN_SOCKET_H

#include <amdrpc/err.h>

#include <stdint.h>
#include <sys/types.h>

struct amdi_listen_socket {
    int fd;       // owned; -1 once closed
    char *path;   // of a Unix socket; owned; NULL: TCP
    dev_t device; // which file it is, so that no other is removed
    ino_t inode;
};

/**
 * Opens a socket. A Unix socket's file that a process left behind is replaced;
 * one that is still listened on is not.
 *
 * @address  "HOST:PORT" or "unix:/PATH"
 * @mode     of a Unix socket's file
 * Errors:   as amdrpc_server_listen
 */
AMDRPC_NODISCARD amdrpc_err amdi_listen_socket_open(
        struct amdi_listen_socket *out, const char *address, uint32_t mode);

/** Closes it, and removes its file; harmless when it is closed. */
void amdi_listen_socket_close(struct amdi_listen_socket *listening);

#endif
