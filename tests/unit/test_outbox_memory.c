/** Tests which memory of sent messages an outbox keeps for the next. */
#include "common/alloc.h"
#include "common/outbox.h"
#include "tests/support/runner.h"

#include <check.h>

#include <string.h>

#define MARK_BYTES 100000u

static struct amdi_outbox outbox;
static struct amdi_out out;
static uint8_t scratch[65536];

static void
set_up(void)
{
    amdi_outbox_init(&outbox, MARK_BYTES);
}

static void
tear_down(void)
{
    amdi_alloc_fail_at(-1);
    amdi_outbox_fini(&outbox);
}

struct fill {
    uint8_t byte;
    size_t len;
};

static void
fill_write(uint8_t *to, const void *arg)
{
    const struct fill *fill = arg;

    memset(to, fill->byte, fill->len);
}

static amdrpc_err
push(uint8_t byte, size_t len)
{
    struct fill fill = {.byte = byte, .len = len};

    return amdi_outbox_push(
            &outbox, len, /*may_block=*/false, NULL, fill_write, &fill);
}

/** Takes everything, in one write. */
static size_t
take_all(void)
{
    size_t len = amdi_outbox_collect(&outbox);

    amdi_out_init(&out, scratch, sizeof(scratch));
    (void)amdi_outbox_take(&outbox, &out, len);
    return len;
}

/** A message of 20,000 bytes was released while another waits. */
static void
flow(void)
{
    ck_assert_int_eq(push('a', 20000), AMDRPC_OK);
    ck_assert_uint_eq(take_all(), 20005);
    ck_assert_int_eq(push('b', 20000), AMDRPC_OK);
    (void)amdi_outbox_release(&outbox);
}

/** Pushes a message where there is no memory for one. */
static amdrpc_err
push_without_memory(uint8_t byte, size_t len)
{
    amdrpc_err err = AMDRPC_OK;

    amdi_alloc_fail_at(0);
    err = push(byte, len);
    amdi_alloc_fail_at(-1);
    return err;
}

START_TEST(stream_in_flow_uses_its_memory_again)
{
    flow();

    ck_assert_int_eq(push_without_memory('c', 19000), AMDRPC_OK);

    ck_assert_uint_eq(take_all(), 20005 + 19005);
    ck_assert_mem_eq(out.iov[1].iov_base,
            "\0\0\0\x4a\x38"
            "ccc",
            8);
    ck_assert_uint_eq(out.iov[1].iov_len, 19005);
    ck_assert_int_eq(push_without_memory('d', 19000), AMDRPC_ENOMEM);
}
END_TEST

START_TEST(memory_of_another_size_is_not_used)
{
    flow();

    ck_assert_int_eq(push_without_memory('c', 20001), AMDRPC_ENOMEM);
    ck_assert_int_eq(push_without_memory('c', 9000), AMDRPC_ENOMEM);
}
END_TEST

START_TEST(stream_that_waits_keeps_no_memory)
{
    flow();
    (void)take_all();
    (void)amdi_outbox_release(&outbox);

    ck_assert_uint_eq(outbox.nspare, 0);
    ck_assert_int_eq(push_without_memory('c', 20000), AMDRPC_ENOMEM);
}
END_TEST

START_TEST(what_is_kept_and_what_waits_stay_below_the_mark)
{
    flow();
    ck_assert_uint_eq(take_all(), 20005);
    ck_assert_int_eq(push('c', 70000), AMDRPC_OK);
    (void)amdi_outbox_release(&outbox);

    ck_assert_uint_eq(outbox.nspare, 20005);
    ck_assert_uint_eq(outbox.nwaiting, 70005);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("outbox_memory");
    TCase *tcase = tcase_create("memory");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, stream_in_flow_uses_its_memory_again);
    tcase_add_test(tcase, memory_of_another_size_is_not_used);
    tcase_add_test(tcase, stream_that_waits_keeps_no_memory);
    tcase_add_test(tcase, what_is_kept_and_what_waits_stay_below_the_mark);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(make_suite)
