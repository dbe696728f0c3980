/** Tests the reading of method names. */
#include "client/cli/method_name.h"
#include "tests/support/runner.h"

#include <check.h>

#include <stdio.h>
#include <string.h>

static const char *const same_names[] = {
        "pkg.v1.Svc/Method", "/pkg.v1.Svc/Method", "pkg.v1.Svc.Method"};

START_TEST(every_form_names_the_same_method)
{
    struct amdi_method_name name;

    ck_assert_int_eq(amdi_method_name_parse(same_names[_i], &name), AMDRPC_OK);

    ck_assert_str_eq(name.service, "pkg.v1.Svc");
    ck_assert_str_eq(name.method, "Method");
}
END_TEST

START_TEST(service_needs_no_package)
{
    struct amdi_method_name name;

    ck_assert_int_eq(amdi_method_name_parse("Svc/M", &name), AMDRPC_OK);

    ck_assert_str_eq(name.service, "Svc");
}
END_TEST

static const char *const bad_names[] = {"", "/", "Method", "/Method", "a/",
        "/a/", "a.", ".a", "/pkg.Svc.Method", "a/b/c", "a b/c", "a/b.c",
        "a/b\n", "a-b/c", "//b"};

START_TEST(what_is_no_method_is_refused)
{
    struct amdi_method_name name;

    ck_assert_int_eq(
            amdi_method_name_parse(bad_names[_i], &name), AMDRPC_EINVAL);
}
END_TEST

START_TEST(name_longer_than_its_room_is_refused)
{
    char text[2 * AMDI_METHOD_NAME_BYTES];
    struct amdi_method_name name;

    memset(text, 'a', AMDI_METHOD_NAME_BYTES);
    (void)strcpy(text + AMDI_METHOD_NAME_BYTES, "/b");
    ck_assert_int_eq(amdi_method_name_parse(text, &name), AMDRPC_EINVAL);

    ck_assert_int_eq(amdi_method_name_parse(text + 1, &name), AMDRPC_OK);
    ck_assert_uint_eq(strlen(name.service), AMDI_METHOD_NAME_BYTES - 1);
}
END_TEST

static Suite *
method_name_suite(void)
{
    Suite *suite = suite_create("method_name");
    TCase *parse = tcase_create("parse");

    tcase_add_loop_test(parse, every_form_names_the_same_method, 0,
            sizeof(same_names) / sizeof(same_names[0]));
    tcase_add_test(parse, service_needs_no_package);
    tcase_add_loop_test(parse, what_is_no_method_is_refused, 0,
            sizeof(bad_names) / sizeof(bad_names[0]));
    tcase_add_test(parse, name_longer_than_its_room_is_refused);
    suite_add_tcase(suite, parse);
    return suite;
}

TEST_MAIN(method_name_suite)
