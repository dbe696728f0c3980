/** What is the SQLite store's own: its directory, its file, coming back. */
#include "common/error.h"
#include "server/store/sqlite.h"
#include "server/store/store.h"
#include "tests/store/probe.h"
#include "tests/support/runner.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOBODY 65534

static char *dir;
static char uri[600];
static struct amdi_error error;

static void
sqlite_set_up(void)
{
    dir = probe_make_dir();
    (void)snprintf(uri, sizeof(uri), "sqlite:%s", dir);
    error.text[0] = '\0';
}

static void
sqlite_tear_down(void)
{
    probe_close();
    probe_remove_dir(dir);
}

static void
sqlite_open(void)
{
    ck_assert_int_eq(probe_open(uri, NULL, &error), AMDRPC_OK);
}

static void
expect_refusal(amdrpc_err err, const char *part_of_text)
{
    ck_assert_int_eq(probe_open(uri, NULL, &error), err);
    ck_assert_msg(strstr(error.text, part_of_text) != NULL,
            "\"%s\" does not say \"%s\"", error.text, part_of_text);
}

static void
sqlite_file_path(char *out, size_t size)
{
    (void)snprintf(out, size, "%s/operations.db", dir);
}

/** Changes bytes of the database file. */
static void
sqlite_overwrite(off_t at, const void *data, size_t len)
{
    char path[600];
    int fd;

    sqlite_file_path(path, sizeof(path));
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pwrite(fd, data, len, at), (int)len);
    ck_assert_int_eq(close(fd), 0);
}

/* ---- coming back ---- */

START_TEST(operations_outlive_the_store)
{
    struct amdi_new_op new_op = {.request_id = BYTES("r1"),
            .method = BYTES("/test/Do"),
            .payload = BYTES("work")};
    uint64_t id;

    sqlite_open();
    ck_assert_int_eq(probe_submit(&new_op), AMDI_STORE_OK);
    id = probe.ops[0].id;
    probe_close();
    sqlite_open();

    ck_assert_int_eq(probe_submit(&new_op), AMDI_STORE_EXISTS);
    ck_assert_uint_eq(probe.ops[0].id, id);
}
END_TEST

START_TEST(what_was_running_is_queued_again)
{
    uint64_t id;

    sqlite_open();
    id = probe_add();
    (void)probe_take("n");
    probe_close();
    sqlite_open();

    ck_assert_int_eq(probe_get(id), AMDI_STORE_OK);
    ck_assert_int_eq(probe.ops[0].state, AMDI_OP_QUEUED);
    ck_assert_uint_eq(probe_take("n").attempt, 2);
}
END_TEST

START_TEST(token_outlives_the_store)
{
    static const struct amdi_store_filter everything;
    char token[64];

    sqlite_open();
    (void)probe_add();
    (void)probe_add();
    ck_assert_int_eq(
            probe_list(&everything, 1, (struct amdi_bytes){0}), AMDI_STORE_OK);
    (void)snprintf(token, sizeof(token), "%s", (const char *)probe.token.data);
    probe_close();
    sqlite_open();

    ck_assert_int_eq(probe_list(&everything, 1,
                             (struct amdi_bytes){token, strlen(token)}),
            AMDI_STORE_OK);
    ck_assert_uint_eq(probe.nops, 1);
}
END_TEST

/* ---- older files ---- */

/** Runs SQL on the file while no store has it open. */
static void
sqlite_exec(const char *text)
{
    sqlite3 *db = NULL;
    char path[600];

    sqlite_file_path(path, sizeof(path));
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

/** Makes the file one of version 3: results stood beside the requests. */
static void
sqlite_make_version_3(void)
{
    sqlite_exec("BEGIN;"
                "ALTER TABLE op_body ADD COLUMN result BLOB;"
                "ALTER TABLE op_body ADD COLUMN status BLOB;"
                "UPDATE op_body SET result = r.result, status = r.status"
                " FROM op_result r WHERE r.id = op_body.id;"
                "DROP TABLE op_result;"
                "PRAGMA user_version = 3;"
                "COMMIT");
}

/** Ends a new one; returns its id. */
static uint64_t
add_and_end(int code, const char *result, const char *status)
{
    struct amdi_fence fence;

    (void)probe_add();
    fence = probe_take("n");
    ck_assert_int_eq(
            probe_append(fence, AMDI_EVENT_MESSAGE, BYTES("m")), AMDI_STORE_OK);
    ck_assert_int_eq(probe_finish(fence, code,
                             (struct amdi_bytes){result, strlen(result)},
                             (struct amdi_bytes){status, strlen(status)}),
            AMDI_STORE_OK);
    return fence.id;
}

static void
expect_end(uint64_t id, int code, const char *result, const char *status)
{
    const struct amdi_op *op = &probe.ops[0];

    ck_assert_int_eq(probe_get(id), AMDI_STORE_OK);
    ck_assert_int_eq(op->state, AMDI_OP_DONE);
    ck_assert_int_eq(op->code, code);
    ck_assert_uint_eq(op->nmessages, 1);
    ck_assert_uint_eq(op->last_seq, 2);
    ck_assert(probe_is_text(op->method, "/test/Do"));
    ck_assert(probe_is_text(op->result, result));
    ck_assert(probe_is_text(op->status, status));
}

START_TEST(version_3_is_brought_up_to_date)
{
    static const char *const ends[][2] = {
            {"result", ""}, {"", "status"}, {"both", "both"}, {"", ""}};
    struct amdi_new_op waiting = {.request_id = BYTES("r1"),
            .method = BYTES("/test/Do"),
            .payload = BYTES("work"),
            .metadata = BYTES("meta")};
    uint64_t ids[4];
    uint64_t id;

    sqlite_open();
    for (int i = 0; i < 4; i++) {
        ids[i] = add_and_end(i, ends[i][0], ends[i][1]);
    }
    ck_assert_int_eq(probe_submit(&waiting), AMDI_STORE_OK);
    id = probe.ops[0].id;
    probe_close();
    sqlite_make_version_3();
    sqlite_open();

    for (int i = 0; i < 4; i++) {
        expect_end(ids[i], i, ends[i][0], ends[i][1]);
    }
    ck_assert_int_eq(probe_submit(&waiting), AMDI_STORE_EXISTS);
    ck_assert_uint_eq(probe_take("n").id, id);
    ck_assert(probe_is_text(probe.ops[0].payload, "work"));
    ck_assert(probe_is_text(probe.ops[0].metadata, "meta"));
    // And it is one of the present version.
    expect_end(add_and_end(0, "new", ""), 0, "new", "");
    ck_assert_int_eq(probe_remove(ids[0]), AMDI_STORE_OK);
    probe_close();
    sqlite_exec("INSERT INTO op_result VALUES (1, NULL, NULL)");
}
END_TEST

/* ---- refusals ---- */

START_TEST(second_server_is_refused)
{
    struct amdi_store *second = NULL;

    sqlite_open();

    ck_assert_int_eq(
            amdi_store_open(uri, NULL, &second, &error), AMDRPC_EADDRINUSE);
    ck_assert_ptr_null(second);
    ck_assert_ptr_nonnull(strstr(error.text, "in use by another server"));
    ck_assert_ptr_nonnull(strstr(error.text, dir));
}
END_TEST

START_TEST(uri_must_be_known)
{
    (void)snprintf(uri, sizeof(uri), "mysql:/tmp");
    expect_refusal(AMDRPC_EINVAL, "mysql:/tmp");
    (void)snprintf(uri, sizeof(uri), "sqlite:");
    expect_refusal(AMDRPC_EINVAL, "sqlite:DIRECTORY");
}
END_TEST

START_TEST(directory_must_exist)
{
    (void)snprintf(uri, sizeof(uri), "sqlite:%s/none", dir);
    expect_refusal(AMDRPC_ENOTFOUND, "No such file or directory");
}
END_TEST

START_TEST(directory_must_be_writable)
{
    bool is_root = geteuid() == 0;

    ck_assert_int_eq(chmod(dir, 0555), 0);
    if (is_root) {
        ck_assert_int_eq(seteuid(NOBODY), 0);
    }
    expect_refusal(AMDRPC_EACCES, "Permission denied");
    if (is_root) {
        ck_assert_int_eq(seteuid(0), 0);
    }
    ck_assert_int_eq(chmod(dir, 0700), 0);
}
END_TEST

START_TEST(file_must_be_a_database)
{
    static const char text[] = "This is no database, although it is long "
                               "enough to be looked at as one, is it not? "
                               "One hundred bytes are needed for a header.";

    sqlite_overwrite(0, text, sizeof(text));
    expect_refusal(AMDRPC_EPROTO, "damaged or is no store");
}
END_TEST

START_TEST(file_must_not_be_anothers)
{
    sqlite_exec("CREATE TABLE cake (size)");
    expect_refusal(AMDRPC_EPROTO, "another program");
}
END_TEST

START_TEST(newer_schema_is_refused)
{
    sqlite_open();
    probe_close();
    sqlite_exec("PRAGMA user_version = 99");
    expect_refusal(AMDRPC_EUNSUPPORTED, "schema 99");
}
END_TEST

START_TEST(damage_found_later_stops_the_store)
{
    static char noise[64 * 4096];

    sqlite_open();
    for (int i = 0; i < 50; i++) {
        (void)probe_add();
    }
    probe_close();
    // All but the first page: header and schema.
    memset(noise, 0x5a, sizeof(noise));
    sqlite_overwrite(4096, noise, sizeof(noise));

    // Where it is seen depends on what is read first.
    if (probe_open(uri, NULL, &error) != AMDRPC_OK) {
        ck_assert_ptr_nonnull(strstr(error.text, "damaged"));
        return;
    }
    ck_assert_int_eq(probe_lease("n", 1), AMDI_STORE_CORRUPT);
    ck_assert_int_eq(
            probe_submit(&(struct amdi_new_op){.method = BYTES("/test/Do")}),
            AMDI_STORE_CORRUPT);
}
END_TEST

START_TEST(network_file_systems_are_known)
{
    ck_assert_str_eq(amdi_sql_network_fs(0x6969), "NFS");
    ck_assert_str_eq(amdi_sql_network_fs(0xff534d42), "CIFS");
    ck_assert_str_eq(
            amdi_sql_network_fs((unsigned long)(int)0xfe534d42), "SMB2");
    ck_assert_ptr_null(amdi_sql_network_fs(0xef53)); // ext4
}
END_TEST

/* ---- what people read ---- */

START_TEST(answers_are_short_of_nothing)
{
    for (int i = AMDI_STORE_OK; i <= AMDI_STORE_CORRUPT; i++) {
        ck_assert_ptr_nonnull(
                amdi_store_result_text((enum amdi_store_result)i));
    }
}
END_TEST

static Suite *
sqlite_suite(void)
{
    Suite *suite = suite_create("sqlite_store");
    TCase *again = tcase_create("again");
    TCase *refusal = tcase_create("refusal");

    tcase_add_checked_fixture(again, sqlite_set_up, sqlite_tear_down);
    tcase_add_test(again, operations_outlive_the_store);
    tcase_add_test(again, what_was_running_is_queued_again);
    tcase_add_test(again, token_outlives_the_store);
    tcase_add_test(again, version_3_is_brought_up_to_date);
    suite_add_tcase(suite, again);

    tcase_add_checked_fixture(refusal, sqlite_set_up, sqlite_tear_down);
    tcase_add_test(refusal, second_server_is_refused);
    tcase_add_test(refusal, uri_must_be_known);
    tcase_add_test(refusal, directory_must_exist);
    tcase_add_test(refusal, directory_must_be_writable);
    tcase_add_test(refusal, file_must_be_a_database);
    tcase_add_test(refusal, file_must_not_be_anothers);
    tcase_add_test(refusal, newer_schema_is_refused);
    tcase_add_test(refusal, damage_found_later_stops_the_store);
    tcase_add_test(refusal, network_file_systems_are_known);
    tcase_add_test(refusal, answers_are_short_of_nothing);
    suite_add_tcase(suite, refusal);
    return suite;
}

TEST_MAIN(sqlite_suite)
