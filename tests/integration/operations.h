/** A server of operations by script: what it answers is what a test says. */
#ifndef TEST_OPERATIONS_H
#define TEST_OPERATIONS_H

#include <amdrpc/operation.h>
#include <amdrpc/server.h>

#include "amdrpc/bench/v1/bench.amdrpc.h"
#include "amdrpc/bench/v1/bench.pb-c.h"

// Longer than any test may take: only a hang comes here.
#define TEST_WAIT_MS 30000

// What the fake keeps.
#define TEST_NOPERATIONS 4
#define TEST_NEVENTS 40

/** What it shall do, and what was asked of it; under its lock. */
struct test_script {
    // Submissions that are kept, and answered with UNAVAILABLE all the same.
    unsigned nlost_submits;
    // WaitOperation comes back so often before the operation is done; -1: it
    // is not done until test_operations_end.
    int nwaits_before_end;
    amdrpc_status_code end_status; // the operation's
    bool has_other_response;       // its type is not the method's
    // A stream of events breaks after so many of them; 0: never.
    unsigned nevents_of_stream;
    // Each stream begins so many events too early.
    unsigned nevents_twice;
    bool never_ends; // events stop before the end

    // Seen.
    unsigned nsubmits;
    unsigned nwaits;
    unsigned ncancels;
    unsigned nstreams;
    unsigned ndeletes;
    unsigned noperations;
    char request_ids[TEST_NOPERATIONS][64];
    bool is_cancelled;
    bool is_ended;
};

extern struct test_script test_script;
extern amdrpc_channel *test_channel;

/** Fixtures: a fresh script, the server, and a channel to it. */
void test_operations_setup(void);
void test_operations_teardown(void);

/** Ends the server, with what it has going on; starts it at the same place. */
void test_operations_stop(void);
void test_operations_start(void);

/** Lets the operation be done. */
void test_operations_end(void);

/** Waits until a counter of the script has come that far. */
void test_operations_await(const unsigned *counter, unsigned n);

#endif
