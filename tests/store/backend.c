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
set_up_memory(void)
{
    ck_assert_int_eq(probe_open("memory:", &small_options, NULL), AMDRPC_OK);
}

static void
set_up_fault(void)
{
    set_up_memory();
    probe.store = fault_wrap(probe.store);
}

static void
set_up_sqlite(void)
{
    char uri[600];

    dir = probe_make_dir();
    (void)snprintf(uri, sizeof(uri), "sqlite:%s", dir);
    ck_assert_int_eq(probe_open(uri, &small_options, NULL), AMDRPC_OK);
}

static void
tear_down_sqlite(void)
{
    probe_close();
    probe_remove_dir(dir);
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
