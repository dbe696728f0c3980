/** Tests who a call is by, and whether they may make it. */
#include "server/auth/auth.h"
#include "server/service.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"
#include "tests/support/tree.h"

#include <check.h>

#include <string.h>
#include <sys/stat.h>

static const amdrpc_method_desc methods[] = {
        {.name = "Open", .path = "/pkg.Svc/Open"},
        {.name = "Closed", .path = "/pkg.Svc/Closed"},
};
static const amdrpc_service_desc service = {
        .name = "pkg.Svc", .methods = methods, .nmethods = 2};
static const struct amdi_request_limits limits = {
        .max_list_bytes = 10000, .max_field_bytes = 1000, .max_fields = 100};

static struct test_tree tree;
static struct amdi_service_table services;
static struct amdi_auth auth;
static struct amdi_request_head *head;
static struct amdi_request_verdict verdict;
static struct amdi_error error;

static void
set_up(void)
{
    static const amdrpc_invoke_fn invokes[2];
    static const amdrpc_policy policy = {.max_queued = 1};

    test_tree_init(&tree);
    amdi_service_table_init(&services);
    ck_assert_int_eq(amdi_service_table_add(
                             &services, &service, invokes, NULL, NULL, &policy),
            AMDRPC_OK);
    amdi_auth_init(&auth);
    head = NULL;
    memset(&verdict, 0, sizeof(verdict));
    error.text[0] = '\0';
}

static void
tear_down(void)
{
    amdi_request_head_unref(head);
    amdi_auth_fini(&auth);
    amdi_service_table_fini(&services);
    test_tree_fini(&tree);
}

static void
write_tokens(const char *text)
{
    test_tree_add_file(&tree, "tokens", text);
    ck_assert_int_eq(chmod(test_tree_path(&tree, "tokens"), 0600), 0);
}

static void
use_tokens(const char *text)
{
    write_tokens(text);
    ck_assert_int_eq(amdi_auth_set_token_file(
                             &auth, test_tree_path(&tree, "tokens"), &error),
            AMDRPC_OK);
}

static void
allow(const char *path, const char *names)
{
    ck_assert_int_eq(amdi_auth_allow(&auth, &services, path, names), AMDRPC_OK);
}

/** A request's head; @authorization: the field's value, or NULL. */
static void
begin(const char *path, const char *authorization)
{
    struct amdi_h2_field field = AMDI_H2_FIELD(":path", "");

    amdi_request_head_unref(head);
    head = amdi_request_head_create(&services, &limits);
    ck_assert_ptr_nonnull(head);
    field.value = path;
    field.value_len = strlen(path);
    ck_assert(amdi_request_head_field(head, &field));
    if (authorization != NULL) {
        field = AMDI_H2_FIELD("authorization", "");
        field.value = authorization;
        field.value_len = strlen(authorization);
        ck_assert(amdi_request_head_field(head, &field));
    }
}

/** The caller's name; NULL when the call is refused, as `verdict` says. */
static const char *
check(const char *peer_identity)
{
    const char *identity = NULL;

    return amdi_auth_check(&auth, head, peer_identity, &identity, &verdict)
            ? identity
            : NULL;
}

/* ---- names ---- */

static const struct {
    const char *authorization;
    const char *peer_identity;
    const char *identity; // NULL: UNAUTHENTICATED
} callers[] = {
        {NULL, "", ""},
        {NULL, "cert", "cert"},
        {"Bearer s3cret", "", "alice"},
        {"bearer s3cret", "", "alice"},
        {"Bearer s3cret", "cert", "alice"},
        {"Bearer wrong", "", NULL},
        {"Bearer wrong", "cert", NULL},
        {"Bearer ", "", NULL},
        {"Bearer s3cret2", "", NULL},
        {"Basic s3cret", "cert", "cert"},
        {"", "", ""},
};

START_TEST(caller_has_the_name_of_token_or_certificate)
{
    const char *identity = NULL;

    use_tokens("s3cret alice\n");
    begin("/pkg.Svc/Open", callers[_i].authorization);

    identity = check(callers[_i].peer_identity);

    if (callers[_i].identity != NULL) {
        ck_assert_ptr_nonnull(identity);
        ck_assert_str_eq(identity, callers[_i].identity);
    } else {
        ck_assert_ptr_null(identity);
        ck_assert_int_eq(verdict.kind, AMDI_REQUEST_STATUS);
        ck_assert_int_eq(verdict.code, AMDRPC_STATUS_UNAUTHENTICATED);
    }
}
END_TEST

START_TEST(without_a_token_file_tokens_mean_nothing)
{
    begin("/pkg.Svc/Open", "Bearer whatever");

    ck_assert_str_eq(check("cert"), "cert");
}
END_TEST

/* ---- rules ---- */

static const struct {
    const char *path;
    const char *identity;
    amdrpc_status_code code;
} verdicts[] = {
        {"/pkg.Svc/Open", "", AMDRPC_STATUS_OK},
        {"/pkg.Svc/Open", "bob", AMDRPC_STATUS_OK},
        {"/pkg.Svc/Closed", "alice", AMDRPC_STATUS_OK},
        {"/pkg.Svc/Closed", "bob", AMDRPC_STATUS_PERMISSION_DENIED},
        {"/pkg.Svc/Closed", "", AMDRPC_STATUS_UNAUTHENTICATED},
};

START_TEST(rule_decides_who_may_call)
{
    bool is_allowed = verdicts[_i].code == AMDRPC_STATUS_OK;

    allow("/pkg.Svc/Closed", "alice");
    begin(verdicts[_i].path, NULL);

    ck_assert_int_eq(check(verdicts[_i].identity) != NULL, is_allowed);
    if (!is_allowed) {
        ck_assert_int_eq(verdict.code, verdicts[_i].code);
    }
}
END_TEST

START_TEST(closest_rule_counts)
{
    allow("/", "bob");
    allow("/pkg.Svc/Closed", "alice");

    begin("/pkg.Svc/Closed", NULL);
    ck_assert_ptr_null(check("bob"));
    begin("/pkg.Svc/Open", NULL);
    ck_assert_ptr_nonnull(check("bob"));
}
END_TEST

START_TEST(second_rule_for_a_path_is_refused)
{
    allow("/pkg.Svc/", "alice");

    ck_assert_int_eq(amdi_auth_allow(&auth, &services, "/pkg.Svc/", "bob"),
            AMDRPC_EEXIST);
}
END_TEST

START_TEST(rule_for_nothing_is_refused)
{
    ck_assert_int_eq(amdi_auth_allow(&auth, &services, "/no.Svc/", "bob"),
            AMDRPC_ENOTFOUND);
    ck_assert_int_eq(
            amdi_auth_allow(&auth, &services, "/pkg.Svc/", ""), AMDRPC_EINVAL);
}
END_TEST

/* ---- reading again ---- */

START_TEST(reload_changes_names_of_a_head_that_was_checked)
{
    use_tokens("s3cret alice\n");
    begin("/pkg.Svc/Open", "Bearer s3cret");
    ck_assert_str_eq(check(""), "alice");

    write_tokens("s3cret bob\n");
    ck_assert_int_eq(amdi_auth_reload(&auth, &error), AMDRPC_OK);
    ck_assert_str_eq(check(""), "bob");

    write_tokens("other bob\n");
    ck_assert_int_eq(amdi_auth_reload(&auth, &error), AMDRPC_OK);
    ck_assert_ptr_null(check(""));
}
END_TEST

START_TEST(failed_reload_keeps_the_tokens)
{
    use_tokens("s3cret alice\n");
    write_tokens("only-a-token\n");

    ck_assert_int_eq(amdi_auth_reload(&auth, &error), AMDRPC_EINVAL);

    ck_assert_str_ne(error.text, "");
    begin("/pkg.Svc/Open", "Bearer s3cret");
    ck_assert_str_eq(check(""), "alice");
}
END_TEST

START_TEST(reload_without_a_file_is_nothing)
{
    ck_assert_int_eq(amdi_auth_reload(&auth, &error), AMDRPC_OK);
}
END_TEST

START_TEST(bad_token_file_is_not_taken)
{
    ck_assert_int_eq(amdi_auth_set_token_file(
                             &auth, test_tree_path(&tree, "none"), &error),
            AMDRPC_EACCES);

    ck_assert_ptr_null(auth.token_file);
    ck_assert_ptr_nonnull(strstr(error.text, "none"));
}
END_TEST

/* ---- memory ---- */

static amdrpc_err
make_all(void *arg)
{
    struct amdi_auth made;
    amdrpc_err err = AMDRPC_OK;

    (void)arg;
    amdi_auth_init(&made);
    err = amdi_auth_set_token_file(
            &made, test_tree_path(&tree, "tokens"), &error);
    if (err == AMDRPC_OK) {
        err = amdi_auth_reload(&made, &error);
    }
    amdi_auth_fini(&made);
    return err;
}

START_TEST(lack_of_memory_is_an_error)
{
    write_tokens("s3cret alice\n");

    ck_assert_uint_gt(test_sweep_allocations(make_all, NULL), 0);
}
END_TEST

static Suite *
auth_suite(void)
{
    Suite *suite = suite_create("auth");
    TCase *checks = tcase_create("checks");
    TCase *files = tcase_create("files");

    tcase_add_checked_fixture(checks, set_up, tear_down);
    tcase_add_loop_test(checks, caller_has_the_name_of_token_or_certificate, 0,
            sizeof(callers) / sizeof(callers[0]));
    tcase_add_test(checks, without_a_token_file_tokens_mean_nothing);
    tcase_add_loop_test(checks, rule_decides_who_may_call, 0,
            sizeof(verdicts) / sizeof(verdicts[0]));
    tcase_add_test(checks, closest_rule_counts);
    tcase_add_test(checks, second_rule_for_a_path_is_refused);
    tcase_add_test(checks, rule_for_nothing_is_refused);
    suite_add_tcase(suite, checks);

    tcase_add_checked_fixture(files, set_up, tear_down);
    tcase_add_test(files, reload_changes_names_of_a_head_that_was_checked);
    tcase_add_test(files, failed_reload_keeps_the_tokens);
    tcase_add_test(files, reload_without_a_file_is_nothing);
    tcase_add_test(files, bad_token_file_is_not_taken);
    tcase_add_test(files, lack_of_memory_is_an_error);
    suite_add_tcase(suite, files);
    return suite;
}

TEST_MAIN(auth_suite)
