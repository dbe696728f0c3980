/** The file that tells on which ports the daemon listens. */
#include "server/daemon/port_file.h"

#include "common/alloc.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool
ports_print(int fd, const uint16_t *ports, size_t nports)
{
    for (size_t i = 0; i < nports; i++) {
        if (dprintf(fd, "%u\n", (unsigned)ports[i]) < 0) {
            return false;
        }
    }
    // mkstemp's mode is for secrets; ports are none.
    return fchmod(fd, S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH) == 0;
}

amdrpc_err
amdi_port_file_write(const char *path, const uint16_t *ports, size_t nports)
{
    static const char ending[] = ".XXXXXX";
    size_t len = strlen(path);
    char *temporary = amdi_alloc(len + sizeof(ending));
    bool written;
    int fd;
    int saved;

    if (temporary == NULL) {
        return AMDRPC_ENOMEM;
    }
    memcpy(temporary, path, len);
    memcpy(temporary + len, ending, sizeof(ending));
    fd = mkstemp(temporary);
    written = fd >= 0 && ports_print(fd, ports, nports) &&
            rename(temporary, path) == 0;
    saved = errno;
    if (fd >= 0) {
        (void)close(fd); // what matters is whether the rename was reached
    }
    if (fd >= 0 && !written) {
        (void)unlink(temporary); // best effort
    }
    amdi_free(temporary);
    errno = saved;
    return written ? AMDRPC_OK : AMDRPC_EIO;
}
