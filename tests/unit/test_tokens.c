/** Tests how bearer tokens are read and found. */
#include "server/auth/tokens.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"
#include "tests/support/tree.h"

#include <check.h>

#include <string.h>
#include <sys/stat.h>

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

/** Reads a file of that text. */
static amdrpc_err
read_text(const char *text, mode_t mode, struct amdi_tokens **out)
{
    test_tree_add_file(&tree, "tokens", text);
    ck_assert_int_eq(chmod(test_tree_path(&tree, "tokens"), mode), 0);
    return amdi_tokens_read(test_tree_path(&tree, "tokens"), out, &error);
}

static void
assert_found(struct amdi_tokens *tokens, const char *token, const char *name)
{
    const char *found = amdi_tokens_find(tokens, token, strlen(token));

    if (name == NULL) {
        ck_assert_ptr_null(found);
    } else {
        ck_assert_ptr_nonnull(found);
        ck_assert_str_eq(found, name);
    }
}

START_TEST(each_token_has_its_name)
{
    struct amdi_tokens *tokens = NULL;

    ck_assert_int_eq(read_text("# ours\n\n  one alice\ntwo\tbob  \r\n"
                               "three alice",
                             0600, &tokens),
            AMDRPC_OK);

    assert_found(tokens, "one", "alice");
    assert_found(tokens, "two", "bob");
    assert_found(tokens, "three", "alice");
    assert_found(tokens, "four", NULL);
    assert_found(tokens, "on", NULL);
    assert_found(tokens, "", NULL);
    assert_found(tokens, "#", NULL);
    amdi_tokens_destroy(tokens);
}
END_TEST

START_TEST(empty_file_has_none)
{
    struct amdi_tokens *tokens = NULL;

    ck_assert_int_eq(read_text("", 0400, &tokens), AMDRPC_OK);
    assert_found(tokens, "one", NULL);
    amdi_tokens_destroy(tokens);
}
END_TEST

static const struct {
    const char *text;
    mode_t mode;
    amdrpc_err err;
    const char *sentence;
} bad[] = {
        {"one\n", 0600, AMDRPC_EINVAL, "tokens:1: not a token and a name"},
        {"\none a b\n", 0600, AMDRPC_EINVAL, "tokens:2: not a token and a"},
        {"one *\n", 0600, AMDRPC_EINVAL, "tokens:1: the name means"},
        {"one anonymous\n", 0600, AMDRPC_EINVAL, "tokens:1: the name means"},
        {"one a,b\n", 0600, AMDRPC_EINVAL, "tokens:1: the name means"},
        {"x alice\nx bob\n", 0600, AMDRPC_EINVAL, "stands there twice"},
        {"one alice\n", 0640, AMDRPC_EACCES, "others than its owner"},
        {"one alice\n", 0604, AMDRPC_EACCES, "(mode 0604)"},
};

START_TEST(bad_file_is_refused)
{
    struct amdi_tokens *tokens = NULL;

    ck_assert_int_eq(
            read_text(bad[_i].text, bad[_i].mode, &tokens), bad[_i].err);
    ck_assert_ptr_null(tokens);
    ck_assert_msg(
            strstr(error.text, bad[_i].sentence) != NULL, "%s", error.text);
}
END_TEST

START_TEST(line_that_is_too_long_is_refused)
{
    static char text[6000];
    struct amdi_tokens *tokens = NULL;

    memset(text, 'x', sizeof(text) - 1);
    ck_assert_int_eq(read_text(text, 0600, &tokens), AMDRPC_EINVAL);
    ck_assert_ptr_nonnull(strstr(error.text, "tokens:1: the line is too long"));
}
END_TEST

START_TEST(folder_is_refused)
{
    struct amdi_tokens *tokens = NULL;

    ck_assert_int_eq(
            amdi_tokens_read(tree.path, &tokens, &error), AMDRPC_EINVAL);
    ck_assert_ptr_nonnull(strstr(error.text, "not a regular file"));
}
END_TEST

static amdrpc_err
sweep_read(void *arg)
{
    struct amdi_tokens *tokens = NULL;
    amdrpc_err err =
            amdi_tokens_read(test_tree_path(&tree, "tokens"), &tokens, &error);

    (void)arg;
    amdi_tokens_destroy(tokens);
    return err;
}

START_TEST(reading_survives_lack_of_memory)
{
    struct amdi_tokens *tokens = NULL;

    ck_assert_int_eq(
            read_text("one alice\ntwo bob\n", 0600, &tokens), AMDRPC_OK);
    amdi_tokens_destroy(tokens);
    ck_assert_uint_ge(test_sweep_allocations(sweep_read, NULL), 4);
}
END_TEST

static Suite *
tokens_suite(void)
{
    Suite *suite = suite_create("tokens");
    TCase *tokens = tcase_create("tokens");

    tcase_add_checked_fixture(tokens, set_up, tear_down);
    tcase_add_test(tokens, each_token_has_its_name);
    tcase_add_test(tokens, empty_file_has_none);
    tcase_add_loop_test(
            tokens, bad_file_is_refused, 0, sizeof(bad) / sizeof(bad[0]));
    tcase_add_test(tokens, line_that_is_too_long_is_refused);
    tcase_add_test(tokens, folder_is_refused);
    tcase_add_test(tokens, reading_survives_lack_of_memory);
    suite_add_tcase(suite, tokens);
    return suite;
}

TEST_MAIN(tokens_suite)
