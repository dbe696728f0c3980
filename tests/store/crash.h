/** What the process that is killed tells the one that watches. */
#ifndef TEST_STORE_CRASH_H
#define TEST_STORE_CRASH_H

#include <stdint.h>

#define CRASH_REQUEST_ID_BYTES 40

enum crash_kind {
    CRASH_SUBMITTED = 'S',
    CRASH_FINISHED = 'F',
    CRASH_FAILED = 'X', // a request, with its result
    CRASH_READ = 'R',   // the first operation, after all
};

struct crash_record {
    char kind;  // of enum crash_kind
    int result; // enum amdi_store_result
    uint64_t n; // of the operation in its round: "ROUND-N" is its request id
    uint64_t id;
};

#endif
