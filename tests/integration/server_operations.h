/** What the tests of operations have in common: a server that keeps some. */
#ifndef TEST_SERVER_OPERATIONS_H
#define TEST_SERVER_OPERATIONS_H

#include <amdrpc/metadata.h>
#include <amdrpc/operations.h>

#include "server/operation/operations.h"
#include "tests/proto/calls.pb-c.h"

#define OPS_UNARY "/amdrpc.testCalls.v1.Calls/Unary"
#define OPS_DOWNLOAD "/amdrpc.testCalls.v1.Calls/Download"

#define OPS_HOW(how) AMDRPC__TEST_CALLS__V1__HOW__##how
#define OPS_MAX_EVENTS 512

/**
 * What the handlers do:
 *   REPLY     answers with the text
 *   FAIL      ends with the code and text; after `count` attempts: as REPLY
 *   BLOCK     waits until it is let go, or told to stop
 *   HOLD      waits without a worker, until it is told to stop
 *   LATER     reports `count` steps, then as REPLY
 *   METADATA  answers with what the client sent as "x-test"
 * Download sends messages numbered from where an earlier attempt stopped to
 * `count`; after number `size` it waits like BLOCK, in the first attempt.
 */
typedef Amdrpc__TestCalls__V1__Request ops_request;
typedef Amdrpc__TestCalls__V1__Response ops_response;

/** An event, as a test looks at it. */
struct ops_event {
    enum amdi_event_kind kind;
    uint32_t attempt;
    uint64_t number; // of a message: its count; of progress: done
    char text[256];  // of a retry: why; of progress: the note
};

/** An operation, as a test looks at it. */
struct ops_state {
    struct amdi_op op; // without its bytes
    char result[512];  // the text of the Any in it; of a stream: how many
    char status[512];  // the message of the status
    uint32_t ndetails;
};

/** Fixture of every case. The store of a loop test: memory, then a file. */
#define OPS_NSTORES 2
void ops_setup(void);
void ops_teardown(void);

/** Options with short times, so that tests wait for nothing long. */
amdrpc_operations_options ops_options(void);

/** Starts a server on the store of that number. */
void ops_start(int store);
void ops_start_with(int store, const amdrpc_operations_options *options,
        const amdrpc_server_options *server_options,
        const amdrpc_policy *policy);

/** Starts a server over a store that is open: taken. */
void ops_start_over(
        struct amdi_store *store, const amdrpc_operations_options *options);

/** Drains and destroys the server; the store's file stays. */
void ops_stop(void);

/** Drains the server, which stays. */
void ops_stop_running(void);

amdrpc_server *ops_server(void);

/** Submits on the server's last loop; returns what came of it. */
enum amdi_store_result ops_submit(
        const struct amdi_submission *submission, uint64_t *out_id);

/** The submission of a request to that method; valid until the next. */
struct amdi_submission ops_submission(
        const char *path, const ops_request *request);

/** Submits a request of that kind, which must be taken; returns its id. */
uint64_t ops_add(const char *path, const ops_request *request);

void ops_get(uint64_t id, struct ops_state *out);
enum amdi_store_result ops_cancel(uint64_t id);

/** Ends an operation as its newest attempt would, past its executor. */
void ops_steal(uint64_t id);

/** Waits until an operation has ended. */
void ops_await_end(uint64_t id, struct ops_state *out);

/** The same, and checks how it ended. */
void ops_expect_end(uint64_t id, int code, struct ops_state *out);

/** All events of an operation that has ended; returns how many. */
size_t ops_read_events(uint64_t id, struct ops_event events[OPS_MAX_EVENTS]);

/** Runs @fn on the server's first loop, and waits for it. */
void ops_on_loop(void (*fn)(void *arg), void *arg);

/* ---- the handlers ---- */

/** Waits until so many handlers were entered. */
void ops_await_starts(size_t n);
size_t ops_nstarts(void);

/** What the n-th handler to be entered saw. */
struct ops_start {
    char text[64];
    char operation[64];
    char peer[64];
    char identity[64];
    uint32_t attempt;
    uint64_t delivered;
};
struct ops_start ops_get_start(size_t n);

/** Waits until a BLOCKed download has sent so many messages. */
void ops_await_sent(size_t n);

/** Lets handlers that BLOCK go on. */
void ops_let_go(void);

#endif
