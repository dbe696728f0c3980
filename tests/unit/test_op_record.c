/** Tests what an operation's handler shall see, there and back. */
#include "amdrpc/v1/operations.pb-c.h"
#include "google/protobuf/any.pb-c.h"
#include "server/operation/any.h"
#include "server/operation/record.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"

#include <string.h>

static struct amdi_arena arena;
static struct amdrpc_metadata metadata;

static void
setup(void)
{
    amdi_arena_init(&arena, 0);
    amdi_metadata_init(&metadata, &arena);
    ck_assert_int_eq(
            amdrpc_metadata_add(&metadata, "x-one", "1", 1), AMDRPC_OK);
    ck_assert_int_eq(amdrpc_metadata_add(&metadata, "x-two-bin", "\0\xff", 2),
            AMDRPC_OK);
}

static void
teardown(void)
{
    amdi_arena_fini(&arena);
}

static struct amdi_submission
submission(void)
{
    return (struct amdi_submission){.peer = "192.0.2.1:7",
            .metadata = &metadata,
            .priority = AMDI_OP_LOW};
}

START_TEST(record_comes_back)
{
    struct amdi_submission from = submission();
    struct amdi_op_record record;
    const amdrpc_metadata_field *field = NULL;
    struct amdi_bytes packed;

    ck_assert_int_eq(amdi_op_record_pack(&from, &arena, &packed), AMDRPC_OK);
    ck_assert_int_eq(amdi_op_record_unpack(packed, &arena, &record), AMDRPC_OK);

    ck_assert_str_eq(record.peer, "192.0.2.1:7");
    ck_assert_int_eq(record.priority, AMDI_OP_LOW);
    ck_assert_uint_eq(record.metadata.nfields, 2);
    ck_assert_str_eq(record.metadata.fields[0].name, "x-one");
    field = amdrpc_metadata_get(&record.metadata, "x-two-bin");
    ck_assert_uint_eq(field->value_len, 2);
    ck_assert_mem_eq(field->value, "\0\xff", 2);
}
END_TEST

START_TEST(record_without_metadata_comes_back)
{
    struct amdi_submission from = {.peer = "", .priority = AMDI_OP_NORMAL};
    struct amdi_op_record record;
    struct amdi_bytes packed;

    ck_assert_int_eq(amdi_op_record_pack(&from, &arena, &packed), AMDRPC_OK);
    ck_assert_int_eq(amdi_op_record_unpack(packed, &arena, &record), AMDRPC_OK);
    ck_assert_uint_eq(record.metadata.nfields, 0);
    ck_assert_int_eq(record.priority, AMDI_OP_NORMAL);
}
END_TEST

START_TEST(empty_record_says_nothing)
{
    struct amdi_op_record record;

    ck_assert_int_eq(
            amdi_op_record_unpack((struct amdi_bytes){"", 0}, &arena, &record),
            AMDRPC_OK);
    ck_assert_str_eq(record.peer, "");
    ck_assert_uint_eq(record.metadata.nfields, 0);
}
END_TEST

START_TEST(damaged_record_is_refused)
{
    struct amdi_op_record record;

    ck_assert_int_eq(amdi_op_record_unpack((struct amdi_bytes){"\xff\xff", 2},
                             &arena, &record),
            AMDRPC_EPROTO);
}
END_TEST

static amdrpc_err
there_and_back(void *arg)
{
    struct amdi_submission from = submission();
    struct amdi_op_record record;
    struct amdi_bytes packed;
    struct amdi_arena own;
    amdrpc_err err = AMDRPC_OK;

    (void)arg;
    amdi_arena_init(&own, 0);
    err = amdi_op_record_pack(&from, &own, &packed);
    if (err == AMDRPC_OK) {
        err = amdi_op_record_unpack(packed, &own, &record);
    }
    amdi_arena_fini(&own);
    return err;
}

START_TEST(no_memory_is_an_error)
{
    (void)test_sweep_allocations(there_and_back, NULL);
}
END_TEST

START_TEST(any_is_what_protobuf_packs)
{
    char note[200];
    Amdrpc__V1__Progress progress = AMDRPC__V1__PROGRESS__INIT;
    Google__Protobuf__Any *any = NULL;
    Amdrpc__V1__Progress *inner = NULL;
    uint8_t packed[512];
    size_t len = 0;

    memset(note, 'x', sizeof(note) - 1);
    note[sizeof(note) - 1] = '\0';
    progress.done = 7;
    progress.note = note;
    len = amdi_any_size(&progress.base);
    ck_assert_uint_le(len, sizeof(packed));
    amdi_any_pack(&progress.base, packed);

    any = google__protobuf__any__unpack(NULL, len, packed);
    ck_assert_ptr_nonnull(any);
    ck_assert_str_eq(any->type_url, "type.googleapis.com/amdrpc.v1.Progress");
    ck_assert_uint_eq(google__protobuf__any__get_packed_size(any), len);
    inner = amdrpc__v1__progress__unpack(NULL, any->value.len, any->value.data);
    ck_assert_uint_eq(inner->done, 7);
    ck_assert_str_eq(inner->note, note);
    amdrpc__v1__progress__free_unpacked(inner, NULL);
    google__protobuf__any__free_unpacked(any, NULL);
}
END_TEST

static Suite *
op_record_suite(void)
{
    Suite *suite = suite_create("op_record");
    TCase *tcase = tcase_create("record");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, record_comes_back);
    tcase_add_test(tcase, record_without_metadata_comes_back);
    tcase_add_test(tcase, empty_record_says_nothing);
    tcase_add_test(tcase, damaged_record_is_refused);
    tcase_add_test(tcase, no_memory_is_an_error);
    tcase_add_test(tcase, any_is_what_protobuf_packs);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(op_record_suite)
