/**
 * What the tests of operations have in common: a server that keeps them, and a
 * probe in its store that plays the executor of operations of its own.
 */
#ifndef TEST_OPS_H
#define TEST_OPS_H

#include "amdrpc/v1/operations.pb-c.h"
#include "google/longrunning/operations.pb-c.h"
#include "tests/integration/server.h"
#include "tests/store/probe.h"

#define OPS_GET "/google.longrunning.Operations/GetOperation"
#define OPS_LIST "/google.longrunning.Operations/ListOperations"
#define OPS_CANCEL "/google.longrunning.Operations/CancelOperation"
#define OPS_DELETE "/google.longrunning.Operations/DeleteOperation"
#define OPS_WAIT "/google.longrunning.Operations/WaitOperation"
#define OPS_SUBMIT "/amdrpc.v1.Operations/Submit"
#define OPS_WATCH "/amdrpc.v1.Operations/Watch"

typedef Google__Longrunning__Operation operation;
typedef Amdrpc__V1__OperationMetadata operation_metadata;
typedef Amdrpc__V1__WatchResponse watch_response;

/** Loop tests run over each of them. */
enum ops_store {
    OPS_MEMORY,
    OPS_SQLITE,
    OPS_NSTORES,
};

/** Starts a server with that store, of enum ops_store, and a client. */
void ops_start(int store);

/** The same; only @names may call TEST_UNARY. */
void ops_start_allowing(int store, const char *names);

/** The same; so many operations may wait or run. */
void ops_start_with_room(int store, uint32_t max_unfinished);

/** Ends it; fixture of every case, after test_server_setup. */
void ops_teardown(void);

/* ---- operations that the test executes ---- */

/** Adds one that runs; it is @principal's. */
struct amdi_fence ops_add_for(const char *principal);

/** The same, of the anonymous client. */
struct amdi_fence ops_add(void);

/** Appends a message whose `count` is @n and whose payload has @size bytes. */
void ops_append_message(struct amdi_fence fence, uint32_t n, uint32_t size);
void ops_append_progress(struct amdi_fence fence, uint64_t done);

/** Ends one: with the message "result", or with a code and "failed". */
void ops_finish(struct amdi_fence fence, amdrpc_status_code code);

/** Ends one with a message whose payload has @size bytes. */
void ops_finish_large(struct amdi_fence fence, uint32_t size);

/** The operation's name; valid until the next. */
char *ops_name(uint64_t id);

/* ---- calls ---- */

/** Sends the request of a call whole. */
struct test_rpc *ops_call(const char *path, const ProtobufCMessage *msg);

/** Sends a request that only has a name: get, cancel or delete. */
struct test_rpc *ops_call_name(const char *path, char *name);

/** The call ends with OK; its one message is returned owned. */
void *ops_expect(struct test_rpc *rpc, const ProtobufCMessageDescriptor *desc);

/** The same for an operation. */
operation *ops_expect_operation(struct test_rpc *rpc);

/** The call ends with that status and, in its details, that reason. */
void ops_expect_refusal(
        struct test_rpc *rpc, amdrpc_status_code status, const char *reason);

/** Gets an operation. */
operation *ops_get(char *name);

/** The metadata of an operation; returned owned. */
operation_metadata *ops_metadata(const operation *op);

/** The state of an operation that is got. */
Amdrpc__V1__OperationMetadata__State ops_state(uint64_t id);

/** Frees any message; NULL is accepted. */
void ops_free(void *msg);

#endif
