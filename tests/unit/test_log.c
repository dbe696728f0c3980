/** Tests log lines. */
#include "common/log.h"
#include "tests/support/runner.h"

#include <check.h>

#include <string.h>
#include <unistd.h>

/** What the sink got last. */
static struct {
    int nlines;
    amdrpc_log_level level;
    char id[64];
    char text[2048];
} seen;

static void
log_sink(void *arg, amdrpc_log_level level, const char *id, const char *text)
{
    int *nlines = arg;

    (*nlines)++;
    seen.level = level;
    strncpy(seen.id, id, sizeof(seen.id) - 1);
    strncpy(seen.text, text, sizeof(seen.text) - 1);
}

static void
log_set_up(void)
{
    memset(&seen, 0, sizeof(seen));
    amdrpc_log_set(log_sink, &seen.nlines, AMDRPC_LOG_INFO);
}

static void
log_tear_down(void)
{
    amdrpc_log_set(NULL, NULL, AMDRPC_LOG_ERROR);
}

START_TEST(line_has_context_and_text)
{
    amdi_log_warn("conn=12 ", "conn-closed", "reason=%s", "reset");

    ck_assert_int_eq(seen.nlines, 1);
    ck_assert_int_eq(seen.level, AMDRPC_LOG_WARN);
    ck_assert_str_eq(seen.id, "conn-closed");
    ck_assert_str_eq(seen.text, "conn=12 reason=reset");
}
END_TEST

static int
count_evaluation(int *count)
{
    return ++*count;
}

START_TEST(less_important_level_is_not_even_evaluated)
{
    int count = 0;

    amdi_log_debug("", "test", "count=%d", count_evaluation(&count));
    ck_assert_int_eq(count, 0);
    amdi_log_write(AMDRPC_LOG_DEBUG, "", "test", "direct");
    ck_assert_int_eq(seen.nlines, 0);
    amdi_log_info("", "test", "count=%d", count_evaluation(&count));
    ck_assert_int_eq(seen.nlines, 1);
    ck_assert_int_eq(count, 1);
}
END_TEST

START_TEST(no_sink_is_silence)
{
    amdrpc_log_set(NULL, NULL, AMDRPC_LOG_DEBUG);

    ck_assert(!amdi_log_is_on(AMDRPC_LOG_ERROR));
    amdi_log_error("", "test", "nobody hears");
    ck_assert_int_eq(seen.nlines, 0);
}
END_TEST

START_TEST(unsafe_bytes_are_escaped)
{
    static const struct {
        const char *text;
        const char *line;
    } cases[] = {
            {"a\nb\tc", "a\\x0ab\\x09c"}, {"\x1b[31m\x7f", "\\x1b[31m\\x7f"},
            {"caf\xc3\xa9", "caf\xc3\xa9"},
            {"\xc2\x9b[31m", "\\xc2\\x9b[31m"}, // a control character, U+009B
            {"\xc2\xa0", "\xc2\xa0"}, {"caf\xe9", "caf\\xe9"}, // not UTF-8
    };

    amdi_log_info("", "test", "%s", cases[_i].text);
    ck_assert_str_eq(seen.text, cases[_i].line);
}
END_TEST

START_TEST(long_line_is_cut_where_a_character_ends)
{
    char text[3000];

    for (size_t i = 0; i + 2 < sizeof(text); i += 2) {
        memcpy(text + i, "\xc3\xa9", 3);
    }
    amdi_log_info(_i == 0 ? "" : "x", "test", "%s", text);

    ck_assert_uint_lt(strlen(seen.text), 1024);
    ck_assert_uint_gt(strlen(seen.text), 1000);
    ck_assert_str_eq(seen.text + strlen(seen.text) - 5, "\xc3\xa9...");
}
END_TEST

START_TEST(long_line_of_unsafe_bytes_fits)
{
    char text[3000];

    memset(text, 1, sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    amdi_log_info("", "test", "%s", text);
    ck_assert_uint_lt(strlen(seen.text), 1024);
    amdi_log_info(text, "test", "x");
    ck_assert_uint_lt(strlen(seen.text), 1024);
    ck_assert_str_eq(seen.text + strlen(seen.text) - 7, "\\x01...");
}
END_TEST

START_TEST(long_line_that_is_not_utf8_fits)
{
    char text[3000];

    memset(text, 0x80, sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    amdi_log_info("", "test", "%s", text);
    ck_assert_uint_lt(strlen(seen.text), 1024);
    ck_assert_str_eq(seen.text + strlen(seen.text) - 7, "\\x80...");
}
END_TEST

START_TEST(ready_sink_writes_a_line_to_stderr)
{
    char line[128] = "";
    int saved = dup(STDERR_FILENO);
    int pipe_fds[2];

    ck_assert_int_eq(pipe(pipe_fds), 0);
    ck_assert_int_ge(dup2(pipe_fds[1], STDERR_FILENO), 0);
    amdrpc_log_stderr(NULL, AMDRPC_LOG_WARN, "conn-closed", "conn=12");
    ck_assert_int_ge(dup2(saved, STDERR_FILENO), 0);
    ck_assert_int_gt(read(pipe_fds[0], line, sizeof(line) - 1), 0);
    close(saved);
    close(pipe_fds[0]);
    close(pipe_fds[1]);

    ck_assert_uint_eq(strspn(line, "0123456789-T:.Z"),
            strlen("2038-01-19T03:14:07.000000Z"));
    ck_assert_ptr_nonnull(strstr(line, "Z warn conn-closed conn=12\n"));
}
END_TEST

START_TEST(levels_have_names)
{
    ck_assert_str_eq(amdrpc_log_level_name(AMDRPC_LOG_ERROR), "error");
    ck_assert_str_eq(amdrpc_log_level_name(AMDRPC_LOG_WARN), "warn");
    ck_assert_str_eq(amdrpc_log_level_name(AMDRPC_LOG_INFO), "info");
    ck_assert_str_eq(amdrpc_log_level_name(AMDRPC_LOG_DEBUG), "debug");
    ck_assert_str_eq(amdrpc_log_level_name((amdrpc_log_level)9), "debug");
}
END_TEST

static Suite *
log_suite(void)
{
    Suite *suite = suite_create("log");
    TCase *lines = tcase_create("lines");

    tcase_add_checked_fixture(lines, log_set_up, log_tear_down);
    tcase_add_test(lines, line_has_context_and_text);
    tcase_add_test(lines, less_important_level_is_not_even_evaluated);
    tcase_add_test(lines, no_sink_is_silence);
    tcase_add_loop_test(lines, unsafe_bytes_are_escaped, 0, 6);
    tcase_add_loop_test(lines, long_line_is_cut_where_a_character_ends, 0, 2);
    tcase_add_test(lines, long_line_of_unsafe_bytes_fits);
    tcase_add_test(lines, long_line_that_is_not_utf8_fits);
    tcase_add_test(lines, ready_sink_writes_a_line_to_stderr);
    tcase_add_test(lines, levels_have_names);
    suite_add_tcase(suite, lines);
    return suite;
}

TEST_MAIN(log_suite)
