/** Tests what a load's report says. */
#include "client/bench/report.h"
#include "tests/support/runner.h"

#include <check.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const amdrpc_method_desc method = {
        .path = "/pkg.Svc/Stream", .kind = AMDRPC_SERVER_STREAMING};
static struct amdi_load_plan plan;
static struct amdi_load_result result;
static struct amdi_report report;

// Two seconds, 4 calls of 1 ms of which one failed, 10 messages of 100 kB.
static void
setup(void)
{
    plan = (struct amdi_load_plan){
            .method = &method, .connections = 2, .inflight = 3, .threads = 1};
    memset(&result, 0, sizeof(result));
    amdi_histogram_init(&result.latency_ns);
    for (int i = 0; i < 3; i++) {
        amdi_histogram_add(&result.latency_ns, 1000000);
    }
    result.calls[AMDRPC_STATUS_OK] = 3;
    result.calls[AMDRPC_STATUS_UNAVAILABLE] = 1;
    result.messages = 10;
    result.bytes = 1000000;
    result.elapsed_ns = 2000000000;
    report = (struct amdi_report){
            .plan = &plan,
            .result = &result,
            .has_server = true,
            .server_cpu_us = 10,
            .server_rss_bytes = 5000000,
            .client_cpu_us = 20,
    };
}

static const struct {
    uint64_t ns;
    const char *text;
} times[] = {
        {0, "0 ns"},
        {999, "999 ns"},
        {1500, "1.5 us"},
        {2340000, "2.34 ms"},
        {1500000000, "1.50 s"},
};

START_TEST(time_has_the_unit_that_suits_it)
{
    char text[32];

    amdi_report_format_ns(times[_i].ns, text, sizeof(text));

    ck_assert_str_eq(text, times[_i].text);
}
END_TEST

START_TEST(table_names_every_figure)
{
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);

    amdi_report_print(&report, file);
    (void)fclose(file);

    ck_assert_ptr_nonnull(strstr(text, "/pkg.Svc/Stream: 2 connections x 3"));
    ck_assert_ptr_nonnull(strstr(text, "calls        2 /s"));
    ck_assert_ptr_nonnull(strstr(text, "messages     5 /s, 0.5 MB/s"));
    ck_assert_ptr_nonnull(strstr(text, "OK 3  UNAVAILABLE 1"));
    ck_assert_ptr_nonnull(strstr(text, "server CPU   2.50 us per call, 5.0"));
    ck_assert_ptr_nonnull(strstr(text, "client CPU   5.00 us per call"));
    free(text);
}
END_TEST

START_TEST(json_holds_the_same)
{
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);
    json_t *root;

    ck_assert_int_eq(amdi_report_write_json(&report, file), AMDRPC_OK);
    (void)fclose(file);
    root = json_loads(text, 0, NULL);

    ck_assert_int_eq(json_integer_value(json_object_get(root, "calls")), 4);
    ck_assert_double_eq(
            json_real_value(json_object_get(root, "server_cpu_us_per_call")),
            2.5);
    ck_assert_int_eq(json_integer_value(json_object_get(
                             json_object_get(root, "status"), "UNAVAILABLE")),
            1);
    json_decref(root);
    free(text);
}
END_TEST

START_TEST(load_without_calls_divides_by_nothing)
{
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);

    memset(&result, 0, sizeof(result));
    amdi_histogram_init(&result.latency_ns);
    amdi_report_print(&report, file);
    (void)fclose(file);

    ck_assert_ptr_nonnull(strstr(text, "calls        0 /s"));
    ck_assert_ptr_null(strstr(text, "nan"));
    free(text);
}
END_TEST

static Suite *
report_suite(void)
{
    Suite *suite = suite_create("report");
    TCase *text = tcase_create("text");

    tcase_add_checked_fixture(text, setup, NULL);
    tcase_add_loop_test(text, time_has_the_unit_that_suits_it, 0,
            sizeof(times) / sizeof(times[0]));
    tcase_add_test(text, table_names_every_figure);
    tcase_add_test(text, json_holds_the_same);
    tcase_add_test(text, load_without_calls_divides_by_nothing);
    suite_add_tcase(suite, text);
    return suite;
}

TEST_MAIN(report_suite)
