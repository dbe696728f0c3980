/** The file that tells on which ports the daemon listens. */
#ifndef AMDI_PORT_FILE_H
#define AMDI_PORT_FILE_H

#include <amdrpc/err.h>

#include <stddef.h>
#include <stdint.h>

/**
 * Writes the ports, one a line. The file appears whole or not at all.
 *
 * Errors:  AMDRPC_EIO; errno is that of the step that failed
 *          AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_port_file_write(
        const char *path, const uint16_t *ports, size_t nports);

#endif
