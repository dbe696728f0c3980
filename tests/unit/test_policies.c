/** Tests the sections of the settings file that are about dispatch. */
#include "server/daemon/config.h"
#include "server/daemon/policies.h"
#include "tests/support/runner.h"

#include <check.h>

#include <string.h>

#define ECHO "/pkg.Test/Echo"
#define OTHER "/pkg.Test/Other"

static const amdrpc_method_desc methods[] = {
        {.name = "Echo", .path = ECHO}, {.name = "Other", .path = OTHER}};
static const amdrpc_service_desc service = {
        .name = "pkg.Test", .methods = methods, .nmethods = 2};
static const amdrpc_invoke_fn invokes[2];

static struct amdi_config config;
static amdrpc_server *server;

static void
set_up(void)
{
    const amdrpc_server_options options = {.loops = 1, .workers = 1};

    amdi_config_init(&config);
    ck_assert_int_eq(amdrpc_server_create(&options, &server), AMDRPC_OK);
    ck_assert_int_eq(
            amdrpc_server_add_service(server, &service, invokes, NULL, NULL),
            AMDRPC_OK);
}

static void
tear_down(void)
{
    amdrpc_server_destroy(server);
    amdi_config_fini(&config);
}

static void
give(const char *name, const char *value)
{
    ck_assert_int_eq(amdi_config_assign_module(
                             &config, name, value, AMDI_SOURCE_FILE, "f:1"),
            AMDRPC_OK);
}

static amdrpc_err
apply(void)
{
    amdrpc_err err = amdi_policies_add_pools(&config, server);

    return err == AMDRPC_OK ? amdi_policies_apply(&config, server) : err;
}

static amdrpc_policy
policy_of(const char *path)
{
    amdrpc_policy policy;

    ck_assert_int_eq(
            amdrpc_server_get_policy(server, path, &policy), AMDRPC_OK);
    return policy;
}

START_TEST(method_is_set_field_by_field)
{
    amdrpc_policy policy;

    give("pool \"slow\".workers", "2");
    give("pool \"slow\".max-workers", "5");
    give("method \"" ECHO "\".pool", "slow");
    give("method \"" ECHO "\".max-queued", "7");
    give("method \"" ECHO "\".max-running", "3");
    give("method \"" ECHO "\".max-per-key", "2");
    give("method \"" ECHO "\".fair-by", "metadata:tenant");
    give("method \"" ECHO "\".priority", "low");
    give("method \"" ECHO "\".long", "on");
    give("method \"" ECHO "\".watchdog", "5s");
    give("method \"" ECHO "\".retry", "3");
    give("method \"" OTHER "\".retry", "never");
    give("method \"" ECHO "\".default-deadline", "2m");

    ck_assert_int_eq(apply(), AMDRPC_OK);

    policy = policy_of(ECHO);
    ck_assert_str_eq(policy.pool, "slow");
    ck_assert_uint_eq(policy.max_queued, 7);
    ck_assert_uint_eq(policy.max_running, 3);
    ck_assert_uint_eq(policy.max_per_key, 2);
    ck_assert_int_eq(policy.fair_by, AMDRPC_FAIR_BY_METADATA);
    ck_assert_str_eq(policy.fair_key, "tenant");
    ck_assert_int_eq(policy.priority, AMDRPC_PRIORITY_LOW);
    ck_assert(policy.is_long);
    ck_assert_uint_eq(policy.watchdog_ms, 5000);
    ck_assert_uint_eq(policy.default_deadline_ms, 120000);
    ck_assert_uint_eq(policy.max_attempts, 3);
    ck_assert_uint_eq(policy_of(OTHER).max_attempts, 1);
    ck_assert_uint_eq(policy_of(OTHER).max_queued, 1024);
}
END_TEST

START_TEST(what_a_module_set_stays)
{
    const amdrpc_policy own = {.dispatch = AMDRPC_DISPATCH_INLINE};

    ck_assert_int_eq(amdrpc_server_set_policy(server, ECHO, &own), AMDRPC_OK);
    give("method \"" ECHO "\".default-deadline", "1s");

    ck_assert_int_eq(apply(), AMDRPC_OK);

    ck_assert_int_eq(policy_of(ECHO).dispatch, AMDRPC_DISPATCH_INLINE);
    ck_assert_uint_eq(policy_of(ECHO).default_deadline_ms, 1000);
}
END_TEST

START_TEST(service_is_set_as_a_whole)
{
    give("method \"/pkg.Test/\".max-queued", "9");

    ck_assert_int_eq(apply(), AMDRPC_OK);

    ck_assert_uint_eq(policy_of(ECHO).max_queued, 9);
    ck_assert_uint_eq(policy_of(OTHER).max_queued, 9);
}
END_TEST

START_TEST(pool_has_one_worker_unless_told)
{
    give("pool \"one\".max-workers", "3");
    give("pool \"two\".workers", "2");
    give("caller \"gold\".weight", "4");
    give("method \"" ECHO "\".pool", "one");
    give("method \"" OTHER "\".pool", "two");

    ck_assert_int_eq(apply(), AMDRPC_OK);
}
END_TEST

START_TEST(pool_may_not_begin_with_more_than_its_most)
{
    give("pool \"one\".workers", "3");
    give("pool \"one\".max-workers", "2");

    ck_assert_int_eq(apply(), AMDRPC_EINVAL);

    ck_assert_ptr_nonnull(
            strstr(config.error, "max-workers is less than workers"));
}
END_TEST

static const struct {
    const char *name;
    const char *value;
    const char *why;
} wrong[] = {
        {"pool \"p\".size", "3", "no such setting"},
        {"pool \"p\".workers", "none", "not a number"},
        {"pool \"p\".workers", "0", "not a number"},
        {"pool \"default\".workers", "2", "pool \"default\""},
        {"caller \"c\".weight", "0", "not a number"},
        {"caller \"c\".weight", "1001", "not a number"},
        {"caller \"c\".height", "1", "no such setting"},
        {"method \"/pkg.Test/No\".max-queued", "1", "no such method"},
        {"method \"/pkg.No/\".max-queued", "1", "no such service"},
        {"method \"" ECHO "\".pool", "p", "no such pool"},
        {"method \"" ECHO "\".max-queued", "0", "no such setting, or value"},
        {"method \"" ECHO "\".priority", "top", "no such setting, or value"},
        {"method \"" ECHO "\".dispatch", "both", "no such setting, or value"},
        {"method \"" ECHO "\".fair-by", "me", "no such setting, or value"},
        {"method \"" ECHO "\".fair-by", "metadata:X", "method"},
        {"method \"" ECHO "\".long", "yes", "no such setting, or value"},
        {"method \"" ECHO "\".watchdog", "5", "no such setting, or value"},
        {"method \"" ECHO "\".retry", "0", "no such setting, or value"},
        {"method \"" ECHO "\".colour", "red", "no such setting, or value"},
};

START_TEST(what_is_wrong_is_named)
{
    give(wrong[_i].name, wrong[_i].value);

    ck_assert_int_eq(apply(), AMDRPC_EINVAL);

    ck_assert_ptr_nonnull(strstr(config.error, "f:1: "));
    ck_assert_msg(
            strstr(config.error, wrong[_i].why) != NULL, "%s", config.error);
}
END_TEST

START_TEST(other_settings_are_left_alone)
{
    give("checksum.root", "/srv");
    give("pool.x", "1");
    give("method.x", "1");

    ck_assert_int_eq(apply(), AMDRPC_OK);

    for (size_t i = 0; i < 3; i++) {
        ck_assert(!config.module_settings.items[i].is_read);
    }
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("policies");
    TCase *sections = tcase_create("sections");

    tcase_add_checked_fixture(sections, set_up, tear_down);
    tcase_add_test(sections, method_is_set_field_by_field);
    tcase_add_test(sections, what_a_module_set_stays);
    tcase_add_test(sections, service_is_set_as_a_whole);
    tcase_add_test(sections, pool_has_one_worker_unless_told);
    tcase_add_test(sections, pool_may_not_begin_with_more_than_its_most);
    tcase_add_loop_test(sections, what_is_wrong_is_named, 0,
            (int)(sizeof(wrong) / sizeof(wrong[0])));
    tcase_add_test(sections, other_settings_are_left_alone);
    suite_add_tcase(suite, sections);
    return suite;
}

TEST_MAIN(make_suite)
