/** Tests the file that tells on which ports the daemon listens. */
#include "server/daemon/port_file.h"
#include "tests/support/runner.h"
#include "tests/support/tree.h"

#include <check.h>

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

static const uint16_t ports[] = {50051, 1};
static struct test_tree tree;

static void
set_up(void)
{
    test_tree_init(&tree);
}

static void
tear_down(void)
{
    test_tree_fini(&tree);
}

START_TEST(ports_stand_one_a_line)
{
    char text[64] = "";
    FILE *file;

    test_tree_add_file(&tree, "port", "what was there before");
    ck_assert_int_eq(
            amdi_port_file_write(test_tree_path(&tree, "port"), ports, 2),
            AMDRPC_OK);

    file = fopen(test_tree_path(&tree, "port"), "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_gt(fread(text, 1, sizeof(text) - 1, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_str_eq(text, "50051\n1\n");
}
END_TEST

START_TEST(file_may_be_read_by_all)
{
    struct stat info;

    ck_assert_int_eq(
            amdi_port_file_write(test_tree_path(&tree, "port"), ports, 1),
            AMDRPC_OK);

    ck_assert_int_eq(stat(test_tree_path(&tree, "port"), &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0644);
}
END_TEST

START_TEST(failure_leaves_nothing_behind)
{
    test_tree_add_folder(&tree, "port"); // no file can take its name

    ck_assert_int_eq(
            amdi_port_file_write(test_tree_path(&tree, "port"), ports, 1),
            AMDRPC_EIO);
    ck_assert_int_eq(errno, EISDIR);

    ck_assert_int_eq(remove(test_tree_path(&tree, "port")), 0);
    ck_assert_int_eq(remove(tree.path), 0); // it is empty
    test_tree_init(&tree);
}
END_TEST

static Suite *
port_file_suite(void)
{
    Suite *suite = suite_create("port_file");
    TCase *write = tcase_create("write");

    tcase_add_checked_fixture(write, set_up, tear_down);
    tcase_add_test(write, ports_stand_one_a_line);
    tcase_add_test(write, file_may_be_read_by_all);
    tcase_add_test(write, failure_leaves_nothing_behind);
    suite_add_tcase(suite, write);
    return suite;
}

TEST_MAIN(port_file_suite)
