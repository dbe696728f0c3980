/** Tests the reading of what a process has used. */
#include "client/bench/server_cpu.h"
#include "tests/support/runner.h"

#include <check.h>

#include <unistd.h>

START_TEST(stat_is_read)
{
    static const char text[] =
            "42 (a b) c) S 1 2 3 4 5 6 7 8 9 10 150 50 13 14 15 16 17 18 19 "
            "20 25 22 23";
    struct amdi_process_usage usage;

    ck_assert_int_eq(
            amdi_process_usage_parse(text, 100, 4096, &usage), AMDRPC_OK);

    ck_assert_uint_eq(usage.cpu_us, 2000000);
    ck_assert_uint_eq(usage.rss_bytes, 25 * 4096);
}
END_TEST

static const char *const bad_texts[] = {"", "42", "42 (name)",
        "42 (name) S 1 2 3 4 5 6 7 8 9 10 11 12 13",
        "42 (n) S 1 2 3 4 5 6 7 8 9 10 x 12 13 14 15 16 17 18 19 20 21 22"};

START_TEST(what_is_no_stat_is_refused)
{
    struct amdi_process_usage usage;

    ck_assert_int_eq(amdi_process_usage_parse(bad_texts[_i], 100, 4096, &usage),
            AMDRPC_EINVAL);
}
END_TEST

START_TEST(own_usage_grows)
{
    struct amdi_process_usage before;
    struct amdi_process_usage after;

    ck_assert_int_eq(amdi_process_usage_read(getpid(), &before), AMDRPC_OK);
    for (volatile int i = 0; i < 10000000; i++) {
    }
    ck_assert_int_eq(amdi_process_usage_read(getpid(), &after), AMDRPC_OK);

    ck_assert_uint_gt(before.rss_bytes, 0);
    ck_assert_uint_gt(after.cpu_us, before.cpu_us);
}
END_TEST

START_TEST(missing_process_is_not_found)
{
    struct amdi_process_usage usage;

    // Larger than any process number that Linux gives.
    ck_assert_int_eq(
            amdi_process_usage_read(0x7ffffff0, &usage), AMDRPC_ENOTFOUND);
}
END_TEST

static Suite *
server_cpu_suite(void)
{
    Suite *suite = suite_create("server_cpu");
    TCase *text = tcase_create("text");
    TCase *process = tcase_create("process");

    tcase_add_test(text, stat_is_read);
    tcase_add_loop_test(text, what_is_no_stat_is_refused, 0,
            sizeof(bad_texts) / sizeof(bad_texts[0]));
    suite_add_tcase(suite, text);

    tcase_add_test(process, own_usage_grows);
    tcase_add_test(process, missing_process_is_not_found);
    suite_add_tcase(suite, process);
    return suite;
}

TEST_MAIN(server_cpu_suite)
