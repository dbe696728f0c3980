/** Tests metadata. */
#include "common/cache.h"
#include "common/metadata.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"

#include <check.h>

#include <stdio.h>
#include <string.h>

static struct amdi_arena arena;
static struct amdrpc_metadata metadata;

static void
metadata_set_up(void)
{
    amdi_arena_init(&arena, /*max_bytes=*/0);
    amdi_metadata_init(&metadata, &arena);
}

static void
metadata_tear_down(void)
{
    amdi_arena_fini(&arena);
    amdi_cache_thread_flush();
}

static amdrpc_err
metadata_add_wire(const char *name, const char *value)
{
    return amdi_metadata_add_wire(
            &metadata, name, strlen(name), value, strlen(value));
}

static void
metadata_check(size_t index, const char *name, const char *value)
{
    const amdrpc_metadata_field *field = amdrpc_metadata_at(&metadata, index);

    ck_assert_str_eq(field->name, name);
    ck_assert_uint_eq(field->value_len, strlen(value));
    ck_assert_str_eq(field->value, value);
}

START_TEST(fields_keep_their_order)
{
    for (int i = 0; i < 50; i++) {
        char value[16];

        (void)snprintf(value, sizeof(value), "%d", i);
        ck_assert_int_eq(
                amdrpc_metadata_add_text(&metadata, "key", value), AMDRPC_OK);
    }

    ck_assert_uint_eq(amdrpc_metadata_count(&metadata), 50);
    metadata_check(0, "key", "0");
    metadata_check(49, "key", "49");
}
END_TEST

START_TEST(get_finds_the_first_of_a_name)
{
    ck_assert_int_eq(amdrpc_metadata_add_text(&metadata, "a", "1"), AMDRPC_OK);
    ck_assert_int_eq(amdrpc_metadata_add_text(&metadata, "b", "2"), AMDRPC_OK);
    ck_assert_int_eq(amdrpc_metadata_add_text(&metadata, "b", "3"), AMDRPC_OK);

    ck_assert_str_eq(amdrpc_metadata_get(&metadata, "b")->value, "2");
    ck_assert_ptr_null(amdrpc_metadata_get(&metadata, "c"));
    ck_assert_ptr_null(amdrpc_metadata_get(NULL, "c"));
    ck_assert_uint_eq(amdrpc_metadata_count(NULL), 0);
}
END_TEST

START_TEST(list_of_its_own_owns_its_memory)
{
    char name[] = "name";
    char value[] = "value";
    amdrpc_metadata *list;

    ck_assert_int_eq(amdrpc_metadata_create(&list), AMDRPC_OK);
    ck_assert_int_eq(amdrpc_metadata_add(list, name, value, 5), AMDRPC_OK);
    memset(name, 'x', 4);
    memset(value, 'x', 5);

    ck_assert_str_eq(amdrpc_metadata_at(list, 0)->name, "name");
    ck_assert_str_eq(amdrpc_metadata_at(list, 0)->value, "value");
    amdrpc_metadata_destroy(list);
    amdrpc_metadata_destroy(NULL);
}
END_TEST

START_TEST(fields_users_may_not_send_are_refused)
{
    static const struct {
        const char *name;
        const char *value;
        amdrpc_err err;
    } cases[] = {
            {"x-ok_1.2-key", "some value ~", AMDRPC_OK},
            {"x-ok", "", AMDRPC_OK},
            {"authorization", "Bearer abc", AMDRPC_OK},
            {"any-bin", "\x01\xff\n", AMDRPC_OK},
            {"-bin", "\x01", AMDRPC_OK},
            {"", "x", AMDRPC_EINVAL},
            {"Upper", "x", AMDRPC_EINVAL},
            {"with space", "x", AMDRPC_EINVAL},
            {":path", "x", AMDRPC_EINVAL},
            {"caf\xc3\xa9", "x", AMDRPC_EINVAL},
            {"grpc-timeout", "x", AMDRPC_EINVAL},
            {"grpc-anything", "x", AMDRPC_EINVAL},
            {"te", "trailers", AMDRPC_EINVAL},
            {"content-type", "x", AMDRPC_EINVAL},
            {"connection", "x", AMDRPC_EINVAL},
            {"user-agent", "x", AMDRPC_EINVAL},
            {"x-ok", "line\nbreak", AMDRPC_EINVAL},
            {"x-ok", "caf\xc3\xa9", AMDRPC_EINVAL},
            {"x-ok", "\x7f", AMDRPC_EINVAL},
            {"bin", "\x01", AMDRPC_EINVAL},
    };

    ck_assert_int_eq(amdrpc_metadata_add_text(
                             &metadata, cases[_i].name, cases[_i].value),
            cases[_i].err);
    ck_assert_uint_eq(amdrpc_metadata_count(&metadata),
            cases[_i].err == AMDRPC_OK ? 1 : 0);
}
END_TEST

START_TEST(nul_is_allowed_in_binary_values_only)
{
    ck_assert_int_eq(
            amdrpc_metadata_add(&metadata, "a-bin", "x\0y", 3), AMDRPC_OK);
    ck_assert_int_eq(
            amdrpc_metadata_add(&metadata, "a", "x\0y", 3), AMDRPC_EINVAL);
    ck_assert_mem_eq(amdrpc_metadata_at(&metadata, 0)->value, "x\0y\0", 4);
}
END_TEST

START_TEST(odd_values_from_the_wire_are_kept)
{
    ck_assert_int_eq(metadata_add_wire("odd", "caf\xe9\t"), AMDRPC_OK);
    ck_assert_int_eq(metadata_add_wire("grpc-encoding", "gzip"), AMDRPC_OK);

    metadata_check(0, "odd", "caf\xe9\t");
    metadata_check(1, "grpc-encoding", "gzip");
}
END_TEST

START_TEST(binary_values_from_the_wire_are_split_and_decoded)
{
    ck_assert_int_eq(
            metadata_add_wire("a-bin", "Zm9v,YmE=, YmFy ,"), AMDRPC_OK);

    ck_assert_uint_eq(amdrpc_metadata_count(&metadata), 4);
    metadata_check(0, "a-bin", "foo");
    metadata_check(1, "a-bin", "ba");
    metadata_check(2, "a-bin", "bar");
    metadata_check(3, "a-bin", "");
}
END_TEST

START_TEST(empty_binary_value_is_one_empty_field)
{
    ck_assert_int_eq(
            amdi_metadata_add_wire(&metadata, "a-bin", 5, NULL, 0), AMDRPC_OK);

    ck_assert_uint_eq(amdrpc_metadata_count(&metadata), 1);
    metadata_check(0, "a-bin", "");
}
END_TEST

START_TEST(malformed_binary_value_adds_nothing)
{
    ck_assert_int_eq(metadata_add_wire("a-bin", "Zm9v,!"), AMDRPC_EINVAL);

    ck_assert_uint_eq(amdrpc_metadata_count(&metadata), 0);
}
END_TEST

START_TEST(arena_limit_bounds_the_list)
{
    amdrpc_err err = AMDRPC_OK;

    amdi_arena_init(&arena, /*max_bytes=*/8192);
    for (size_t i = 0; i < 10000 && err == AMDRPC_OK; i++) {
        err = metadata_add_wire("name", "value");
    }

    ck_assert_int_eq(err, AMDRPC_ENOMEM);
}
END_TEST

static void
metadata_check_wire(size_t index, const char *expected)
{
    const char *value;
    size_t len;

    ck_assert_int_eq(
            amdi_metadata_wire_value(
                    amdrpc_metadata_at(&metadata, index), &arena, &value, &len),
            AMDRPC_OK);
    ck_assert_uint_eq(len, strlen(expected));
    ck_assert_mem_eq(value, expected, len);
}

START_TEST(wire_value_of_binary_names_is_base64)
{
    ck_assert_int_eq(
            amdrpc_metadata_add_text(&metadata, "a", "foo"), AMDRPC_OK);
    ck_assert_int_eq(
            amdrpc_metadata_add_text(&metadata, "a-bin", "ab"), AMDRPC_OK);
    ck_assert_int_eq(
            amdrpc_metadata_add_text(&metadata, "b-bin", ""), AMDRPC_OK);

    metadata_check_wire(0, "foo");
    metadata_check_wire(1, "YWI");
    metadata_check_wire(2, "");
}
END_TEST

/** Adds fields of each kind and asks for a wire value. */
static amdrpc_err
metadata_fill(amdrpc_metadata *list)
{
    const char *value;
    size_t len;
    amdrpc_err err = AMDRPC_OK;

    for (size_t i = 0; i < 20 && err == AMDRPC_OK; i++) {
        err = amdrpc_metadata_add_text(list, "name", "some longer value");
    }
    if (err == AMDRPC_OK) {
        err = amdi_metadata_add_wire(list, "a-bin", 5, "Zm9v,Zm9v", 9);
    }
    if (err == AMDRPC_OK) {
        err = amdi_metadata_wire_value(
                amdrpc_metadata_get(list, "a-bin"), list->arena, &value, &len);
    }
    return err;
}

static amdrpc_err
metadata_make(void *unused)
{
    amdrpc_metadata *list = NULL;
    amdrpc_err err = amdrpc_metadata_create(&list);

    (void)unused;
    if (err == AMDRPC_OK) {
        err = metadata_fill(list);
    }
    amdrpc_metadata_destroy(list);
    return err;
}

START_TEST(failed_allocation_is_an_error_and_leaks_nothing)
{
    ck_assert_uint_ge(test_sweep_allocations(metadata_make, NULL), 4);
}
END_TEST

// Blocks serve many fields, so failing an allocation reaches few places; a
// limit reaches them all.
START_TEST(limit_anywhere_is_an_error)
{
    amdrpc_err err = AMDRPC_ENOMEM;
    size_t max_bytes = 0;

    while (err == AMDRPC_ENOMEM && max_bytes < 100000) {
        amdi_arena_fini(&arena);
        amdi_arena_init(&arena, ++max_bytes);
        amdi_metadata_init(&metadata, &arena);
        err = metadata_fill(&metadata);
    }

    ck_assert_int_eq(err, AMDRPC_OK);
    ck_assert_uint_le(arena.used_bytes, max_bytes);
}
END_TEST

static Suite *
metadata_suite(void)
{
    Suite *suite = suite_create("metadata");
    TCase *list = tcase_create("list");
    TCase *wire = tcase_create("wire");

    tcase_add_checked_fixture(list, metadata_set_up, metadata_tear_down);
    tcase_add_test(list, fields_keep_their_order);
    tcase_add_test(list, get_finds_the_first_of_a_name);
    tcase_add_test(list, list_of_its_own_owns_its_memory);
    tcase_add_loop_test(list, fields_users_may_not_send_are_refused, 0, 20);
    tcase_add_test(list, nul_is_allowed_in_binary_values_only);
    tcase_add_test(list, failed_allocation_is_an_error_and_leaks_nothing);
    tcase_add_test(list, limit_anywhere_is_an_error);
    suite_add_tcase(suite, list);
    tcase_add_checked_fixture(wire, metadata_set_up, metadata_tear_down);
    tcase_add_test(wire, odd_values_from_the_wire_are_kept);
    tcase_add_test(wire, binary_values_from_the_wire_are_split_and_decoded);
    tcase_add_test(wire, empty_binary_value_is_one_empty_field);
    tcase_add_test(wire, malformed_binary_value_adds_nothing);
    tcase_add_test(wire, arena_limit_bounds_the_list);
    tcase_add_test(wire, wire_value_of_binary_names_is_base64);
    suite_add_tcase(suite, wire);
    return suite;
}

TEST_MAIN(metadata_suite)
