/** The SQLite store's numbers of operations, when batches fail. */
#include "common/error.h"
#include "server/store/sqlite.h"
#include "server/store/store_internal.h"
#include "tests/store/probe.h"
#include "tests/support/runner.h"

static char *dir;
static struct amdi_sql *sql;

static void
keep_open(void)
{
    struct amdi_store_options options = amdi_store_options_fill(
            &(struct amdi_store_options){.now_us = probe_now_us});

    ck_assert_int_eq(amdi_sql_open(dir, &options, &sql, NULL), AMDRPC_OK);
}

static void
keep_set_up(void)
{
    dir = probe_make_dir();
    keep_open();
}

static void
keep_tear_down(void)
{
    amdi_sql_close(sql);
    probe_remove_dir(dir);
}

/** Makes requests of one kind a part of the present batch. */
static void
apply(enum amdi_request_kind kind, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct amdi_request *request = amdi_request_create(NULL, kind, NULL);

        ck_assert_ptr_nonnull(request);
        if (kind == AMDI_REQUEST_SUBMIT) {
            request->in.submit.new_op.method = BYTES("/test/Do");
        } else if (kind == AMDI_REQUEST_LEASE) {
            request->in.lease.node = "n";
            request->in.lease.max = 1;
        } else {
            request->in.sweep_max = 500;
        }
        amdi_sql_apply(sql, request);
        amdi_request_destroy(request);
    }
}

/** Submits so many as one batch. */
static void
submit(unsigned n)
{
    amdi_sql_begin(sql);
    apply(AMDI_REQUEST_SUBMIT, n);
    ck_assert_int_eq(amdi_sql_end(sql), AMDI_STORE_OK);
}

static void
expect_usage(uint64_t nunfinished, uint64_t ndone)
{
    ck_assert_uint_eq(sql->usage.nunfinished, nunfinished);
    ck_assert_uint_eq(sql->usage.ndone, ndone);
}

/** Counted anew they are the same. */
static void
expect_usage_when_opened_again(uint64_t nunfinished, uint64_t ndone)
{
    amdi_sql_close(sql);
    keep_open();
    expect_usage(nunfinished, ndone);
}

static int
refuse_commit(void *arg)
{
    (void)arg;
    return 1;
}

START_TEST(batch_that_is_rolled_back_changes_no_number)
{
    uint64_t nbytes;

    submit(3);
    nbytes = sql->usage.nbytes;
    amdi_sql_begin(sql);
    apply(AMDI_REQUEST_SUBMIT, 500);
    sql->failure = SQLITE_NOMEM;
    ck_assert_int_eq(amdi_sql_end(sql), AMDI_STORE_NOMEM);
    expect_usage(3, 0);
    ck_assert_uint_eq(sql->usage.nbytes, nbytes);

    submit(2); // it goes on from there
    expect_usage(5, 0);
    expect_usage_when_opened_again(5, 0);
}
END_TEST

START_TEST(commit_that_fails_changes_no_number)
{
    submit(3);
    (void)sqlite3_commit_hook(sql->db, refuse_commit, NULL);
    amdi_sql_begin(sql);
    apply(AMDI_REQUEST_SUBMIT, 2);
    ck_assert_int_eq(amdi_sql_end(sql), AMDI_STORE_UNKNOWN);

    expect_usage(3, 0);
    expect_usage_when_opened_again(3, 0);
    submit(1);
    expect_usage(4, 0);
}
END_TEST

START_TEST(sweep_that_is_rolled_back_changes_no_number)
{
    // What is past its deadline is ended by who asks for work.
    submit(4);
    ck_assert_int_eq(sqlite3_exec(sql->db, "UPDATE op SET deadline_at = 1",
                             NULL, NULL, NULL),
            SQLITE_OK);
    amdi_sql_begin(sql);
    apply(AMDI_REQUEST_LEASE, 1);
    ck_assert_int_eq(amdi_sql_end(sql), AMDI_STORE_OK);
    expect_usage(0, 4);

    sql->options.max_done = 1;
    amdi_sql_begin(sql);
    apply(AMDI_REQUEST_SWEEP, 1);
    ck_assert_uint_eq(sql->batch_usage.ndone, 1);
    sql->failure = SQLITE_NOMEM;
    ck_assert_int_eq(amdi_sql_end(sql), AMDI_STORE_NOMEM);
    expect_usage(0, 4);

    amdi_sql_begin(sql);
    apply(AMDI_REQUEST_SWEEP, 1);
    ck_assert_int_eq(amdi_sql_end(sql), AMDI_STORE_OK);
    expect_usage(0, 1);
    expect_usage_when_opened_again(0, 1);
}
END_TEST

static Suite *
keep_suite(void)
{
    Suite *suite = suite_create("sqlite_keep");
    TCase *numbers = tcase_create("numbers");

    tcase_add_checked_fixture(numbers, keep_set_up, keep_tear_down);
    tcase_add_test(numbers, batch_that_is_rolled_back_changes_no_number);
    tcase_add_test(numbers, commit_that_fails_changes_no_number);
    tcase_add_test(numbers, sweep_that_is_rolled_back_changes_no_number);
    suite_add_tcase(suite, numbers);
    return suite;
}

TEST_MAIN(keep_suite)
