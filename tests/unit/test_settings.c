/** Compares the table of settings with what is written about it. */
#include "server/daemon/config.h"
#include "tests/support/runner.h"

#include <check.h>

#include <stdlib.h>
#include <string.h>

/* The whole file, which AMDI_SOURCE_ROOT is before; owned. */
static char *
read_source_file(const char *name)
{
    char path[4096];
    char *text = NULL;
    size_t room = 0;
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", AMDI_SOURCE_ROOT, name);
    file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s", path);
    ck_assert_int_gt(getdelim(&text, &room, '\0', file), 0);
    ck_assert_int_eq(fclose(file), 0);
    return text;
}

START_TEST(each_row_has_its_line_in_the_manual)
{
    char *manual = read_source_file("docs/config.md");
    char line[512];
    char range[AMDI_SETTING_TEXT_BYTES];

    for (size_t i = 0; i < AMDI_NSETTINGS; i++) {
        const struct amdi_setting *row = amdi_setting_at(i);

        amdi_setting_format_range(row, range);
        (void)snprintf(line, sizeof(line),
                "\n| `%s` | %s | %s | %s | %s | %s |\n", row->name, range,
                amdi_setting_get_default(row),
                amdi_setting_is_repeatable(row) ? "yes" : "no",
                row->reloadable ? "yes" : "no", row->help);
        ck_assert_msg(strstr(manual, line) != NULL, "not there:%s", line);
    }
    free(manual);
}
END_TEST

START_TEST(manual_has_no_lines_of_other_settings)
{
    char *manual = read_source_file("docs/config.md");
    size_t nlines = 0;

    for (const char *at = manual; (at = strstr(at, "\n| `")) != NULL; at++) {
        nlines++;
    }

    ck_assert_uint_eq(nlines, AMDI_NSETTINGS);
    free(manual);
}
END_TEST

START_TEST(help_names_each_row)
{
    char *help = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&help, &len);
    char flag[64];

    amdi_settings_print_help(file);
    ck_assert_int_eq(fclose(file), 0);

    for (size_t i = 0; i < AMDI_NSETTINGS; i++) {
        (void)snprintf(
                flag, sizeof(flag), "\n  --%s ", amdi_setting_at(i)->name);
        ck_assert_msg(strstr(help, flag) != NULL, "not there: %s", flag);
    }
    free(help);
}
END_TEST

static Suite *
settings_suite(void)
{
    Suite *suite = suite_create("settings");
    TCase *manual = tcase_create("manual");

    tcase_add_test(manual, each_row_has_its_line_in_the_manual);
    tcase_add_test(manual, manual_has_no_lines_of_other_settings);
    tcase_add_test(manual, help_names_each_row);
    suite_add_tcase(suite, manual);
    return suite;
}

TEST_MAIN(settings_suite)
