/** Messages of json_types.proto on their way to JSON and back. */
#include "tests/proto/json_fixture.h"

#include "tests/proto/json_types.amdrpc.h"

#include <check.h>

#include <string.h>

struct test_json test_json;

amdrpc_err
test_json_open(void)
{
    const amdrpc_service_desc *service = &amdrpc_test_v1_json_types_service;
    amdrpc_err err;

    test_json = (struct test_json){0};
    err = amdi_descriptors_create(&test_json.descriptors);
    if (err == AMDRPC_OK) {
        err = amdi_descriptors_add_set(test_json.descriptors,
                service->descriptor_set, service->descriptor_set_len,
                &test_json.error);
    }
    if (err == AMDRPC_OK) {
        err = amdi_descriptors_link(test_json.descriptors, &test_json.error);
    }
    if (err == AMDRPC_OK) {
        test_json.all_types = amdi_descriptors_find_message(
                test_json.descriptors, "amdrpc.test.v1.AllTypes");
    }
    return err;
}

void
test_json_setup(void)
{
    ck_assert_int_eq(test_json_open(), AMDRPC_OK);
    ck_assert_ptr_nonnull(test_json.all_types);
}

void
test_json_teardown(void)
{
    amdi_buf_fini(&test_json.wire);
    amdi_buf_fini(&test_json.text);
    amdi_descriptors_destroy(test_json.descriptors);
}

amdrpc_err
test_json_read(const char *text, size_t len)
{
    amdi_buf_clear(&test_json.wire);
    test_json.error.text[0] = '\0';
    return amdi_json_read(test_json.descriptors, test_json.all_types, text, len,
            &test_json.options, &test_json.wire, &test_json.error);
}

amdrpc_err
test_json_write(const void *data, size_t len)
{
    amdi_buf_clear(&test_json.text);
    test_json.error.text[0] = '\0';
    return amdi_json_write(test_json.descriptors, test_json.all_types, data,
            len, &test_json.options, &test_json.text, &test_json.error);
}

const char *
test_json_written(const void *data, size_t len)
{
    ck_assert_msg(test_json_write(data, len) == AMDRPC_OK, "%s",
            test_json.error.text);
    ck_assert_int_eq(amdi_buf_append(&test_json.text, "", 1), AMDRPC_OK);
    return (const char *)amdi_buf_peek(&test_json.text);
}

const char *
test_json_there_and_back(const char *text)
{
    ck_assert_msg(test_json_read(text, strlen(text)) == AMDRPC_OK, "%s: %s",
            text, test_json.error.text);
    return test_json_written(
            amdi_buf_peek(&test_json.wire), amdi_buf_len(&test_json.wire));
}
