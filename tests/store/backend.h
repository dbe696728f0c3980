/** The conformance suite: the same tests over every kind of store. */
#ifndef TEST_STORE_BACKEND_H
#define TEST_STORE_BACKEND_H

#include "server/store/store.h"

#include <check.h>

/** Adds the tests of one file to a case. */
typedef void (*backend_add_fn)(TCase *tests);

/**
 * Opens the store of the test again, with other options; NULL: as before.
 * Tells whether what was there still is.
 */
bool backend_open_again(const struct amdi_store_options *options);

/** Returns a suite of them over "memory", "sqlite" and "fault". */
Suite *backend_create_suite(const char *name, backend_add_fn add);

#endif
