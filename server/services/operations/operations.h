/**
 * The services by which clients see operations: amdrpc.v1.Operations and
 * google.longrunning.Operations, and calls that are detached.
 */
#ifndef AMDI_SERVICES_OPERATIONS_H
#define AMDI_SERVICES_OPERATIONS_H

#include <amdrpc/err.h>

struct amdi_operations;
struct amdrpc_server;

/**
 * Adds them to a server, as a part of it that ends before @ops does.
 *
 * Thread:  setup, once; @ops is a part already
 * @ops     borrowed for the server's life
 * Errors:  AMDRPC_EEXIST  a service of that name is there already
 *          AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_operations_services_add(
        struct amdrpc_server *server, struct amdi_operations *ops);

#endif
