"""Prints "PASSED FAILED SKIPPED" for one run of meson test.

    count_results.py BUILD-DIR [the arguments that meson test got]

A test that should have run and left no result counts as failed. Ends with
status 1 when no test was chosen.
"""
import glob
import json
import os
import sys

PASSED = {"OK", "EXPECTEDFAIL"}


def chosen_suites(arguments):
    """The values of every --suite."""
    return {
        value
        for option, value in zip(arguments, arguments[1:])
        if option == "--suite"
    }


def expected_tests(build_dir, suites):
    """How many tests the build has in the suites; in all, without suites."""
    path = os.path.join(build_dir, "meson-info", "intro-tests.json")
    with open(path, encoding="utf-8") as file:
        tests = json.load(file)
    if not suites:
        return len(tests)
    return sum(
        any(suite.split(":")[-1] in suites for suite in test["suite"])
        for test in tests
    )


def read_results(build_dir):
    """The result of each test that left one."""
    results = []
    # A wrapper adds its name to the log's.
    for path in glob.glob(os.path.join(build_dir, "meson-logs", "testlog*.json")):
        with open(path, encoding="utf-8") as file:
            results += [json.loads(line)["result"] for line in file if line.strip()]
    return results


def main():
    build_dir, *arguments = sys.argv[1:]
    expected = expected_tests(build_dir, chosen_suites(arguments))
    if expected == 0:
        print("no such test", file=sys.stderr)
        return 1
    results = read_results(build_dir)
    passed = sum(result in PASSED for result in results)
    skipped = results.count("SKIP")
    print(passed, max(expected, len(results)) - passed - skipped, skipped)
    return 0


if __name__ == "__main__":
    sys.exit(main())
