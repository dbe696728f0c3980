/** Messages of json_types.proto on their way to JSON and back. */
#ifndef TEST_JSON_FIXTURE_H
#define TEST_JSON_FIXTURE_H

#include "common/json/json.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct test_json {
    struct amdi_descriptors *descriptors;
    const struct amdi_message *all_types; // amdrpc.test.v1.AllTypes
    struct amdi_json_options options;     // strict until a test changes them
    struct amdi_buf wire;                 // of the last read
    struct amdi_buf text;                 // of the last write
    struct amdi_error error;              // of the last of both
};

/** The one fixture of a test program. */
extern struct test_json test_json;

/** What setup does, for a program that is no test. */
AMDRPC_NODISCARD amdrpc_err test_json_open(void);

void test_json_setup(void);
void test_json_teardown(void);

/** Read into `wire` and write into `text`, as an AllTypes. */
amdrpc_err test_json_read(const char *text, size_t len);
amdrpc_err test_json_write(const void *data, size_t len);

/** What wire bytes become, NUL-terminated; they must be good. */
const char *test_json_written(const void *data, size_t len);

/** What a text becomes on its way to the wire and back; it must be good. */
const char *test_json_there_and_back(const char *text);

#endif
