/** Tests bytes that grow and their reader. */
#include "common/alloc.h"
#include "common/buf.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"

#include <check.h>

#include <string.h>

static struct amdi_buf buf;

static void
buf_set_up(void)
{
    amdi_buf_init(&buf);
}

static void
buf_tear_down(void)
{
    amdi_buf_fini(&buf);
}

static void
buf_append(const char *text)
{
    ck_assert_int_eq(amdi_buf_append(&buf, text, strlen(text)), AMDRPC_OK);
}

START_TEST(empty_buffer_has_no_memory)
{
    ck_assert_uint_eq(amdi_buf_len(&buf), 0);
    ck_assert_ptr_null(amdi_buf_peek(&buf));
    ck_assert_int_eq(amdi_buf_append(&buf, NULL, 0), AMDRPC_OK);
    amdi_buf_consume(&buf, 10);
    ck_assert_ptr_null(buf.data);
}
END_TEST

START_TEST(bytes_come_out_as_they_went_in)
{
    buf_append("hello ");
    buf_append("world");
    amdi_buf_consume(&buf, 2);

    ck_assert_uint_eq(amdi_buf_len(&buf), 9);
    ck_assert_mem_eq(amdi_buf_peek(&buf), "llo world", 9);
}
END_TEST

START_TEST(growing_keeps_the_bytes)
{
    for (unsigned i = 0; i < 5000; i++) {
        uint8_t byte = (uint8_t)i;

        ck_assert_int_eq(amdi_buf_append(&buf, &byte, 1), AMDRPC_OK);
        if (i % 3 == 0) {
            amdi_buf_consume(&buf, 1);
        }
    }

    for (size_t i = 0; i < amdi_buf_len(&buf); i++) {
        ck_assert_uint_eq(amdi_buf_peek(&buf)[i], (uint8_t)(1667 + i));
    }
}
END_TEST

START_TEST(consumed_room_is_used_again)
{
    uint8_t block[200] = {0};
    const uint8_t *data;

    ck_assert_int_eq(amdi_buf_append(&buf, block, 200), AMDRPC_OK);
    data = buf.data;
    for (size_t i = 0; i < 100; i++) {
        amdi_buf_consume(&buf, 190);
        ck_assert_int_eq(amdi_buf_append(&buf, block, 190), AMDRPC_OK);
    }

    ck_assert_ptr_eq(buf.data, data);
    ck_assert_uint_eq(amdi_buf_len(&buf), 200);
}
END_TEST

START_TEST(consuming_more_than_there_is_empties_it)
{
    buf_append("abc");
    amdi_buf_consume(&buf, SIZE_MAX);

    ck_assert_uint_eq(amdi_buf_len(&buf), 0);
    ck_assert_uint_eq(buf.start, 0);
}
END_TEST

START_TEST(clear_keeps_the_memory)
{
    buf_append("abc");
    amdi_buf_clear(&buf);

    ck_assert_uint_eq(amdi_buf_len(&buf), 0);
    ck_assert_uint_gt(buf.size, 0);
}
END_TEST

START_TEST(size_that_overflows_is_no_memory)
{
    buf_append("abc");

    ck_assert_int_eq(amdi_buf_reserve(&buf, SIZE_MAX), AMDRPC_ENOMEM);
    ck_assert_int_eq(amdi_buf_reserve(&buf, SIZE_MAX / 2), AMDRPC_ENOMEM);
    ck_assert_mem_eq(amdi_buf_peek(&buf), "abc", 3);
}
END_TEST

static amdrpc_err
buf_fill(void *unused)
{
    static const uint8_t block[300];
    struct amdi_buf filled = {0};
    amdrpc_err err = AMDRPC_OK;

    (void)unused;
    for (size_t i = 0; i < 10 && err == AMDRPC_OK; i++) {
        err = amdi_buf_append(&filled, block, sizeof(block));
        ck_assert_uint_eq(amdi_buf_len(&filled),
                (i + (err == AMDRPC_OK)) * sizeof(block));
    }
    amdi_buf_fini(&filled);
    return err;
}

START_TEST(failed_append_appends_nothing)
{
    ck_assert_uint_ge(test_sweep_allocations(buf_fill, NULL), 3);
}
END_TEST

START_TEST(reader_reads_front_to_back)
{
    static const uint8_t bytes[] = {7, 0x80, 2, 3, 4, 'h', 'i'};
    struct amdi_buf_reader reader = {bytes, sizeof(bytes)};
    const uint8_t *text;
    uint32_t number;
    uint8_t first;

    ck_assert(amdi_buf_read_u8(&reader, &first));
    ck_assert(amdi_buf_read_u32be(&reader, &number));
    ck_assert(amdi_buf_read_bytes(&reader, 2, &text));

    ck_assert_uint_eq(first, 7);
    ck_assert_uint_eq(number, 0x80020304u);
    ck_assert_mem_eq(text, "hi", 2);
    ck_assert_uint_eq(reader.len, 0);
}
END_TEST

START_TEST(reader_reads_nothing_when_too_little_is_left)
{
    static const uint8_t bytes[] = {1, 2, 3};
    struct amdi_buf_reader reader = {bytes, sizeof(bytes)};
    struct amdi_buf_reader empty = {NULL, 0};
    const uint8_t *out;
    uint32_t number;
    uint8_t byte;

    ck_assert(!amdi_buf_read_u32be(&reader, &number));
    ck_assert(!amdi_buf_read_bytes(&reader, 4, &out));
    ck_assert(!amdi_buf_read_bytes(&reader, SIZE_MAX, &out));
    ck_assert_uint_eq(reader.len, 3);
    ck_assert(!amdi_buf_read_u8(&empty, &byte));
    ck_assert(amdi_buf_read_bytes(&empty, 0, &out));
}
END_TEST

static Suite *
buf_suite(void)
{
    Suite *suite = suite_create("buf");
    TCase *bytes = tcase_create("bytes");
    TCase *reader = tcase_create("reader");

    tcase_add_checked_fixture(bytes, buf_set_up, buf_tear_down);
    tcase_add_test(bytes, empty_buffer_has_no_memory);
    tcase_add_test(bytes, bytes_come_out_as_they_went_in);
    tcase_add_test(bytes, growing_keeps_the_bytes);
    tcase_add_test(bytes, consumed_room_is_used_again);
    tcase_add_test(bytes, consuming_more_than_there_is_empties_it);
    tcase_add_test(bytes, clear_keeps_the_memory);
    tcase_add_test(bytes, size_that_overflows_is_no_memory);
    tcase_add_test(bytes, failed_append_appends_nothing);
    suite_add_tcase(suite, bytes);
    tcase_add_test(reader, reader_reads_front_to_back);
    tcase_add_test(reader, reader_reads_nothing_when_too_little_is_left);
    suite_add_tcase(suite, reader);
    return suite;
}

TEST_MAIN(buf_suite)
