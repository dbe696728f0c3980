/** What the tests of operations have in common. */
#include "tests/integration/ops.h"

#include <amdrpc/auth.h>
#include <amdrpc/operations.h>

#include "common/alloc.h"
#include "common/encoding.h"
#include "common/loop.h"
#include "google/protobuf/any.pb-c.h"
#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "server/operation/operations.h"
#include "server/store/id.h"

#include <check.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEASE_US INT64_C(3600000000)
#define RESPONSE_TYPE "type.googleapis.com/amdrpc.testCalls.v1.Response"

static const char *store_uri;
static char *dir;           // of a store in a file
static const char *allowed; // who may call TEST_UNARY; NULL: everyone
static uint32_t room;       // how many may wait or run; 0: the default

/* ---- life ---- */

static void
prepare(amdrpc_server *server)
{
    const amdrpc_operations_options options = {
            .store = store_uri, .max_unfinished = room};
    char why[200] = "";

    ck_assert_msg(amdrpc_operations_add(server, &options, why, sizeof(why)) ==
                    AMDRPC_OK,
            "%s", why);
    probe.store = amdi_operations_store(amdi_operations_of(server));
    if (allowed != NULL) {
        ck_assert_int_eq(
                amdrpc_server_allow(server, TEST_UNARY, allowed), AMDRPC_OK);
    }
}

void
ops_start(int store)
{
    char uri[600] = "memory:";

    if (store == OPS_SQLITE) {
        dir = probe_make_dir();
        (void)snprintf(uri, sizeof(uri), "sqlite:%s", dir);
    }
    store_uri = uri;
    test_server_prepare = prepare;
    ck_assert_int_eq(amdi_loop_create("amd-test", &probe.loop), AMDRPC_OK);
    test_server_start(TEST_ON_POOL);
    test_server_prepare = NULL;
    store_uri = NULL;
}

void
ops_start_allowing(int store, const char *names)
{
    allowed = names;
    ops_start(store);
    allowed = NULL;
}

void
ops_start_with_room(int store, uint32_t max_unfinished)
{
    room = max_unfinished;
    ops_start(store);
    room = 0;
}

void
ops_teardown(void)
{
    test_server_teardown();
    amdi_loop_destroy(probe.loop);
    probe.loop = NULL;
    probe.store = NULL;
    if (dir != NULL) {
        probe_remove_dir(dir);
        dir = NULL;
    }
}

/* ---- operations that the test executes ---- */

struct amdi_fence
ops_add_for(const char *principal)
{
    const struct amdi_new_op new_op = {
            .principal = {principal, strlen(principal)},
            .method = BYTES(TEST_UNARY),
            .node = "test",
            .lease_us = LEASE_US,
    };

    ck_assert_int_eq(probe_submit(&new_op), AMDI_STORE_OK);
    ck_assert_int_eq(probe.ops[0].state, AMDI_OP_RUNNING);
    return (struct amdi_fence){.id = probe.ops[0].id, .attempt = 1};
}

struct amdi_fence
ops_add(void)
{
    return ops_add_for("");
}

/** Packs any message; freed by amdi_free. */
static struct amdi_bytes
pack(const ProtobufCMessage *msg)
{
    size_t len = protobuf_c_message_get_packed_size(msg);
    uint8_t *data = amdi_alloc(len + 1);

    ck_assert_ptr_nonnull(data);
    (void)protobuf_c_message_pack(msg, data);
    return (struct amdi_bytes){data, len};
}

static struct amdi_bytes
pack_answer(const test_response *response)
{
    Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
    struct amdi_bytes value = pack(&response->base);
    struct amdi_bytes packed;

    any.type_url = (char *)(uintptr_t)RESPONSE_TYPE;
    any.value.data = (uint8_t *)(uintptr_t)value.data;
    any.value.len = value.len;
    packed = pack(&any.base);
    amdi_free((void *)(uintptr_t)value.data);
    return packed;
}

static void
append(struct amdi_fence fence, enum amdi_event_kind kind,
        struct amdi_bytes data)
{
    ck_assert_int_eq(probe_append(fence, kind, data), AMDI_STORE_OK);
    amdi_free((void *)(uintptr_t)data.data);
}

/** An answer with such a payload. */
static struct amdi_bytes
pack_large(uint32_t n, uint32_t size)
{
    test_response response = AMDRPC__TEST_CALLS__V1__RESPONSE__INIT;
    struct amdi_bytes packed;

    response.count = n;
    response.payload.len = size;
    response.payload.data = amdi_zalloc(size + 1);
    packed = pack_answer(&response);
    amdi_free(response.payload.data);
    return packed;
}

void
ops_append_message(struct amdi_fence fence, uint32_t n, uint32_t size)
{
    append(fence, AMDI_EVENT_MESSAGE, pack_large(n, size));
}

void
ops_finish_large(struct amdi_fence fence, uint32_t size)
{
    struct amdi_bytes result = pack_large(0, size);
    const struct amdi_bytes status = {0};

    ck_assert_int_eq(probe_finish(fence, AMDRPC_STATUS_OK, result, status),
            AMDI_STORE_OK);
    amdi_free((void *)(uintptr_t)result.data);
}

void
ops_append_progress(struct amdi_fence fence, uint64_t done)
{
    Amdrpc__V1__Progress progress = AMDRPC__V1__PROGRESS__INIT;

    progress.done = done;
    progress.total = 1000;
    append(fence, AMDI_EVENT_PROGRESS, pack(&progress.base));
}

void
ops_finish(struct amdi_fence fence, amdrpc_status_code code)
{
    test_response response = AMDRPC__TEST_CALLS__V1__RESPONSE__INIT;
    Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;
    struct amdi_bytes result = {0};
    struct amdi_bytes packed_status;

    response.text = (char *)(uintptr_t) "result";
    status.code = (int32_t)code;
    if (code == AMDRPC_STATUS_OK) {
        result = pack_answer(&response);
    } else {
        status.message = (char *)(uintptr_t) "failed";
    }
    packed_status = pack(&status.base);
    ck_assert_int_eq(probe_finish(fence, (int)code, result, packed_status),
            AMDI_STORE_OK);
    amdi_free((void *)(uintptr_t)packed_status.data);
    amdi_free((void *)(uintptr_t)result.data);
}

char *
ops_name(uint64_t id)
{
    static char name[AMDI_OP_NAME_BYTES];

    amdi_op_name_format(id, name);
    return name;
}

/* ---- calls ---- */

struct test_rpc *
ops_call(const char *path, const ProtobufCMessage *msg)
{
    struct test_rpc *rpc = test_rpc_begin(test_conn, path, NULL, 0);

    test_rpc_send(rpc, msg);
    test_rpc_end(rpc);
    test_rpc_flush(test_conn);
    return rpc;
}

struct test_rpc *
ops_call_name(const char *path, char *name)
{
    Google__Longrunning__GetOperationRequest request =
            GOOGLE__LONGRUNNING__GET_OPERATION_REQUEST__INIT;

    request.name = name; // field 1 of all of them
    return ops_call(path, &request.base);
}

void *
ops_expect(struct test_rpc *rpc, const ProtobufCMessageDescriptor *desc)
{
    void *msg;

    test_rpc_expect(rpc, AMDRPC_STATUS_OK);
    msg = test_rpc_take(rpc, desc);
    ck_assert_ptr_nonnull(msg);
    return msg;
}

operation *
ops_expect_operation(struct test_rpc *rpc)
{
    return ops_expect(rpc, &google__longrunning__operation__descriptor);
}

/** The value of a field of a call's answer, NUL-terminated; NULL: none. */
static char *
field_copy(const struct test_rpc *rpc, const char *prefix)
{
    const char *at = strstr(rpc->fields, prefix);

    if (at == NULL) {
        return NULL;
    }
    at += strlen(prefix);
    return strndup(at, strcspn(at, "\n"));
}

static Google__Rpc__Status *
details_read(const struct test_rpc *rpc)
{
    char *text = field_copy(rpc, "grpc-status-details-bin: ");
    uint8_t data[1024];
    size_t len = 0;
    Google__Rpc__Status *status;

    ck_assert_ptr_nonnull(text);
    ck_assert_int_eq(
            amdi_base64_decode(text, strlen(text), data, &len), AMDRPC_OK);
    free(text);
    status = google__rpc__status__unpack(NULL, len, data);
    ck_assert_ptr_nonnull(status);
    return status;
}

void
ops_expect_refusal(
        struct test_rpc *rpc, amdrpc_status_code code, const char *reason)
{
    Google__Rpc__Status *status;
    Google__Rpc__ErrorInfo *info;

    test_rpc_expect(rpc, code);
    status = details_read(rpc);
    info = google__rpc__error_info__unpack(NULL, status->details[0]->value.len,
            status->details[0]->value.data);
    ck_assert_str_eq(info->reason, reason);
    google__rpc__error_info__free_unpacked(info, NULL);
    google__rpc__status__free_unpacked(status, NULL);
}

operation *
ops_get(char *name)
{
    return ops_expect_operation(ops_call_name(OPS_GET, name));
}

operation_metadata *
ops_metadata(const operation *op)
{
    operation_metadata *metadata = amdrpc__v1__operation_metadata__unpack(
            NULL, op->metadata->value.len, op->metadata->value.data);

    ck_assert_str_eq(op->metadata->type_url,
            "type.googleapis.com/amdrpc.v1.OperationMetadata");
    ck_assert_ptr_nonnull(metadata);
    return metadata;
}

Amdrpc__V1__OperationMetadata__State
ops_state(uint64_t id)
{
    operation *op = ops_get(ops_name(id));
    operation_metadata *metadata = ops_metadata(op);
    Amdrpc__V1__OperationMetadata__State state = metadata->state;

    ops_free(metadata);
    ops_free(op);
    return state;
}

void
ops_free(void *msg)
{
    if (msg != NULL) {
        protobuf_c_message_free_unpacked(msg, NULL);
    }
}
