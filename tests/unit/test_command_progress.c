/** Tests which lines of a program's output are progress. */
#include "server/modules/command/command_progress.h"
#include "tests/support/runner.h"

#include <check.h>

#include <string.h>

static struct amdi_command_pattern pattern;
static struct amdi_command_progress progress;
static struct amdi_error error;

static void
set_up(void)
{
    pattern = (struct amdi_command_pattern){0};
    progress = (struct amdi_command_progress){0};
}

static void
tear_down(void)
{
    amdi_command_pattern_fini(&pattern);
}

static void
look_for(const char *text)
{
    ck_assert_int_eq(
            amdi_command_pattern_init(&pattern, text, &error), AMDRPC_OK);
}

static bool
give(const char *text)
{
    return amdi_command_progress_read(
            &progress, &pattern, (const uint8_t *)text, strlen(text));
}

START_TEST(line_of_the_pattern_is_progress)
{
    look_for("^step ([0-9]+) of ([0-9]+)$");

    ck_assert(give("step 3 of 10\n"));

    ck_assert_uint_eq(progress.done, 3);
    ck_assert_uint_eq(progress.total, 10);
}
END_TEST

START_TEST(line_may_come_in_pieces)
{
    look_for("^([0-9]+)/([0-9]+)$");

    ck_assert(!give("1"));
    ck_assert(!give("2/3"));
    ck_assert(!give("4"));
    ck_assert(give("\n5"));

    ck_assert_uint_eq(progress.done, 12);
    ck_assert_uint_eq(progress.total, 34);
}
END_TEST

START_TEST(last_line_counts_and_others_are_passed_over)
{
    look_for("^([0-9]+)%");

    ck_assert(give("x\n1%\r2% done\r\nnothing 3%\n"));

    ck_assert_uint_eq(progress.done, 2);
    ck_assert_uint_eq(progress.total, 0);
}
END_TEST

START_TEST(total_may_be_fixed)
{
    look_for("([0-9]+)%( of ([0-9]+))?");
    pattern.total = 100;

    ck_assert(give("7.5 7%\n"));

    ck_assert_uint_eq(progress.done, 7);
    ck_assert_uint_eq(progress.total, 100);
}
END_TEST

START_TEST(fraction_is_cut)
{
    look_for("^([0-9.]+) ([0-9.]+)");

    ck_assert(give("1.9 2.9\n"));

    ck_assert_uint_eq(progress.done, 1);
    ck_assert_uint_eq(progress.total, 2);
}
END_TEST

static const char *const others[] = {"\n", "\r\n\r\n", "a b\n", " 2\n", "1 x\n",
        "99999999999999999999999 1\n", "1 18446744073709551616\n",
        "1 2"}; // no end

START_TEST(other_lines_are_none)
{
    look_for("^([^ ]*) ([^ ]*)$");

    ck_assert(!give(others[_i]));
    ck_assert_uint_eq(progress.done, 0);
}
END_TEST

START_TEST(largest_numbers_are_read)
{
    look_for("([0-9]+) ([0-9]+)");

    ck_assert(give("18446744073709551615 18446744073709551615\n"));

    ck_assert_uint_eq(progress.done, UINT64_MAX);
    ck_assert_uint_eq(progress.total, UINT64_MAX);
}
END_TEST

START_TEST(overlong_line_is_passed_over)
{
    static char line[2 * AMDI_COMMAND_LINE_BYTES + 2];

    look_for("^([0-9]+)");
    memset(line, '1', sizeof(line) - 2);
    line[0] = '9';
    line[1] = ' ';
    line[sizeof(line) - 2] = '\n';

    ck_assert(!give(line));
    ck_assert(give("4\n"));
    ck_assert_uint_eq(progress.done, 4);
}
END_TEST

START_TEST(bytes_that_are_no_text_do_no_harm)
{
    static const uint8_t bytes[] = {'5', 0, '6', '\n', 0xff, 0xfe, '\n'};

    look_for("^([0-9]+)$");

    ck_assert(amdi_command_progress_read(
            &progress, &pattern, bytes, sizeof(bytes)));
    ck_assert_uint_eq(progress.done, 5);
}
END_TEST

START_TEST(bad_pattern_is_refused)
{
    ck_assert_int_eq(
            amdi_command_pattern_init(&pattern, "(", &error), AMDRPC_EINVAL);
    ck_assert_ptr_nonnull(strstr(error.text, "\"(\": "));
    ck_assert_int_eq(
            amdi_command_pattern_init(&pattern, "x", &error), AMDRPC_EINVAL);
    ck_assert_ptr_nonnull(strstr(error.text, "\"x\" has no group"));
    look_for("(x)");
}
END_TEST

static Suite *
progress_suite(void)
{
    Suite *suite = suite_create("command progress");
    TCase *lines = tcase_create("lines");

    tcase_add_checked_fixture(lines, set_up, tear_down);
    tcase_add_test(lines, line_of_the_pattern_is_progress);
    tcase_add_test(lines, line_may_come_in_pieces);
    tcase_add_test(lines, last_line_counts_and_others_are_passed_over);
    tcase_add_test(lines, total_may_be_fixed);
    tcase_add_test(lines, fraction_is_cut);
    tcase_add_loop_test(
            lines, other_lines_are_none, 0, sizeof(others) / sizeof(others[0]));
    tcase_add_test(lines, largest_numbers_are_read);
    tcase_add_test(lines, overlong_line_is_passed_over);
    tcase_add_test(lines, bytes_that_are_no_text_do_no_harm);
    tcase_add_test(lines, bad_pattern_is_refused);
    suite_add_tcase(suite, lines);
    return suite;
}

TEST_MAIN(progress_suite)
