/** Writes foo.amdrpc.h and foo.amdrpc.c: what the services are. */
#include "proto/plugin/write.h"

static void
write_declaration(FILE *out, const struct gen_service *service)
{
    fprintf(out, "\n/** %s. */\n", service->name);
    fprintf(out, "extern const amdrpc_service_desc %s_service;\n",
            service->prefix);
    if (service->nmethods == 0) {
        return;
    }
    fprintf(out, "\n/** Where each method stands in %s_service.methods. */\n",
            service->prefix);
    fprintf(out, "enum %s_method {\n", service->prefix);
    for (size_t i = 0; i < service->nmethods; i++) {
        fprintf(out, "    %s = %zu,\n", service->methods[i].index, i);
    }
    fputs("};\n", out);
}

void
gen_write_service_header(struct gen *gen, const struct gen_model *model)
{
    struct gen_file file;

    if (!gen_write_open_header(gen, model, ".amdrpc.h",
                "#include <amdrpc/service.h>\n\n", &file)) {
        return;
    }
    for (size_t i = 0; i < model->nservices; i++) {
        write_declaration(file.out, &model->services[i]);
    }
    gen_write_close_header(gen, &file);
}

static const char *
kind_name(const struct gen_method *method)
{
    if (method->request_stream) {
        return method->response_stream ? "AMDRPC_BIDI_STREAMING"
                                       : "AMDRPC_CLIENT_STREAMING";
    }
    return method->response_stream ? "AMDRPC_SERVER_STREAMING" : "AMDRPC_UNARY";
}

static void
write_methods(FILE *out, const struct gen_service *service)
{
    fprintf(out, "\nstatic const amdrpc_method_desc %s_methods[] = {\n",
            service->prefix);
    for (size_t i = 0; i < service->nmethods; i++) {
        const struct gen_method *method = &service->methods[i];

        fprintf(out, "    [%s] = {\n", method->index);
        fprintf(out, "        .name = \"%s\",\n", method->name);
        fprintf(out, "        .path = \"/%s/%s\",\n", service->name,
                method->name);
        fprintf(out, "        .kind = %s,\n", kind_name(method));
        fprintf(out, "        .input = &%s,\n", method->input_desc);
        fprintf(out, "        .output = &%s,\n    },\n", method->output_desc);
    }
    fputs("};\n", out);
}

static void
write_service(FILE *out, const struct gen_service *service)
{
    if (service->nmethods > 0) {
        write_methods(out, service);
    }
    fprintf(out, "\nconst amdrpc_service_desc %s_service = {\n",
            service->prefix);
    fprintf(out, "    .name = \"%s\",\n", service->name);
    if (service->nmethods > 0) {
        fprintf(out, "    .methods = %s_methods,\n", service->prefix);
    }
    fprintf(out, "    .nmethods = %zu,\n", service->nmethods);
    fputs("    .descriptor_set = descriptor_set,\n"
          "    .descriptor_set_len = sizeof(descriptor_set),\n};\n",
            out);
}

void
gen_write_service_source(struct gen *gen, const struct gen_model *model)
{
    struct gen_file file;

    if (!gen_write_open(gen, model, ".amdrpc.c", &file)) {
        return;
    }
    fprintf(file.out, "#include \"%s.amdrpc.h\"\n\n", model->base);
    gen_write_descriptor_set(gen, file.out, model);
    for (size_t i = 0; i < model->nservices; i++) {
        write_service(file.out, &model->services[i]);
    }
    gen_file_close(gen, &file);
}
