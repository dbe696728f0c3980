/** Tests which files are taken for secret. */
#include "common/tls/secret.h"
#include "tests/support/runner.h"
#include "tests/support/tree.h"

#include <check.h>

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct test_tree tree;
static struct amdi_error error;

static void
set_up(void)
{
    test_tree_init(&tree);
    error.text[0] = '\0';
}

static void
tear_down(void)
{
    test_tree_fini(&tree);
}

static amdrpc_err
open_with_mode(mode_t mode, FILE **out)
{
    test_tree_add_file(&tree, "key", "secret");
    ck_assert_int_eq(chmod(test_tree_path(&tree, "key"), mode), 0);
    return amdi_secret_open(test_tree_path(&tree, "key"), out, &error);
}

static const mode_t own_modes[] = {0600, 0400, 0700};

START_TEST(file_of_its_owner_alone_is_opened)
{
    char text[8] = "";
    FILE *file = NULL;

    ck_assert_int_eq(open_with_mode(own_modes[_i], &file), AMDRPC_OK);

    ck_assert_uint_eq(fread(text, 1, sizeof(text) - 1, file), 6);
    ck_assert_str_eq(text, "secret");
    ck_assert_int_eq(fclose(file), 0);
}
END_TEST

static const mode_t open_modes[] = {0640, 0604, 0620, 0602, 0610, 0601, 0644};

START_TEST(file_that_others_may_access_is_refused)
{
    char mode[16];
    FILE *file = NULL;

    ck_assert_int_eq(open_with_mode(open_modes[_i], &file), AMDRPC_EACCES);

    (void)snprintf(mode, sizeof(mode), "(mode %04o)", (unsigned)open_modes[_i]);
    ck_assert_ptr_null(file);
    ck_assert_msg(strstr(error.text, mode) != NULL, "%s", error.text);
}
END_TEST

START_TEST(link_is_judged_by_what_it_leads_to)
{
    FILE *file = NULL;

    test_tree_add_link(&tree, "link", "key");

    ck_assert_int_eq(open_with_mode(0644, &file), AMDRPC_EACCES);
    ck_assert_int_eq(
            amdi_secret_open(test_tree_path(&tree, "link"), &file, &error),
            AMDRPC_EACCES);
}
END_TEST

START_TEST(missing_file_is_named)
{
    FILE *file = NULL;
    const char *path = test_tree_path(&tree, "none");

    ck_assert_int_eq(amdi_secret_open(path, &file, &error), AMDRPC_EACCES);

    ck_assert_ptr_nonnull(strstr(error.text, path));
    ck_assert_ptr_nonnull(strstr(error.text, strerror(ENOENT)));
}
END_TEST

START_TEST(what_is_no_file_is_refused)
{
    FILE *file = NULL;

    test_tree_add_folder(&tree, "folder");
    ck_assert_int_eq(chmod(test_tree_path(&tree, "folder"), 0700), 0);

    ck_assert_int_eq(
            amdi_secret_open(test_tree_path(&tree, "folder"), &file, &error),
            AMDRPC_EINVAL);
    ck_assert_ptr_nonnull(strstr(error.text, "not a regular file"));
}
END_TEST

static Suite *
secret_suite(void)
{
    Suite *suite = suite_create("secret");
    TCase *opening = tcase_create("opening");

    tcase_add_checked_fixture(opening, set_up, tear_down);
    tcase_add_loop_test(opening, file_of_its_owner_alone_is_opened, 0,
            sizeof(own_modes) / sizeof(own_modes[0]));
    tcase_add_loop_test(opening, file_that_others_may_access_is_refused, 0,
            sizeof(open_modes) / sizeof(open_modes[0]));
    tcase_add_test(opening, link_is_judged_by_what_it_leads_to);
    tcase_add_test(opening, missing_file_is_named);
    tcase_add_test(opening, what_is_no_file_is_refused);
    suite_add_tcase(suite, opening);
    return suite;
}

TEST_MAIN(secret_suite)
