/** Tests addresses as people write them. */
#include "common/address.h"
#include "tests/support/runner.h"

#include <check.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
    const char *text;
    const char *host;
    uint16_t port;
    int family;
} good[] = {
        {"127.0.0.1:50051", "127.0.0.1", 50051, AF_INET},
        {"localhost:1", "127.0.0.1", 1, AF_INET},
        {":0", "0.0.0.0", 0, AF_INET},
        {"*:65535", "0.0.0.0", 65535, AF_INET},
        {"[::1]:80", "::1", 80, AF_INET6},
        {"[::]:00080", "::", 80, AF_INET6},
};

START_TEST(address_is_read)
{
    struct amdi_address address;
    char host[INET6_ADDRSTRLEN];
    const void *bytes = NULL;
    uint16_t port = 0;

    ck_assert_int_eq(amdi_address_parse(good[_i].text, &address), AMDRPC_OK);

    ck_assert_int_eq(address.storage.ss_family, good[_i].family);
    if (good[_i].family == AF_INET) {
        const struct sockaddr_in *in =
                (const struct sockaddr_in *)&address.storage;

        bytes = &in->sin_addr;
        port = ntohs(in->sin_port);
        ck_assert_uint_eq(address.len, sizeof(*in));
    } else {
        const struct sockaddr_in6 *in =
                (const struct sockaddr_in6 *)&address.storage;

        bytes = &in->sin6_addr;
        port = ntohs(in->sin6_port);
        ck_assert_uint_eq(address.len, sizeof(*in));
    }
    ck_assert_uint_eq(port, good[_i].port);
    ck_assert_str_eq(inet_ntop(good[_i].family, bytes, host, sizeof(host)),
            good[_i].host);
}
END_TEST

static const char *const bad[] = {
        "",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "127.0.0.1:+80",
        "127.0.0.1:080000",
        "127.0.0.1:http",
        "127.0.0.1: 80",
        "127.0.0:80",
        "256.0.0.1:80",
        "::1:80",
        "[::1:80",
        "[::1]80",
        "[]:80",
        "[:80",
        "[127.0.0.1]:80",
        "example.org:80",
        // Longer than any address.
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:1",
};

START_TEST(what_is_no_address_is_refused)
{
    struct amdi_address address;

    ck_assert_msg(amdi_address_parse(bad[_i], &address) == AMDRPC_EINVAL,
            "\"%s\" was taken", bad[_i]);
}
END_TEST

START_TEST(port_of_a_bound_socket_is_told)
{
    struct amdi_address address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_eq(amdi_address_parse("127.0.0.1:0", &address), AMDRPC_OK);
    ck_assert_int_eq(
            bind(fd, (const struct sockaddr *)&address.storage, address.len),
            0);

    ck_assert_uint_gt(amdi_address_local_port(fd), 0);

    ck_assert_int_eq(close(fd), 0);
}
END_TEST

START_TEST(port_of_no_socket_is_zero)
{
    ck_assert_uint_eq(amdi_address_local_port(-1), 0);
}
END_TEST

static Suite *
make_suite(void)
{
    Suite *suite = suite_create("address");
    TCase *parse = tcase_create("parse");
    TCase *port = tcase_create("port");

    tcase_add_loop_test(parse, address_is_read, 0, COUNT(good));
    tcase_add_loop_test(parse, what_is_no_address_is_refused, 0, COUNT(bad));
    suite_add_tcase(suite, parse);

    tcase_add_test(port, port_of_a_bound_socket_is_told);
    tcase_add_test(port, port_of_no_socket_is_zero);
    suite_add_tcase(suite, port);
    return suite;
}

TEST_MAIN(make_suite)
