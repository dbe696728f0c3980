/** Writes foo.amdrpc-server.h and foo.amdrpc-server.c: typed handlers. */
#include "proto/plugin/write.h"

static void
write_handler(FILE *out, const struct gen_method *method)
{
    if (method->request_stream) {
        fprintf(out,
                "    void (*%s)(\n            amdrpc_call *call, void "
                "*user_data);\n",
                method->member);
    } else {
        fprintf(out,
                "    void (*%s)(amdrpc_call *call,\n            const %s "
                "*request, void *user_data);\n",
                method->member, method->input);
    }
}

static void
write_handlers(FILE *out, const struct gen_service *service)
{
    fprintf(out,
            "\n/**\n * The handlers of %s. NULL: not implemented.\n"
            " * A request is borrowed until the call is finished.\n */\n",
            service->name);
    fprintf(out, "typedef struct %s_handlers {\n", service->prefix);
    for (size_t i = 0; i < service->nmethods; i++) {
        write_handler(out, &service->methods[i]);
    }
    fprintf(out, "} %s_handlers;\n", service->prefix);
}

/* The parameters are the same where it is declared and where defined. */
static void
write_register_head(
        FILE *out, const struct gen_service *service, const char *break_after)
{
    fprintf(out, "amdrpc_err%s%s_register(\n        amdrpc_server *server,",
            break_after, service->prefix);
    fprintf(out, " const %s_handlers *handlers,\n        void *user_data)",
            service->prefix);
}

static void
write_register_declaration(FILE *out, const struct gen_service *service)
{
    fprintf(out,
            "\n/**\n * Adds %s to a server.\n *\n"
            " * Thread:     setup\n"
            " * @handlers   borrowed for the server's life\n"
            " * @user_data  passed to every handler\n"
            " * Errors:     as amdrpc_server_add_service\n */\n"
            "AMDRPC_NODISCARD ",
            service->name);
    write_register_head(out, service, " ");
    fputs(";\n", out);
}

static void
write_recv_head(
        FILE *out, const struct gen_method *method, const char *break_after)
{
    fprintf(out,
            "amdrpc_err%s%s_recv(\n        amdrpc_call *call, const %s **out)",
            break_after, method->prefix, method->input);
}

/* What a handler of this method may use to answer and to read. */
static void
write_helpers(FILE *out, const struct gen_method *method)
{
    if (method->request_stream) {
        fputs("\n/** As amdrpc_call_recv. */\nAMDRPC_NODISCARD ", out);
        write_recv_head(out, method, " ");
        fputs(";\n", out);
    }
    if (method->response_stream) {
        fputs("\n/** As amdrpc_call_send. */\n", out);
        fprintf(out,
                "AMDRPC_NODISCARD static inline amdrpc_err\n%s_send("
                "amdrpc_call *call,\n        const %s *response)\n{\n"
                "    return amdrpc_call_send(call, &response->base);\n}\n",
                method->prefix, method->output);
    } else {
        fputs("\n/** As amdrpc_call_reply. */\n", out);
        fprintf(out,
                "static inline void\n%s_reply(amdrpc_call *call,\n"
                "        const %s *response)\n{\n"
                "    amdrpc_call_reply(call, &response->base);\n}\n",
                method->prefix, method->output);
    }
}

void
gen_write_server_header(struct gen *gen, const struct gen_model *model)
{
    struct gen_file file;

    if (!gen_write_open_header(gen, model, ".amdrpc-server.h",
                "#include <amdrpc/server.h>\n\n", &file)) {
        return;
    }
    for (size_t i = 0; i < model->nservices; i++) {
        const struct gen_service *service = &model->services[i];

        if (service->nmethods == 0) {
            continue;
        }
        write_handlers(file.out, service);
        write_register_declaration(file.out, service);
        for (size_t j = 0; j < service->nmethods; j++) {
            write_helpers(file.out, &service->methods[j]);
        }
    }
    gen_write_close_header(gen, &file);
}

static void
write_invoke(FILE *out, const struct gen_service *service,
        const struct gen_method *method)
{
    fprintf(out,
            "\nstatic void\ninvoke_%s(const void *handlers, amdrpc_call "
            "*call,\n"
            "        const ProtobufCMessage *request, void *user_data)\n{\n"
            "    const %s_handlers *table = handlers;\n\n",
            method->prefix, service->prefix);
    if (method->request_stream) {
        fputs("    (void)request; // read with amdrpc_call_recv\n", out);
        fprintf(out, "    table->%s(call, user_data);\n}\n", method->member);
    } else {
        fprintf(out,
                "    table->%s(\n            call, (const %s *)request, "
                "user_data);\n}\n",
                method->member, method->input);
    }
}

static void
write_recv(FILE *out, const struct gen_method *method)
{
    fputs("\n", out);
    write_recv_head(out, method, "\n");
    fprintf(out,
            "\n{\n    const ProtobufCMessage *message = NULL;\n"
            "    amdrpc_err err = amdrpc_call_recv(call, &message);\n\n"
            "    if (err == AMDRPC_OK) {\n"
            "        *out = (const %s *)message;\n    }\n"
            "    return err;\n}\n",
            method->input);
}

static void
write_register(FILE *out, const struct gen_service *service)
{
    fputs("\n", out);
    write_register_head(out, service, "\n");
    fputs("\n{\n    const amdrpc_invoke_fn invoke[] = {\n", out);
    for (size_t i = 0; i < service->nmethods; i++) {
        const struct gen_method *method = &service->methods[i];

        fprintf(out,
                "        [%s] =\n            handlers->%s != NULL ? invoke_%s "
                ": "
                "NULL,\n",
                method->index, method->member, method->prefix);
    }
    fprintf(out,
            "    };\n\n    return amdrpc_server_add_service(server, "
            "&%s_service,\n            invoke, handlers, user_data);\n}\n",
            service->prefix);
}

void
gen_write_server_source(struct gen *gen, const struct gen_model *model)
{
    struct gen_file file;

    if (!gen_write_open(gen, model, ".amdrpc-server.c", &file)) {
        return;
    }
    fprintf(file.out, "#include \"%s.amdrpc-server.h\"\n\n", model->base);
    fprintf(file.out, "#include \"%s.amdrpc.h\"\n", model->base);
    for (size_t i = 0; i < model->nservices; i++) {
        const struct gen_service *service = &model->services[i];

        for (size_t j = 0; j < service->nmethods; j++) {
            write_invoke(file.out, service, &service->methods[j]);
            if (service->methods[j].request_stream) {
                write_recv(file.out, &service->methods[j]);
            }
        }
        if (service->nmethods > 0) {
            write_register(file.out, service);
        }
    }
    gen_file_close(gen, &file);
}
