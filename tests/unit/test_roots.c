/** Tests that no path leads out of the given directories. */
#include "server/modules/checksum/roots.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"
#include "tests/support/tree.h"

#include <check.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct test_tree tree;
static struct amdi_roots roots;

/* TREE/root is given; TREE/outside is not. */
static void
set_up(void)
{
    test_tree_init(&tree);
    memset(&roots, 0, sizeof(roots));
    test_tree_add_folder(&tree, "outside");
    test_tree_add_file(&tree, "outside/secret", "secret");
    test_tree_add_folder(&tree, "root");
    test_tree_add_folder(&tree, "root/dir");
    test_tree_add_file(&tree, "root/dir/file", "content");
    test_tree_add_folder(&tree, "rootbeer");
    test_tree_add_file(&tree, "rootbeer/file", "content");
    test_tree_add_link(&tree, "root/up", "../outside");
    test_tree_add_link(&tree, "root/leaf", "dir/file");
    test_tree_add_link(&tree, "root/alias", "dir");
    test_tree_add_link(&tree, "link", "root");
    ck_assert_int_eq(
            amdi_roots_add(&roots, test_tree_path(&tree, "link/")), AMDRPC_OK);
}

static void
tear_down(void)
{
    amdi_roots_fini(&roots);
    test_tree_fini(&tree);
}

/* Opens and closes; returns the status. */
static amdrpc_status_code
try_open(const char *path)
{
    struct amdi_failure failure = {AMDRPC_STATUS_OK, NULL};
    int fd = -1;

    if (amdi_roots_open(&roots, path, &fd, &failure)) {
        ck_assert_int_eq(close(fd), 0);
        return AMDRPC_STATUS_OK;
    }
    ck_assert_int_eq(fd, -1);
    ck_assert_ptr_nonnull(failure.reason);
    return failure.code;
}

static const struct {
    const char *name; // below the tree
    amdrpc_status_code code;
} cases[] = {
        {"root", AMDRPC_STATUS_OK},
        {"root/", AMDRPC_STATUS_OK},
        {"root/dir/file", AMDRPC_STATUS_OK},
        {"root//dir/./file", AMDRPC_STATUS_OK},
        {"link/dir/file", AMDRPC_STATUS_OK}, // as it was given
        {"root/none", AMDRPC_STATUS_NOT_FOUND},
        {"root/dir/file/none", AMDRPC_STATUS_NOT_FOUND},
        {"outside/secret", AMDRPC_STATUS_PERMISSION_DENIED},
        {"outside/none", AMDRPC_STATUS_PERMISSION_DENIED},
        {"rootbeer/file", AMDRPC_STATUS_PERMISSION_DENIED},
        {"", AMDRPC_STATUS_PERMISSION_DENIED},
        {"root/..", AMDRPC_STATUS_PERMISSION_DENIED},
        {"root/../outside/secret", AMDRPC_STATUS_PERMISSION_DENIED},
        {"root/dir/../dir/file", AMDRPC_STATUS_PERMISSION_DENIED},
        {"root/up", AMDRPC_STATUS_PERMISSION_DENIED},
        {"root/up/secret", AMDRPC_STATUS_PERMISSION_DENIED},
        {"root/leaf", AMDRPC_STATUS_PERMISSION_DENIED},
        {"root/alias/file", AMDRPC_STATUS_PERMISSION_DENIED},
};

START_TEST(path_gets_its_status)
{
    ck_assert_int_eq(
            try_open(test_tree_path(&tree, cases[_i].name)), cases[_i].code);
}
END_TEST

START_TEST(path_that_is_not_absolute_is_refused)
{
    ck_assert_int_eq(try_open("root/dir/file"), AMDRPC_STATUS_INVALID_ARGUMENT);
    ck_assert_int_eq(try_open(""), AMDRPC_STATUS_INVALID_ARGUMENT);
}
END_TEST

START_TEST(component_that_is_too_long_is_refused)
{
    char name[300];

    memset(name, 'x', sizeof(name));
    memcpy(name, "root/", 5);
    name[sizeof(name) - 1] = '\0';

    ck_assert_int_eq(try_open(test_tree_path(&tree, name)),
            AMDRPC_STATUS_INVALID_ARGUMENT);
}
END_TEST

START_TEST(without_roots_nothing_is_opened)
{
    amdi_roots_fini(&roots);

    ck_assert_int_eq(try_open("/"), AMDRPC_STATUS_PERMISSION_DENIED);
}
END_TEST

START_TEST(fifo_does_not_block)
{
    ck_assert_int_eq(mkfifo(test_tree_path(&tree, "root/fifo"), S_IRUSR), 0);

    ck_assert_int_eq(
            try_open(test_tree_path(&tree, "root/fifo")), AMDRPC_STATUS_OK);
}
END_TEST

START_TEST(root_that_moves_away_stays_the_root)
{
    char moved[PATH_MAX];

    (void)snprintf(moved, sizeof(moved), "%s/moved", tree.path);
    ck_assert_int_eq(rename(test_tree_path(&tree, "root"), moved), 0);
    test_tree_add_link(&tree, "root", "outside");

    ck_assert_int_eq(
            try_open(test_tree_path(&tree, "root/dir/file")), AMDRPC_STATUS_OK);
    ck_assert_int_eq(try_open(test_tree_path(&tree, "root/secret")),
            AMDRPC_STATUS_NOT_FOUND);
}
END_TEST

START_TEST(root_that_is_no_directory_is_told)
{
    ck_assert_int_eq(
            amdi_roots_add(&roots, test_tree_path(&tree, "none")), AMDRPC_EIO);
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_int_eq(
            amdi_roots_add(&roots, test_tree_path(&tree, "root/dir/file")),
            AMDRPC_EIO);
    ck_assert_int_eq(errno, ENOTDIR);
}
END_TEST

START_TEST(root_slash_gives_everything)
{
    ck_assert_int_eq(amdi_roots_add(&roots, "/"), AMDRPC_OK);

    ck_assert_int_eq(try_open("/"), AMDRPC_STATUS_OK);
    ck_assert_int_eq(try_open(test_tree_path(&tree, "outside/secret")),
            AMDRPC_STATUS_OK);
}
END_TEST

static amdrpc_err
make_roots(void *arg)
{
    struct amdi_roots made = {0};
    amdrpc_err err = amdi_roots_add(&made, tree.path);

    (void)arg;
    amdi_roots_fini(&made);
    return err;
}

START_TEST(every_failed_allocation_is_told)
{
    ck_assert_uint_gt(test_sweep_allocations(make_roots, NULL), 0);
}
END_TEST

static Suite *
roots_suite(void)
{
    Suite *suite = suite_create("roots");
    TCase *open_below = tcase_create("open");
    TCase *add = tcase_create("add");

    tcase_add_checked_fixture(open_below, set_up, tear_down);
    tcase_add_loop_test(open_below, path_gets_its_status, 0,
            sizeof(cases) / sizeof(cases[0]));
    tcase_add_test(open_below, path_that_is_not_absolute_is_refused);
    tcase_add_test(open_below, component_that_is_too_long_is_refused);
    tcase_add_test(open_below, without_roots_nothing_is_opened);
    tcase_add_test(open_below, fifo_does_not_block);
    tcase_add_test(open_below, root_that_moves_away_stays_the_root);
    suite_add_tcase(suite, open_below);
    tcase_add_checked_fixture(add, set_up, tear_down);
    tcase_add_test(add, root_that_is_no_directory_is_told);
    tcase_add_test(add, root_slash_gives_everything);
    tcase_add_test(add, every_failed_allocation_is_told);
    suite_add_tcase(suite, add);
    return suite;
}

TEST_MAIN(roots_suite)
