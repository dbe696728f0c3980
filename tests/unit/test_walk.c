/** Tests which files a walk visits, and in which order. */
#include "common/alloc.h"
#include "server/modules/checksum/walk.h"
#include "tests/support/runner.h"
#include "tests/support/tree.h"

#include <check.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct test_tree tree;
static int dir_fd;

/* What was visited: "f:name" of files, "s:" skipped, "e:" failures. */
static char seen[4096];
static unsigned stop_after; // visits; 0 for never

static bool
see(const char *kind, const char *path)
{
    const char *name = path + strlen(tree.path);

    name += name[0] == '/';
    (void)snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "%s%s ",
            kind, name);
    return stop_after == 0 || --stop_after > 0;
}

static bool
on_file(void *arg, const struct amdi_walk_file *file)
{
    (void)arg;
    ck_assert_int_eq(faccessat(file->dir_fd, file->name, F_OK, 0), 0);
    return see("f:", file->path);
}

static bool
on_skip(void *arg, const char *path)
{
    (void)arg;
    return see("s:", path);
}

static bool
on_failure(void *arg, const char *path, const struct amdi_failure *failure)
{
    (void)arg;
    ck_assert_ptr_nonnull(failure->reason);
    return see("e:", path);
}

static const struct amdi_walk_visitor visitor = {
        .on_file = on_file, .on_skip = on_skip, .on_failure = on_failure};

static void
set_up(void)
{
    test_tree_init(&tree);
    dir_fd = open(tree.path, O_RDONLY | O_DIRECTORY);
    ck_assert_int_ge(dir_fd, 0);
    seen[0] = '\0';
    stop_after = 0;
}

static void
tear_down(void)
{
    ck_assert_int_eq(close(dir_fd), 0);
    test_tree_fini(&tree);
}

static bool
walk(void)
{
    return amdi_walk(dir_fd, tree.path, NULL, 0, &visitor);
}

START_TEST(files_come_in_the_order_of_their_paths)
{
    test_tree_add_folder(&tree, "a");
    test_tree_add_file(&tree, "a/z", "");
    test_tree_add_file(&tree, "a/b", "");
    test_tree_add_file(&tree, "a.c", "");
    test_tree_add_file(&tree, "a0", "");
    test_tree_add_folder(&tree, "empty");
    test_tree_add_file(&tree, "B", "");

    ck_assert(walk());

    ck_assert_str_eq(seen, "f:B f:a.c f:a/b f:a/z f:a0 ");
}
END_TEST

START_TEST(links_are_skipped)
{
    test_tree_add_folder(&tree, "d");
    test_tree_add_file(&tree, "d/f", "");
    test_tree_add_link(&tree, "dead", "none");
    test_tree_add_link(&tree, "e", "d");
    test_tree_add_link(&tree, "loop", ".");

    ck_assert(walk());

    ck_assert_str_eq(seen, "f:d/f s:dead s:e s:loop ");
}
END_TEST

START_TEST(excluded_names_are_passed_over_everywhere)
{
    char git[] = ".git";
    char *excluded[] = {git};

    test_tree_add_folder(&tree, ".git");
    test_tree_add_file(&tree, ".git/f", "");
    test_tree_add_folder(&tree, "d");
    test_tree_add_file(&tree, "d/.git", "");
    test_tree_add_file(&tree, "d/.gitignore", "");

    ck_assert(amdi_walk(dir_fd, tree.path, excluded, 1, &visitor));

    ck_assert_str_eq(seen, "f:d/.gitignore ");
}
END_TEST

START_TEST(name_that_is_not_utf8_is_reported)
{
    test_tree_add_file(&tree, "a\xff", "");
    test_tree_add_file(&tree, "b", "");

    ck_assert(walk());

    ck_assert_str_eq(seen, "e:a? f:b ");
}
END_TEST

START_TEST(visitor_ends_the_walk)
{
    test_tree_add_folder(&tree, "d");
    test_tree_add_file(&tree, "d/a", "");
    test_tree_add_file(&tree, "d/b", "");
    test_tree_add_file(&tree, "e", "");
    stop_after = 1;

    ck_assert(!walk());

    ck_assert_str_eq(seen, "f:d/a ");
}
END_TEST

START_TEST(depth_has_its_limit)
{
    char name[2 * AMDI_WALK_MAX_DEPTH + 8] = "d";

    for (size_t i = 0; i < AMDI_WALK_MAX_DEPTH; i++) {
        test_tree_add_folder(&tree, name);
        strcat(name, "/d");
    }
    ck_assert(walk());

    ck_assert_int_eq(strncmp(seen, "e:d/d", 5), 0);
}
END_TEST

START_TEST(every_failed_allocation_is_reported)
{
    bool has_failed = true;

    test_tree_add_folder(&tree, "d");
    test_tree_add_file(&tree, "d/f", "");
    for (int64_t n = 0; has_failed; n++) {
        seen[0] = '\0';
        amdi_alloc_fail_at(n);
        ck_assert(walk());
        has_failed = amdi_alloc_has_failed();
        amdi_alloc_fail_at(-1);
        ck_assert_int_eq(has_failed, strstr(seen, "e:") != NULL);
    }
    ck_assert_str_eq(seen, "f:d/f ");
}
END_TEST

static Suite *
walk_suite(void)
{
    Suite *suite = suite_create("walk");
    TCase *visits = tcase_create("visits");

    tcase_add_checked_fixture(visits, set_up, tear_down);
    tcase_add_test(visits, files_come_in_the_order_of_their_paths);
    tcase_add_test(visits, links_are_skipped);
    tcase_add_test(visits, excluded_names_are_passed_over_everywhere);
    tcase_add_test(visits, name_that_is_not_utf8_is_reported);
    tcase_add_test(visits, visitor_ends_the_walk);
    tcase_add_test(visits, depth_has_its_limit);
    tcase_add_test(visits, every_failed_allocation_is_reported);
    suite_add_tcase(suite, visits);
    return suite;
}

TEST_MAIN(walk_suite)
