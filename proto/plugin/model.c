/** What a .proto file declares, with its C names; read by the writers. */
#include "proto/plugin/model.h"

#include "proto/plugin/names.h"

#include <string.h>

static void
method_read(struct gen *gen, const struct gen_service *service,
        const Google__Protobuf__MethodDescriptorProto *proto,
        struct gen_method *out)
{
    out->name = proto->name;
    out->member = name_member(gen, proto->name);
    out->prefix = gen_format(gen, "%s_%s", service->prefix, out->member);
    out->index = name_upper(gen, out->prefix);
    out->input = name_of_type(gen, proto->input_type);
    out->output = name_of_type(gen, proto->output_type);
    out->input_desc = gen_format(
            gen, "%s__descriptor", name_of_functions(gen, proto->input_type));
    out->output_desc = gen_format(
            gen, "%s__descriptor", name_of_functions(gen, proto->output_type));
    out->request_stream = proto->client_streaming;
    out->response_stream = proto->server_streaming;
}

static void
service_read(struct gen *gen, const Google__Protobuf__FileDescriptorProto *file,
        const Google__Protobuf__ServiceDescriptorProto *proto,
        struct gen_service *out)
{
    bool has_package = file->package != NULL && file->package[0] != '\0';

    out->name = has_package
            ? gen_format(gen, "%s.%s", file->package, proto->name)
            : proto->name;
    out->prefix = name_snake(gen, out->name);
    out->upper = name_upper(gen, out->prefix);
    out->methods = (struct gen_method *)(void *)gen_alloc(
            gen, proto->n_method * sizeof(*out->methods));
    if (out->methods == NULL) {
        return;
    }
    out->nmethods = proto->n_method;
    for (size_t i = 0; i < proto->n_method; i++) {
        method_read(gen, out, proto->method[i], &out->methods[i]);
    }
}

void
gen_model_read(struct gen *gen,
        const Google__Protobuf__FileDescriptorProto *file,
        struct gen_model *out)
{
    memset(out, 0, sizeof(*out));
    out->file = file;
    out->base = name_without_proto(gen, file->name);
    out->services = (struct gen_service *)(void *)gen_alloc(
            gen, file->n_service * sizeof(*out->services));
    if (out->services == NULL) {
        return;
    }
    out->nservices = file->n_service;
    for (size_t i = 0; i < file->n_service; i++) {
        service_read(gen, file, file->service[i], &out->services[i]);
    }
}
