/** What the tests of the server have in common: one server, one client. */
#ifndef TEST_SERVER_H
#define TEST_SERVER_H

#include <amdrpc/server.h>

#include "tests/proto/calls.pb-c.h"
#include "tests/support/rpc.h"

#define TEST_UNARY "/amdrpc.testCalls.v1.Calls/Unary"
#define TEST_DOWNLOAD "/amdrpc.testCalls.v1.Calls/Download"
#define TEST_UPLOAD "/amdrpc.testCalls.v1.Calls/Upload"
#define TEST_CHAT "/amdrpc.testCalls.v1.Calls/Chat"
#define TEST_UNWRITTEN "/amdrpc.testCalls.v1.Calls/Unwritten"

#define TEST_HOW(how) AMDRPC__TEST_CALLS__V1__HOW__##how

typedef Amdrpc__TestCalls__V1__Request test_request;
typedef Amdrpc__TestCalls__V1__Response test_response;

/** Where a loop test's index puts the handlers. */
enum test_place {
    TEST_ON_POOL,
    TEST_ON_LOOP,
    TEST_NPLACES,
};

/** What handlers did; each only grows. */
enum test_server_count {
    TEST_NSTARTED,  // handlers entered
    TEST_NFINISHED, // calls they ended
    TEST_NHELD,     // calls deferred for the test
    TEST_NCANCELS,  // on_cancel told
    TEST_NSENT,     // response messages that were queued
    TEST_NTAKEN,    // request messages that were read
    TEST_NCOUNTS,
};

/** Between start and teardown. */
extern amdrpc_server *test_server;
extern uint16_t test_port;
extern struct test_rpc_conn *test_conn;

/**
 * Starts a server of two workers, and a client. @place: of enum test_place; an
 * int, as loop tests count.
 */
void test_server_start(int place);

/** The same with options and, for all methods, a policy; each may be NULL. */
void test_server_start_with(
        const amdrpc_server_options *options, const amdrpc_policy *policy);

/** Called by them with the server that is about to start; NULL: nothing. */
extern void (*test_server_prepare)(amdrpc_server *server);

/** Fixture of every case: ends what is left. */
void test_server_setup(void);
void test_server_teardown(void);

/** Drains the server now, and waits; fails the test when it takes long. */
void test_server_stop(void);

size_t test_server_get(enum test_server_count count);

/** Waits until the count has come that far. */
void test_server_await(enum test_server_count count, size_t n);

/** Waits until the server has no connections but @n. */
void test_server_await_conns(unsigned n);

/** Lets handlers that BLOCK go on. */
void test_server_let_go(void);

/** The oldest call that is held; no longer held. */
amdrpc_call *test_server_take_held(void);

/** Sends the request of a unary method whole. */
struct test_rpc *test_call(
        struct test_rpc_conn *conn, const char *path, const test_request *msg);

/** The same for TEST_UNARY, with nothing but @how. */
struct test_rpc *test_call_how(
        struct test_rpc_conn *conn, Amdrpc__TestCalls__V1__How how);

/** Calls TEST_UNARY and checks the answer: the connection serves. */
void test_expect_service(struct test_rpc_conn *conn);

#endif
