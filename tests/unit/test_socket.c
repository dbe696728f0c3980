/** Tests the calls of one connected socket. */
#include "common/socket.h"
#include "tests/support/runner.h"

#include <check.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

static int fds[2];

static void
set_up(void)
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    ck_assert_int_eq(amdi_socket_prepare(fds[0]), AMDRPC_OK);
}

static void
tear_down(void)
{
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static const struct {
    int code;
    amdrpc_err err;
} codes[] = {
        {EAGAIN, AMDRPC_EAGAIN},
        {ECONNREFUSED, AMDRPC_ECLOSED},
        {EPIPE, AMDRPC_ECLOSED},
        {ETIMEDOUT, AMDRPC_ETIMEDOUT},
        {ENOMEM, AMDRPC_ENOMEM},
        {ENOBUFS, AMDRPC_ENOMEM},
        {ECONNRESET, AMDRPC_EIO},
};

START_TEST(errno_has_its_meaning)
{
    ck_assert_int_eq(amdi_socket_error(codes[_i].code), codes[_i].err);
}
END_TEST

START_TEST(socket_is_prepared)
{
    ck_assert_int_ne(fcntl(fds[0], F_GETFL) & O_NONBLOCK, 0);
    ck_assert_int_ne(fcntl(fds[0], F_GETFD) & FD_CLOEXEC, 0);
}
END_TEST

START_TEST(bytes_come_and_go)
{
    struct iovec iov[] = {
            {.iov_base = "ab", .iov_len = 2}, {.iov_base = "c", .iov_len = 1}};
    uint8_t data[8];
    size_t len = 0;

    ck_assert_int_eq(
            amdi_socket_read(fds[0], data, sizeof(data), &len), AMDRPC_EAGAIN);
    ck_assert_int_eq(amdi_socket_write(fds[1], iov, 2, &len), AMDRPC_OK);
    ck_assert_uint_eq(len, 3);
    ck_assert_int_eq(
            amdi_socket_read(fds[0], data, sizeof(data), &len), AMDRPC_OK);
    ck_assert_uint_eq(len, 3);
    ck_assert_mem_eq(data, "abc", 3);
}
END_TEST

START_TEST(end_of_the_peer_is_told_both_ways)
{
    struct iovec iov = {.iov_base = "a", .iov_len = 1};
    uint8_t data[8];
    size_t len = 0;

    ck_assert_int_eq(close(fds[1]), 0);
    fds[1] = -1;

    ck_assert_int_eq(
            amdi_socket_read(fds[0], data, sizeof(data), &len), AMDRPC_ECLOSED);
    ck_assert_int_eq(amdi_socket_write(fds[0], &iov, 1, &len), AMDRPC_ECLOSED);
}
END_TEST

static const struct {
    uint32_t wanted_ms;
    unsigned got_ms;
} timeouts[] = {
        {20000, 20000},
        {1, 1},
        {UINT32_MAX, INT_MAX},
};

START_TEST(tcp_gives_up_what_is_not_acknowledged)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    unsigned ms = 0;
    socklen_t size = sizeof(ms);

    ck_assert_int_ge(fd, 0);
    amdi_socket_set_user_timeout(fd, timeouts[_i].wanted_ms);

    ck_assert_int_eq(
            getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, &size), 0);
    ck_assert_uint_eq(ms, timeouts[_i].got_ms);
    ck_assert_int_eq(close(fd), 0);
}
END_TEST

START_TEST(unix_sockets_have_no_such_time)
{
    char text[64];

    amdi_socket_set_user_timeout(fds[0], 1);

    amdi_socket_format_peer(fds[0], text, sizeof(text));
    ck_assert_str_eq(text, "unix:");
}
END_TEST

static Suite *
socket_suite(void)
{
    Suite *suite = suite_create("socket");
    TCase *calls = tcase_create("calls");

    tcase_add_checked_fixture(calls, set_up, tear_down);
    tcase_add_loop_test(
            calls, errno_has_its_meaning, 0, sizeof(codes) / sizeof(codes[0]));
    tcase_add_test(calls, socket_is_prepared);
    tcase_add_test(calls, bytes_come_and_go);
    tcase_add_test(calls, end_of_the_peer_is_told_both_ways);
    tcase_add_loop_test(calls, tcp_gives_up_what_is_not_acknowledged, 0,
            sizeof(timeouts) / sizeof(timeouts[0]));
    tcase_add_test(calls, unix_sockets_have_no_such_time);
    suite_add_tcase(suite, calls);
    return suite;
}

TEST_MAIN(socket_suite)
