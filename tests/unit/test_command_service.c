/** Tests how commands are described as methods. */
#include "common/descriptor/descriptor.h"
#include "server/modules/command/command_service.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"

#include <check.h>

#include <string.h>

static struct amdi_commands commands;
static struct amdi_command_starter starter; // no call is made
static struct amdi_command_service service;

static void
set_up(void)
{
    struct amdi_error error;

    amdi_commands_init(&commands);
    ck_assert_int_eq(
            amdi_commands_set(&commands, "one", "argv", "/bin/sh", &error),
            AMDRPC_OK);
    ck_assert_int_eq(
            amdi_commands_set(&commands, "two", "argv", "/bin/sh", &error),
            AMDRPC_OK);
    ck_assert_int_eq(
            amdi_commands_set(&commands, "two", "stdin", "stream", &error),
            AMDRPC_OK);
    ck_assert_int_eq(amdi_commands_finish(&commands, &error), AMDRPC_OK);
}

static void
tear_down(void)
{
    amdi_commands_fini(&commands);
}

START_TEST(each_command_is_a_method)
{
    ck_assert_int_eq(amdi_command_service_init(&service, &commands, &starter),
            AMDRPC_OK);

    ck_assert_str_eq(service.desc.name, "amdrpc.command.v1.Command");
    ck_assert_uint_eq(service.desc.nmethods, 2);
    ck_assert_str_eq(
            service.desc.methods[0].path, "/amdrpc.command.v1.Command/one");
    ck_assert_int_eq(service.desc.methods[0].kind, AMDRPC_SERVER_STREAMING);
    ck_assert_str_eq(service.desc.methods[1].name, "two");
    ck_assert_int_eq(service.desc.methods[1].kind, AMDRPC_BIDI_STREAMING);

    amdi_command_service_fini(&service);
}
END_TEST

START_TEST(methods_are_described_for_reflection)
{
    struct amdi_descriptors *descriptors = NULL;
    const struct amdi_method *method = NULL;
    struct amdi_error error = {.text = ""};

    ck_assert_int_eq(amdi_command_service_init(&service, &commands, &starter),
            AMDRPC_OK);
    ck_assert_int_eq(amdi_descriptors_create(&descriptors), AMDRPC_OK);
    ck_assert_int_eq(
            amdi_descriptors_add_set(descriptors, service.desc.descriptor_set,
                    service.desc.descriptor_set_len, &error),
            AMDRPC_OK);
    ck_assert_msg(amdi_descriptors_link(descriptors, &error) == AMDRPC_OK, "%s",
            error.text);

    method = amdi_descriptors_find_method(
            descriptors, "/amdrpc.command.v1.Command/two");
    ck_assert_ptr_nonnull(method);
    ck_assert(method->client_streaming);
    ck_assert(method->server_streaming);
    ck_assert_str_eq(method->input->full_name, "amdrpc.command.v1.RunRequest");
    ck_assert_str_eq(method->output->full_name, "amdrpc.command.v1.RunOutput");

    amdi_descriptors_destroy(descriptors);
    amdi_command_service_fini(&service);
}
END_TEST

START_TEST(server_takes_the_service)
{
    const amdrpc_server_options options = {.loops = 1, .workers = 1};
    amdrpc_server *server = NULL;
    amdrpc_policy policy;

    ck_assert_int_eq(amdi_command_service_init(&service, &commands, &starter),
            AMDRPC_OK);
    ck_assert_int_eq(amdrpc_server_create(&options, &server), AMDRPC_OK);

    ck_assert_int_eq(amdi_command_service_add(&service, server), AMDRPC_OK);

    ck_assert_int_eq(amdrpc_server_get_policy(
                             server, "/amdrpc.command.v1.Command/two", &policy),
            AMDRPC_OK);
    ck_assert_int_eq(policy.dispatch, AMDRPC_DISPATCH_INLINE);
    amdrpc_server_destroy(server);
    amdi_command_service_fini(&service);
}
END_TEST

static amdrpc_err
make_and_free(void *arg)
{
    amdrpc_err err = amdi_command_service_init(&service, &commands, &starter);

    (void)arg;
    if (err == AMDRPC_OK) {
        amdi_command_service_fini(&service);
    }
    return err;
}

START_TEST(every_allocation_may_fail)
{
    (void)test_sweep_allocations(make_and_free, NULL);
}
END_TEST

static Suite *
service_suite(void)
{
    Suite *suite = suite_create("command service");
    TCase *methods = tcase_create("methods");

    tcase_add_checked_fixture(methods, set_up, tear_down);
    tcase_add_test(methods, each_command_is_a_method);
    tcase_add_test(methods, methods_are_described_for_reflection);
    tcase_add_test(methods, server_takes_the_service);
    tcase_add_test(methods, every_allocation_may_fail);
    suite_add_tcase(suite, methods);
    return suite;
}

TEST_MAIN(service_suite)
