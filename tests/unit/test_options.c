/** Tests the reading of command lines from a table. */
#include "client/program/options.h"
#include "tests/support/runner.h"

#include <check.h>

#include <stdlib.h>
#include <string.h>

struct values {
    bool flag;
    const char *text;
    struct amdi_texts texts;
    uint64_t number;
    uint64_t time_ms;
};

static const struct amdi_option rows[] = {
        {"flag", AMDI_OPTION_FLAG, offsetof(struct values, flag), NULL,
                "A flag.", 0, 0},
        {"text", AMDI_OPTION_TEXT, offsetof(struct values, text), "TEXT",
                "A text.", 0, 0},
        {"texts", AMDI_OPTION_TEXTS, offsetof(struct values, texts), "TEXT",
                "Texts.", 0, 0},
        {"number", AMDI_OPTION_NUMBER, offsetof(struct values, number), "N",
                "A number.", 1, 100},
        {"time", AMDI_OPTION_DURATION, offsetof(struct values, time_ms), "TIME",
                "A time.", 1, 7200000},
};

static const struct amdi_command_line line = {
        .usage = "program [OPTION...] FIRST [SECOND]",
        .summary = "Does nothing.",
        .notes = "Some notes.\n",
        .options = rows,
        .noptions = 5,
        .operands = {"FIRST", "SECOND"},
        .min_operands = 1,
        .max_operands = 2,
};

static struct values values;
static struct amdi_operands operands;
static char error[AMDI_OPTIONS_ERROR_BYTES];

// Parses what stands between the blanks of @text.
static amdrpc_err
parse(const char *text)
{
    static char copy[4096];
    char *argv[256] = {"program"};
    int argc = 1;

    (void)snprintf(copy, sizeof(copy), "%s", text);
    for (char *word = strtok(copy, " "); word != NULL;
            word = strtok(NULL, " ")) {
        argv[argc++] = word;
    }
    memset(&values, 0, sizeof(values));
    error[0] = '\0';
    return amdi_options_parse(&line, argc, argv, &values, &operands, error);
}

static const struct {
    const char *arguments;
    const char *error;
} bad_lines[] = {
        {"", "FIRST is missing"},
        {"--flag", "FIRST is missing"},
        {"a b c", "unexpected argument 'c'"},
        {"--nope a", "unknown option '--nope'"},
        {"-x a", "unknown option '-x'"},
        {"--fla a", "unknown option '--fla'"},
        {"--flags a", "unknown option '--flags'"},
        {"--flag=1 a", "--flag takes no value"},
        {"a --text", "--text needs a value: TEXT"},
        {"a --number=0", "--number: '0' is not a number from 1 to 100"},
        {"a --number=101", "--number: '101' is not a number from 1 to 100"},
        {"a --number=-1", "--number: '-1' is not a number from 1 to 100"},
        {"a --number=5x", "--number: '5x' is not a number from 1 to 100"},
        {"a --number=", "--number: '' is not a number from 1 to 100"},
        {"a --number=99999999999999999999",
                "--number: '99999999999999999999' is not a number from 1 to "
                "100"},
        {"a --time=0", "--time: '0' is not a time from 1ms to 7200s"},
        {"a --time=1y", "--time: '1y' is not a time from 1ms to 7200s"},
        {"a --time=-1s", "--time: '-1s' is not a time from 1ms to 7200s"},
        {"a --time=1e400", "--time: '1e400' is not a time from 1ms to 7200s"},
        {"a --time=3h", "--time: '3h' is not a time from 1ms to 7200s"},
};

START_TEST(bad_line_is_named)
{
    ck_assert_int_eq(parse(bad_lines[_i].arguments), AMDRPC_EINVAL);

    ck_assert_str_eq(error, bad_lines[_i].error);
}
END_TEST

static const struct {
    const char *argument;
    uint64_t ms;
} times[] = {
        {"2", 2000},
        {"1.5", 1500},
        {"250ms", 250},
        {"0.5ms", 1},
        {"3s", 3000},
        {"2m", 120000},
        {"2h", 7200000},
};

START_TEST(time_is_read_in_its_unit)
{
    char text[64];

    (void)snprintf(text, sizeof(text), "a --time %s", times[_i].argument);

    ck_assert_int_eq(parse(text), AMDRPC_OK);
    ck_assert_uint_eq(values.time_ms, times[_i].ms);
}
END_TEST

START_TEST(options_stand_anywhere)
{
    ck_assert_int_eq(
            parse("--flag a --text=t --number 7 - --texts x --texts=y"),
            AMDRPC_OK);

    ck_assert(values.flag);
    ck_assert_str_eq(values.text, "t");
    ck_assert_uint_eq(values.number, 7);
    ck_assert_uint_eq(values.texts.count, 2);
    ck_assert_str_eq(values.texts.items[1], "y");
    ck_assert_uint_eq(operands.count, 2);
    ck_assert_str_eq(operands.items[1], "-");
}
END_TEST

START_TEST(two_dashes_end_the_options)
{
    ck_assert_int_eq(parse("-- --flag"), AMDRPC_OK);

    ck_assert(!values.flag);
    ck_assert_str_eq(operands.items[0], "--flag");
}
END_TEST

START_TEST(help_needs_no_operands)
{
    ck_assert_int_eq(parse("--flag --help --nope"), AMDRPC_OK);

    ck_assert(operands.wants_help);
}
END_TEST

START_TEST(too_many_values_are_refused)
{
    char text[4096] = "a";

    for (int i = 0; i <= AMDI_TEXTS_MAX; i++) {
        (void)strcat(text, " --texts x");
    }

    ck_assert_int_eq(parse(text), AMDRPC_EINVAL);
    ck_assert_str_eq(error, "more than 64 times --texts");
}
END_TEST

START_TEST(help_holds_every_row)
{
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);

    amdi_options_print_help(&line, file);
    (void)fclose(file);

    ck_assert_ptr_nonnull(strstr(text, "Usage: program [OPTION...] FIRST"));
    ck_assert_ptr_nonnull(strstr(text, "--number N "));
    ck_assert_ptr_nonnull(strstr(text, "A time."));
    ck_assert_ptr_nonnull(strstr(text, "--help"));
    ck_assert_ptr_nonnull(strstr(text, "Some notes.\n"));
    free(text);
}
END_TEST

static Suite *
options_suite(void)
{
    Suite *suite = suite_create("options");
    TCase *reading = tcase_create("reading");
    TCase *help = tcase_create("help");

    tcase_add_loop_test(reading, bad_line_is_named, 0,
            sizeof(bad_lines) / sizeof(bad_lines[0]));
    tcase_add_loop_test(reading, time_is_read_in_its_unit, 0,
            sizeof(times) / sizeof(times[0]));
    tcase_add_test(reading, options_stand_anywhere);
    tcase_add_test(reading, two_dashes_end_the_options);
    tcase_add_test(reading, too_many_values_are_refused);
    suite_add_tcase(suite, reading);

    tcase_add_test(help, help_needs_no_operands);
    tcase_add_test(help, help_holds_every_row);
    suite_add_tcase(suite, help);
    return suite;
}

TEST_MAIN(options_suite)
