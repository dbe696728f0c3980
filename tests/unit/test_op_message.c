/** Tests how operations and their events look to clients. */
#include <amdrpc/status.h>

#include "common/alloc.h"
#include "google/protobuf/any.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "server/services/operations/message.h"
#include "server/services/operations/times.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"

#include <check.h>

#include <string.h>

#define TEXT(text) ((struct amdi_bytes){(text), sizeof(text) - 1})
#define STATE(name) AMDRPC__V1__OPERATION_METADATA__STATE__##name
#define HAS(name) GOOGLE__LONGRUNNING__OPERATION__RESULT_##name
#define KIND(name) AMDRPC__V1__WATCH_RESPONSE__EVENT_##name

static struct amdi_arena arena;
static Google__Longrunning__Operation *operation;
static Amdrpc__V1__OperationMetadata *metadata;
static uint8_t packed[256];

static void
set_up(void)
{
    amdi_arena_init(&arena, 0);
    operation = NULL;
    metadata = NULL;
}

static void
tear_down(void)
{
    if (metadata != NULL) {
        amdrpc__v1__operation_metadata__free_unpacked(metadata, NULL);
    }
    amdi_arena_fini(&arena);
}

static struct amdi_bytes
pack(const ProtobufCMessage *msg)
{
    ck_assert_uint_le(protobuf_c_message_get_packed_size(msg), sizeof(packed));
    return (struct amdi_bytes){packed, protobuf_c_message_pack(msg, packed)};
}

static void
show(const struct amdi_op *op, const struct amdi_op_estimate *estimate)
{
    operation = amdi_op_message_create(op, estimate, &arena);
    ck_assert_ptr_nonnull(operation);
    metadata = amdrpc__v1__operation_metadata__unpack(NULL,
            operation->metadata->value.len, operation->metadata->value.data);
    ck_assert_ptr_nonnull(metadata);
}

START_TEST(queued_operation_has_a_place)
{
    const struct amdi_op_estimate estimate = {
            .position = 4, .expected_start_us = 2000001};

    show(&(struct amdi_op){.id = 1,
                 .state = AMDI_OP_QUEUED,
                 .method = TEXT("/p.S/M"),
                 .request_id = TEXT("r-1"),
                 .max_attempts = 5,
                 .created_at_us = 1500000},
            &estimate);

    ck_assert_str_eq(operation->name, "operations/0000000000001");
    ck_assert(!operation->done);
    ck_assert_str_eq(metadata->method, "/p.S/M");
    ck_assert_str_eq(metadata->request_id, "r-1");
    ck_assert_int_eq(metadata->state, STATE(QUEUED));
    ck_assert_uint_eq(metadata->queue_position, 4);
    ck_assert_int_eq(metadata->expected_start_time->seconds, 2);
    ck_assert_int_eq(metadata->expected_start_time->nanos, 1000);
    ck_assert_int_eq(metadata->create_time->seconds, 1);
    ck_assert_int_eq(metadata->create_time->nanos, 500000000);
    ck_assert_ptr_null(metadata->start_time);
    ck_assert_uint_eq(metadata->max_attempts, 5);
    ck_assert_uint_eq(metadata->first_seq, 0);
}
END_TEST

static const struct {
    int code;
    Amdrpc__V1__OperationMetadata__State state;
    const char *message;
} ends[] = {
        {AMDRPC_STATUS_CANCELLED, STATE(CANCELLED),
                "the operation was cancelled"},
        {AMDRPC_STATUS_DEADLINE_EXCEEDED, STATE(FAILED),
                "the operation's deadline passed"},
        {AMDRPC_STATUS_ABORTED, STATE(FAILED),
                "the operation's last attempt failed, or its server ended"},
        {AMDRPC_STATUS_INTERNAL, STATE(FAILED),
                "the operation ended without a status"},
};

START_TEST(end_by_the_store_is_explained)
{
    show(&(struct amdi_op){.id = 1,
                 .state = AMDI_OP_DONE,
                 .code = ends[_i].code,
                 .done_at_us = 1},
            NULL);

    ck_assert(operation->done);
    ck_assert_int_eq(operation->result_case, HAS(ERROR));
    ck_assert_int_eq(operation->error->code, ends[_i].code);
    ck_assert_str_eq(operation->error->message, ends[_i].message);
    ck_assert_int_eq(metadata->state, ends[_i].state);
}
END_TEST

START_TEST(status_of_the_handler_is_kept)
{
    Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;

    status.code = AMDRPC_STATUS_ABORTED;
    status.message = (char *)(uintptr_t) "try another";
    show(&(struct amdi_op){.id = 1,
                 .state = AMDI_OP_DONE,
                 .code = AMDRPC_STATUS_ABORTED,
                 .status = pack(&status.base)},
            NULL);

    ck_assert_str_eq(operation->error->message, "try another");
}
END_TEST

START_TEST(response_is_kept)
{
    Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;

    any.type_url = (char *)(uintptr_t) "type.googleapis.com/p.M";
    show(
            &(struct amdi_op){
                    .id = 1, .state = AMDI_OP_DONE, .result = pack(&any.base)},
            NULL);

    ck_assert_int_eq(operation->result_case, HAS(RESPONSE));
    ck_assert_str_eq(operation->response->type_url, "type.googleapis.com/p.M");
    ck_assert_int_eq(metadata->state, STATE(SUCCEEDED));
}
END_TEST

START_TEST(event_has_what_its_kind_has)
{
    Amdrpc__V1__Progress progress = AMDRPC__V1__PROGRESS__INIT;
    struct amdi_event event = {.seq = 3,
            .attempt = 2,
            .at_us = 1000000,
            .kind = AMDI_EVENT_PROGRESS};
    Amdrpc__V1__WatchResponse *shown;

    progress.done = 8;
    event.data = pack(&progress.base);
    shown = amdi_op_event_create(&event, &arena);
    ck_assert_uint_eq(shown->seq, 3);
    ck_assert_uint_eq(shown->attempt, 2);
    ck_assert_int_eq(shown->time->seconds, 1);
    ck_assert_int_eq(shown->event_case, KIND(PROGRESS));
    ck_assert_uint_eq(shown->progress->done, 8);

    event.kind = AMDI_EVENT_RETRY;
    event.data = TEXT("no luck");
    shown = amdi_op_event_create(&event, &arena);
    ck_assert_int_eq(shown->event_case, KIND(RETRY));
    ck_assert_str_eq(shown->retry->reason, "no luck");

    event.kind = AMDI_EVENT_END;
    shown = amdi_op_event_create(&event, &arena);
    ck_assert_int_eq(shown->event_case, KIND(_NOT_SET));
}
END_TEST

static amdrpc_err
make_message(void *arg)
{
    const struct amdi_op op = {.id = 1,
            .state = AMDI_OP_DONE,
            .code = AMDRPC_STATUS_ABORTED,
            .method = TEXT("/a.Method/OfALengthThatFillsBlocks"),
            .request_id = TEXT("0123456789012345678901234567890123456789"),
            .created_at_us = 1,
            .started_at_us = 2,
            .done_at_us = 3,
            .expire_at_us = 4};
    Google__Longrunning__Operation *made;

    (void)arg;
    amdi_arena_init(&arena, 0);
    made = amdi_op_message_create(&op, NULL, &arena);
    amdi_arena_fini(&arena);
    return made == NULL ? AMDRPC_ENOMEM : AMDRPC_OK;
}

START_TEST(every_failed_allocation_is_told)
{
    (void)test_sweep_allocations(make_message, NULL);
}
END_TEST

/* ---- times ---- */

static const struct {
    int64_t seconds;
    int32_t nanos;
    bool is_duration;
    bool is_time;
    int64_t us;
} times[] = {
        {0, 0, true, true, 0},
        {1, 500000000, true, true, 1500000},
        {1, -1, false, false, 0},
        {-1, 1, false, true, -1000000},
        {-1, -1000, true, false, -1000001},
        {0, 1000000000, false, false, 0},
        {315576000000, 0, true, false, 315576000000000000},
        {315576000001, 0, false, false, 0},
        {253402300799, 0, true, true, 253402300799000000},
        {INT64_MAX, 0, false, false, 0},
        {INT64_MIN, 0, false, false, 0},
        {0, INT32_MIN, false, false, 0},
};

START_TEST(times_are_read_within_their_range)
{
    Google__Protobuf__Duration duration = GOOGLE__PROTOBUF__DURATION__INIT;
    Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    int64_t us = 0;

    duration.seconds = times[_i].seconds;
    duration.nanos = times[_i].nanos;
    time.seconds = times[_i].seconds;
    time.nanos = times[_i].nanos;

    ck_assert_int_eq(
            amdi_op_duration_read(&duration, &us), times[_i].is_duration);
    if (times[_i].is_duration) {
        ck_assert_int_eq(us, times[_i].us);
    }
    ck_assert_int_eq(amdi_op_timestamp_read(&time, &us), times[_i].is_time);
    if (times[_i].is_time) {
        ck_assert_int_eq(us, times[_i].us);
    }
}
END_TEST

static Suite *
op_message_suite(void)
{
    Suite *suite = suite_create("op_message");
    TCase *tests = tcase_create("show");

    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, queued_operation_has_a_place);
    tcase_add_loop_test(tests, end_by_the_store_is_explained, 0,
            sizeof(ends) / sizeof(ends[0]));
    tcase_add_test(tests, status_of_the_handler_is_kept);
    tcase_add_test(tests, response_is_kept);
    tcase_add_test(tests, event_has_what_its_kind_has);
    tcase_add_test(tests, every_failed_allocation_is_told);
    tcase_add_loop_test(tests, times_are_read_within_their_range, 0,
            sizeof(times) / sizeof(times[0]));
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(op_message_suite)
