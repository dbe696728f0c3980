/** A folder of its own for a test, with files in it. */
#include "tests/support/tree.h"

#include <check.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TREE_MAX_FDS 16

void
test_tree_init(struct test_tree *tree)
{
    strcpy(tree->path, "/tmp/amdrpc-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(tree->path));
}

static int
tree_remove(
        const char *path, const struct stat *info, int type, struct FTW *ftw)
{
    (void)info;
    (void)type;
    (void)ftw;
    return remove(path);
}

void
test_tree_fini(struct test_tree *tree)
{
    ck_assert_int_eq(
            nftw(tree->path, tree_remove, TREE_MAX_FDS, FTW_DEPTH | FTW_PHYS),
            0);
}

const char *
test_tree_path(struct test_tree *tree, const char *name)
{
    (void)snprintf(
            tree->scratch, sizeof(tree->scratch), "%s/%s", tree->path, name);
    return tree->scratch;
}

void
test_tree_add_folder(struct test_tree *tree, const char *name)
{
    ck_assert_int_eq(mkdir(test_tree_path(tree, name), S_IRWXU), 0);
}

void
test_tree_add_file(
        struct test_tree *tree, const char *name, const char *content)
{
    FILE *file = fopen(test_tree_path(tree, name), "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(content, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

void
test_tree_add_link(struct test_tree *tree, const char *name, const char *target)
{
    ck_assert_int_eq(symlink(target, test_tree_path(tree, name)), 0);
}
