/** The handlers of the tests' service, and what they tell the test. */
#ifndef TEST_CALLS_H
#define TEST_CALLS_H

#include "tests/integration/server.h"

/** Adds the service. */
amdrpc_err test_calls_register(amdrpc_server *server);

/* ---- from the handlers; any thread ---- */

void test_calls_count(enum test_server_count count);

/** Leaves a deferred call to the test. */
void test_calls_hold(amdrpc_call *call);

/** Waits so long at most; tells whether the test lets go. */
bool test_calls_wait(uint32_t ms);

#endif
