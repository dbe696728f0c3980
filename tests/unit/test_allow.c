/** Tests who a rule lets call. */
#include "server/auth/allow.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"

#include <check.h>

static const struct {
    const char *names;
    const char *identity; // "" for none
    bool is_allowed;
} cases[] = {
        {"alice", "alice", true},
        {"alice", "bob", false},
        {"alice", "alic", false},
        {"alice", "alice2", false},
        {"alice", "", false},
        {"alice bob", "bob", true},
        {"  alice,bob ", "bob", true},
        {"*", "anyone", true},
        {"*", "", false},
        {"*", "*", false},
        {"anonymous", "", true},
        {"anonymous", "bob", true},
        {"alice anonymous", "bob", true},
        // What a certificate may say, but no rule can mean.
        {"alice bob", "alice bob", false},
        {"alice", "anonymous", false},
};

START_TEST(rule_lets_in_whom_it_names)
{
    struct amdi_allow *allow = NULL;

    ck_assert_int_eq(
            amdi_allow_create("/", cases[_i].names, &allow), AMDRPC_OK);
    ck_assert_int_eq(
            amdi_allow_has(allow, cases[_i].identity), cases[_i].is_allowed);
    amdi_allow_destroy(allow);
}
END_TEST

START_TEST(no_rule_lets_everyone_in)
{
    ck_assert(amdi_allow_has(NULL, ""));
    ck_assert(amdi_allow_has(NULL, "bob"));
}
END_TEST

START_TEST(bad_rules_are_refused)
{
    struct amdi_allow *allow = NULL;

    ck_assert_int_eq(
            amdi_allow_create("pkg.Svc/", "bob", &allow), AMDRPC_EINVAL);
    ck_assert_int_eq(amdi_allow_create("/", "", &allow), AMDRPC_EINVAL);
    ck_assert_int_eq(amdi_allow_create("/", " , ", &allow), AMDRPC_EINVAL);
}
END_TEST

START_TEST(closer_rule_goes_before)
{
    ck_assert(amdi_allow_is_closer("/p.S/M", "/p.S/"));
    ck_assert(amdi_allow_is_closer("/p.S/", "/"));
    ck_assert(!amdi_allow_is_closer("/", "/p.S/M"));
}
END_TEST

static amdrpc_err
sweep_create(void *arg)
{
    struct amdi_allow *allow = NULL;
    amdrpc_err err = amdi_allow_create("/", "bob", &allow);

    (void)arg;
    amdi_allow_destroy(err == AMDRPC_OK ? allow : NULL);
    return err;
}

START_TEST(creation_survives_lack_of_memory)
{
    ck_assert_uint_eq(test_sweep_allocations(sweep_create, NULL), 3);
}
END_TEST

static Suite *
allow_suite(void)
{
    Suite *suite = suite_create("allow");
    TCase *rules = tcase_create("rules");

    tcase_add_loop_test(rules, rule_lets_in_whom_it_names, 0,
            sizeof(cases) / sizeof(cases[0]));
    tcase_add_test(rules, no_rule_lets_everyone_in);
    tcase_add_test(rules, bad_rules_are_refused);
    tcase_add_test(rules, closer_rule_goes_before);
    tcase_add_test(rules, creation_survives_lack_of_memory);
    suite_add_tcase(suite, rules);
    return suite;
}

TEST_MAIN(allow_suite)
