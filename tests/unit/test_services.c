/** Tests that the standard services are added whole or not at all. */
#include <amdrpc/channelz.h>
#include <amdrpc/health.h>
#include <amdrpc/reflection.h>
#include <amdrpc/server.h>

#include "tests/support/runner.h"
#include "tests/support/sweep.h"

#include <check.h>

START_TEST(all_are_on_the_list_of_services)
{
    static const char *const names[] = {"grpc.channelz.v1.Channelz",
            "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection"};
    amdrpc_server *server = NULL;
    amdrpc_health *health = NULL;
    amdrpc_reflection *reflection = NULL;

    ck_assert_int_eq(amdrpc_server_create(NULL, &server), AMDRPC_OK);
    ck_assert_int_eq(amdrpc_channelz_add(server), AMDRPC_OK);
    ck_assert_int_eq(amdrpc_health_create(server, &health), AMDRPC_OK);
    ck_assert_int_eq(amdrpc_reflection_create(server, &reflection), AMDRPC_OK);

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        ck_assert_str_eq(amdrpc_server_get_service(server, i)->name, names[i]);
    }
    ck_assert_ptr_null(amdrpc_server_get_service(server, 4));
    amdrpc_server_destroy(server);
    amdrpc_reflection_destroy(reflection);
    amdrpc_health_destroy(health);
}
END_TEST

START_TEST(second_of_a_kind_is_refused)
{
    amdrpc_server *server = NULL;
    amdrpc_health *health = NULL;
    amdrpc_health *second = NULL;

    ck_assert_int_eq(amdrpc_server_create(NULL, &server), AMDRPC_OK);
    ck_assert_int_eq(amdrpc_health_create(server, &health), AMDRPC_OK);

    ck_assert_int_eq(amdrpc_health_create(server, &second), AMDRPC_EEXIST);

    ck_assert_ptr_null(second);
    ck_assert_int_eq(amdrpc_channelz_add(server), AMDRPC_OK);
    ck_assert_int_eq(amdrpc_channelz_add(server), AMDRPC_EEXIST);
    amdrpc_server_destroy(server);
    amdrpc_health_destroy(health);
}
END_TEST

static amdrpc_err
make_services(void *arg)
{
    amdrpc_server *server = NULL;
    amdrpc_health *health = NULL;
    amdrpc_reflection *reflection = NULL;
    amdrpc_err err = amdrpc_server_create(NULL, &server);

    (void)arg;
    if (err == AMDRPC_OK) {
        err = amdrpc_channelz_add(server);
    }
    if (err == AMDRPC_OK) {
        err = amdrpc_health_create(server, &health);
    }
    if (err == AMDRPC_OK) {
        err = amdrpc_reflection_create(server, &reflection);
    }
    amdrpc_server_destroy(server);
    amdrpc_reflection_destroy(reflection);
    amdrpc_health_destroy(health);
    return err;
}

START_TEST(every_failed_allocation_is_told)
{
    ck_assert_uint_gt(test_sweep_allocations(make_services, NULL), 0);
}
END_TEST

static Suite *
services_suite(void)
{
    Suite *suite = suite_create("services");
    TCase *create = tcase_create("create");

    tcase_add_test(create, all_are_on_the_list_of_services);
    tcase_add_test(create, second_of_a_kind_is_refused);
    tcase_add_test(create, every_failed_allocation_is_told);
    suite_add_tcase(suite, create);
    return suite;
}

TEST_MAIN(services_suite)
