/** Tests how the names of settings in titled sections are taken apart. */
#include "server/daemon/section.h"
#include "tests/support/runner.h"

#include <check.h>

#include <string.h>

static struct amdi_section section;

START_TEST(name_has_a_title_and_a_key)
{
    ck_assert(amdi_section_parse("pool \"slow\".workers", "pool", &section));

    ck_assert_str_eq(section.title, "slow");
    ck_assert_str_eq(section.key, "workers");
}
END_TEST

START_TEST(title_and_key_may_have_dots)
{
    ck_assert(amdi_section_parse("m \"/a.B/C\".x.y", "m", &section));

    ck_assert_str_eq(section.title, "/a.B/C");
    ck_assert_str_eq(section.key, "x.y");
}
END_TEST

static const char *const others[] = {"", "pool", "pool.workers", "pool \"",
        "pool \"x", "pool \"x\"", "pool x.y", "pools \"x\".y", "poo \"x\".y",
        "pool  \"x\".y", "\"x\".y"};

START_TEST(other_names_are_not_of_that_kind)
{
    ck_assert(!amdi_section_parse(others[_i], "pool", &section));
}
END_TEST

START_TEST(title_that_does_not_fit_is_refused)
{
    char name[AMDI_SECTION_NAME_BYTES + 20] = "pool \"";

    memset(name + 6, 'x', AMDI_SECTION_NAME_BYTES);
    memcpy(name + 6 + AMDI_SECTION_NAME_BYTES, "\".y", 4);

    ck_assert(!amdi_section_parse(name, "pool", &section));
}
END_TEST

static Suite *
section_suite(void)
{
    Suite *suite = suite_create("section");
    TCase *names = tcase_create("names");

    tcase_add_test(names, name_has_a_title_and_a_key);
    tcase_add_test(names, title_and_key_may_have_dots);
    tcase_add_loop_test(names, other_names_are_not_of_that_kind, 0,
            sizeof(others) / sizeof(others[0]));
    tcase_add_test(names, title_that_does_not_fit_is_refused);
    suite_add_tcase(suite, names);
    return suite;
}

TEST_MAIN(section_suite)
