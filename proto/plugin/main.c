/**
 * protoc-gen-amdrpc: what protoc calls for --amdrpc_out.
 *
 * Reads a CodeGeneratorRequest from stdin and writes a CodeGeneratorResponse
 * to stdout. A fault of a .proto file goes into the response, where protoc
 * prints it and fails; only a broken request or no memory ends this program
 * with a failure of its own.
 */
#include "proto/plugin/claims.h"
#include "proto/plugin/gen.h"
#include "proto/plugin/model.h"
#include "proto/plugin/refuse.h"
#include "proto/plugin/write.h"

#include <stdlib.h>
#include <string.h>

typedef Google__Protobuf__Compiler__CodeGeneratorRequest plugin_request;
typedef Google__Protobuf__FileDescriptorProto plugin_file;

static void
generate_file(struct gen *gen, const plugin_file *file)
{
    struct gen_model model;

    gen_refuse_unsupported(gen, file);
    if (file->n_service == 0 || gen_has_failed(gen)) {
        return;
    }
    gen_model_read(gen, file, &model);
    gen_claims_check(gen, &model);
    if (gen_has_failed(gen)) {
        return;
    }
    gen_write_service_header(gen, &model);
    gen_write_service_source(gen, &model);
    gen_write_server_header(gen, &model);
    gen_write_server_source(gen, &model);
    gen_write_client_header(gen, &model);
    gen_write_client_source(gen, &model);
}

static void
generate(struct gen *gen)
{
    const plugin_request *request = gen->request;

    for (size_t i = 0; i < request->n_file_to_generate; i++) {
        for (size_t j = 0; j < request->n_proto_file; j++) {
            if (strcmp(request->proto_file[j]->name,
                        request->file_to_generate[i]) == 0) {
                generate_file(gen, request->proto_file[j]);
            }
        }
    }
}

/* Returns all of stdin, or NULL without memory. */
static uint8_t *
read_input(size_t *out_len)
{
    uint8_t *data = NULL;
    size_t size = 0;
    size_t len = 0;

    for (;;) {
        size_t room = size == 0 ? 1 << 16 : size * 2;
        uint8_t *larger = realloc(data, room);

        if (larger == NULL) {
            free(data);
            return NULL;
        }
        data = larger;
        size = room;
        len += fread(data + len, 1, size - len, stdin);
        if (len < size) {
            *out_len = len;
            return data;
        }
    }
}

static bool
write_output(const uint8_t *data, size_t len)
{
    return fwrite(data, 1, len, stdout) == len && fflush(stdout) == 0;
}

/* Announces proto3 `optional`, so that our own sentence refuses it. */
static bool
respond(struct gen *gen)
{
    Google__Protobuf__Compiler__CodeGeneratorResponse response = gen->response;
    uint8_t *data;
    bool written;

    response.supported_features =
            GOOGLE__PROTOBUF__COMPILER__CODE_GENERATOR_RESPONSE__FEATURE__FEATURE_PROTO3_OPTIONAL;
    if (gen->error != NULL) {
        response.error = (char *)gen->error; // only read
        response.n_file = 0;
    }
    data = malloc(
            google__protobuf__compiler__code_generator_response__get_packed_size(
                    &response) +
            1);
    if (data == NULL) {
        gen->out_of_memory = true;
        return false;
    }
    written = write_output(data,
            google__protobuf__compiler__code_generator_response__pack(
                    &response, data));
    free(data);
    return written;
}

static bool
run(const plugin_request *request)
{
    struct gen gen;
    bool is_done;

    gen_init(&gen, request);
    generate(&gen);
    is_done = !gen.out_of_memory && respond(&gen);
    if (!is_done) {
        fputs(gen.out_of_memory ? "protoc-gen-amdrpc: out of memory\n"
                                : "protoc-gen-amdrpc: cannot write to stdout\n",
                stderr);
    }
    gen_fini(&gen);
    return is_done;
}

int
main(void)
{
    size_t len = 0;
    uint8_t *input = read_input(&len);
    plugin_request *request = NULL;
    bool is_done = false;

    if (input != NULL) {
        request = google__protobuf__compiler__code_generator_request__unpack(
                NULL, len, input);
    }
    if (request != NULL) {
        is_done = run(request);
        google__protobuf__compiler__code_generator_request__free_unpacked(
                request, NULL);
    } else {
        fputs("protoc-gen-amdrpc: stdin holds no CodeGeneratorRequest; let "
              "protoc run this program: protoc --amdrpc_out=DIR FILE.proto\n",
                stderr);
    }
    free(input);
    return is_done ? EXIT_SUCCESS : EXIT_FAILURE;
}
