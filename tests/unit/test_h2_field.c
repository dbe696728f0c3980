/** Tests which header fields are well-formed. */
#include "common/h2/h2_field.h"
#include "tests/support/runner.h"

#include <check.h>

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool
field_is_valid(const char *name, const char *value)
{
    const struct amdi_h2_field field = {.name = name,
            .name_len = strlen(name),
            .value = value,
            .value_len = strlen(value)};

    return amdi_h2_field_is_valid(&field);
}

static const char *const good_names[] = {
        "a", ":path", "x-request-id", "!#$%&'*+-.^_`|~09az", "grpc-timeout"};

START_TEST(lower_case_token_is_a_name)
{
    ck_assert(amdi_h2_name_is_valid(good_names[_i], strlen(good_names[_i])));
}
END_TEST

static const char *const bad_names[] = {"", ":", "Upper", "a b", "a:b", "::a",
        "a\tb", "a\x7f", "caf\xc3\xa9", "a,b", "a(b", "a\"b", "a/b", "a\r"};

START_TEST(other_names_are_refused)
{
    ck_assert(!amdi_h2_name_is_valid(bad_names[_i], strlen(bad_names[_i])));
}
END_TEST

START_TEST(every_byte_of_a_name_counts)
{
    static const char allowed[] =
            "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz";
    char name[2] = {'a', (char)_i};
    bool is_allowed = _i != 0 && strchr(allowed, _i) != NULL;

    ck_assert_int_eq(amdi_h2_name_is_valid(name, sizeof(name)), is_allowed);
}
END_TEST

static const char *const good_values[] = {"", "a", "a b", "a\tb", "caf\xc3\xa9",
        "\x01\x02\x7f\xff", "\"quoted\", list"};

START_TEST(odd_value_is_kept)
{
    ck_assert(amdi_h2_value_is_valid(good_values[_i], strlen(good_values[_i])));
}
END_TEST

static const struct {
    const char *text;
    size_t len;
} bad_values[] = {{" a", 2}, {"a ", 2}, {"\ta", 2}, {"a\t", 2}, {" ", 1},
        {"a\rb", 3}, {"a\nb", 3}, {"a\0b", 3}, {"\0", 1}};

START_TEST(value_that_breaks_lines_is_refused)
{
    ck_assert(!amdi_h2_value_is_valid(bad_values[_i].text, bad_values[_i].len));
}
END_TEST

static const char *const hop_names[] = {"connection", "keep-alive",
        "proxy-connection", "transfer-encoding", "upgrade"};

START_TEST(field_of_http_1_is_refused)
{
    ck_assert(!field_is_valid(hop_names[_i], "x"));
}
END_TEST

START_TEST(name_and_value_both_count)
{
    ck_assert(field_is_valid("te", "trailers"));
    ck_assert(field_is_valid("connection-id", "x"));
    ck_assert(!field_is_valid("Te", "trailers"));
    ck_assert(!field_is_valid("te", "trailers "));
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("h2_field");
    TCase *name = tcase_create("name");
    TCase *value = tcase_create("value");
    TCase *field = tcase_create("field");

    tcase_add_loop_test(name, lower_case_token_is_a_name, 0, COUNT(good_names));
    tcase_add_loop_test(name, other_names_are_refused, 0, COUNT(bad_names));
    tcase_add_loop_test(name, every_byte_of_a_name_counts, 0, 256);
    suite_add_tcase(suite, name);

    tcase_add_loop_test(value, odd_value_is_kept, 0, COUNT(good_values));
    tcase_add_loop_test(
            value, value_that_breaks_lines_is_refused, 0, COUNT(bad_values));
    suite_add_tcase(suite, value);

    tcase_add_loop_test(field, field_of_http_1_is_refused, 0, COUNT(hop_names));
    tcase_add_test(field, name_and_value_both_count);
    suite_add_tcase(suite, field);
    return suite;
}

TEST_MAIN(make_suite)
