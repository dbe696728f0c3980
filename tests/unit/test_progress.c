/** Tests how progress is read from messages and shown. */
#include "client/cli/progress.h"
#include "common/clock.h"
#include "tests/support/runner.h"

#include <check.h>

#include <stdlib.h>
#include <string.h>

static struct amdi_progress progress;
static bool is_all;

static bool
read_json(const char *json)
{
    memset(&progress, 0xee, sizeof(progress));
    return amdi_progress_from_json(json, strlen(json), &progress, &is_all);
}

START_TEST(progress_is_read_from_canonical_json)
{
    ck_assert(read_json("{\"progress\": {\"filesDone\": \"3\", \"bytesDone\": "
                        "\"12\", \"bytesTotal\": \"48\", \"path\": \"a/b\"}}"));

    ck_assert_uint_eq(progress.files_done, 3);
    ck_assert_uint_eq(progress.files_total, 0);
    ck_assert_uint_eq(progress.bytes_done, 12);
    ck_assert_uint_eq(progress.bytes_total, 48);
    ck_assert_str_eq(progress.path, "a/b");
    ck_assert(is_all);
}
END_TEST

START_TEST(progress_is_read_by_the_names_of_fields)
{
    ck_assert(read_json("{\"progress\": {\"bytes_done\": 5}, \"x\": 1}"));

    ck_assert_uint_eq(progress.bytes_done, 5);
    ck_assert(!is_all);
}
END_TEST

static const char *const without_progress[] = {"{}", "{\"result\": {}}",
        "{\"progress\": 5}", "{\"progress\": {\"other\": 1}}",
        "{\"text\": \"progress\"}", "{\"progress\": {\"bytesDone\": -1}}",
        "[\"progress\"]", "{\"progress\": "};

START_TEST(message_without_progress_has_none)
{
    ck_assert(!read_json(without_progress[_i]));
}
END_TEST

static const struct {
    struct amdi_progress progress;
    size_t width;
    const char *line;
} lines[] = {
        {{.bytes_done = 3000, .bytes_total = 6000, .is_count = true}, 0,
                " 50 % 3000 of 6000"},
        {{.bytes_done = 3000, .is_count = true}, 0, " 3000"},
        {{.bytes_done = 512}, 0, " 512 B"},
        {{.bytes_done = 1536, .bytes_total = 3072}, 0,
                " 50 % 1.5 KiB of 3.0 KiB"},
        {{.bytes_done = 10, .bytes_total = 10, .files_done = 1}, 0,
                "100 % 10 B of 10 B, 1 file"},
        {{.bytes_done = 20, .bytes_total = 10}, 0, "100 % 20 B of 10 B"},
        {{.files_done = 1, .files_total = 4, .path = "x"}, 0,
                " 25 % 0 B, 1 of 4 files, x"},
        {{.bytes_done = 1, .bytes_total = 2}, 79,
                " 50 % [============>           ] 1 B of 2 B"},
        {{.bytes_done = 1, .bytes_total = 2}, 10, " 50 % [==="},
        {{.bytes_done = 1, .path = "\x1b[2J"}, 79, " 1 B, ?[2J"},
        {{.bytes_done = 1, .path = "\xc3\xa4\xc3\xb6\xc3\xbc"}, 8,
                " 1 B, \xc3\xa4\xc3\xb6"},
        {{.bytes_done = UINT64_MAX, .bytes_total = UINT64_MAX}, 0,
                "100 % 16384.0 PiB of 16384.0 PiB"},
};

START_TEST(line_says_how_far_it_is)
{
    char line[AMDI_PROGRESS_LINE_BYTES];

    amdi_progress_format(&lines[_i].progress, lines[_i].width, line);

    ck_assert_str_eq(line, lines[_i].line);
}
END_TEST

static uint64_t clock_now_ns;

static uint64_t
clock_read(void)
{
    return clock_now_ns;
}

static FILE *file;
static char *text;
static size_t text_len;

static void
setup(void)
{
    clock_now_ns = 1000000000;
    amdi_clock_set(clock_read);
    file = open_memstream(&text, &text_len);
}

static void
teardown(void)
{
    (void)fclose(file);
    free(text);
    amdi_clock_set(NULL);
}

START_TEST(plain_lines_come_now_and_then)
{
    struct amdi_progress step = {.bytes_total = 1000};
    struct amdi_progress_view view;

    amdi_progress_view_init(&view, file, /*is_terminal=*/false);
    for (uint64_t i = 0; i <= 1000; i++) {
        step.bytes_done = i;
        clock_now_ns += 1000000;
        amdi_progress_view_show(&view, &step);
    }
    amdi_progress_view_clear(&view);
    (void)fflush(file);

    ck_assert_str_eq(text,
            "progress: 0 % 0 B of 1000 B\n"
            "progress: 25 % 250 B of 1000 B\n"
            "progress: 50 % 500 B of 1000 B\n"
            "progress: 75 % 750 B of 1000 B\n"
            "progress: 100 % 1000 B of 1000 B\n");
}
END_TEST

START_TEST(bar_is_drawn_in_place_and_taken_away)
{
    struct amdi_progress step = {.bytes_done = 1, .bytes_total = 4};
    struct amdi_progress_view view;

    amdi_progress_view_init(&view, file, /*is_terminal=*/true);
    amdi_progress_view_show(&view, &step);
    amdi_progress_view_show(&view, &step); // too early
    amdi_progress_view_clear(&view);
    amdi_progress_view_clear(&view);
    (void)fflush(file);

    ck_assert_str_eq(text,
            "\r 25 % [======>                 ] 1 B of 4 B\033[K"
            "\r\033[K");
}
END_TEST

START_TEST(view_that_never_goes_back_skips_what_was_shown)
{
    static const uint64_t steps[] = {40, 10, 39, 40, 60};
    struct amdi_progress step = {.bytes_total = 100, .is_count = true};
    struct amdi_progress_view view;

    amdi_progress_view_init(&view, file, /*is_terminal=*/false);
    view.never_goes_back = true;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        step.bytes_done = steps[i];
        clock_now_ns += UINT64_C(10000000000);
        amdi_progress_view_show(&view, &step);
    }
    (void)fflush(file);

    ck_assert_str_eq(text,
            "progress: 40 % 40 of 100\n"
            "progress: 40 % 40 of 100\n"
            "progress: 60 % 60 of 100\n");
}
END_TEST

static Suite *
progress_suite(void)
{
    Suite *suite = suite_create("progress");
    TCase *json = tcase_create("json");
    TCase *format = tcase_create("format");
    TCase *view = tcase_create("view");

    tcase_add_test(json, progress_is_read_from_canonical_json);
    tcase_add_test(json, progress_is_read_by_the_names_of_fields);
    tcase_add_loop_test(json, message_without_progress_has_none, 0,
            sizeof(without_progress) / sizeof(without_progress[0]));
    suite_add_tcase(suite, json);

    tcase_add_loop_test(format, line_says_how_far_it_is, 0,
            sizeof(lines) / sizeof(lines[0]));
    suite_add_tcase(suite, format);

    tcase_add_checked_fixture(view, setup, teardown);
    tcase_add_test(view, plain_lines_come_now_and_then);
    tcase_add_test(view, bar_is_drawn_in_place_and_taken_away);
    tcase_add_test(view, view_that_never_goes_back_skips_what_was_shown);
    suite_add_tcase(suite, view);
    return suite;
}

TEST_MAIN(progress_suite)
