/** Tests the transport's connecting, over the loopback. */
#include "common/socket.h"
#include "common/transport.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"
#include "tests/support/transport_probe.h"
#include "tests/support/tree.h"

#include <check.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- connecting ---- */

/** Listens at a free port of the loopback. */
static int
listener_open(struct sockaddr_in *address)
{
    socklen_t len = sizeof(*address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    *address = (struct sockaddr_in){.sin_family = AF_INET};
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)address, len), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)address, &len), 0);
    return fd;
}

static void
connect_to(const struct sockaddr_in *address)
{
    ck_assert_int_eq(amdi_transport_connect(test_probe.loop,
                             (const struct sockaddr *)address, sizeof(*address),
                             &test_probe_events, NULL, &test_probe.transport),
            AMDRPC_OK);
    ck_assert_str_eq(test_probe.trace, "");
}

static void
connect_to_listener(void)
{
    struct sockaddr_in address;
    int fd = listener_open(&address);

    connect_to(&address);
    test_probe_await('c');
    test_probe.peer_fd = accept(fd, NULL, NULL);
    ck_assert_int_ge(test_probe.peer_fd, 0);
    close(fd);
}

START_TEST(connected_transport_writes_and_reads)
{
    char got[8];

    connect_to_listener();
    ck_assert_int_eq(test_probe_write("ping"), AMDRPC_OK);
    ck_assert_int_eq(read(test_probe.peer_fd, got, sizeof(got)), 4);
    ck_assert_int_eq(write(test_probe.peer_fd, "pong", 4), 4);
    test_probe_await('r');

    ck_assert_str_eq(test_probe.trace, "cr");
    ck_assert_uint_eq(test_probe.nread, 4);
}
END_TEST

START_TEST(reset_by_the_peer_is_an_error)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    connect_to_listener();
    ck_assert_int_eq(setsockopt(test_probe.peer_fd, SOL_SOCKET, SO_LINGER,
                             &linger, sizeof(linger)),
            0);
    test_probe_close_peer();
    test_probe_await('l');

    ck_assert_str_eq(test_probe.trace, "cl");
    ck_assert_int_eq(test_probe.lost_err, AMDRPC_EIO);
}
END_TEST

START_TEST(refused_connection_is_told_later)
{
    struct sockaddr_in address;

    close(listener_open(&address));
    connect_to(&address);
    test_probe_await('l');
    test_probe_poll();

    ck_assert_str_eq(test_probe.trace, "l");
    ck_assert_int_eq(test_probe.lost_err, AMDRPC_ECLOSED);
}
END_TEST

START_TEST(connection_that_fails_at_once_is_told_later)
{
    struct sockaddr_un address = {
            .sun_family = AF_UNIX, .sun_path = "/nonexistent/socket"};

    test_probe.destroy_on = 'l';
    ck_assert_int_eq(amdi_transport_connect(test_probe.loop,
                             (struct sockaddr *)&address, sizeof(address),
                             &test_probe_events, NULL, &test_probe.transport),
            AMDRPC_OK);
    ck_assert_str_eq(test_probe.trace, "");
    test_probe_turn();

    ck_assert_str_eq(test_probe.trace, "l");
    ck_assert_int_eq(test_probe.lost_err, AMDRPC_EIO);
}
END_TEST

START_TEST(transport_may_be_destroyed_before_it_is_connected)
{
    struct sockaddr_in address;
    int fd = listener_open(&address);

    connect_to(&address);
    amdi_transport_destroy(test_probe.transport);
    test_probe.transport = NULL;
    test_probe_poll();

    ck_assert_str_eq(test_probe.trace, "");
    close(fd);
}
END_TEST

START_TEST(transport_may_be_destroyed_when_connected)
{
    test_probe.destroy_on = 'c';
    connect_to_listener();
    test_probe_poll();

    ck_assert_str_eq(test_probe.trace, "c");
    ck_assert_ptr_null(test_probe.transport);
}
END_TEST

START_TEST(reading_stopped_before_the_connection_stays_stopped)
{
    struct sockaddr_in address;
    int fd = listener_open(&address);

    connect_to(&address);
    amdi_transport_set_reading(test_probe.transport, false);
    test_probe_await('c');
    test_probe.peer_fd = accept(fd, NULL, NULL);
    ck_assert_int_eq(write(test_probe.peer_fd, "hello", 5), 5);
    test_probe_poll();
    ck_assert_str_eq(test_probe.trace, "c");

    amdi_transport_set_reading(test_probe.transport, true);
    test_probe_await('r');
    close(fd);
}
END_TEST

/* ---- the rest ---- */

START_TEST(peer_is_written_for_people)
{
    struct sockaddr_in address;
    int listener = listener_open(&address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char expected[32];
    char text[64];

    ck_assert_int_eq(
            connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    amdi_socket_format_peer(fd, text, sizeof(text));
    snprintf(expected, sizeof(expected), "127.0.0.1:%u",
            (unsigned)ntohs(address.sin_port));
    ck_assert_str_eq(text, expected);
    close(fd);
    close(listener);
}
END_TEST

START_TEST(other_peers_have_a_text_too)
{
    char text[64];
    int fds[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    amdi_socket_format_peer(fds[0], text, sizeof(text));
    ck_assert_str_eq(text, "unix:");
    close(fds[0]);
    close(fds[1]);
    amdi_socket_format_peer(-1, text, sizeof(text));
    ck_assert_str_eq(text, "unknown");
}
END_TEST

/** A socket that listens on a file of that name. */
static int
unix_listener_open(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

START_TEST(own_end_has_an_address)
{
    struct sockaddr_in address;
    int listener = listener_open(&address);
    struct amdi_socket_address local;

    amdi_socket_get_local(listener, &local);

    ck_assert_int_eq(local.family, AMDI_SOCKET_IP);
    ck_assert_uint_eq(local.ip_len, 4);
    ck_assert_mem_eq(local.ip, "\x7f\0\0\1", 4);
    ck_assert_uint_eq(local.port, ntohs(address.sin_port));
    close(listener);
}
END_TEST

START_TEST(ip6_stands_in_brackets)
{
    const struct amdi_socket_address address = {.family = AMDI_SOCKET_IP,
            .ip = {[15] = 1},
            .ip_len = 16,
            .port = 443};
    char text[64];

    amdi_socket_address_format(&address, text, sizeof(text));

    ck_assert_str_eq(text, "[::1]:443");
}
END_TEST

START_TEST(unix_socket_has_the_path_of_its_file)
{
    static struct test_tree tree;
    struct amdi_socket_address local;
    char text[200];
    int fd = -1;

    test_tree_init(&tree);
    fd = unix_listener_open(test_tree_path(&tree, "socket"));
    amdi_socket_get_local(fd, &local);

    ck_assert_int_eq(local.family, AMDI_SOCKET_UNIX);
    ck_assert_str_eq(local.path, test_tree_path(&tree, "socket"));
    amdi_socket_address_format(&local, text, sizeof(text));
    ck_assert_int_eq(strncmp(text, "unix:/", 6), 0);
    close(fd);
    test_tree_fini(&tree);
}
END_TEST

static amdrpc_err
transport_connect(void *arg)
{
    struct amdi_transport *made = NULL;
    const struct sockaddr_in *address = arg;
    amdrpc_err err = amdi_transport_connect(test_probe.loop,
            (const struct sockaddr *)address, sizeof(*address),
            &test_probe_events, NULL, &made);

    amdi_transport_destroy(made);
    return err;
}

START_TEST(failed_allocation_makes_no_connection)
{
    struct sockaddr_in address;
    int fd = listener_open(&address);

    ck_assert_uint_eq(test_sweep_allocations(transport_connect, &address), 1);
    close(fd);
}
END_TEST

START_TEST(address_of_no_family_is_an_error)
{
    struct sockaddr address = {.sa_family = 0xffff};

    ck_assert_int_eq(
            amdi_transport_connect(test_probe.loop, &address, sizeof(address),
                    &test_probe_events, NULL, &test_probe.transport),
            AMDRPC_EIO);
}
END_TEST

static Suite *
connect_suite(void)
{
    Suite *suite = suite_create("connect");
    TCase *connecting = tcase_create("connecting");
    TCase *rest = tcase_create("rest");

    tcase_add_checked_fixture(
            connecting, test_probe_set_up, test_probe_tear_down);
    tcase_add_test(connecting, connected_transport_writes_and_reads);
    tcase_add_test(connecting, reset_by_the_peer_is_an_error);
    tcase_add_test(connecting, refused_connection_is_told_later);
    tcase_add_test(connecting, connection_that_fails_at_once_is_told_later);
    tcase_add_test(
            connecting, transport_may_be_destroyed_before_it_is_connected);
    tcase_add_test(connecting, transport_may_be_destroyed_when_connected);
    tcase_add_test(
            connecting, reading_stopped_before_the_connection_stays_stopped);
    suite_add_tcase(suite, connecting);
    tcase_add_checked_fixture(rest, test_probe_set_up, test_probe_tear_down);
    tcase_add_test(rest, peer_is_written_for_people);
    tcase_add_test(rest, other_peers_have_a_text_too);
    tcase_add_test(rest, own_end_has_an_address);
    tcase_add_test(rest, ip6_stands_in_brackets);
    tcase_add_test(rest, unix_socket_has_the_path_of_its_file);
    tcase_add_test(rest, failed_allocation_makes_no_connection);
    tcase_add_test(rest, address_of_no_family_is_an_error);
    suite_add_tcase(suite, rest);
    return suite;
}

TEST_MAIN(connect_suite)
