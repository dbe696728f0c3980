/** Tests the newest step of an execution. */
#include "server/operation/run_progress.h"
#include "tests/support/runner.h"

#include <check.h>

#include <string.h>

static struct amdi_run_progress progress;
static struct amdi_step step;

static void
setup(void)
{
    amdi_run_progress_init(&progress);
}

static void
teardown(void)
{
    amdi_run_progress_fini(&progress);
}

START_TEST(steps_are_told_once_until_taken)
{
    ck_assert(amdi_run_progress_set(&progress, 1, 10, "one"));
    ck_assert(!amdi_run_progress_set(&progress, 2, 10, "two"));

    ck_assert(amdi_run_progress_take(&progress, 5, &step));
    ck_assert_uint_eq(step.done, 2);
    ck_assert_uint_eq(step.total, 10);
    ck_assert_str_eq(step.note, "two");
    ck_assert_uint_eq(progress.next_at_ms, 5 + AMDI_PROGRESS_INTERVAL_MS);
    ck_assert(!amdi_run_progress_take(&progress, 500, &step));
    ck_assert(amdi_run_progress_set(&progress, 3, 10, NULL));
    ck_assert(amdi_run_progress_take(&progress, 600, &step));
    ck_assert_str_eq(step.note, "");
}
END_TEST

START_TEST(note_is_cut_between_characters)
{
    char note[300];

    memset(note, 'x', sizeof(note));
    memcpy(note + 199, "\xc3\xa9", 2); // ends at the 201st byte
    note[299] = '\0';
    (void)amdi_run_progress_set(&progress, 1, 1, note);

    ck_assert(amdi_run_progress_take(&progress, 0, &step));
    ck_assert_uint_eq(strlen(step.note), 199);
}
END_TEST

START_TEST(note_that_is_no_text_is_left_out)
{
    (void)amdi_run_progress_set(&progress, 1, 1, "\xff\xfe");

    ck_assert(amdi_run_progress_take(&progress, 0, &step));
    ck_assert_str_eq(step.note, "");
}
END_TEST

static Suite *
run_progress_suite(void)
{
    Suite *suite = suite_create("run_progress");
    TCase *tcase = tcase_create("steps");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, steps_are_told_once_until_taken);
    tcase_add_test(tcase, note_is_cut_between_characters);
    tcase_add_test(tcase, note_that_is_no_text_is_left_out);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(run_progress_suite)
