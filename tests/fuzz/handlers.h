/** Methods of all four kinds that answer on the loop. */
#ifndef TEST_FUZZ_HANDLERS_H
#define TEST_FUZZ_HANDLERS_H

#include <amdrpc/server.h>

/** Adds the services of tests/proto, and lets their methods run inline. */
void fuzz_add_handlers(amdrpc_server *server);

#endif
