/** The handlers of the tests of operations. */
#ifndef TEST_SERVER_OPERATIONS_CALLS_H
#define TEST_SERVER_OPERATIONS_CALLS_H

#include <amdrpc/server.h>

/** Adds the service. */
amdrpc_err ops_calls_register(amdrpc_server *server);

/** Forgets what handlers did. */
void ops_calls_reset(void);

#endif
