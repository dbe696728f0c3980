/** Tests the details of our own errors. */
#include "common/alloc.h"
#include "google/protobuf/any.pb-c.h"
#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "server/details.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"

#include <check.h>

#include <string.h>

static struct amdi_arena arena;
static Google__Rpc__Status *status;

static void
details_set_up(void)
{
    amdi_arena_init(&arena, 0);
    status = NULL;
}

static void
details_tear_down(void)
{
    amdi_alloc_fail_at(-1);
    if (status != NULL) {
        google__rpc__status__free_unpacked(status, NULL);
    }
    amdi_arena_fini(&arena);
}

static void
pack(const struct amdi_details *details)
{
    ProtobufCBinaryData packed = {0};

    ck_assert(amdi_details_pack(details, &arena, &packed));
    status = google__rpc__status__unpack(NULL, packed.len, packed.data);
    ck_assert_ptr_nonnull(status);
}

static void
assert_error_info(const char *reason)
{
    Google__Protobuf__Any *any = status->details[0];
    Google__Rpc__ErrorInfo *info = google__rpc__error_info__unpack(
            NULL, any->value.len, any->value.data);

    ck_assert_str_eq(any->type_url, "type.googleapis.com/google.rpc.ErrorInfo");
    ck_assert_ptr_nonnull(info);
    ck_assert_str_eq(info->reason, reason);
    ck_assert_str_eq(info->domain, "amdrpc");
    google__rpc__error_info__free_unpacked(info, NULL);
}

START_TEST(status_is_repeated_with_its_reason)
{
    pack(&(struct amdi_details){
            .code = AMDRPC_STATUS_DEADLINE_EXCEEDED, .message = "too late"});

    ck_assert_int_eq(status->code, 4);
    ck_assert_str_eq(status->message, "too late");
    ck_assert_uint_eq(status->n_details, 1);
    assert_error_info("DEADLINE_PASSED");
}
END_TEST

START_TEST(retry_follows_the_reason)
{
    Google__Rpc__RetryInfo *info = NULL;

    pack(&(struct amdi_details){.code = AMDRPC_STATUS_RESOURCE_EXHAUSTED,
            .reason = "QUEUE_FULL",
            .has_retry = true,
            .retry_ms = 1250});

    ck_assert_uint_eq(status->n_details, 2);
    assert_error_info("QUEUE_FULL");
    info = google__rpc__retry_info__unpack(NULL, status->details[1]->value.len,
            status->details[1]->value.data);
    ck_assert_ptr_nonnull(info);
    ck_assert_int_eq(info->retry_delay->seconds, 1);
    ck_assert_int_eq(info->retry_delay->nanos, 250000000);
    google__rpc__retry_info__free_unpacked(info, NULL);
}
END_TEST

START_TEST(handlers_reasons_have_their_domain_and_facts)
{
    static const char *const facts[] = {"status", "3", "program", "cut", NULL};
    Google__Rpc__ErrorInfo *info = NULL;

    pack(&(struct amdi_details){.code = AMDRPC_STATUS_UNKNOWN,
            .reason = "EXIT_STATUS",
            .domain = "amdrpc.command",
            .facts = facts});

    info = google__rpc__error_info__unpack(NULL, status->details[0]->value.len,
            status->details[0]->value.data);
    ck_assert_ptr_nonnull(info);
    ck_assert_str_eq(info->reason, "EXIT_STATUS");
    ck_assert_str_eq(info->domain, "amdrpc.command");
    ck_assert_uint_eq(info->n_metadata, 2);
    ck_assert_str_eq(info->metadata[1]->key, "program");
    ck_assert_str_eq(info->metadata[1]->value, "cut");
    google__rpc__error_info__free_unpacked(info, NULL);
}
END_TEST

START_TEST(every_code_has_a_reason)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    Google__Rpc__ErrorInfo *info = NULL;

    pack(&(struct amdi_details){.code = (amdrpc_status_code)_i});

    info = google__rpc__error_info__unpack(NULL, status->details[0]->value.len,
            status->details[0]->value.data);
    ck_assert_ptr_nonnull(info);
    ck_assert_uint_gt(strlen(info->reason), 0);
    ck_assert_uint_eq(strspn(info->reason, letters), strlen(info->reason));
    google__rpc__error_info__free_unpacked(info, NULL);
}
END_TEST

static amdrpc_err
pack_and_free(void *arg)
{
    static const char *const facts[] = {"name", "value", NULL};
    const struct amdi_details details = {
            .code = AMDRPC_STATUS_RESOURCE_EXHAUSTED,
            .has_retry = true,
            .facts = facts};
    ProtobufCBinaryData packed = {0};
    bool is_packed;

    (void)arg;
    is_packed = amdi_details_pack(&details, &arena, &packed);
    amdi_arena_fini(&arena);
    return is_packed ? AMDRPC_OK : AMDRPC_ENOMEM;
}

START_TEST(every_allocation_may_fail)
{
    (void)test_sweep_allocations(pack_and_free, NULL);
}
END_TEST

static Suite *
details_suite(void)
{
    Suite *suite = suite_create("details");
    TCase *packing = tcase_create("packing");

    tcase_add_checked_fixture(packing, details_set_up, details_tear_down);
    tcase_add_test(packing, status_is_repeated_with_its_reason);
    tcase_add_test(packing, retry_follows_the_reason);
    tcase_add_test(packing, handlers_reasons_have_their_domain_and_facts);
    tcase_add_loop_test(packing, every_code_has_a_reason, 1, 17);
    tcase_add_test(packing, every_allocation_may_fail);
    suite_add_tcase(suite, packing);
    return suite;
}

TEST_MAIN(details_suite)
