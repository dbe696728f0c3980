/** Runs a suite of Check. */
#include "tests/support/runner.h"

#include <stdlib.h>

int
test_run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    int nfailed;

    srunner_run_all(runner, CK_ENV);
    nfailed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return nfailed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
