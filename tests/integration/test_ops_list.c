/** Tests google.longrunning.Operations: list. */
#include "tests/integration/ops.h"
#include "tests/support/runner.h"

#include <check.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef Google__Longrunning__ListOperationsRequest list_request;
typedef Google__Longrunning__ListOperationsResponse list_response;

static struct test_rpc *
start_list(const char *filter, int32_t page_size, const char *token)
{
    list_request request = GOOGLE__LONGRUNNING__LIST_OPERATIONS_REQUEST__INIT;

    request.name = (char *)(uintptr_t) "operations";
    request.filter = (char *)(uintptr_t)filter;
    request.page_size = page_size;
    request.page_token = (char *)(uintptr_t)token;
    return ops_call(OPS_LIST, &request.base);
}

static list_response *
list(const char *filter, int32_t page_size, const char *token)
{
    return ops_expect(start_list(filter, page_size, token),
            &google__longrunning__list_operations_response__descriptor);
}

static void
expect_count(const char *filter, size_t n)
{
    list_response *response = list(filter, 0, "");

    ck_assert_msg(response->n_operations == n, "%s: %zu instead of %zu", filter,
            response->n_operations, n);
    ck_assert_str_eq(response->next_page_token, "");
    ops_free(response);
}

/** @_i: of enum ops_store, here and below. */
START_TEST(only_own_operations_are_listed)
{
    struct amdi_fence fence;
    list_response *response;

    ops_start(_i);
    (void)ops_add_for("alice");
    fence = ops_add();
    (void)ops_add_for("bob");

    response = list("", 0, "");

    ck_assert_uint_eq(response->n_operations, 1);
    ck_assert_str_eq(response->operations[0]->name, ops_name(fence.id));
    ck_assert_str_eq(response->next_page_token, "");
    ops_free(response);
}
END_TEST

START_TEST(filter_decides)
{
    ops_start(_i);
    (void)ops_add();
    (void)ops_add();
    ops_finish(ops_add(), AMDRPC_STATUS_OK);
    ops_finish(ops_add(), AMDRPC_STATUS_CANCELLED);
    ops_finish(ops_add(), AMDRPC_STATUS_INTERNAL);

    expect_count("", 5);
    expect_count("state = RUNNING", 2);
    expect_count("state != RUNNING", 3);
    expect_count("done = true", 3);
    expect_count("state = SUCCEEDED OR state = CANCELLED", 2);
    expect_count("state = RUNNING AND done = true", 0);
    expect_count("method = \"" TEST_UNARY "\" AND done = false", 2);
    expect_count("method = \"/p.S/M\"", 0);
    expect_count("create_time >= \"2020-01-01T00:00:00Z\"", 5);
    expect_count("create_time < \"2020-01-01T00:00:00Z\"", 0);
}
END_TEST

/** Puts pages together until the end. */
START_TEST(pages_show_each_operation_once)
{
    char *token = strdup("");
    char last[32] = "operations/zzzzzzzzzzzzz";
    size_t n = 0;
    size_t npages = 0;

    ops_start(_i);
    for (int i = 0; i < 25; i++) {
        (void)ops_add();
    }

    do {
        list_response *response = list("state = RUNNING", 10, token);

        for (size_t i = 0; i < response->n_operations; i++) {
            // The newest comes first, and names sort as times do.
            ck_assert_str_lt(response->operations[i]->name, last);
            (void)snprintf(
                    last, sizeof(last), "%s", response->operations[i]->name);
        }
        n += response->n_operations;
        npages++;
        free(token);
        token = strdup(response->next_page_token);
        ck_assert_ptr_null(strpbrk(token, "+/="));
        ops_free(response);
    } while (token[0] != '\0');

    free(token);
    ck_assert_uint_eq(n, 25);
    ck_assert_uint_eq(npages, 3);
}
END_TEST

START_TEST(token_of_another_filter_is_refused)
{
    list_response *response;

    ops_start(_i);
    (void)ops_add();
    (void)ops_add();
    response = list("state = RUNNING", 1, "");
    ck_assert_str_ne(response->next_page_token, "");

    ops_expect_refusal(start_list("", 1, response->next_page_token),
            AMDRPC_STATUS_INVALID_ARGUMENT, "PAGE_TOKEN_INVALID");
    ops_free(response);
}
END_TEST

static const struct {
    const char *filter;
    int32_t page_size;
    const char *token;
    const char *reason;
} bad_requests[] = {
        {"state = LAZY", 0, "", "FILTER_INVALID"},
        {"", -1, "", "PAGE_SIZE_INVALID"},
        {"", 0, "made-up", "PAGE_TOKEN_INVALID"},
        {"", 0, "%&/()", "PAGE_TOKEN_INVALID"},
};

START_TEST(bad_request_is_refused)
{
    ops_start(OPS_MEMORY);

    ops_expect_refusal(
            start_list(bad_requests[_i].filter, bad_requests[_i].page_size,
                    bad_requests[_i].token),
            AMDRPC_STATUS_INVALID_ARGUMENT, bad_requests[_i].reason);
}
END_TEST

START_TEST(another_parent_is_refused)
{
    list_request request = GOOGLE__LONGRUNNING__LIST_OPERATIONS_REQUEST__INIT;

    ops_start(OPS_MEMORY);
    request.name = (char *)(uintptr_t) "projects/7/operations";

    ops_expect_refusal(ops_call(OPS_LIST, &request.base),
            AMDRPC_STATUS_INVALID_ARGUMENT, "NAME_INVALID");
}
END_TEST

/** Clients take 4 MiB: large results make pages short. */
START_TEST(large_results_make_short_pages)
{
    char *token = strdup("");
    size_t n = 0;

    ops_start(_i);
    for (int i = 0; i < 6; i++) {
        ops_finish_large(ops_add(), 900000);
    }

    do {
        struct test_rpc *rpc = start_list("", 0, token);
        list_response *response = ops_expect(rpc,
                &google__longrunning__list_operations_response__descriptor);

        ck_assert_uint_lt(rpc->nbody, 4u << 20);
        n += response->n_operations;
        free(token);
        token = strdup(response->next_page_token);
        ops_free(response);
    } while (token[0] != '\0');

    free(token);
    ck_assert_uint_eq(n, 6);
}
END_TEST

START_TEST(large_page_is_cut)
{
    list_response *response;

    ops_start(OPS_MEMORY);
    (void)ops_add();

    response = list("", INT32_MAX, "");

    ck_assert_uint_eq(response->n_operations, 1);
    ops_free(response);
}
END_TEST

static Suite *
operations_list_suite(void)
{
    Suite *suite = suite_create("ops_list");
    TCase *tests = tcase_create("list");

    tcase_add_checked_fixture(tests, test_server_setup, ops_teardown);
    tcase_add_loop_test(tests, only_own_operations_are_listed, 0, OPS_NSTORES);
    tcase_add_loop_test(tests, filter_decides, 0, OPS_NSTORES);
    tcase_add_loop_test(tests, pages_show_each_operation_once, 0, OPS_NSTORES);
    tcase_add_loop_test(
            tests, token_of_another_filter_is_refused, 0, OPS_NSTORES);
    tcase_add_loop_test(tests, bad_request_is_refused, 0,
            sizeof(bad_requests) / sizeof(bad_requests[0]));
    tcase_add_test(tests, another_parent_is_refused);
    tcase_add_loop_test(tests, large_results_make_short_pages, 0, OPS_NSTORES);
    tcase_add_test(tests, large_page_is_cut);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(operations_list_suite)
