/** Tests the codec of messages. */
#include "common/alloc.h"
#include "common/compress.h"
#include "common/frame.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"

#include <check.h>

#include <stdlib.h>
#include <string.h>

#define PLAIN_BYTES 100000u
#define NO_LIMIT UINT32_MAX

static uint8_t plain[PLAIN_BYTES];
static struct amdi_message *message;

static void
compress_set_up(void)
{
    for (size_t i = 0; i < sizeof(plain); i++) {
        plain[i] = (uint8_t)(i / 100);
    }
    message = NULL;
    ck_assert_int_eq(
            amdi_gzip_deflate(plain, sizeof(plain), &message), AMDRPC_OK);
    ck_assert_ptr_nonnull(message);
}

static void
compress_tear_down(void)
{
    amdi_alloc_fail_at(-1);
    amdi_message_free(message);
}

/** Replaces the message by @len bytes. */
static void
message_set(const void *data, uint32_t len)
{
    amdi_message_free(message);
    message = amdi_zalloc(sizeof(*message) + len);
    ck_assert_ptr_nonnull(message);
    memcpy(message->data, data, len);
    message->len = len;
    message->is_compressed = true;
}

/* ---- the list of codecs ---- */

static const struct {
    const char *value;
    bool is_listed;
} list_cases[] = {
        {"gzip", true},
        {"identity,deflate,gzip", true},
        {"identity, gzip , deflate", true},
        {"\tgzip", true},
        {"", false},
        {",", false},
        {"identity", false},
        {"gzipp,xgzip", false},
        {"GZIP", false},
};

START_TEST(gzip_is_found_in_a_list)
{
    const char *value = list_cases[_i].value;

    ck_assert_int_eq(amdi_gzip_is_listed(value, strlen(value)),
            list_cases[_i].is_listed);
}
END_TEST

/* ---- both ways ---- */

START_TEST(message_gets_shorter)
{
    ck_assert(message->is_compressed);
    ck_assert_uint_lt(message->len, PLAIN_BYTES / 10);
}
END_TEST

START_TEST(message_comes_back)
{
    ck_assert_int_eq(amdi_gzip_inflate(&message, NO_LIMIT), AMDRPC_OK);

    ck_assert(!message->is_compressed);
    ck_assert_uint_eq(message->len, PLAIN_BYTES);
    ck_assert_mem_eq(message->data, plain, PLAIN_BYTES);
}
END_TEST

START_TEST(what_would_grow_stays_plain)
{
    struct amdi_message *none = message;

    ck_assert_int_eq(
            amdi_gzip_deflate((const uint8_t *)"short", 5, &none), AMDRPC_OK);
    ck_assert_ptr_null(none);
    ck_assert_int_eq(amdi_gzip_deflate(NULL, 0, &none), AMDRPC_OK);
    ck_assert_ptr_null(none);
}
END_TEST

/* ---- limits and bad input ---- */

START_TEST(message_of_just_the_limit_is_taken)
{
    ck_assert_int_eq(amdi_gzip_inflate(&message, PLAIN_BYTES), AMDRPC_OK);
    ck_assert_uint_eq(message->len, PLAIN_BYTES);
}
END_TEST

START_TEST(message_over_the_limit_is_refused)
{
    ck_assert_int_eq(
            amdi_gzip_inflate(&message, PLAIN_BYTES - 1), AMDRPC_ELIMIT);
    ck_assert(message->is_compressed);
}
END_TEST

START_TEST(truncated_message_is_refused_at_every_length)
{
    uint32_t len = message->len;

    for (uint32_t n = 0; n < len; n++) {
        message->len = n;
        ck_assert_int_eq(
                amdi_gzip_inflate(&message, PLAIN_BYTES), AMDRPC_EPROTO);
    }
}
END_TEST

START_TEST(what_follows_the_member_is_refused)
{
    uint32_t len = message->len;
    uint8_t *longer = calloc(1, len + 1);

    ck_assert_ptr_nonnull(longer);
    memcpy(longer, message->data, len);
    message_set(longer, len + 1);
    free(longer);

    ck_assert_int_eq(amdi_gzip_inflate(&message, NO_LIMIT), AMDRPC_EPROTO);
}
END_TEST

START_TEST(other_bytes_are_refused)
{
    message_set("no gzip at all", 14);

    ck_assert_int_eq(amdi_gzip_inflate(&message, NO_LIMIT), AMDRPC_EPROTO);
}
END_TEST

START_TEST(damaged_message_is_refused_or_read)
{
    struct amdi_message *whole = message;

    message = NULL;
    for (uint32_t i = 0; i < whole->len; i++) {
        message_set(whole->data, whole->len);
        message->data[i] ^= 0x55;
        // Some bytes of the header say nothing that matters.
        if (amdi_gzip_inflate(&message, PLAIN_BYTES) == AMDRPC_OK) {
            ck_assert_uint_lt(i, 10);
        }
    }
    amdi_free(whole);
}
END_TEST

/* ---- memory ---- */

static amdrpc_err
make_and_free(void *arg)
{
    struct amdi_message *swept = NULL;
    amdrpc_err err = amdi_gzip_deflate(plain, sizeof(plain), &swept);

    (void)arg;
    if (err == AMDRPC_OK) {
        err = amdi_gzip_inflate(&swept, NO_LIMIT);
    }
    amdi_free(swept);
    return err;
}

START_TEST(every_allocation_may_fail)
{
    ck_assert_uint_gt(test_sweep_allocations(make_and_free, NULL), 4);
}
END_TEST

static Suite *
compress_suite(void)
{
    Suite *suite = suite_create("compress");
    TCase *codec = tcase_create("codec");

    tcase_add_checked_fixture(codec, compress_set_up, compress_tear_down);
    tcase_add_loop_test(codec, gzip_is_found_in_a_list, 0,
            (int)(sizeof(list_cases) / sizeof(list_cases[0])));
    tcase_add_test(codec, message_gets_shorter);
    tcase_add_test(codec, message_comes_back);
    tcase_add_test(codec, what_would_grow_stays_plain);
    tcase_add_test(codec, message_of_just_the_limit_is_taken);
    tcase_add_test(codec, message_over_the_limit_is_refused);
    tcase_add_test(codec, truncated_message_is_refused_at_every_length);
    tcase_add_test(codec, what_follows_the_member_is_refused);
    tcase_add_test(codec, other_bytes_are_refused);
    tcase_add_test(codec, damaged_message_is_refused_or_read);
    tcase_add_test(codec, every_allocation_may_fail);
    suite_add_tcase(suite, codec);
    return suite;
}

TEST_MAIN(compress_suite)
