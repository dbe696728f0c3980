/** Tests how paths find methods, and methods get their policy. */
#include "common/alloc.h"
#include "server/service.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"

#include <check.h>

#include <stdio.h>
#include <string.h>

#define NMANY 300

static const amdrpc_method_desc echo_methods[] = {
        {.name = "Echo", .path = "/pkg.Echo/Echo"},
        {.name = "Other", .path = "/pkg.Echo/Other"},
};
static const amdrpc_service_desc echo = {
        .name = "pkg.Echo", .methods = echo_methods, .nmethods = 2};
static const amdrpc_method_desc longer_methods[] = {
        {.name = "Echo", .path = "/pkg.EchoLonger/Echo"},
};
static const amdrpc_service_desc longer = {
        .name = "pkg.EchoLonger", .methods = longer_methods, .nmethods = 1};
static const amdrpc_service_desc empty = {.name = "pkg.Empty"};

static const amdrpc_policy defaults = {.dispatch = AMDRPC_DISPATCH_POOL,
        .priority = AMDRPC_PRIORITY_NORMAL,
        .max_running = 4,
        .max_queued = 1024,
        .default_deadline_ms = 600000};

static struct amdi_service_table table;

static void
invoke_nothing(const void *handlers, amdrpc_call *call,
        const ProtobufCMessage *request, void *user_data)
{
    (void)handlers;
    (void)call;
    (void)request;
    (void)user_data;
}

static const amdrpc_invoke_fn invokes[] = {invoke_nothing, NULL};

static amdrpc_err
add(const amdrpc_service_desc *desc)
{
    static int handlers;
    static int user_data;

    return amdi_service_table_add(
            &table, desc, invokes, &handlers, &user_data, &defaults);
}

static struct amdi_method *
find(const char *path)
{
    return amdi_service_table_find(&table, path, strlen(path));
}

static bool
has_service(const char *path)
{
    return amdi_service_table_has_service(&table, path, strlen(path));
}

static void
setup(void)
{
    amdi_service_table_init(&table);
    ck_assert_int_eq(add(&echo), AMDRPC_OK);
    ck_assert_int_eq(add(&longer), AMDRPC_OK);
}

static void
teardown(void)
{
    amdi_service_table_fini(&table);
}

START_TEST(path_finds_its_method)
{
    const struct amdi_method *method = find("/pkg.Echo/Echo");

    ck_assert_ptr_eq(method->desc, &echo_methods[0]);
    ck_assert(method->invoke == invoke_nothing);
    ck_assert_ptr_eq(find("/pkg.EchoLonger/Echo")->desc, &longer_methods[0]);
}
END_TEST

START_TEST(method_without_handler_is_known)
{
    const struct amdi_method *method = find("/pkg.Echo/Other");

    ck_assert_ptr_nonnull(method);
    ck_assert(method->invoke == NULL);
}
END_TEST

static const char *const unknown_paths[] = {"", "/", "//", "pkg.Echo/Echo",
        "/pkg.Echo", "/pkg.Echo/", "/pkg.Echo/Ech", "/pkg.Echo/Echoo",
        "/pkg.Echo/echo", "/pkg.echo/Echo", "/pkg.Echo/Echo/", "//Echo"};

START_TEST(other_paths_find_nothing)
{
    ck_assert_ptr_null(find(unknown_paths[_i]));
}
END_TEST

START_TEST(path_is_compared_up_to_its_length)
{
    ck_assert_ptr_nonnull(amdi_service_table_find(
            &table, "/pkg.Echo/Echo and more", strlen("/pkg.Echo/Echo")));
    ck_assert_ptr_null(amdi_service_table_find(&table, "/pkg.Echo/Echo", 10));
}
END_TEST

START_TEST(service_of_a_path_is_found)
{
    ck_assert(has_service("/pkg.Echo/Nothing"));
    ck_assert(has_service("/pkg.Echo/"));
    ck_assert(!has_service("/pkg.Echo"));
    ck_assert(!has_service("/pkg.Ech/o"));
    ck_assert(!has_service("/pkg.EchoX/Echo"));
    ck_assert(!has_service(""));
}
END_TEST

START_TEST(second_service_of_a_name_is_refused)
{
    ck_assert_int_eq(add(&echo), AMDRPC_EEXIST);
    ck_assert_ptr_null(amdi_service_table_at(&table, 2));
}
END_TEST

START_TEST(services_are_listed_in_order)
{
    ck_assert_ptr_eq(amdi_service_table_at(&table, 0), &echo);
    ck_assert_ptr_eq(amdi_service_table_at(&table, 1), &longer);
    ck_assert_ptr_null(amdi_service_table_at(&table, 2));
}
END_TEST

START_TEST(service_without_methods_is_added)
{
    ck_assert_int_eq(add(&empty), AMDRPC_OK);
    ck_assert(has_service("/pkg.Empty/Any"));
}
END_TEST

START_TEST(table_without_services_finds_nothing)
{
    amdi_service_table_fini(&table);

    ck_assert_ptr_null(find("/pkg.Echo/Echo"));
    ck_assert(!has_service("/pkg.Echo/Echo"));
}
END_TEST

START_TEST(each_of_many_methods_is_found)
{
    static char paths[NMANY][32];
    static amdrpc_method_desc methods[NMANY];
    static amdrpc_invoke_fn many_invokes[NMANY];
    const amdrpc_service_desc many = {
            .name = "Many", .methods = methods, .nmethods = NMANY};

    for (int i = 0; i < NMANY; i++) {
        (void)snprintf(paths[i], sizeof(paths[i]), "/Many/Method%d", i);
        methods[i].path = paths[i];
    }
    ck_assert_int_eq(amdi_service_table_add(&table, &many, many_invokes, NULL,
                             NULL, &defaults),
            AMDRPC_OK);

    for (int i = 0; i < NMANY; i++) {
        ck_assert_ptr_eq(find(paths[i])->desc, &methods[i]);
    }
    ck_assert_ptr_nonnull(find("/pkg.Echo/Echo"));
    ck_assert_ptr_null(find("/Many/Method300"));
}
END_TEST

static amdrpc_err
sweep_add(void *arg)
{
    amdrpc_err err = AMDRPC_OK;

    (void)arg;
    amdi_service_table_init(&table);
    err = add(&echo);
    ck_assert_int_eq(find("/pkg.Echo/Echo") != NULL, err == AMDRPC_OK);
    if (err == AMDRPC_OK) {
        err = add(&longer);
        ck_assert_ptr_nonnull(find("/pkg.Echo/Echo"));
    }
    amdi_service_table_fini(&table);
    return err;
}

START_TEST(lack_of_memory_leaves_the_table_whole)
{
    ck_assert_uint_ge(test_sweep_allocations(sweep_add, NULL), 6);
}
END_TEST

START_TEST(detached_calls_have_methods_of_their_own)
{
    static int others;
    struct amdi_method *method = find("/pkg.Echo/Echo");

    amdi_service_table_set_detached(&table, invoke_nothing, &others);
    ck_assert_int_eq(amdi_service_table_make_detached(&table), AMDRPC_OK);

    ck_assert_ptr_ne(method->detached, method);
    ck_assert_ptr_eq(method->detached->handlers, method);
    ck_assert_ptr_eq(method->detached->user_data, &others);
    ck_assert_ptr_eq(method->detached->desc, method->desc);
    ck_assert_ptr_eq(method->detached->detached, method->detached);
    ck_assert_int_eq(method->detached->policy.dispatch, AMDRPC_DISPATCH_INLINE);
    ck_assert_int_eq(method->policy.dispatch, AMDRPC_DISPATCH_POOL);
    // Not implemented, so neither when detached.
    ck_assert_ptr_null(find("/pkg.Echo/Other")->detached);
}
END_TEST

START_TEST(nothing_is_detached_unless_it_was_asked_for)
{
    ck_assert_int_eq(amdi_service_table_make_detached(&table), AMDRPC_OK);

    ck_assert_ptr_null(find("/pkg.Echo/Echo")->detached);
}
END_TEST

START_TEST(policy_of_a_method_is_set)
{
    const amdrpc_policy policy = {
            .dispatch = AMDRPC_DISPATCH_INLINE, .max_queued = 7};

    ck_assert_int_eq(amdi_service_table_set_policy(
                             &table, "/pkg.Echo/Echo", &policy, &defaults),
            AMDRPC_OK);

    ck_assert_int_eq(
            find("/pkg.Echo/Echo")->policy.dispatch, AMDRPC_DISPATCH_INLINE);
    ck_assert_uint_eq(find("/pkg.Echo/Echo")->policy.max_queued, 7);
    ck_assert_int_eq(
            find("/pkg.Echo/Other")->policy.dispatch, AMDRPC_DISPATCH_POOL);
}
END_TEST

static void
check_is_default(const amdrpc_policy *policy)
{
    ck_assert_int_eq(policy->dispatch, defaults.dispatch);
    ck_assert_int_eq(policy->priority, defaults.priority);
    ck_assert_uint_eq(policy->max_running, defaults.max_running);
    ck_assert_uint_eq(policy->max_queued, defaults.max_queued);
    ck_assert_uint_eq(
            policy->default_deadline_ms, defaults.default_deadline_ms);
    ck_assert_int_eq(policy->fair_by, AMDRPC_FAIR_BY_PEER);
    ck_assert_uint_eq(policy->max_per_key, 0);
    ck_assert_uint_eq(policy->watchdog_ms, 60000);
    ck_assert_str_eq(policy->pool, "default");
}

START_TEST(texts_of_a_policy_are_copied)
{
    char pool[] = "slow";
    char key[] = "tenant";
    const amdrpc_policy policy = {.fair_by = AMDRPC_FAIR_BY_METADATA,
            .fair_key = key,
            .is_long = true,
            .pool = pool};

    ck_assert_int_eq(amdi_service_table_set_policy(
                             &table, "/pkg.Echo/Echo", &policy, &defaults),
            AMDRPC_OK);
    pool[0] = key[0] = 'X';

    ck_assert_str_eq(find("/pkg.Echo/Echo")->policy.pool, "slow");
    ck_assert_str_eq(find("/pkg.Echo/Echo")->policy.fair_key, "tenant");
    ck_assert_uint_eq(
            find("/pkg.Echo/Echo")->policy.watchdog_ms, AMDRPC_WATCHDOG_NEVER);
}
END_TEST

START_TEST(fields_that_are_not_set_mean_the_default)
{
    const amdrpc_policy policy = {0};

    ck_assert_int_eq(amdi_service_table_set_policy(
                             &table, "/pkg.Echo/Echo", &policy, &defaults),
            AMDRPC_OK);

    check_is_default(&find("/pkg.Echo/Echo")->policy);
}
END_TEST

START_TEST(policy_of_a_service_is_set_for_all_of_it)
{
    const amdrpc_policy policy = {.priority = AMDRPC_PRIORITY_LOW};

    ck_assert_int_eq(amdi_service_table_set_policy(
                             &table, "/pkg.Echo/", &policy, &defaults),
            AMDRPC_OK);

    ck_assert_int_eq(
            find("/pkg.Echo/Echo")->policy.priority, AMDRPC_PRIORITY_LOW);
    ck_assert_int_eq(
            find("/pkg.Echo/Other")->policy.priority, AMDRPC_PRIORITY_LOW);
    ck_assert_int_eq(find("/pkg.EchoLonger/Echo")->policy.priority,
            AMDRPC_PRIORITY_NORMAL);
}
END_TEST

static const char *const no_methods[] = {
        "", "/", "/pkg.Echo", "/pkg.Echo/Nothing", "/pkg.Ech/", "pkg.Echo/"};

START_TEST(policy_of_what_is_not_there_is_refused)
{
    const amdrpc_policy policy = {0};

    ck_assert_int_eq(amdi_service_table_set_policy(
                             &table, no_methods[_i], &policy, &defaults),
            AMDRPC_ENOTFOUND);
}
END_TEST

static const amdrpc_policy bad_policies[] = {
        {.dispatch = (amdrpc_dispatch)4},
        {.dispatch = (amdrpc_dispatch)-1},
        {.priority = (amdrpc_priority)4},
        {.priority = (amdrpc_priority)-1},
        {.fair_by = (amdrpc_fair_by)5},
        {.fair_by = AMDRPC_FAIR_BY_METADATA},
        {.fair_by = AMDRPC_FAIR_BY_METADATA, .fair_key = ""},
        {.fair_by = AMDRPC_FAIR_BY_METADATA, .fair_key = "Tenant"},
        {.fair_by = AMDRPC_FAIR_BY_METADATA, .fair_key = "grpc-timeout"},
        {.fair_by = AMDRPC_FAIR_BY_HOST, .fair_key = "tenant"},
        {.pool = ""},
        {.pool = "a-name-that-is-much-longer-than-any-pool-of-a-server-can-ever"
                 "-have"},
};

START_TEST(policy_out_of_range_is_refused)
{
    ck_assert_int_eq(amdi_service_table_set_policy(&table, "/pkg.Echo/Echo",
                             &bad_policies[_i], &defaults),
            AMDRPC_EINVAL);
    check_is_default(&find("/pkg.Echo/Echo")->policy);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("service");
    TCase *paths = tcase_create("paths");
    TCase *policy = tcase_create("policy");

    tcase_add_checked_fixture(paths, setup, teardown);
    tcase_add_test(paths, path_finds_its_method);
    tcase_add_test(paths, method_without_handler_is_known);
    tcase_add_loop_test(paths, other_paths_find_nothing, 0, 12);
    tcase_add_test(paths, path_is_compared_up_to_its_length);
    tcase_add_test(paths, service_of_a_path_is_found);
    tcase_add_test(paths, second_service_of_a_name_is_refused);
    tcase_add_test(paths, services_are_listed_in_order);
    tcase_add_test(paths, service_without_methods_is_added);
    tcase_add_test(paths, table_without_services_finds_nothing);
    tcase_add_test(paths, each_of_many_methods_is_found);
    tcase_add_test(paths, detached_calls_have_methods_of_their_own);
    tcase_add_test(paths, nothing_is_detached_unless_it_was_asked_for);
    suite_add_tcase(suite, paths);

    tcase_add_checked_fixture(policy, setup, teardown);
    tcase_add_test(policy, policy_of_a_method_is_set);
    tcase_add_test(policy, texts_of_a_policy_are_copied);
    tcase_add_test(policy, fields_that_are_not_set_mean_the_default);
    tcase_add_test(policy, policy_of_a_service_is_set_for_all_of_it);
    tcase_add_loop_test(policy, policy_of_what_is_not_there_is_refused, 0, 6);
    tcase_add_loop_test(policy, policy_out_of_range_is_refused, 0,
            (int)(sizeof(bad_policies) / sizeof(bad_policies[0])));
    suite_add_tcase(suite, policy);

    TCase *memory = tcase_create("memory");
    tcase_add_test(memory, lack_of_memory_leaves_the_table_whole);
    suite_add_tcase(suite, memory);
    return suite;
}

TEST_MAIN(make_suite)
