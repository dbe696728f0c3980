/** Tests the sockets that a server listens on. */
#include "common/address.h"
#include "server/conn/listen_socket.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"
#include "tests/support/tree.h"

#include <check.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static struct test_tree tree;
static struct amdi_listen_socket listening;
static char address[128];

static void
set_up(void)
{
    test_tree_init(&tree);
    listening = (struct amdi_listen_socket){.fd = -1};
    (void)snprintf(address, sizeof(address), "unix:%s",
            test_tree_path(&tree, "socket"));
}

static void
tear_down(void)
{
    amdi_listen_socket_close(&listening);
    test_tree_fini(&tree);
}

static const char *
path(void)
{
    return address + strlen("unix:");
}

static bool
file_is_there(void)
{
    struct stat info;

    return lstat(path(), &info) == 0;
}

static bool
can_connect(void)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool has_worked = false;

    ck_assert_int_ge(fd, 0);
    ck_assert_uint_lt(strlen(path()), sizeof(to.sun_path));
    memcpy(to.sun_path, path(), strlen(path()) + 1);
    has_worked = connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0;
    ck_assert_int_eq(close(fd), 0);
    return has_worked;
}

/** What a process leaves that ended without a word. */
static void
leave_stale_file(void)
{
    ck_assert_int_eq(
            amdi_listen_socket_open(&listening, address, 0600), AMDRPC_OK);
    ck_assert_int_eq(close(listening.fd), 0);
    listening.fd = -1;
    ck_assert_int_eq(rename(path(), test_tree_path(&tree, "moved")), 0);
    amdi_listen_socket_close(&listening); // finds no file to remove
    (void)snprintf(address, sizeof(address), "unix:%s",
            test_tree_path(&tree, "moved"));
    ck_assert(file_is_there());
}

START_TEST(port_0_takes_a_free_one)
{
    ck_assert_int_eq(amdi_listen_socket_open(&listening, "127.0.0.1:0", 0600),
            AMDRPC_OK);

    ck_assert_uint_ne(amdi_address_local_port(listening.fd), 0);
    ck_assert_ptr_null(listening.path);
}
END_TEST

static const char *const bad_addresses[] = {
        "", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:65536", "unix:", "unix://"};

START_TEST(what_is_no_address_is_refused)
{
    ck_assert_int_eq(
            amdi_listen_socket_open(&listening, bad_addresses[_i], 0600),
            AMDRPC_EINVAL);
    ck_assert_int_eq(listening.fd, -1);
}
END_TEST

START_TEST(path_that_is_too_long_is_refused)
{
    char text[256] = "unix:/";

    memset(text + 6, 'x', sizeof(text) - 7);

    ck_assert_int_eq(
            amdi_listen_socket_open(&listening, text, 0600), AMDRPC_EINVAL);
}
END_TEST

START_TEST(folder_that_is_not_there_is_told)
{
    ck_assert_int_eq(amdi_listen_socket_open(
                             &listening, "unix:/none/of/these/socket", 0600),
            AMDRPC_ENOTFOUND);
}
END_TEST

static const mode_t modes[] = {0600, 0660, 0666};

START_TEST(file_has_its_mode_and_goes_with_the_socket)
{
    struct stat info;

    ck_assert_int_eq(
            amdi_listen_socket_open(&listening, address, modes[_i]), AMDRPC_OK);
    ck_assert_int_eq(lstat(path(), &info), 0);
    ck_assert_uint_eq(info.st_mode & ALLPERMS, modes[_i]);
    ck_assert(can_connect());

    amdi_listen_socket_close(&listening);
    ck_assert(!file_is_there());
    amdi_listen_socket_close(&listening); // harmless
}
END_TEST

START_TEST(uri_form_means_the_same)
{
    char text[256];

    (void)snprintf(text, sizeof(text), "unix://%s", path());

    ck_assert_int_eq(
            amdi_listen_socket_open(&listening, text, 0600), AMDRPC_OK);
    ck_assert(can_connect());
}
END_TEST

START_TEST(stale_file_is_replaced)
{
    leave_stale_file();

    ck_assert_int_eq(
            amdi_listen_socket_open(&listening, address, 0600), AMDRPC_OK);
    ck_assert(can_connect());
}
END_TEST

START_TEST(socket_in_use_is_not_replaced)
{
    struct amdi_listen_socket second;

    ck_assert_int_eq(
            amdi_listen_socket_open(&listening, address, 0600), AMDRPC_OK);

    ck_assert_int_eq(
            amdi_listen_socket_open(&second, address, 0600), AMDRPC_EADDRINUSE);
    ck_assert(can_connect());
}
END_TEST

START_TEST(other_file_is_not_replaced)
{
    test_tree_add_file(&tree, "socket", "text");

    ck_assert_int_eq(amdi_listen_socket_open(&listening, address, 0600),
            AMDRPC_EADDRINUSE);
    ck_assert(file_is_there());
}
END_TEST

START_TEST(file_of_a_successor_is_not_removed)
{
    ck_assert_int_eq(
            amdi_listen_socket_open(&listening, address, 0600), AMDRPC_OK);
    ck_assert_int_eq(rename(path(), test_tree_path(&tree, "old")), 0);
    test_tree_add_file(&tree, "socket", "another's");

    amdi_listen_socket_close(&listening);

    ck_assert(file_is_there());
}
END_TEST

static amdrpc_err
open_and_close(void *arg)
{
    struct amdi_listen_socket made;
    amdrpc_err err = amdi_listen_socket_open(&made, address, 0600);

    (void)arg;
    if (err == AMDRPC_OK) {
        amdi_listen_socket_close(&made);
    }
    ck_assert(!file_is_there());
    return err;
}

START_TEST(lack_of_memory_leaves_no_file)
{
    ck_assert_uint_eq(test_sweep_allocations(open_and_close, NULL), 1);
}
END_TEST

static Suite *
listen_socket_suite(void)
{
    Suite *suite = suite_create("listen_socket");
    TCase *addresses = tcase_create("addresses");
    TCase *files = tcase_create("files");

    tcase_add_checked_fixture(addresses, set_up, tear_down);
    tcase_add_test(addresses, port_0_takes_a_free_one);
    tcase_add_loop_test(addresses, what_is_no_address_is_refused, 0,
            sizeof(bad_addresses) / sizeof(bad_addresses[0]));
    tcase_add_test(addresses, path_that_is_too_long_is_refused);
    tcase_add_test(addresses, folder_that_is_not_there_is_told);
    suite_add_tcase(suite, addresses);

    tcase_add_checked_fixture(files, set_up, tear_down);
    tcase_add_loop_test(files, file_has_its_mode_and_goes_with_the_socket, 0,
            sizeof(modes) / sizeof(modes[0]));
    tcase_add_test(files, uri_form_means_the_same);
    tcase_add_test(files, stale_file_is_replaced);
    tcase_add_test(files, socket_in_use_is_not_replaced);
    tcase_add_test(files, other_file_is_not_replaced);
    tcase_add_test(files, file_of_a_successor_is_not_removed);
    tcase_add_test(files, lack_of_memory_leaves_no_file);
    suite_add_tcase(suite, files);
    return suite;
}

TEST_MAIN(listen_socket_suite)
