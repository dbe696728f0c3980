/** Cases of metadata, statuses, and what a server has not. */
#include "tests/interop/client.h"

#include <string.h>

#define ECHO_INITIAL "x-grpc-test-echo-initial"
#define ECHO_INITIAL_VALUE "test_initial_metadata_value"
#define ECHO_TRAILING "x-grpc-test-echo-trailing-bin"
#define ECHO_TRAILING_VALUE "\xab\xab\xab"

#define STATUS_TEXT "test status message"
#define SPECIAL_TEXT                                                        \
    "\t\ntest with whitespace\r\nand Unicode BMP \xe2\x98\xba and non-BMP " \
    "\xf0\x9f\x98\x88\t\n"

/* ---- custom_metadata ---- */

static bool
check_field(struct interop *in, const amdrpc_metadata *metadata,
        const char *name, const char *value)
{
    const amdrpc_metadata_field *field = amdrpc_metadata_get(metadata, name);

    if (field == NULL) {
        return interop_fail(in, "%s did not come back", name);
    }
    if (field->value_len != strlen(value) ||
            memcmp(field->value, value, field->value_len) != 0) {
        return interop_fail(in, "%s came back as another value", name);
    }
    return true;
}

static bool
check_echo(struct interop *in, const amdrpc_client_call *call)
{
    const amdrpc_metadata *initial =
            amdrpc_client_call_get_initial_metadata(call);
    const amdrpc_metadata *trailing =
            amdrpc_client_call_get_trailing_metadata(call);

    if (initial == NULL || trailing == NULL) {
        return interop_fail(in, "no metadata came");
    }
    return check_field(in, initial, ECHO_INITIAL, ECHO_INITIAL_VALUE) &&
            check_field(in, trailing, ECHO_TRAILING, ECHO_TRAILING_VALUE);
}

static bool
metadata_unary(struct interop *in, const amdrpc_call_options *options)
{
    Grpc__Testing__SimpleRequest request = GRPC__TESTING__SIMPLE_REQUEST__INIT;
    struct interop_answer answer;
    amdrpc_client_call *call = NULL;
    bool is_done;

    request.response_size = INTEROP_LARGE_RESPONSE_BYTES;
    if (!interop_unary(in, &request, options, &answer, &call)) {
        return false;
    }
    is_done = interop_check_int(
                      in, "the status", answer.status, AMDRPC_STATUS_OK) &&
            check_echo(in, call);
    amdrpc_client_call_unref(call);
    return is_done;
}

static bool
metadata_stream(struct interop *in, const amdrpc_call_options *options)
{
    amdrpc_client_call *call =
            interop_start(in, interop_method("FullDuplexCall"), options);
    bool is_done;

    if (call == NULL) {
        return false;
    }
    is_done = interop_send_output(in, call, INTEROP_LARGE_RESPONSE_BYTES, 1) &&
            interop_recv_output(in, call, INTEROP_LARGE_RESPONSE_BYTES);
    amdrpc_client_call_close_send(call);
    is_done = is_done && interop_expect_end(in, call, AMDRPC_STATUS_OK) &&
            check_echo(in, call);
    amdrpc_client_call_unref(call);
    return is_done;
}

static bool
run_custom_metadata(struct interop *in)
{
    amdrpc_metadata *metadata = NULL;
    amdrpc_call_options options = {0};
    amdrpc_err err = amdrpc_metadata_create(&metadata);
    bool is_done = false;

    if (err == AMDRPC_OK) {
        err = amdrpc_metadata_add_text(
                metadata, ECHO_INITIAL, ECHO_INITIAL_VALUE);
    }
    if (err == AMDRPC_OK) {
        err = amdrpc_metadata_add(metadata, ECHO_TRAILING, ECHO_TRAILING_VALUE,
                sizeof(ECHO_TRAILING_VALUE) - 1);
    }
    if (err == AMDRPC_OK) {
        options.metadata = metadata;
        is_done = metadata_unary(in, &options) && metadata_stream(in, &options);
    } else {
        (void)interop_fail(in, "%s", amdrpc_err_text(err));
    }
    amdrpc_metadata_destroy(metadata);
    return is_done;
}

/* ---- statuses ---- */

static bool
check_status(struct interop *in, amdrpc_status_code code, const char *message,
        const char *wanted)
{
    if (!interop_check_int(in, "the status", code, AMDRPC_STATUS_UNKNOWN)) {
        return false;
    }
    return strcmp(message, wanted) == 0 ||
            interop_fail(in, "the status message is \"%s\"", message);
}

static bool
status_unary(struct interop *in, char *text)
{
    Grpc__Testing__SimpleRequest request = GRPC__TESTING__SIMPLE_REQUEST__INIT;
    Grpc__Testing__EchoStatus status = GRPC__TESTING__ECHO_STATUS__INIT;
    struct interop_answer answer;

    status.code = AMDRPC_STATUS_UNKNOWN;
    status.message = text;
    request.response_status = &status;
    return interop_unary(in, &request, NULL, &answer, NULL) &&
            check_status(in, answer.status, answer.message, text);
}

static bool
status_stream(struct interop *in, char *text)
{
    Grpc__Testing__StreamingOutputCallRequest request =
            GRPC__TESTING__STREAMING_OUTPUT_CALL_REQUEST__INIT;
    Grpc__Testing__EchoStatus status = GRPC__TESTING__ECHO_STATUS__INIT;
    amdrpc_client_call *call =
            interop_start(in, interop_method("FullDuplexCall"), NULL);
    bool is_done;

    if (call == NULL) {
        return false;
    }
    status.code = AMDRPC_STATUS_UNKNOWN;
    status.message = text;
    request.response_status = &status;
    is_done = amdrpc_client_call_send(call, &request.base) == AMDRPC_OK ||
            interop_fail(in, "cannot send");
    amdrpc_client_call_close_send(call);
    is_done = is_done && interop_expect_end(in, call, AMDRPC_STATUS_UNKNOWN) &&
            check_status(in, amdrpc_client_call_get_status(call),
                    amdrpc_client_call_get_status_message(call), text);
    amdrpc_client_call_unref(call);
    return is_done;
}

static bool
run_status_code_and_message(struct interop *in)
{
    char text[] = STATUS_TEXT;

    return status_unary(in, text) && status_stream(in, text);
}

static bool
run_special_status_message(struct interop *in)
{
    char text[] = SPECIAL_TEXT;

    return status_unary(in, text);
}

/* ---- what no server has ---- */

static bool
call_unimplemented(struct interop *in, const amdrpc_method_desc *method)
{
    struct interop_answer answer;

    return interop_empty(in, method, &answer) &&
            interop_check_int(in, "the status", answer.status,
                    AMDRPC_STATUS_UNIMPLEMENTED);
}

static bool
run_unimplemented_method(struct interop *in)
{
    return call_unimplemented(in, interop_method("UnimplementedCall"));
}

static bool
run_unimplemented_service(struct interop *in)
{
    return call_unimplemented(
            in, &grpc_testing_unimplemented_service_service.methods[0]);
}

const struct interop_case interop_status_cases[] = {
        {"custom_metadata", run_custom_metadata},
        {"status_code_and_message", run_status_code_and_message},
        {"special_status_message", run_special_status_message},
        {"unimplemented_method", run_unimplemented_method},
        {"unimplemented_service", run_unimplemented_service},
        {NULL, NULL},
};
