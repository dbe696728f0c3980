/** The main function of a test program that holds one suite. */
#ifndef TEST_RUNNER_H
#define TEST_RUNNER_H

#include <check.h>

/** Runs and frees the suite; returns the exit status of the program. */
int test_run_suite(Suite *suite);

/** Defines main(); create is the function that makes the file's suite. */
#define TEST_MAIN(create)                \
    int main(void)                       \
    {                                    \
        return test_run_suite(create()); \
    }

#endif
