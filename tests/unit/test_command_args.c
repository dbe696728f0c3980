/** Tests what a request's parameters make of a program's arguments. */
#include "server/modules/command/command_args.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"

#include <check.h>

#include <string.h>

#define MAX_VALUES 4

static struct amdi_arena arena;
static struct amdi_command_words words;
static struct amdi_command_parameter *parameters;
static struct amdi_command_value items[MAX_VALUES];
static struct amdi_command_values values;
static char **args;
static struct amdi_error error;

static void
set_up(void)
{
    amdi_arena_init(&arena, 0);
    words = (struct amdi_command_words){0};
    parameters = NULL;
    values = (struct amdi_command_values){.items = items};
    error.text[0] = '\0';
}

static void
tear_down(void)
{
    amdi_arena_fini(&arena);
}

static void
split(const char *line)
{
    ck_assert_int_eq(
            amdi_command_words_add(&words, &arena, line, &error), AMDRPC_OK);
}

static struct amdi_command_parameter *
declare(const char *name, const char *type)
{
    struct amdi_command_parameter *made = NULL;

    ck_assert_int_eq(
            amdi_command_parameter_create(&arena, name, type, &made, &error),
            AMDRPC_OK);
    made->next = parameters;
    parameters = made;
    return made;
}

static void
give(const char *name, const char *value)
{
    items[values.count++] =
            (struct amdi_command_value){.name = name, .value = value};
}

static amdrpc_err
check(void)
{
    return amdi_command_args_check(&words, parameters, &error);
}

static void *
alloc(void *arg, size_t size)
{
    return amdi_arena_alloc(arg, size);
}

static amdrpc_err
make(void)
{
    return amdi_command_args_make(
            &words, parameters, &values, alloc, &arena, &args, &error);
}

static void
assert_refused(amdrpc_err err, const char *why)
{
    ck_assert_int_eq(err, AMDRPC_EINVAL);
    ck_assert_msg(strstr(error.text, why) != NULL, "%s", error.text);
}

/* ---- a request ---- */

START_TEST(value_is_one_argument_whatever_it_holds)
{
    split("/p -i {a} x{a}y{b:d e}");
    (void)declare("a", "string");
    (void)declare("b", "string");
    ck_assert_int_eq(check(), AMDRPC_OK);
    give("a", "1 '2' {b} $x");

    ck_assert_int_eq(make(), AMDRPC_OK);

    ck_assert_str_eq(args[0], "/p");
    ck_assert_str_eq(args[1], "-i");
    ck_assert_str_eq(args[2], "1 '2' {b} $x");
    ck_assert_str_eq(args[3], "x1 '2' {b} $xyd e");
    ck_assert_ptr_null(args[4]);
}
END_TEST

START_TEST(empty_value_is_an_empty_argument)
{
    split("/p {a:x} ''");
    (void)declare("a", "string");
    give("a", "");

    ck_assert_int_eq(make(), AMDRPC_OK);

    ck_assert_str_eq(args[1], "");
    ck_assert_str_eq(args[2], "");
    ck_assert_ptr_null(args[3]);
}
END_TEST

START_TEST(missing_value_is_named)
{
    split("/p {a:x} {b}");
    (void)declare("a", "string");
    (void)declare("b", "string");

    assert_refused(make(), "b: is missing");
}
END_TEST

START_TEST(unknown_value_is_named_and_cut)
{
    static char name[100];

    split("/p");
    memset(name, 'n', sizeof(name) - 1);
    give(name, "x");

    assert_refused(make(), "nnn: there is no such parameter");
    ck_assert_uint_lt(strlen(error.text), sizeof(name));
}
END_TEST

START_TEST(value_given_twice_is_refused)
{
    split("/p {a}");
    (void)declare("a", "string");
    give("a", "x");
    give("a", "y");

    assert_refused(make(), "a: is given twice");
}
END_TEST

START_TEST(value_that_is_not_taken_is_refused)
{
    split("/p {a}");
    (void)declare("a", "int");
    give("a", "x");

    assert_refused(make(), "a: not a whole number");
}
END_TEST

/* ---- the settings ---- */

START_TEST(place_without_a_parameter_is_refused)
{
    split("/p {a}");

    assert_refused(check(), "{a}: there is no param.a");
}
END_TEST

START_TEST(parameter_without_a_place_is_refused)
{
    split("/p '{a}'");
    (void)declare("a", "string");

    assert_refused(check(), "param.a: argv has no {a}");
}
END_TEST

START_TEST(fallback_has_to_be_taken)
{
    split("/p {a:x}");
    (void)declare("a", "int");

    assert_refused(check(), "a: not a whole number");
}
END_TEST

START_TEST(parameter_is_required_if_one_of_its_places_says_so)
{
    struct amdi_command_parameter *a = declare("a", "string");
    struct amdi_command_parameter *b = declare("b", "string");

    split("/p {a:x} {a} {a:y} {b:z}");
    ck_assert_int_eq(check(), AMDRPC_OK);

    ck_assert_ptr_null(a->fallback);
    ck_assert_str_eq(b->fallback, "z");
}
END_TEST

static amdrpc_err
make_and_free(void *arg)
{
    struct amdi_arena own;
    amdrpc_err err = AMDRPC_OK;

    (void)arg;
    amdi_arena_init(&own, 0);
    err = amdi_command_args_make(
            &words, parameters, &values, alloc, &own, &args, &error);
    amdi_arena_fini(&own);
    return err;
}

START_TEST(every_allocation_may_fail)
{
    static char value[2000];

    memset(value, 'v', sizeof(value) - 1);
    split("/p {a} {a} {a} {a}");
    (void)declare("a", "string");
    give("a", value);

    ck_assert_uint_gt(test_sweep_allocations(make_and_free, NULL), 1);
}
END_TEST

static Suite *
args_suite(void)
{
    Suite *suite = suite_create("command args");
    TCase *requests = tcase_create("requests");
    TCase *settings = tcase_create("settings");

    tcase_add_checked_fixture(requests, set_up, tear_down);
    tcase_add_test(requests, value_is_one_argument_whatever_it_holds);
    tcase_add_test(requests, empty_value_is_an_empty_argument);
    tcase_add_test(requests, missing_value_is_named);
    tcase_add_test(requests, unknown_value_is_named_and_cut);
    tcase_add_test(requests, value_given_twice_is_refused);
    tcase_add_test(requests, value_that_is_not_taken_is_refused);
    tcase_add_test(requests, every_allocation_may_fail);
    suite_add_tcase(suite, requests);
    tcase_add_checked_fixture(settings, set_up, tear_down);
    tcase_add_test(settings, place_without_a_parameter_is_refused);
    tcase_add_test(settings, parameter_without_a_place_is_refused);
    tcase_add_test(settings, fallback_has_to_be_taken);
    tcase_add_test(
            settings, parameter_is_required_if_one_of_its_places_says_so);
    suite_add_tcase(suite, settings);
    return suite;
}

TEST_MAIN(args_suite)
