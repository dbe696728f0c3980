/** Tests descriptors as the text of a .proto file. */
#include "client/cli/proto_text.h"
#include "tests/support/runner.h"

#include <check.h>

#include <grpc/health/v1/health.amdrpc.h>
#include <grpc/reflection/v1/reflection.amdrpc.h>
#include <stdlib.h>
#include <string.h>

static struct amdi_descriptors *descriptors;

static void
setup(void)
{
    const amdrpc_service_desc *services[] = {
            &grpc_health_v1_health_service,
            &grpc_reflection_v1_server_reflection_service,
    };

    ck_assert_int_eq(amdi_descriptors_create(&descriptors), AMDRPC_OK);
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(amdi_descriptors_add_set(descriptors,
                                 services[i]->descriptor_set,
                                 services[i]->descriptor_set_len, NULL),
                AMDRPC_OK);
    }
    ck_assert_int_eq(amdi_descriptors_link(descriptors, NULL), AMDRPC_OK);
}

static void
teardown(void)
{
    amdi_descriptors_destroy(descriptors);
}

static const struct {
    const char *name;
    const char *text; // NULL when it is no such symbol
} symbols[] = {
        {"grpc.health.v1.HealthCheckRequest",
                "// grpc.health.v1.HealthCheckRequest, in "
                "grpc/health/v1/health.proto\n"
                "message HealthCheckRequest {\n"
                "  string service = 1;\n"
                "}\n"},
        {"grpc.reflection.v1.ServerReflection",
                "// grpc.reflection.v1.ServerReflection, in "
                "grpc/reflection/v1/reflection.proto\n"
                "service ServerReflection {\n"
                "  rpc ServerReflectionInfo(stream "
                "grpc.reflection.v1.ServerReflectionRequest) returns (stream "
                "grpc.reflection.v1.ServerReflectionResponse);\n"
                "}\n"},
        {"grpc.health.v1.Health.Check",
                "// grpc.health.v1.Health.Check, in "
                "grpc/health/v1/health.proto\n"
                "rpc Check(grpc.health.v1.HealthCheckRequest) returns "
                "(grpc.health.v1.HealthCheckResponse);\n"},
        {"grpc.health.v1.HealthCheckResponse.ServingStatus",
                "// grpc.health.v1.HealthCheckResponse.ServingStatus, in "
                "grpc/health/v1/health.proto\n"
                "enum ServingStatus {\n"
                "  UNKNOWN = 0;\n"
                "  SERVING = 1;\n"
                "  NOT_SERVING = 2;\n"
                "  SERVICE_UNKNOWN = 3;\n"
                "}\n"},
        {"grpc.health.v1.HealthCheckResponse",
                "// grpc.health.v1.HealthCheckResponse, in "
                "grpc/health/v1/health.proto\n"
                "message HealthCheckResponse {\n"
                "  enum ServingStatus {\n"
                "    UNKNOWN = 0;\n"
                "    SERVING = 1;\n"
                "    NOT_SERVING = 2;\n"
                "    SERVICE_UNKNOWN = 3;\n"
                "  }\n"
                "  grpc.health.v1.HealthCheckResponse.ServingStatus status = "
                "1;\n"
                "}\n"},
        {"grpc.reflection.v1.ServerReflectionRequest",
                "// grpc.reflection.v1.ServerReflectionRequest, in "
                "grpc/reflection/v1/reflection.proto\n"
                "message ServerReflectionRequest {\n"
                "  string host = 1;\n"
                "  oneof message_request {\n"
                "    string file_by_filename = 3;\n"
                "    string file_containing_symbol = 4;\n"
                "    grpc.reflection.v1.ExtensionRequest "
                "file_containing_extension = 5;\n"
                "    string all_extension_numbers_of_type = 6;\n"
                "    string list_services = 7;\n"
                "  }\n"
                "}\n"},
        {"grpc.reflection.v1.ListServiceResponse",
                "// grpc.reflection.v1.ListServiceResponse, in "
                "grpc/reflection/v1/reflection.proto\n"
                "message ListServiceResponse {\n"
                "  repeated grpc.reflection.v1.ServiceResponse service = 1;\n"
                "}\n"},
        {"grpc.health.v1.HealthCheckRequest.service", NULL},
        {"grpc.health.v1", NULL},
        {"", NULL},
};

START_TEST(symbol_is_printed_as_it_was_declared)
{
    char *text = NULL;
    size_t len = 0;
    FILE *file = open_memstream(&text, &len);
    bool is_symbol = amdi_proto_text_print(descriptors, symbols[_i].name, file);

    (void)fclose(file);

    ck_assert_int_eq(is_symbol, symbols[_i].text != NULL);
    ck_assert_str_eq(text, is_symbol ? symbols[_i].text : "");
    free(text);
}
END_TEST

static Suite *
proto_text_suite(void)
{
    Suite *suite = suite_create("proto_text");
    TCase *text = tcase_create("text");

    tcase_add_checked_fixture(text, setup, teardown);
    tcase_add_loop_test(text, symbol_is_printed_as_it_was_declared, 0,
            sizeof(symbols) / sizeof(symbols[0]));
    suite_add_tcase(suite, text);
    return suite;
}

TEST_MAIN(proto_text_suite)
