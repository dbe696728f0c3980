/** Tests which values a program's parameters take. */
#include "server/modules/command/command_parameter.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"

#include <check.h>

#include <stdio.h>
#include <string.h>

static struct amdi_arena arena;
static struct amdi_command_parameter *parameter;
static struct amdi_error error;

static void
set_up(void)
{
    amdi_arena_init(&arena, 0);
    parameter = NULL;
    error.text[0] = '\0';
}

static void
tear_down(void)
{
    if (parameter != NULL) {
        amdi_command_parameter_fini(parameter);
    }
    amdi_arena_fini(&arena);
}

/* @settings: "name=value" by ";". */
static amdrpc_err
make(const char *type, const char *settings)
{
    char copy[256];
    char *rest = copy;
    char *setting = NULL;
    amdrpc_err err = amdi_command_parameter_create(
            &arena, "p", type, &parameter, &error);

    (void)snprintf(copy, sizeof(copy), "%s", settings);
    while (err == AMDRPC_OK && (setting = strsep(&rest, ";")) != NULL &&
            setting[0] != '\0') {
        char *value = strchr(setting, '=');

        *value++ = '\0';
        err = amdi_command_parameter_set(
                parameter, &arena, setting, value, &error);
    }
    return err;
}

static const struct {
    const char *type;
    const char *settings;
    const char *value;
    const char *why; // NULL: it is taken
} values[] = {
        {"string", "", "any $(text) 'of' \"this\"", NULL},
        {"string", "", "", NULL},
        {"string", "", "\xc3\xa4", NULL},
        {"string", "", "-x", "p: begins with \"-\""},
        {"string", "dash=allowed", "-x", NULL},
        {"string", "dash=allowed;dash=refused", "-x", "p: begins with \"-\""},
        {"string", "", "a\nb", "p: a control character"},
        {"string", "", "a\x7f", "p: a control character"},
        {"string", "min=1", "", "p: not 1 to 4096 bytes"},
        {"string", "max=2", "abc", "p: not 0 to 2 bytes"},
        {"string", "min=3;max=3", "abc", NULL},
        {"string", "pattern=a|b", "a", NULL},
        {"string", "pattern=a|b", "ab", "p: does not match the pattern a|b"},
        {"string", "pattern=[0-9]{2}", "123", "p: does not match"},
        {"string", "pattern=x;pattern=y", "y", NULL},
        {"path", "", "a/b", NULL},
        {"path", "", "/..a/b..", NULL},
        {"path", "", "", "p: a path is not empty"},
        {"path", "", "..", "no part of it is \"..\""},
        {"path", "", "a/..", "no part of it is \"..\""},
        {"path", "", "/a/../b", "no part of it is \"..\""},
        {"path", "", "-a", "p: begins with \"-\""},
        {"path", "below=/a/b", "/a/b/c", NULL},
        {"path", "below=/a/b/", "/a/b/c", NULL},
        {"path", "below=/", "/x", NULL},
        {"path", "below=/", "x", "p: the path is not below /"},
        {"path", "below=/a/b", "/a/b", "p: the path is not below /a/b/"},
        {"path", "below=/a/b", "/a/bc", "p: the path is not below /a/b/"},
        {"path", "below=/a/b", "a/b/c", "p: the path is not below /a/b/"},
        {"int", "", "0", NULL},
        {"int", "", "-9223372036854775808", NULL},
        {"int", "", "9223372036854775808", "p: not a whole number"},
        {"int", "", "", "p: not a whole number"},
        {"int", "", "-", "p: not a whole number"},
        {"int", "", "+1", "p: not a whole number"},
        {"int", "", " 1", "p: not a whole number"},
        {"int", "", "1 ", "p: not a whole number"},
        {"int", "", "01", "p: not a whole number"},
        {"int", "", "-0", "p: not a whole number"},
        {"int", "", "0x10", "p: not a whole number"},
        {"int", "min=-1;max=1", "-1", NULL},
        {"int", "min=-1;max=1", "2", "p: not a whole number from -1 to 1"},
        {"enum(a)", "", "a", NULL},
        {"enum(a,-b,c d)", "", "-b", NULL},
        {"enum(a,-b,c d)", "", "c d", NULL},
        {"enum(a,b)", "", "", "p: not one of enum(a,b)"},
        {"enum(a,b)", "", "a,b", "p: not one of enum(a,b)"},
        {"enum(a,b)", "", "b)", "p: not one of enum(a,b)"},
        {"enum(ab)", "", "a", "p: not one of enum(ab)"},
};

START_TEST(value_is_taken_or_refused_with_a_reason)
{
    ck_assert_int_eq(make(values[_i].type, values[_i].settings), AMDRPC_OK);

    ck_assert_msg(amdi_command_parameter_takes(parameter, values[_i].value,
                          &error) == (values[_i].why == NULL),
            "%s %s", values[_i].type, values[_i].value);
    ck_assert_msg(values[_i].why == NULL ||
                    strstr(error.text, values[_i].why) != NULL,
            "%s", error.text);
}
END_TEST

static const struct {
    const char *type;
    const char *settings;
    const char *why;
} bad[] = {
        {"", "", "\"\" is not string, path, int or enum(a,b)"},
        {"text", "", "\"text\" is not string"},
        {"enum", "", "is not string"},
        {"enum(", "", "is not string"},
        {"enum()", "", "is not string"},
        {"enum(a", "", "is not string"},
        {"enum(,a)", "", "is not string"},
        {"enum(a,)", "", "is not string"},
        {"enum(a,,b)", "", "is not string"},
        {"enum(a)b)", "", "is not string"},
        {"string", "min=-1", "min: \"-1\" is not a length from 0 to 4096"},
        {"string", "max=4097", "max: \"4097\" is not a length"},
        {"string", "max=x", "max: \"x\" is not a length"},
        {"string", "min=3;max=2", "max: min is greater than max"},
        {"int", "min=x", "min: \"x\" is not a whole number"},
        {"string", "below=/a", "below: only a path is below a folder"},
        {"path", "below=a", "below: the folder's path begins with"},
        {"string", "pattern=(", "pattern \"(\": "},
        {"string", "dash=yes", "dash: \"yes\" is not allowed or refused"},
        {"string", "size=1", "a parameter has no setting \"size\""},
};

START_TEST(bad_setting_is_refused)
{
    ck_assert_int_eq(make(bad[_i].type, bad[_i].settings), AMDRPC_EINVAL);

    ck_assert_msg(strstr(error.text, bad[_i].why) != NULL, "%s", error.text);
}
END_TEST

START_TEST(longest_value_has_a_limit)
{
    static char value[AMDI_COMMAND_VALUE_BYTES + 2];

    ck_assert_int_eq(make("string", ""), AMDRPC_OK);
    memset(value, 'x', AMDI_COMMAND_VALUE_BYTES);
    ck_assert(amdi_command_parameter_takes(parameter, value, &error));

    value[AMDI_COMMAND_VALUE_BYTES] = 'x';

    ck_assert(!amdi_command_parameter_takes(parameter, value, &error));
}
END_TEST

static amdrpc_err
make_and_free(void *arg)
{
    amdrpc_err err = AMDRPC_OK;

    (void)arg;
    parameter = NULL;
    err = make("path", "below=/a;pattern=x+");
    if (parameter != NULL) {
        amdi_command_parameter_fini(parameter);
        parameter = NULL;
    }
    amdi_arena_fini(&arena);
    return err;
}

START_TEST(every_allocation_may_fail)
{
    (void)test_sweep_allocations(make_and_free, NULL);
}
END_TEST

static Suite *
parameter_suite(void)
{
    Suite *suite = suite_create("command parameter");
    TCase *rules = tcase_create("rules");

    tcase_add_checked_fixture(rules, set_up, tear_down);
    tcase_add_loop_test(rules, value_is_taken_or_refused_with_a_reason, 0,
            sizeof(values) / sizeof(values[0]));
    tcase_add_loop_test(
            rules, bad_setting_is_refused, 0, sizeof(bad) / sizeof(bad[0]));
    tcase_add_test(rules, longest_value_has_a_limit);
    tcase_add_test(rules, every_allocation_may_fail);
    suite_add_tcase(suite, rules);
    return suite;
}

TEST_MAIN(parameter_suite)
