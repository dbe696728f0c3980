/** The conformance suite: the same tests over every kind of store. */
#ifndef TEST_STORE_BACKEND_H
#define TEST_STORE_BACKEND_H

#include <check.h>

/** Adds the tests of one file to a case. */
typedef void (*backend_add_fn)(TCase *tests);

/** Returns a suite of them over "memory", "sqlite" and "fault". */
Suite *backend_create_suite(const char *name, backend_add_fn add);

#endif
