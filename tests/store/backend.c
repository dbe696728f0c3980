/** The conformance suite: the same tests over every kind of store. */
#include "tests/store/backend.h"

#include "tests/store/fault.h"
#include "tests/store/probe.h"

#include <stdio.h>

#define TIMEOUT_S 60

static char *dir; // of the store in a file

// Small, so that the tests reach them.
static const struct amdi_store_options small_options = {
        .max_events = 10,
        .max_event_bytes = 10000,
        .max_blob_bytes = 5000,
};

static void
open_memory(const struct amdi_store_options *options)
{
    ck_assert_int_eq(probe_open("memory:", options, NULL), AMDRPC_OK);
}

static void
open_fault(const struct amdi_store_options *options)
{
    open_memory(options);
    probe.store = fault_wrap(probe.store);
}

static void
open_sqlite(const struct amdi_store_options *options)
{
    char uri[600];

    (void)snprintf(uri, sizeof(uri), "sqlite:%s", dir);
    ck_assert_int_eq(probe_open(uri, options, NULL), AMDRPC_OK);
}

// How the store of the present test is opened.
static void (*open_store)(const struct amdi_store_options *options);

static void
set_up_with(void (*open)(const struct amdi_store_options *options))
{
    open_store = open;
    open_store(&small_options);
}

static void
set_up_memory(void)
{
    set_up_with(open_memory);
}

static void
set_up_fault(void)
{
    set_up_with(open_fault);
}

static void
set_up_sqlite(void)
{
    dir = probe_make_dir();
    set_up_with(open_sqlite);
}

static void
tear_down_sqlite(void)
{
    probe_close();
    probe_remove_dir(dir);
}

bool
backend_open_again(const struct amdi_store_options *options)
{
    probe_close();
    open_store(options == NULL ? &small_options : options);
    return open_store == open_sqlite;
}

Suite *
backend_create_suite(const char *name, backend_add_fn add)
{
    static const struct {
        const char *name;
        void (*set_up)(void);
        void (*tear_down)(void);
    } backends[] = {
            {"memory", set_up_memory, probe_close},
            {"sqlite", set_up_sqlite, tear_down_sqlite},
            {"fault", set_up_fault, probe_close},
    };
    Suite *suite = suite_create(name);

    for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++) {
        TCase *tests = tcase_create(backends[i].name);

        tcase_add_checked_fixture(
                tests, backends[i].set_up, backends[i].tear_down);
        tcase_set_timeout(tests, TIMEOUT_S);
        add(tests);
        suite_add_tcase(suite, tests);
    }
    return suite;
}
