/** Tests the registry of descriptors, with embedded and with made-up files. */
#include "amdrpc/checksum/v1/checksum.amdrpc.h"
#include "common/alloc.h"
#include "common/arena.h"
#include "common/cache.h"
#include "common/descriptor/descriptor.h"
#include "google/longrunning/operations.amdrpc.h"
#include "google/protobuf/descriptor.pb-c.h"
#include "grpc/health/v1/health.amdrpc.h"
#include "tests/support/runner.h"

#include <check.h>

#include <stdlib.h>
#include <string.h>

static struct amdi_descriptors *descriptors;
static struct amdi_error error;

static void
setup(void)
{
    error.text[0] = '\0';
    ck_assert_int_eq(amdi_descriptors_create(&descriptors), AMDRPC_OK);
}

static void
teardown(void)
{
    amdi_descriptors_destroy(descriptors);
}

static void
add_service(const amdrpc_service_desc *service)
{
    ck_assert_int_eq(
            amdi_descriptors_add_set(descriptors, service->descriptor_set,
                    service->descriptor_set_len, &error),
            AMDRPC_OK);
}

static void
link_all(void)
{
    ck_assert_msg(amdi_descriptors_link(descriptors, &error) == AMDRPC_OK, "%s",
            error.text);
}

/* ---- what is there ---- */

START_TEST(method_is_found_by_every_form_of_its_path)
{
    static const char *const paths[] = {
            "/amdrpc.checksum.v1.Checksum/DigestTree",
            "amdrpc.checksum.v1.Checksum/DigestTree",
            "amdrpc.checksum.v1.Checksum.DigestTree"};

    add_service(&amdrpc_checksum_v1_checksum_service);
    link_all();

    for (size_t i = 0; i < 3; i++) {
        const struct amdi_method *method =
                amdi_descriptors_find_method(descriptors, paths[i]);

        ck_assert_ptr_nonnull(method);
        ck_assert_str_eq(method->name, "DigestTree");
        ck_assert_str_eq(method->input->full_name,
                "amdrpc.checksum.v1.DigestTreeRequest");
        ck_assert(!method->client_streaming);
        ck_assert(method->server_streaming);
    }
}
END_TEST

START_TEST(what_is_not_there_is_not_found)
{
    add_service(&amdrpc_checksum_v1_checksum_service);
    link_all();

    ck_assert_ptr_null(amdi_descriptors_find_method(
            descriptors, "/amdrpc.checksum.v1.Checksum/Nothing"));
    ck_assert_ptr_null(amdi_descriptors_find_method(
            descriptors, "/no.Service/DigestTree"));
    ck_assert_ptr_null(amdi_descriptors_find_method(descriptors, ""));
    ck_assert_ptr_null(amdi_descriptors_find_message(
            descriptors, "amdrpc.checksum.v1.Checksum"));
    ck_assert_ptr_null(amdi_descriptors_find_service(
            descriptors, "amdrpc.checksum.v1.Progress"));
    ck_assert_ptr_null(amdi_descriptors_find_enum(descriptors, "Nothing"));
    ck_assert_ptr_null(amdi_descriptors_find_file(descriptors, "none.proto"));
    ck_assert_ptr_null(amdi_descriptors_find_symbol(descriptors, "none"));
}
END_TEST

START_TEST(every_named_thing_leads_to_its_file)
{
    static const char *const symbols[] = {"grpc.health.v1.Health",
            "grpc.health.v1.Health.Watch", "grpc.health.v1.HealthCheckRequest",
            "grpc.health.v1.HealthCheckRequest.service",
            "grpc.health.v1.HealthCheckResponse.ServingStatus",
            "grpc.health.v1.HealthCheckResponse.NOT_SERVING"};

    add_service(&grpc_health_v1_health_service);
    link_all();

    for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
        const struct amdi_file *file =
                amdi_descriptors_find_symbol(descriptors, symbols[i]);

        ck_assert_ptr_nonnull(file);
        ck_assert_str_eq(file->name, "grpc/health/v1/health.proto");
    }
}
END_TEST

START_TEST(field_is_found_by_number_and_both_names)
{
    const struct amdi_message *message;
    const struct amdi_field *field;

    add_service(&amdrpc_checksum_v1_checksum_service);
    link_all();
    message = amdi_descriptors_find_message(
            descriptors, "amdrpc.checksum.v1.Progress");

    field = amdi_message_find_field(message, 3);
    ck_assert_str_eq(field->name, "bytes_done");
    ck_assert_str_eq(field->json_name, "bytesDone");
    ck_assert_ptr_eq(
            amdi_message_find_field_by_name(message, "bytes_done"), field);
    ck_assert_ptr_eq(
            amdi_message_find_field_by_name(message, "bytesDone"), field);
    ck_assert_ptr_null(amdi_message_find_field_by_name(message, "bytesdone"));
    ck_assert_ptr_null(amdi_message_find_field(message, 8));
    ck_assert_ptr_null(amdi_message_find_field(message, 0));
}
END_TEST

START_TEST(presence_follows_the_rules_of_proto3)
{
    const struct amdi_message *message;

    add_service(&google_longrunning_operations_service);
    link_all();
    message = amdi_descriptors_find_message(
            descriptors, "google.longrunning.Operation");

    ck_assert(!amdi_message_find_field(message, 1)->has_presence);
    ck_assert(amdi_message_find_field(message, 2)->has_presence);
    ck_assert(amdi_message_find_field(message, 4)->has_presence);
    ck_assert_int_eq(amdi_message_find_field(message, 4)->oneof, 0);
    ck_assert_int_eq(amdi_message_find_field(message, 3)->oneof, -1);
    ck_assert_str_eq(message->oneofs[0], "result");
}
END_TEST

START_TEST(map_is_told_from_a_repeated_message)
{
    const struct amdi_field *field;

    add_service(&grpc_health_v1_health_service);
    link_all();
    field = &amdi_descriptors_find_message(
            descriptors, "grpc.health.v1.HealthListResponse")
                     ->fields[0];

    ck_assert(field->is_map);
    ck_assert(field->message->is_map_entry);
    ck_assert_int_eq(field->message->fields[1].type, AMDI_FIELD_MESSAGE);
}
END_TEST

START_TEST(enum_value_is_found_by_name_and_number)
{
    const struct amdi_enum *type;

    add_service(&grpc_health_v1_health_service);
    link_all();
    type = amdi_descriptors_find_enum(
            descriptors, "grpc.health.v1.HealthCheckResponse.ServingStatus");

    ck_assert_str_eq(amdi_enum_find_number(type, 2)->name, "NOT_SERVING");
    ck_assert_int_eq(amdi_enum_find_name(type, "SERVING")->number, 1);
    ck_assert_ptr_null(amdi_enum_find_number(type, 9));
    ck_assert_ptr_null(amdi_enum_find_name(type, "serving"));
    ck_assert(!type->is_closed);
}
END_TEST

START_TEST(packing_and_presence_of_proto2_are_seen)
{
    const struct amdi_message *message;

    add_service(&google_longrunning_operations_service);
    link_all();
    message = amdi_descriptors_find_message(
            descriptors, "google.protobuf.SourceCodeInfo.Location");

    ck_assert(amdi_message_find_field_by_name(message, "path")->is_packed);
    ck_assert(amdi_message_find_field_by_name(message, "leading_comments")
                      ->has_presence);
    message = amdi_descriptors_find_message(
            descriptors, "google.protobuf.FileDescriptorProto");
    ck_assert(!amdi_message_find_field_by_name(message, "public_dependency")
                       ->is_packed);
}
END_TEST

START_TEST(closure_lists_a_file_and_its_imports_once)
{
    const struct amdi_file **files = NULL;
    size_t nfiles = 0;

    add_service(&google_longrunning_operations_service);
    link_all();
    ck_assert_int_eq(
            amdi_file_list_closure(amdi_descriptors_find_symbol(descriptors,
                                           "google.longrunning.Operations"),
                    &files, &nfiles),
            AMDRPC_OK);

    ck_assert_uint_eq(nfiles, 6);
    ck_assert_str_eq(files[0]->name, "google/longrunning/operations.proto");
    for (size_t i = 1; i < nfiles; i++) {
        for (size_t j = 0; j < i; j++) {
            ck_assert_ptr_ne(files[i], files[j]);
        }
    }
    amdi_free(files);
}
END_TEST

START_TEST(extension_leads_to_its_file)
{
    add_service(&google_longrunning_operations_service);
    link_all();

    ck_assert_str_eq(amdi_descriptors_find_extension(
                             descriptors, "google.protobuf.MethodOptions", 1049)
                             ->name,
            "google/longrunning/operations.proto");
    ck_assert_ptr_null(amdi_descriptors_find_extension(
            descriptors, "google.protobuf.MethodOptions", 1050));
}
END_TEST

START_TEST(set_added_twice_changes_nothing)
{
    size_t nfiles = 0;

    add_service(&google_longrunning_operations_service);
    add_service(&google_longrunning_operations_service);
    add_service(&grpc_health_v1_health_service);
    link_all();

    for (const struct amdi_file *file = amdi_descriptors_get_files(descriptors);
            file != NULL; file = file->next) {
        nfiles++;
    }
    ck_assert_uint_eq(nfiles, 7);
}
END_TEST

/* ---- what cannot be right ---- */

typedef Google__Protobuf__FileDescriptorProto file_proto;
typedef Google__Protobuf__DescriptorProto message_proto;
typedef Google__Protobuf__FieldDescriptorProto field_proto;

/* A file "a.proto" with a message M with a field f, to be spoilt. */
static file_proto file;
static message_proto message;
static field_proto fields[2];

static void
make_file(void)
{
    static message_proto *messages[] = {&message};
    static field_proto *field_list[] = {&fields[0], &fields[1]};

    google__protobuf__file_descriptor_proto__init(&file);
    file.name = (char *)"a.proto";
    file.package = (char *)"p";
    file.syntax = (char *)"proto3";
    file.message_type = messages;
    file.n_message_type = 1;
    google__protobuf__descriptor_proto__init(&message);
    message.name = (char *)"M";
    message.field = field_list;
    message.n_field = 1;
    for (int i = 0; i < 2; i++) {
        google__protobuf__field_descriptor_proto__init(&fields[i]);
        fields[i].name = (char *)(i == 0 ? "f" : "g");
        fields[i].has_number = 1;
        fields[i].number = i + 1;
        fields[i].has_type = 1;
        fields[i].type =
                GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_INT32;
    }
}

static amdrpc_err
add_file(void)
{
    size_t len =
            google__protobuf__file_descriptor_proto__get_packed_size(&file);
    uint8_t *data = malloc(len);
    amdrpc_err err;

    ck_assert_ptr_nonnull(data);
    ck_assert_uint_eq(
            google__protobuf__file_descriptor_proto__pack(&file, data), len);
    err = amdi_descriptors_add_file(descriptors, data, len, &error);
    free(data);
    return err;
}

static void
assert_refused(const char *sentence)
{
    ck_assert_int_eq(add_file(), AMDRPC_EINVAL);
    ck_assert_str_eq(error.text, sentence);
    ck_assert_int_eq(amdi_descriptors_link(descriptors, NULL), AMDRPC_OK);
    ck_assert_ptr_null(amdi_descriptors_find_symbol(descriptors, "p.M"));
}

START_TEST(made_up_file_is_taken)
{
    make_file();

    ck_assert_int_eq(add_file(), AMDRPC_OK);
    link_all();
    ck_assert_ptr_nonnull(amdi_descriptors_find_message(descriptors, "p.M"));
}
END_TEST

START_TEST(nothing_is_found_before_it_is_linked)
{
    make_file();

    ck_assert_int_eq(add_file(), AMDRPC_OK);
    ck_assert_ptr_null(amdi_descriptors_find_message(descriptors, "p.M"));
    ck_assert_ptr_null(amdi_descriptors_find_file(descriptors, "a.proto"));
}
END_TEST

START_TEST(field_numbers_must_be_possible)
{
    make_file();
    fields[0].number = 0;
    assert_refused("p.M.f has the number 0, which no field may");
    fields[0].number = 536870912;
    assert_refused("p.M.f has the number 536870912, which no field may");
    fields[0].number = 2;
    message.n_field = 2;
    assert_refused("p.M has two fields of the number 2");
}
END_TEST

START_TEST(field_types_must_be_possible)
{
    make_file();
    fields[0].has_type = 0;
    assert_refused("p.M.f has no known type");
    fields[0].has_type = 1;
    fields[0].type =
            GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_MESSAGE;
    assert_refused("p.M.f does not name its type in full");
    fields[0].type_name = (char *)"M";
    assert_refused("p.M.f does not name its type in full");
}
END_TEST

START_TEST(oneof_must_be_there)
{
    make_file();
    fields[0].has_oneof_index = 1;
    assert_refused("p.M.f is in a oneof that is not there");
    fields[0].oneof_index = -1;
    assert_refused("p.M.f is in a oneof that is not there");
}
END_TEST

START_TEST(map_entry_must_be_one)
{
    Google__Protobuf__MessageOptions options =
            GOOGLE__PROTOBUF__MESSAGE_OPTIONS__INIT;

    make_file();
    options.has_map_entry = 1;
    options.map_entry = 1;
    message.options = &options;
    assert_refused("p.M is no key and value, as a map entry must be");
    message.n_field = 2;
    fields[0].type = GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_BYTES;
    assert_refused("p.M is no key and value, as a map entry must be");
}
END_TEST

START_TEST(unnamed_things_are_refused)
{
    make_file();
    fields[0].name = NULL;
    assert_refused("a.proto: a declaration in \"p.M\" has no name");
    file.name = NULL;
    assert_refused("the bytes are no google.protobuf.FileDescriptorProto");
}
END_TEST

START_TEST(same_name_in_two_files_is_refused)
{
    make_file();
    ck_assert_int_eq(add_file(), AMDRPC_OK);
    file.name = (char *)"b.proto";

    ck_assert_int_eq(add_file(), AMDRPC_EINVAL);
    ck_assert_str_eq(error.text,
            "b.proto declares \"p.M.f\", which a.proto declares too");
    link_all();
    ck_assert_ptr_nonnull(amdi_descriptors_find_file(descriptors, "a.proto"));
    ck_assert_ptr_null(amdi_descriptors_find_file(descriptors, "b.proto"));
}
END_TEST

START_TEST(same_name_twice_in_a_file_leaves_no_trace)
{
    make_file();
    message.n_field = 2;
    fields[1].name = (char *)"f";
    assert_refused("a.proto declares \"p.M.f\", which a.proto declares too");
    fields[1].name = (char *)"g";
    ck_assert_int_eq(add_file(), AMDRPC_OK);
}
END_TEST

START_TEST(edition_is_unsupported)
{
    make_file();
    file.syntax = (char *)"editions";

    ck_assert_int_eq(add_file(), AMDRPC_EUNSUPPORTED);
    ck_assert_str_eq(error.text,
            "a.proto is written in \"editions\"; only proto2 and proto3 are "
            "known");
}
END_TEST

START_TEST(missing_import_is_named)
{
    char *import = (char *)"b.proto";

    make_file();
    file.dependency = &import;
    file.n_dependency = 1;
    ck_assert_int_eq(add_file(), AMDRPC_OK);

    ck_assert_str_eq(amdi_descriptors_get_missing(descriptors), "b.proto");
    ck_assert_int_eq(amdi_descriptors_link(descriptors, &error), AMDRPC_EINVAL);
    ck_assert_str_eq(error.text, "a.proto imports b.proto, which is not there");

    make_file();
    file.name = (char *)"b.proto";
    message.name = (char *)"N";
    ck_assert_int_eq(add_file(), AMDRPC_OK);
    ck_assert_ptr_null(amdi_descriptors_get_missing(descriptors));
    link_all();
    ck_assert_ptr_nonnull(amdi_descriptors_find_message(descriptors, "p.M"));
}
END_TEST

START_TEST(import_of_itself_is_refused)
{
    char *import = (char *)"a.proto";

    make_file();
    file.dependency = &import;
    file.n_dependency = 1;
    ck_assert_int_eq(add_file(), AMDRPC_OK);

    ck_assert_int_eq(amdi_descriptors_link(descriptors, &error), AMDRPC_EINVAL);
    ck_assert_ptr_null(amdi_descriptors_find_file(descriptors, "a.proto"));
}
END_TEST

START_TEST(missing_type_is_named)
{
    make_file();
    fields[0].type = GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_ENUM;
    fields[0].type_name = (char *)".p.M"; // there, but no enum
    ck_assert_int_eq(add_file(), AMDRPC_OK);

    ck_assert_int_eq(amdi_descriptors_link(descriptors, &error), AMDRPC_EINVAL);
    ck_assert_str_eq(
            error.text, "a.proto: the type of p.M.f, p.M, is not there");
}
END_TEST

/* ---- bytes of any kind ---- */

START_TEST(cut_or_spoilt_set_never_crashes)
{
    const amdrpc_service_desc *service = &google_longrunning_operations_service;
    uint8_t *copy = malloc(service->descriptor_set_len);

    ck_assert_ptr_nonnull(copy);
    for (size_t i = 0; i < service->descriptor_set_len; i += 7) {
        struct amdi_descriptors *other = NULL;

        ck_assert_int_eq(amdi_descriptors_create(&other), AMDRPC_OK);
        memcpy(copy, service->descriptor_set, service->descriptor_set_len);
        copy[i] ^= (uint8_t)(1 << (i % 8));
        (void)!amdi_descriptors_add_set(other, copy, i + 1, &error);
        (void)!amdi_descriptors_add_set(
                other, copy, service->descriptor_set_len, &error);
        (void)!amdi_descriptors_link(other, &error);
        amdi_descriptors_destroy(other);
    }
    free(copy);
}
END_TEST

START_TEST(no_memory_is_an_ordinary_error)
{
    const amdrpc_service_desc *service = &amdrpc_checksum_v1_checksum_service;

    amdi_cache_thread_flush();
    for (int64_t n = 0;; n++) {
        struct amdi_descriptors *other = NULL;
        amdrpc_err err;

        amdi_alloc_fail_at(n);
        err = amdi_descriptors_create(&other);
        if (err == AMDRPC_OK) {
            err = amdi_descriptors_add_set(other, service->descriptor_set,
                    service->descriptor_set_len, &error);
        }
        if (err == AMDRPC_OK) {
            err = amdi_descriptors_link(other, &error);
        }
        amdi_descriptors_destroy(other);
        amdi_cache_thread_flush();
        if (!amdi_alloc_has_failed()) {
            ck_assert_int_eq(err, AMDRPC_OK);
            break;
        }
        ck_assert_int_eq(err, AMDRPC_ENOMEM);
    }
    amdi_alloc_fail_at(-1);
}
END_TEST

static Suite *
descriptor_suite(void)
{
    Suite *suite = suite_create("descriptor");
    TCase *found = tcase_create("found");
    TCase *refused = tcase_create("refused");
    TCase *bytes = tcase_create("bytes");

    tcase_add_checked_fixture(found, setup, teardown);
    tcase_add_test(found, method_is_found_by_every_form_of_its_path);
    tcase_add_test(found, what_is_not_there_is_not_found);
    tcase_add_test(found, every_named_thing_leads_to_its_file);
    tcase_add_test(found, field_is_found_by_number_and_both_names);
    tcase_add_test(found, presence_follows_the_rules_of_proto3);
    tcase_add_test(found, map_is_told_from_a_repeated_message);
    tcase_add_test(found, enum_value_is_found_by_name_and_number);
    tcase_add_test(found, packing_and_presence_of_proto2_are_seen);
    tcase_add_test(found, closure_lists_a_file_and_its_imports_once);
    tcase_add_test(found, extension_leads_to_its_file);
    tcase_add_test(found, set_added_twice_changes_nothing);
    suite_add_tcase(suite, found);
    tcase_add_checked_fixture(refused, setup, teardown);
    tcase_add_test(refused, made_up_file_is_taken);
    tcase_add_test(refused, nothing_is_found_before_it_is_linked);
    tcase_add_test(refused, field_numbers_must_be_possible);
    tcase_add_test(refused, field_types_must_be_possible);
    tcase_add_test(refused, oneof_must_be_there);
    tcase_add_test(refused, map_entry_must_be_one);
    tcase_add_test(refused, unnamed_things_are_refused);
    tcase_add_test(refused, same_name_in_two_files_is_refused);
    tcase_add_test(refused, same_name_twice_in_a_file_leaves_no_trace);
    tcase_add_test(refused, edition_is_unsupported);
    tcase_add_test(refused, missing_import_is_named);
    tcase_add_test(refused, import_of_itself_is_refused);
    tcase_add_test(refused, missing_type_is_named);
    suite_add_tcase(suite, refused);
    tcase_add_checked_fixture(bytes, setup, teardown);
    tcase_add_test(bytes, cut_or_spoilt_set_never_crashes);
    tcase_add_test(bytes, no_memory_is_an_ordinary_error);
    suite_add_tcase(suite, bytes);
    return suite;
}

TEST_MAIN(descriptor_suite)
