/** Tests the ids and names of operations, and the tokens of lists. */
#include "server/store/id.h"
#include "server/store/token.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"

#include <string.h>

#define AT_US INT64_C(1790000000123456)

/* ---- ids ---- */

START_TEST(ids_follow_time)
{
    ck_assert_uint_lt(
            amdi_id_make(AT_US, UINT32_MAX), amdi_id_make(AT_US + 1000, 0));
    ck_assert_uint_le(amdi_id_at(AT_US), amdi_id_make(AT_US, 0));
}
END_TEST

START_TEST(id_is_a_positive_number_at_any_time)
{
    ck_assert_uint_ne(amdi_id_make(0, 0), 0);
    ck_assert_uint_ne(amdi_id_make(-1, 0), 0);
    ck_assert_uint_le(amdi_id_make(INT64_MAX, UINT32_MAX), INT64_MAX);
}
END_TEST

/* ---- names ---- */

START_TEST(name_gives_the_id_back)
{
    static const uint64_t ids[] = {1, 31, 32, 123456789, INT64_MAX};

    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        char name[AMDI_OP_NAME_BYTES];
        uint64_t id = 0;

        amdi_op_name_format(ids[i], name);
        ck_assert_uint_eq(strlen(name), AMDI_OP_NAME_BYTES - 1);
        ck_assert_int_eq(
                amdi_op_name_parse(name, strlen(name), &id), AMDRPC_OK);
        ck_assert_uint_eq(id, ids[i]);
    }
}
END_TEST

START_TEST(names_sort_as_ids)
{
    char a[AMDI_OP_NAME_BYTES];
    char b[AMDI_OP_NAME_BYTES];

    for (uint64_t id = 1; id < UINT64_C(1) << 61; id *= 3) {
        amdi_op_name_format(id, a);
        amdi_op_name_format(id + 1, b);
        ck_assert_int_lt(strcmp(a, b), 0);
    }
}
END_TEST

START_TEST(name_that_is_none_is_refused)
{
    static const char *const names[] = {"", "operations/",
            "operations/000000000000", "operations/00000000000000",
            "operations/000000000000w", "operations/000000000000A",
            "operations/0000000000000", "operations/g000000000000",
            "operation_/0000000000001", "operations/000000000000/"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        uint64_t id = 7;

        ck_assert_int_eq(amdi_op_name_parse(names[i], strlen(names[i]), &id),
                AMDRPC_EINVAL);
        ck_assert_uint_eq(id, 7);
    }
}
END_TEST

/* ---- tokens ---- */

static const uint8_t secret[AMDI_TOKEN_SECRET_BYTES] = {1, 2, 3};
static const struct amdi_store_filter filter = {
        .states = AMDI_FILTER_QUEUED, .method = {"/a/B", 4}};

static amdrpc_err
make_and_read(void *arg)
{
    char token[AMDI_TOKEN_BYTES];
    amdrpc_err err = amdi_token_make(secret, &filter, 4711, token);

    if (err == AMDRPC_OK) {
        err = amdi_token_read(secret, &filter,
                (struct amdi_bytes){token, strlen(token)}, arg);
    }
    return err;
}

START_TEST(token_gives_the_id_back)
{
    uint64_t id = 0;

    ck_assert_int_eq(make_and_read(&id), AMDRPC_OK);
    ck_assert_uint_eq(id, 4711);
}
END_TEST

START_TEST(token_survives_lack_of_memory)
{
    uint64_t id = 0;

    ck_assert_uint_gt(test_sweep_allocations(make_and_read, &id), 0);
}
END_TEST

START_TEST(changed_token_is_refused)
{
    char token[AMDI_TOKEN_BYTES];
    uint64_t id = 0;

    ck_assert_int_eq(amdi_token_make(secret, &filter, 4711, token), AMDRPC_OK);
    for (size_t i = 0; i + 1 < sizeof(token); i++) {
        char was = token[i];

        token[i] = was == 'x' ? 'y' : 'x';
        ck_assert_int_eq(
                amdi_token_read(secret, &filter,
                        (struct amdi_bytes){token, strlen(token)}, &id),
                AMDRPC_EINVAL);
        token[i] = was;
    }
}
END_TEST

START_TEST(token_of_another_filter_or_store_is_refused)
{
    static const uint8_t other_secret[AMDI_TOKEN_SECRET_BYTES] = {1, 2, 4};
    static const struct amdi_store_filter other = {
            .states = AMDI_FILTER_QUEUED, .principal = {"/a/B", 4}};
    char token[AMDI_TOKEN_BYTES];
    struct amdi_bytes bytes = {token, AMDI_TOKEN_BYTES - 1};
    uint64_t id = 0;

    ck_assert_int_eq(amdi_token_make(secret, &filter, 4711, token), AMDRPC_OK);
    ck_assert_int_eq(
            amdi_token_read(secret, &other, bytes, &id), AMDRPC_EINVAL);
    ck_assert_int_eq(
            amdi_token_read(other_secret, &filter, bytes, &id), AMDRPC_EINVAL);
    ck_assert_uint_eq(id, 0);
}
END_TEST

static Suite *
store_id_suite(void)
{
    Suite *suite = suite_create("store_id");
    TCase *ids = tcase_create("ids");
    TCase *tokens = tcase_create("tokens");

    tcase_add_test(ids, ids_follow_time);
    tcase_add_test(ids, id_is_a_positive_number_at_any_time);
    tcase_add_test(ids, name_gives_the_id_back);
    tcase_add_test(ids, names_sort_as_ids);
    tcase_add_test(ids, name_that_is_none_is_refused);
    suite_add_tcase(suite, ids);
    tcase_add_test(tokens, token_gives_the_id_back);
    tcase_add_test(tokens, token_survives_lack_of_memory);
    tcase_add_test(tokens, changed_token_is_refused);
    tcase_add_test(tokens, token_of_another_filter_or_store_is_refused);
    suite_add_tcase(suite, tokens);
    return suite;
}

TEST_MAIN(store_id_suite)
