/** Tests what the settings say about a program. */
#include "server/modules/command/command_config.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"

#include <check.h>

#include <string.h>

static struct amdi_commands commands;
static struct amdi_error error;

static void
set_up(void)
{
    amdi_commands_init(&commands);
    error.text[0] = '\0';
}

static void
tear_down(void)
{
    amdi_commands_fini(&commands);
}

static amdrpc_err
set(const char *name, const char *value)
{
    return amdi_commands_set(&commands, "x", name, value, &error);
}

static struct amdi_command *
set_all(const char *const settings[][2], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ck_assert_msg(set(settings[i][0], settings[i][1]) == AMDRPC_OK, "%s",
                error.text);
    }
    return amdi_commands_find(&commands, "x");
}

#define SET_ALL(settings) \
    set_all(settings, sizeof(settings) / sizeof((settings)[0]))

START_TEST(command_has_defaults)
{
    static const char *const settings[][2] = {{"argv", "/bin/sh"}};
    struct amdi_command *x = SET_ALL(settings);

    ck_assert_int_eq(amdi_commands_finish(&commands, &error), AMDRPC_OK);

    ck_assert_str_eq(amdi_command_get_program(x), "/bin/sh");
    ck_assert_str_eq(x->directory, "/");
    ck_assert_str_eq(x->description, "");
    ck_assert_int_eq(x->input, AMDI_COMMAND_STDIN_NONE);
    ck_assert_uint_eq(x->limits.time_ms, 0);
    ck_assert_uint_eq(x->limits.kill_after_ms, 2000);
    ck_assert_uint_eq(x->limits.output_bytes, 1u << 30);
    ck_assert_uint_eq(x->slots.max_running, 16);
    ck_assert_uint_eq(x->slots.max_queued, 256);
    ck_assert_str_eq(x->environment[0], "PATH=/usr/local/bin:/usr/bin:/bin");
    ck_assert_ptr_null(x->environment[1]);
}
END_TEST

START_TEST(every_setting_is_kept)
{
    static const char *const settings[][2] = {{"argv", "/bin/sh -c"},
            {"argv", "'exit $1' sh {n:3}"}, {"param.n", "int"},
            {"param.n.max", "9"}, {"description", "Ends."},
            {"directory", "/usr"}, {"stdin", "stream"}, {"timeout", "5s"},
            {"kill-after", "10ms"}, {"max-memory", "64m"}, {"max-file", "1k"},
            {"max-input", "2k"}, {"max-output", "3k"}, {"max-open-files", "9"},
            {"max-running", "2"}, {"max-queued", "0"},
            {"progress", "([0-9]+)%"}, {"progress-from", "stdout"},
            {"progress-total", "100"}, {"env.PATH", "/bin"}, {"env.A_1", ""}};
    struct amdi_command *x = SET_ALL(settings);

    ck_assert_int_eq(amdi_commands_finish(&commands, &error), AMDRPC_OK);

    ck_assert_uint_eq(x->argv.count, 5);
    ck_assert_str_eq(x->parameters->fallback, "3");
    ck_assert_int_eq(x->parameters->max, 9);
    ck_assert_str_eq(x->description, "Ends.");
    ck_assert_str_eq(x->directory, "/usr");
    ck_assert_int_eq(x->input, AMDI_COMMAND_STDIN_STREAM);
    ck_assert_uint_eq(x->limits.time_ms, 5000);
    ck_assert_uint_eq(x->limits.kill_after_ms, 10);
    ck_assert_uint_eq(x->limits.memory_bytes, 64u << 20);
    ck_assert_uint_eq(x->limits.file_bytes, 1024);
    ck_assert_uint_eq(x->limits.input_bytes, 2048);
    ck_assert_uint_eq(x->limits.output_bytes, 3072);
    ck_assert_uint_eq(x->limits.open_files, 9);
    ck_assert_uint_eq(x->slots.max_running, 2);
    ck_assert_uint_eq(x->slots.max_queued, 0);
    ck_assert(x->progress.is_set);
    ck_assert_uint_eq(x->progress.total, 100);
    ck_assert_int_eq(x->progress_from, AMDI_COMMAND_STDOUT);
    ck_assert_str_eq(x->environment[0], "A_1=");
    ck_assert_str_eq(x->environment[1], "PATH=/bin");
    ck_assert_ptr_null(x->environment[2]);
}
END_TEST

static const struct {
    const char *name;
    const char *value;
    const char *why;
} bad[] = {
        {"colour", "red", "a command has no such setting"},
        {"argv", "'", "a single quote is not closed"},
        {"directory", "usr", "\"usr\" is not the absolute path of a folder"},
        {"directory", "/bin/sh", "is not the absolute path of a folder"},
        {"stdin", "", "\"\" is not none, request or stream"},
        {"timeout", "0s", "\"0s\" is not from 1ms to 168h"},
        {"timeout", "1", "\"1\" is not from"},
        {"kill-after", "0ms", "\"0ms\" is not from 1ms"},
        {"max-memory", "1k", "\"1k\" is not from 1m"},
        {"max-output", "0", "\"0\" is not from 1 to"},
        {"max-open-files", "3", "\"3\" is not from 4 to 1000000"},
        {"max-running", "0", "\"0\" is not from 1 to"},
        {"max-queued", "-1", "\"-1\" is not from 0 to"},
        {"progress", "(", "\"(\": "},
        {"progress", "x", "has no group"},
        {"progress-from", "both", "\"both\" is not stdout or stderr"},
        {"progress-total", "0", "\"0\" is not from 1 to"},
        {"param.", "int", "\"\" is not a name of letters"},
        {"param.a-b", "int", "\"a-b\" is not a name of letters"},
        {"param.a", "x", "\"x\" is not string, path, int or enum(a,b)"},
        {"param.a.min", "1", "param.a has to stand before it"},
        {"env.", "x", "\"\" is not a name of letters"},
        {"env.A=B", "x", "\"A=B\" is not a name of letters"},
};

START_TEST(bad_setting_is_refused)
{
    ck_assert_int_eq(set(bad[_i].name, bad[_i].value), AMDRPC_EINVAL);

    ck_assert_msg(strstr(error.text, bad[_i].why) != NULL, "%s", error.text);
}
END_TEST

START_TEST(parameter_is_declared_once)
{
    ck_assert_int_eq(set("param.a", "int"), AMDRPC_OK);

    ck_assert_int_eq(set("param.a", "string"), AMDRPC_EINVAL);
    ck_assert_str_eq(error.text, "the parameter is there already");
}
END_TEST

START_TEST(commands_name_is_checked)
{
    ck_assert_int_eq(
            amdi_commands_set(&commands, "a.b", "argv", "/bin/sh", &error),
            AMDRPC_EINVAL);
    ck_assert_ptr_nonnull(
            strstr(error.text, "\"a.b\" is not a command's name"));
    ck_assert_uint_eq(commands.count, 0);
}
END_TEST

static const struct {
    const char *argv; // NULL: none
    const char *why;
} unfit[] = {
        {NULL, "[command \"x\"]: argv is missing"},
        {"", "[command \"x\"]: argv is missing"},
        {"''", "the program is an absolute path without {…}"},
        {"sh", "the program is an absolute path"},
        {"{a:/bin/sh}", "the program is an absolute path"},
        {"/bin/{a:sh}", "the program is an absolute path"},
        {"/nonexistent", "/nonexistent is no program that can be run"},
        {"/usr", "/usr is no program that can be run"},
        {"/etc/passwd", "/etc/passwd is no program that can be run"},
        {"/bin/sh {a}", "{a}: there is no param.a"},
};

START_TEST(command_that_cannot_run_is_refused)
{
    ck_assert_int_eq(set("stdin", "none"), AMDRPC_OK);
    if (unfit[_i].argv != NULL) {
        ck_assert_int_eq(set("argv", unfit[_i].argv), AMDRPC_OK);
    }

    ck_assert_int_eq(amdi_commands_finish(&commands, &error), AMDRPC_EINVAL);

    ck_assert_msg(strstr(error.text, unfit[_i].why) != NULL, "%s", error.text);
}
END_TEST

START_TEST(commands_are_found_by_name)
{
    ck_assert_int_eq(
            amdi_commands_set(&commands, "a", "argv", "/a", &error), AMDRPC_OK);
    ck_assert_int_eq(
            amdi_commands_set(&commands, "b", "argv", "/b", &error), AMDRPC_OK);
    ck_assert_int_eq(
            amdi_commands_set(&commands, "a", "argv", "c", &error), AMDRPC_OK);

    ck_assert_uint_eq(commands.count, 2);
    ck_assert_uint_eq(amdi_commands_find(&commands, "a")->argv.count, 2);
    ck_assert_ptr_null(amdi_commands_find(&commands, "c"));
}
END_TEST

static amdrpc_err
make_and_free(void *arg)
{
    static const char *const settings[][2] = {{"argv", "/bin/sh {a}"},
            {"param.a", "string"}, {"param.a.max", "3"}, {"description", "d"},
            {"directory", "/"}, {"env.A", "b"}, {"progress", "(x)"}};
    struct amdi_commands own;
    amdrpc_err err = AMDRPC_OK;

    (void)arg;
    amdi_commands_init(&own);
    for (size_t i = 0;
            i < sizeof(settings) / sizeof(settings[0]) && err == AMDRPC_OK;
            i++) {
        err = amdi_commands_set(
                &own, "x", settings[i][0], settings[i][1], &error);
    }
    if (err == AMDRPC_OK) {
        err = amdi_commands_finish(&own, &error);
    }
    amdi_commands_fini(&own);
    return err;
}

START_TEST(every_allocation_may_fail)
{
    (void)test_sweep_allocations(make_and_free, NULL);
}
END_TEST

static Suite *
config_suite(void)
{
    Suite *suite = suite_create("command config");
    TCase *settings = tcase_create("settings");

    tcase_add_checked_fixture(settings, set_up, tear_down);
    tcase_add_test(settings, command_has_defaults);
    tcase_add_test(settings, every_setting_is_kept);
    tcase_add_loop_test(
            settings, bad_setting_is_refused, 0, sizeof(bad) / sizeof(bad[0]));
    tcase_add_test(settings, parameter_is_declared_once);
    tcase_add_test(settings, commands_name_is_checked);
    tcase_add_loop_test(settings, command_that_cannot_run_is_refused, 0,
            sizeof(unfit) / sizeof(unfit[0]));
    tcase_add_test(settings, commands_are_found_by_name);
    tcase_add_test(settings, every_allocation_may_fail);
    suite_add_tcase(suite, settings);
    return suite;
}

TEST_MAIN(config_suite)
