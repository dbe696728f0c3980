/** Tests how flags, environment and file become settings. */
#include <amdrpc/log.h>

#include "server/daemon/config.h"
#include "tests/support/runner.h"
#include "tests/support/sweep.h"
#include "tests/support/tree.h"

#include <check.h>

#include <stdlib.h>
#include <string.h>

#define MAX_ARGS 8

static struct amdi_config config;
static struct test_tree tree;

static void
set_up(void)
{
    amdi_config_init(&config);
    test_tree_init(&tree);
}

static void
tear_down(void)
{
    amdi_config_fini(&config);
    test_tree_fini(&tree);
    ck_assert_int_eq(unsetenv("AMDRPC_WORKERS"), 0);
    ck_assert_int_eq(unsetenv("AMDRPC_LISTEN"), 0);
    ck_assert_int_eq(unsetenv("AMDRPC_LOG_LEVEL"), 0);
}

/* Loads from a line of arguments between blanks. */
static amdrpc_err
load(const char *line)
{
    char copy[512];
    char *rest = copy;
    char *args[MAX_ARGS + 1] = {NULL};
    size_t n = 0;

    (void)snprintf(copy, sizeof(copy), "%s", line);
    while (rest != NULL && rest[0] != '\0' && n < MAX_ARGS) {
        args[n++] = strsep(&rest, " ");
    }
    return amdi_config_load(&config, args);
}

/* Loads from a file of that content, after some flags. */
static amdrpc_err
load_file(const char *content, const char *flags)
{
    char line[512];

    test_tree_add_file(&tree, "conf", content);
    (void)snprintf(line, sizeof(line), "--config %s/conf%s%s", tree.path,
            flags[0] != '\0' ? " " : "", flags);
    return load(line);
}

/* ---- values ---- */

START_TEST(nothing_given_gives_the_defaults)
{
    ck_assert_int_eq(load(""), AMDRPC_OK);

    ck_assert_int_eq(config.request, AMDI_CONFIG_RUN);
    ck_assert_uint_eq(config.listen.count, 1);
    ck_assert_str_eq(config.listen.items[0], "127.0.0.1:50051");
    ck_assert_uint_eq(config.server.workers, 0); // the server's own default
    ck_assert_uint_eq(config.server.max_recv_message_bytes, 4194304);
    ck_assert_uint_eq(config.server.drain_timeout_ms, 30000);
    ck_assert_uint_eq(config.dispatch, AMDRPC_DISPATCH_POOL);
    ck_assert_uint_eq(config.log_level, AMDRPC_LOG_INFO);
    ck_assert_ptr_null(config.port_file);
}
END_TEST

START_TEST(flags_are_read_in_both_forms)
{
    ck_assert_int_eq(load("--workers 3 --max-workers 9 --drain-timeout=2m "
                          "--dispatch sync"),
            AMDRPC_OK);

    ck_assert_uint_eq(config.server.workers, 3);
    ck_assert_uint_eq(config.server.max_workers, 9);
    ck_assert_uint_eq(config.server.drain_timeout_ms, 120000);
    ck_assert_uint_eq(config.dispatch, AMDRPC_DISPATCH_SYNC);
}
END_TEST

START_TEST(size_of_the_store_may_be_beyond_32_bits)
{
    ck_assert_int_eq(load(""), AMDRPC_OK);
    ck_assert_uint_eq(config.operation.max_kept_bytes, (uint64_t)8 << 30);
    ck_assert_uint_eq(config.operation.max_unfinished, 1000000);

    ck_assert_int_eq(load("--operation-max-kept-bytes 1024g"), AMDRPC_OK);
    ck_assert_uint_eq(config.operation.max_kept_bytes, (uint64_t)1 << 40);
    ck_assert_uint_eq(config.operation.max_unfinished, 1000000);
}
END_TEST

START_TEST(repeated_flag_gives_a_list)
{
    ck_assert_int_eq(load("--listen [::1]:0 --listen 127.0.0.1:0"), AMDRPC_OK);

    ck_assert_uint_eq(config.listen.count, 2);
    ck_assert_str_eq(config.listen.items[0], "[::1]:0");
    ck_assert_str_eq(config.listen.items[1], "127.0.0.1:0");
}
END_TEST

START_TEST(last_of_a_flag_counts)
{
    ck_assert_int_eq(load("--workers 3 --workers 5"), AMDRPC_OK);

    ck_assert_uint_eq(config.server.workers, 5);
}
END_TEST

START_TEST(help_and_version_are_told)
{
    ck_assert_int_eq(load("--workers 3 --help"), AMDRPC_OK);
    ck_assert_int_eq(config.request, AMDI_CONFIG_HELP);

    amdi_config_fini(&config);
    ck_assert_int_eq(load("--version"), AMDRPC_OK);
    ck_assert_int_eq(config.request, AMDI_CONFIG_VERSION);
}
END_TEST

/* ---- sources ---- */

START_TEST(environment_goes_before_the_file)
{
    ck_assert_int_eq(setenv("AMDRPC_WORKERS", "7", 1), 0);
    ck_assert_int_eq(setenv("AMDRPC_LISTEN", "a:1,b:2", 1), 0);

    ck_assert_int_eq(
            load_file("workers = 9\nlisten = c:3\nloops = 2\n", ""), AMDRPC_OK);

    ck_assert_uint_eq(config.server.workers, 7);
    ck_assert_uint_eq(config.server.loops, 2);
    ck_assert_uint_eq(config.listen.count, 2);
    ck_assert_str_eq(config.listen.items[1], "b:2");
}
END_TEST

START_TEST(flag_goes_before_the_environment)
{
    ck_assert_int_eq(setenv("AMDRPC_LOG_LEVEL", "debug", 1), 0);

    ck_assert_int_eq(load("--log-level warn"), AMDRPC_OK);

    ck_assert_uint_eq(config.log_level, AMDRPC_LOG_WARN);
}
END_TEST

START_TEST(empty_variable_is_none)
{
    ck_assert_int_eq(setenv("AMDRPC_WORKERS", "", 1), 0);

    ck_assert_int_eq(load(""), AMDRPC_OK);

    ck_assert_uint_eq(config.server.workers, 0);
}
END_TEST

START_TEST(indented_line_of_a_file_is_a_line)
{
    ck_assert_int_eq(
            load_file("; comment\nworkers = 4\n  loops = 2\n", ""), AMDRPC_OK);

    ck_assert_uint_eq(config.server.workers, 4);
    ck_assert_uint_eq(config.server.loops, 2);
}
END_TEST

/* ---- module settings ---- */

START_TEST(module_settings_come_from_section_and_flag)
{
    ck_assert_int_eq(load_file("[checksum]\nroot = /a\nroot = /b\nx = y\n",
                             "--set checksum.x=z=1"),
            AMDRPC_OK);

    ck_assert_str_eq(
            amdi_config_get_module_setting(&config, "checksum.root", 1), "/b");
    ck_assert_ptr_null(
            amdi_config_get_module_setting(&config, "checksum.root", 2));
    ck_assert_str_eq(
            amdi_config_get_module_setting(&config, "checksum.x", 0), "z=1");
    ck_assert_ptr_null(
            amdi_config_get_module_setting(&config, "checksum.x", 1));
}
END_TEST

START_TEST(setting_that_nobody_read_is_found)
{
    ck_assert_int_eq(load("--set a.b=1 --set ab.c=2"), AMDRPC_OK);

    ck_assert_str_eq(amdi_config_find_unread(&config, "a")->name, "a.b");
    (void)amdi_config_get_module_setting(&config, "a.b", 0);
    ck_assert_ptr_null(amdi_config_find_unread(&config, "a"));
}
END_TEST

/* ---- errors ---- */

static const struct {
    const char *line;
    const char *error;
} bad_flags[] = {
        {"--nonsense 1", "--nonsense: no such flag; see amdrpcd --help"},
        {"nonsense", "nonsense: not a flag; see amdrpcd --help"},
        {"--workers", "--workers: needs a value"},
        {"--workers abc", "--workers: \"abc\" is not a number from 1 to 4096"},
        {"--workers 0", "--workers: \"0\" is not a number from 1 to 4096"},
        {"--max-queued-bytes 1",
                "--max-queued-bytes: \"1\" is not a size (65536, 64k, 4m) "
                "from 1k to 1g"},
        {"--operation-max-kept-bytes 1025g",
                "--operation-max-kept-bytes: \"1025g\" is not a size (65536, "
                "64k, 4m) from 1m to 1024g"},
        {"--drain-timeout 30",
                "--drain-timeout: \"30\" is not a time (500ms, 30s, 5m) from "
                "1ms to 24h"},
        {"--dispatch inline",
                "--dispatch: \"inline\" is not one of: pool, sync"},
        {"--port-file=", "--port-file: the value is empty"},
        {"--tls-ciphers ECDHE+AESGCM:AES128-SHA",
                "--tls-ciphers: AES128-SHA is not ECDHE with authenticated "
                "encryption, in \"ECDHE+AESGCM:AES128-SHA\""},
        {"--tls-ciphersuites TYPO",
                "--tls-ciphersuites: TYPO is no cipher suite of TLS 1.3, in "
                "\"TYPO\""},
        {"--tls-groups X25519:TYPO",
                "--tls-groups: TYPO is no group, in \"X25519:TYPO\""},
        {"--set root=/a", "--set: \"root\" is not MODULE.KEY"},
        {"--set checksum.root",
                "--set: \"checksum.root\" is not "
                "MODULE.KEY=VALUE"},
        {"--config /nonexistent", "/nonexistent: No such file or directory"},
};

START_TEST(bad_flag_is_named)
{
    ck_assert_int_eq(load(bad_flags[_i].line), AMDRPC_EINVAL);

    ck_assert_str_eq(config.error, bad_flags[_i].error);
}
END_TEST

START_TEST(bad_variable_is_named)
{
    ck_assert_int_eq(setenv("AMDRPC_WORKERS", "many", 1), 0);

    ck_assert_int_eq(load(""), AMDRPC_EINVAL);

    ck_assert_str_eq(config.error,
            "AMDRPC_WORKERS: \"many\" is not a number from 1 to 4096");
}
END_TEST

static const struct {
    const char *content;
    const char *error; // behind the file's name
} bad_files[] = {
        {"loops = 2\nworkers = -1\n",
                ":2: workers: \"-1\" is not a number from 1 to 4096"},
        {"\nnonsense = 1\n", ":2: nonsense: there is no such setting"},
        {"workers\n", ":1: neither \"name = value\" nor \"[module]\""},
        {"[unfinished\n", ":1: neither \"name = value\" nor \"[module]\""},
        {"config = other\n", ":1: config: a file cannot name another"},
};

START_TEST(bad_line_of_a_file_is_named)
{
    ck_assert_int_eq(load_file(bad_files[_i].content, ""), AMDRPC_EINVAL);

    ck_assert_int_eq(strncmp(config.error, tree.path, strlen(tree.path)), 0);
    ck_assert_str_eq(config.error + strlen(tree.path) + strlen("/conf"),
            bad_files[_i].error);
}
END_TEST

START_TEST(line_that_is_too_long_is_refused)
{
    char content[1024];

    memset(content, 'x', sizeof(content));
    memcpy(content, "port-file = ", strlen("port-file = "));
    content[sizeof(content) - 1] = '\0';

    ck_assert_int_eq(load_file(content, ""), AMDRPC_EINVAL);

    ck_assert_ptr_nonnull(strstr(config.error, ":1: the line is longer than"));
}
END_TEST

START_TEST(folder_is_no_file)
{
    char line[128];

    (void)snprintf(line, sizeof(line), "--config %s", tree.path);

    ck_assert_int_eq(load(line), AMDRPC_EINVAL);
}
END_TEST

static amdrpc_err
make_config(void *arg)
{
    amdrpc_err err = load("--listen a:1 --listen b:2 --module m --set a.b=c");

    (void)arg;
    if (err != AMDRPC_OK) {
        ck_assert_str_eq(config.error, "out of memory");
    }
    amdi_config_fini(&config);
    return err;
}

START_TEST(every_failed_allocation_is_told)
{
    ck_assert_uint_gt(test_sweep_allocations(make_config, NULL), 0);
}
END_TEST

#define COUNT_OF(table) ((int)(sizeof(table) / sizeof((table)[0])))

static Suite *
config_suite(void)
{
    Suite *suite = suite_create("config");
    TCase *values = tcase_create("values");
    TCase *sources = tcase_create("sources");
    TCase *errors = tcase_create("errors");

    tcase_add_checked_fixture(values, set_up, tear_down);
    tcase_add_test(values, nothing_given_gives_the_defaults);
    tcase_add_test(values, flags_are_read_in_both_forms);
    tcase_add_test(values, size_of_the_store_may_be_beyond_32_bits);
    tcase_add_test(values, repeated_flag_gives_a_list);
    tcase_add_test(values, last_of_a_flag_counts);
    tcase_add_test(values, help_and_version_are_told);
    suite_add_tcase(suite, values);
    tcase_add_checked_fixture(sources, set_up, tear_down);
    tcase_add_test(sources, environment_goes_before_the_file);
    tcase_add_test(sources, flag_goes_before_the_environment);
    tcase_add_test(sources, empty_variable_is_none);
    tcase_add_test(sources, indented_line_of_a_file_is_a_line);
    tcase_add_test(sources, module_settings_come_from_section_and_flag);
    tcase_add_test(sources, setting_that_nobody_read_is_found);
    suite_add_tcase(suite, sources);
    tcase_add_checked_fixture(errors, set_up, tear_down);
    tcase_add_loop_test(errors, bad_flag_is_named, 0, COUNT_OF(bad_flags));
    tcase_add_test(errors, bad_variable_is_named);
    tcase_add_loop_test(
            errors, bad_line_of_a_file_is_named, 0, COUNT_OF(bad_files));
    tcase_add_test(errors, line_that_is_too_long_is_refused);
    tcase_add_test(errors, folder_is_no_file);
    tcase_add_test(errors, every_failed_allocation_is_told);
    suite_add_tcase(suite, errors);
    return suite;
}

TEST_MAIN(config_suite)
