/** Tests what a channel's target may look like. */
#include "client/target.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"

#include <check.h>

#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

static struct amdi_target target;

static void
target_parse(const char *text)
{
    ck_assert_int_eq(amdi_target_parse(text, &target), AMDRPC_OK);
}

static void
target_teardown(void)
{
    amdi_target_fini(&target);
}

START_TEST(name_is_left_to_look_up)
{
    target_parse("db.example.org:50051");

    ck_assert_str_eq(target.host, "db.example.org");
    ck_assert_str_eq(target.port, "50051");
    ck_assert_str_eq(target.authority, "db.example.org:50051");
    ck_assert_uint_eq(target.addresses.count, 0);
}
END_TEST

START_TEST(ipv4_number_is_an_address)
{
    target_parse("127.0.0.1:80");

    const struct sockaddr_in *address =
            (const struct sockaddr_in *)&target.addresses.at[0].address;
    ck_assert_uint_eq(target.addresses.count, 1);
    ck_assert_ptr_null(target.host);
    ck_assert_int_eq(address->sin_family, AF_INET);
    ck_assert_uint_eq(ntohs(address->sin_port), 80);
    ck_assert_uint_eq(ntohl(address->sin_addr.s_addr), INADDR_LOOPBACK);
}
END_TEST

START_TEST(ipv6_number_stands_in_brackets)
{
    target_parse("[::1]:50051");

    const struct sockaddr_in6 *address =
            (const struct sockaddr_in6 *)&target.addresses.at[0].address;
    ck_assert_uint_eq(target.addresses.count, 1);
    ck_assert_int_eq(address->sin6_family, AF_INET6);
    ck_assert_uint_eq(ntohs(address->sin6_port), 50051);
    ck_assert_str_eq(target.authority, "[::1]:50051");
}
END_TEST

START_TEST(dns_scheme_is_no_part_of_the_authority)
{
    target_parse("dns:///example.org:443");

    ck_assert_str_eq(target.authority, "example.org:443");
}
END_TEST

START_TEST(unix_path_is_an_address)
{
    static const char *const texts[] = {
            "unix:/run/a.sock", "unix:///run/a.sock"};

    target_parse(texts[_i]);

    const struct sockaddr_un *address =
            (const struct sockaddr_un *)&target.addresses.at[0].address;
    ck_assert_uint_eq(target.addresses.count, 1);
    ck_assert_int_eq(address->sun_family, AF_UNIX);
    ck_assert_str_eq(address->sun_path, "/run/a.sock");
    ck_assert_str_eq(target.authority, "localhost");
}
END_TEST

static const char *const bad_targets[] = {
        "",
        ":",
        ":50051",
        "localhost",
        "localhost:",
        "localhost:0",
        "localhost:65536",
        "localhost:123456",
        "localhost:http",
        "localhost:-1",
        "local host:1",
        "::1:50051",
        "[::1]",
        "[::1]:",
        "[::1",
        "[]:1",
        "http://localhost:1",
        "user@localhost:1",
        "localhost:1/path",
        "unix:",
        "dns:///",
};

START_TEST(other_text_is_refused)
{
    ck_assert_int_eq(
            amdi_target_parse(bad_targets[_i], &target), AMDRPC_EINVAL);
}
END_TEST

START_TEST(path_longer_than_an_address_is_refused)
{
    char text[200] = "unix:/";

    memset(text + strlen(text), 'a', sizeof(text) - strlen(text) - 1);

    ck_assert_int_eq(amdi_target_parse(text, &target), AMDRPC_EINVAL);
}
END_TEST

static amdrpc_err
target_make(void *arg)
{
    struct amdi_target made = {0};
    amdrpc_err err = amdi_target_parse(arg, &made);

    amdi_target_fini(&made);
    return err;
}

START_TEST(failing_allocations_are_reported)
{
    static char name[] = "example.org:1";
    static char path[] = "unix:/a";

    (void)test_sweep_allocations(target_make, name);
    (void)test_sweep_allocations(target_make, path);
}
END_TEST

static Suite *
target_suite(void)
{
    Suite *suite = suite_create("target");
    TCase *tcase = tcase_create("parse");

    tcase_add_checked_fixture(tcase, NULL, target_teardown);
    tcase_add_test(tcase, name_is_left_to_look_up);
    tcase_add_test(tcase, ipv4_number_is_an_address);
    tcase_add_test(tcase, ipv6_number_stands_in_brackets);
    tcase_add_test(tcase, dns_scheme_is_no_part_of_the_authority);
    tcase_add_loop_test(tcase, unix_path_is_an_address, 0, 2);
    tcase_add_loop_test(tcase, other_text_is_refused, 0,
            sizeof(bad_targets) / sizeof(bad_targets[0]));
    tcase_add_test(tcase, path_longer_than_an_address_is_refused);
    tcase_add_test(tcase, failing_allocations_are_reported);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(target_suite)
