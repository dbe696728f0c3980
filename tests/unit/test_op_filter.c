/** Tests what filters of lists of operations say. */
#include "common/arena.h"
#include "server/services/operations/filter.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"

#include <check.h>

#include <string.h>

#define QUEUED AMDI_FILTER_QUEUED
#define RUNNING AMDI_FILTER_RUNNING
#define SUCCEEDED AMDI_FILTER_SUCCEEDED
#define FAILED AMDI_FILTER_FAILED
#define CANCELLED AMDI_FILTER_CANCELLED

#define DAY_2026 INT64_C(1767225600000000) // 2026-01-01T00:00:00Z

static struct amdi_arena arena;
static struct amdi_op_filter filter;
static char why[AMDI_OP_FILTER_WHY_BYTES];

static void
set_up(void)
{
    amdi_arena_init(&arena, 0);
    memset(&filter, 0, sizeof(filter));
    why[0] = '\0';
}

static void
tear_down(void)
{
    amdi_arena_fini(&arena);
}

static void
parse(const char *text)
{
    amdrpc_err err = amdi_op_filter_parse(text, &arena, &filter, why);

    ck_assert_msg(err == AMDRPC_OK, "%s: %s", text, why);
}

static const struct {
    const char *text;
    unsigned states;
} states[] = {
        {"", 0},
        {"  \t\n", 0},
        {"state = RUNNING", RUNNING},
        {"state=RUNNING", RUNNING},
        {"state = \"RUNNING\"", RUNNING},
        {"state = 'RUNNING'", RUNNING},
        {"state != RUNNING", QUEUED | SUCCEEDED | FAILED | CANCELLED},
        {"state = QUEUED OR state = RUNNING", QUEUED | RUNNING},
        {"state = QUEUED OR state != QUEUED", 0},
        {"done = true", SUCCEEDED | FAILED | CANCELLED},
        {"done = false", QUEUED | RUNNING},
        {"done != true AND state != QUEUED", RUNNING},
        // OR binds closer than AND.
        {"done = true AND state = FAILED OR state = QUEUED", FAILED},
        {"(done = true AND state = FAILED) OR state = QUEUED", FAILED | QUEUED},
        {"((((state = FAILED))))", FAILED},
};

START_TEST(states_are_a_set)
{
    parse(states[_i].text);

    ck_assert_msg(filter.store.states == states[_i].states, "%s: %x",
            states[_i].text, filter.store.states);
    ck_assert(!filter.is_nothing);
    ck_assert_uint_eq(filter.store.method.len, 0);
}
END_TEST

START_TEST(method_is_taken_as_it_is)
{
    parse("method = \"/p.S/M\" AND state = FAILED");
    ck_assert_str_eq(filter.store.method.data, "/p.S/M");
    ck_assert_uint_eq(filter.store.method.len, 6);

    parse("method=/p.S/M");
    ck_assert_str_eq(filter.store.method.data, "/p.S/M");

    parse("method = '/a\\'b\\\\c'");
    ck_assert_str_eq(filter.store.method.data, "/a'b\\c");
}
END_TEST

static const struct {
    const char *text;
    int64_t from_us;
    int64_t to_us;
} times[] = {
        {"create_time >= \"2026-01-01T00:00:00Z\"", DAY_2026, 0},
        {"create_time > 2026-01-01T00:00:00Z", DAY_2026 + 1, 0},
        {"create_time < 2026-01-01T00:00:00Z", 0, DAY_2026},
        {"create_time <= 2026-01-01T00:00:00Z", 0, DAY_2026 + 1},
        {"create_time >= 2026-01-01T01:00:00+01:00", DAY_2026, 0},
        {"create_time >= 2026-01-01T00:00:00.000000001Z", DAY_2026 + 1, 0},
        {"create_time < 2026-01-01T00:00:00.000000001Z", 0, DAY_2026 + 1},
        {"create_time > 1969-01-01T00:00:00Z", 0, 0},
        {"create_time >= 2026-01-01T00:00:00Z AND create_time > "
         "2025-01-01T00:00:00Z AND create_time < 2026-01-01T00:00:01Z",
                DAY_2026, DAY_2026 + 1000000},
};

START_TEST(times_are_bounds)
{
    parse(times[_i].text);

    ck_assert_int_eq(filter.store.created_from_us, times[_i].from_us);
    ck_assert_int_eq(filter.store.created_to_us, times[_i].to_us);
    ck_assert(!filter.is_nothing);
}
END_TEST

static const char *const nothings[] = {
        "state = RUNNING AND state = QUEUED",
        "method = /a.B/C AND method = /a.B/D",
        "create_time < 1960-01-01T00:00:00Z",
        ("create_time < 2026-01-01T00:00:00Z "
         "AND create_time > 2026-01-02T00:00:00Z"),
};

START_TEST(what_contradicts_itself_matches_nothing)
{
    parse(nothings[_i]);

    ck_assert(filter.is_nothing);
}
END_TEST

static const struct {
    const char *text;
    const char *why;
} wrongs[] = {
        {"state", "column 6: = or != expected at the end"},
        {"state = ",
                "column 9: QUEUED, RUNNING, SUCCEEDED, FAILED or CANCELLED "
                "expected at the end"},
        {"state = LAZY AND x",
                "column 9: QUEUED, RUNNING, SUCCEEDED, FAILED or CANCELLED "
                "expected, not LAZY AND x"},
        {"state > RUNNING", "column 7: = or != expected, not > RUNNING"},
        {"color = red",
                "column 1: state, done, method, create_time or ( expected, "
                "not color = red"},
        {"state = FAILED method = /a",
                "column 16: AND, OR or the end expected, not method = /a"},
        {"state = FAILED and done = true",
                "column 16: AND, OR or the end expected, not and done = true"},
        {"(state = FAILED", "column 16: AND, OR or ) expected at the end"},
        {"state = FAILED)", "column 15: AND, OR or the end expected, not )"},
        {"method != /a.B/C", "column 8: = expected, not != /a.B/C"},
        {"method = a.B/C",
                "column 10: \"/package.Service/Method\" expected, not a.B/C"},
        {"method = \"/a",
                "column 13: the closing quote \" expected at the end"},
        {"method = \"/a\\",
                "column 14: the closing quote \" expected at the end"},
        {"create_time = 2026-01-01T00:00:00Z",
                "column 13: <, <=, > or >= expected, not = "
                "2026-01-01T00:00:00Z"},
        {"create_time > yesterday",
                "column 15: a time like \"2026-01-31T12:00:00Z\" expected, "
                "not yesterday"},
        {"state = FAILED OR method = /a",
                "column 30: state before this (OR stands between states only) "
                "expected at the end"},
        {"method = /a OR state = FAILED",
                "column 13: AND (OR stands between states only) expected, not "
                "OR state = FAILED"},
        {"state = FAILED AND",
                "column 19: state, done, method, create_time "
                "or ( expected at the end"},
        {"\xc3\xa4 = 1",
                "column 1: state, done, method, create_time or ( "
                "expected, not "},
        {"((((((((((((((((((state = FAILED))))))))))))))))))",
                "column 17: no more than 16 parentheses in each other "
                "expected, not ((state = FAILED))))))))))))))))))"},
};

START_TEST(what_is_wrong_is_told)
{
    ck_assert_int_eq(
            amdi_op_filter_parse(wrongs[_i].text, &arena, &filter, why),
            AMDRPC_EINVAL);

    ck_assert_str_eq(why, wrongs[_i].why);
}
END_TEST

START_TEST(long_filter_is_refused)
{
    static char text[AMDI_OP_FILTER_MAX_BYTES + 2];

    memset(text, ' ', AMDI_OP_FILTER_MAX_BYTES + 1);
    ck_assert_int_eq(
            amdi_op_filter_parse(text, &arena, &filter, why), AMDRPC_EINVAL);
    ck_assert_str_eq(why, "it is longer than 2048 bytes");

    text[AMDI_OP_FILTER_MAX_BYTES] = '\0';
    parse(text);
}
END_TEST

static amdrpc_err
parse_once(void *arg)
{
    amdrpc_err err;

    (void)arg;
    amdi_arena_init(&arena, 0);
    err = amdi_op_filter_parse("(state = FAILED OR state = \"QUEUED\") AND "
                               "method = \"/package.Service/Method\"",
            &arena, &filter, why);
    amdi_arena_fini(&arena);
    return err;
}

START_TEST(every_failed_allocation_is_told)
{
    (void)test_sweep_allocations(parse_once, NULL);
}
END_TEST

static Suite *
op_filter_suite(void)
{
    Suite *suite = suite_create("op_filter");
    TCase *tests = tcase_create("parse");

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, states_are_a_set, 0, COUNT(states));
    tcase_add_test(tests, method_is_taken_as_it_is);
    tcase_add_loop_test(tests, times_are_bounds, 0, COUNT(times));
    tcase_add_loop_test(
            tests, what_contradicts_itself_matches_nothing, 0, COUNT(nothings));
    tcase_add_loop_test(tests, what_is_wrong_is_told, 0, COUNT(wrongs));
    tcase_add_test(tests, long_filter_is_refused);
    tcase_add_test(tests, every_failed_allocation_is_told);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(op_filter_suite)
