/** A folder of its own for a test, with files in it. */
#ifndef TEST_TREE_H
#define TEST_TREE_H

#include <limits.h>

struct test_tree {
    char path[64];          // of the folder; without symbolic links
    char scratch[PATH_MAX]; // what test_tree_path returned last
};

/** Makes an empty folder. */
void test_tree_init(struct test_tree *tree);

/** Removes it with all that is in it. */
void test_tree_fini(struct test_tree *tree);

/** Returns "FOLDER/NAME"; valid until it is called again. */
const char *test_tree_path(struct test_tree *tree, const char *name);

void test_tree_add_folder(struct test_tree *tree, const char *name);
void test_tree_add_file(
        struct test_tree *tree, const char *name, const char *content);
void test_tree_add_link(
        struct test_tree *tree, const char *name, const char *target);

#endif
