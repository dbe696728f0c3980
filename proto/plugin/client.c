/** Writes foo.amdrpc-client.h and foo.amdrpc-client.c: typed calls. */
#include "proto/plugin/write.h"

static bool
method_is_unary(const struct gen_method *method)
{
    return !method->request_stream && !method->response_stream;
}

/*
 * The heads of functions are written once for the header and once for the
 * source; @between separates the result's type from the name.
 */
static void
write_call_head(FILE *out, const struct gen_method *method, const char *between)
{
    fprintf(out,
            "amdrpc_status_code%s%s(\n        amdrpc_channel *channel, const "
            "%s "
            "*request,\n        const amdrpc_call_options *options, "
            "amdrpc_future **out_future)",
            between, method->prefix, method->input);
}

static void
write_future_head(
        FILE *out, const struct gen_method *method, const char *between)
{
    fprintf(out,
            "amdrpc_err%s%s_future(\n        amdrpc_channel *channel, const %s "
            "*request,\n        const amdrpc_call_options *options, "
            "amdrpc_future **out)",
            between, method->prefix, method->input);
}

static void
write_result_head(
        FILE *out, const struct gen_method *method, const char *between)
{
    fprintf(out, "const %s *%s%s_result(\n        const amdrpc_future *future)",
            method->output, between, method->prefix);
}

static void
write_start_head(
        FILE *out, const struct gen_method *method, const char *between)
{
    fprintf(out, "amdrpc_err%s%s_start(\n        amdrpc_channel *channel,",
            between, method->prefix);
    if (!method->request_stream) {
        fprintf(out, " const %s *request,\n       ", method->input);
    }
    fputs(" const amdrpc_call_options *options,\n"
          "        amdrpc_client_call **out)",
            out);
}

static void
write_send_head(FILE *out, const struct gen_method *method, const char *between)
{
    fprintf(out,
            "amdrpc_err%s%s_client_send(\n        amdrpc_client_call *call, "
            "const %s *request)",
            between, method->prefix, method->input);
}

static void
write_recv_head(FILE *out, const struct gen_method *method, const char *between)
{
    fprintf(out,
            "amdrpc_err%s%s_client_recv(\n        amdrpc_client_call *call, "
            "int64_t timeout_ms,\n        const %s **out)",
            between, method->prefix, method->output);
}

static void
write_submit_head(
        FILE *out, const struct gen_method *method, const char *between)
{
    fprintf(out,
            "amdrpc_err%s%s_submit(\n        amdrpc_channel *channel, const %s "
            "*request,\n        const amdrpc_operation_options *options, "
            "amdrpc_future **out)",
            between, method->prefix, method->input);
}

static void
write_from_name_head(
        FILE *out, const struct gen_method *method, const char *between)
{
    fprintf(out,
            "amdrpc_err%s%s_future_from_name(\n        amdrpc_channel "
            "*channel, const char *name,\n        const "
            "amdrpc_operation_options *options, amdrpc_future **out)",
            between, method->prefix);
}

static void
declare_unary(FILE *out, const struct gen_method *method)
{
    fputs("\n/**\n"
          " * Makes the call and waits for its end.\n"
          " *\n"
          " * @options     NULL for all defaults\n"
          " * @out_future  returned owned, also when the status is not OK: it "
          "holds the\n"
          " *              response and the status message. NULL, with a "
          "status, when\n"
          " *              the call could not be started. May be NULL\n"
          " */\n",
            out);
    write_call_head(out, method, " ");
    fputs(";\n\n/** Starts the call; as amdrpc_channel_call. */\n"
          "AMDRPC_NODISCARD ",
            out);
    write_future_head(out, method, " ");
    fputs(";\n", out);
}

static void
declare_stream(FILE *out, const struct gen_method *method)
{
    fputs("\n/** Starts the call; as amdrpc_channel_start_call. */\n"
          "AMDRPC_NODISCARD ",
            out);
    write_start_head(out, method, " ");
    fputs(";\n", out);
    if (method->request_stream) {
        fputs("\n/** As amdrpc_client_call_send. */\nAMDRPC_NODISCARD ", out);
        write_send_head(out, method, " ");
        fputs(";\n", out);
    }
    fputs("\n/** As amdrpc_client_call_recv. */\nAMDRPC_NODISCARD ", out);
    write_recv_head(out, method, " ");
    fputs(";\n", out);
}

/* What runs as an operation: all without a request stream. */
static void
declare_operation(FILE *out, const struct gen_method *method)
{
    fputs("\n/** Submits an operation; as amdrpc_operation_submit. */\n"
          "AMDRPC_NODISCARD ",
            out);
    write_submit_head(out, method, " ");
    fputs(";\n\n/** Comes back to one; as amdrpc_future_from_name. */\n"
          "AMDRPC_NODISCARD ",
            out);
    write_from_name_head(out, method, " ");
    fputs(";\n", out);
}

static void
declare_method(FILE *out, const struct gen_method *method)
{
    if (method_is_unary(method)) {
        declare_unary(out, method);
    } else {
        declare_stream(out, method);
    }
    if (!method->request_stream) {
        declare_operation(out, method);
    }
    if (!method->response_stream) {
        fputs("\n/** The response of a call that ended OK, else NULL; borrowed "
              "from @future. */\n",
                out);
        write_result_head(out, method, "");
        fputs(";\n", out);
    }
}

void
gen_write_client_header(struct gen *gen, const struct gen_model *model)
{
    struct gen_file file;

    if (!gen_write_open_header(gen, model, ".amdrpc-client.h",
                "#include <amdrpc/client.h>\n#include <amdrpc/operation.h>\n\n",
                &file)) {
        return;
    }
    for (size_t i = 0; i < model->nservices; i++) {
        for (size_t j = 0; j < model->services[i].nmethods; j++) {
            declare_method(file.out, &model->services[i].methods[j]);
        }
    }
    gen_write_close_header(gen, &file);
}

/* ---- the source ---- */

/* Generated into each file that has such a method, once. */
static const char call_and_wait[] =
        "\nstatic amdrpc_status_code\n"
        "call_and_wait(amdrpc_channel *channel, const amdrpc_method_desc "
        "*method,\n"
        "        const ProtobufCMessage *request, const amdrpc_call_options "
        "*options,\n"
        "        amdrpc_future **out_future)\n"
        "{\n"
        "    amdrpc_future *future = NULL;\n"
        "    amdrpc_status_code status;\n"
        "    amdrpc_err err =\n"
        "            amdrpc_channel_call(channel, method, request, options, "
        "&future);\n"
        "\n"
        "    if (err == AMDRPC_OK) {\n"
        "        err = amdrpc_future_wait(future, -1);\n"
        "    }\n"
        "    if (err != AMDRPC_OK && future != NULL) {\n"
        "        amdrpc_future_cancel(future); // nobody will wait for it\n"
        "        amdrpc_future_unref(future);\n"
        "        future = NULL;\n"
        "    }\n"
        "    status = err == AMDRPC_OK ? amdrpc_future_get_status(future)\n"
        "                              : amdrpc_status_from_err(err);\n"
        "    if (out_future != NULL) {\n"
        "        *out_future = future;\n"
        "    } else {\n"
        "        amdrpc_future_unref(future);\n"
        "    }\n"
        "    return status;\n"
        "}\n";

static const char start_with_request[] =
        "\nstatic amdrpc_err\n"
        "start_with_request(amdrpc_channel *channel, const amdrpc_method_desc "
        "*method,\n"
        "        const ProtobufCMessage *request, const amdrpc_call_options "
        "*options,\n"
        "        amdrpc_client_call **out)\n"
        "{\n"
        "    amdrpc_client_call *call = NULL;\n"
        "    amdrpc_err err =\n"
        "            amdrpc_channel_start_call(channel, method, options, "
        "&call);\n"
        "\n"
        "    if (err != AMDRPC_OK) {\n"
        "        return err;\n"
        "    }\n"
        "    err = amdrpc_client_call_send(call, request);\n"
        "    if (err != AMDRPC_OK && err != AMDRPC_ECLOSED) {\n"
        "        amdrpc_client_call_unref(call);\n"
        "        return err;\n"
        "    }\n"
        "    *out = call; // when it is closed already, its status tells why\n"
        "    return AMDRPC_OK;\n"
        "}\n";

/** The body that hands everything to a function with the method. */
static void
write_forward(FILE *out, const char *function,
        const struct gen_service *service, const struct gen_method *method,
        const char *arguments)
{
    fprintf(out,
            "\n{\n    return %s(channel,\n"
            "            &%s_service.methods[%s],\n"
            "            %s);\n}\n",
            function, service->prefix, method->index, arguments);
}

static void
define_unary(FILE *out, const struct gen_service *service,
        const struct gen_method *method)
{
    fputs("\n", out);
    write_call_head(out, method, "\n");
    write_forward(out, "call_and_wait", service, method,
            "&request->base, options, out_future");
    fputs("\n", out);
    write_future_head(out, method, "\n");
    write_forward(out, "amdrpc_channel_call", service, method,
            "&request->base, options, out");
}

static void
define_start(FILE *out, const struct gen_service *service,
        const struct gen_method *method)
{
    fputs("\n", out);
    write_start_head(out, method, "\n");
    if (method->request_stream) {
        write_forward(out, "amdrpc_channel_start_call", service, method,
                "options, out");
    } else {
        write_forward(out, "start_with_request", service, method,
                "&request->base, options, out");
    }
}

static void
define_stream(FILE *out, const struct gen_service *service,
        const struct gen_method *method)
{
    define_start(out, service, method);
    if (method->request_stream) {
        fputs("\n", out);
        write_send_head(out, method, "\n");
        fputs("\n{\n    return amdrpc_client_call_send(call, "
              "&request->base);\n}\n",
                out);
    }
    fputs("\n", out);
    write_recv_head(out, method, "\n");
    fprintf(out,
            "\n{\n    const ProtobufCMessage *message = NULL;\n"
            "    amdrpc_err err =\n"
            "            amdrpc_client_call_recv(call, timeout_ms, &message);"
            "\n\n    if (err == AMDRPC_OK) {\n"
            "        *out = (const %s *)message;\n    }\n"
            "    return err;\n}\n",
            method->output);
}

static void
define_operation(FILE *out, const struct gen_service *service,
        const struct gen_method *method)
{
    fputs("\n", out);
    write_submit_head(out, method, "\n");
    write_forward(out, "amdrpc_operation_submit", service, method,
            "&request->base, options, out");
    fputs("\n", out);
    write_from_name_head(out, method, "\n");
    write_forward(out, "amdrpc_future_from_name", service, method,
            "name, options, out");
}

static void
define_method(FILE *out, const struct gen_service *service,
        const struct gen_method *method)
{
    if (method_is_unary(method)) {
        define_unary(out, service, method);
    } else {
        define_stream(out, service, method);
    }
    if (!method->request_stream) {
        define_operation(out, service, method);
    }
    if (!method->response_stream) {
        fputs("\n", out);
        write_result_head(out, method, "\n");
        fprintf(out,
                "\n{\n    return (const %s *)amdrpc_future_get_message(future)"
                ";\n}\n",
                method->output);
    }
}

static void
write_shared(FILE *out, const struct gen_model *model)
{
    bool has_unary = false;
    bool has_server_streaming = false;

    for (size_t i = 0; i < model->nservices; i++) {
        for (size_t j = 0; j < model->services[i].nmethods; j++) {
            const struct gen_method *method = &model->services[i].methods[j];

            has_unary = has_unary || method_is_unary(method);
            has_server_streaming = has_server_streaming ||
                    (method->response_stream && !method->request_stream);
        }
    }
    fputs(has_unary ? call_and_wait : "", out);
    fputs(has_server_streaming ? start_with_request : "", out);
}

void
gen_write_client_source(struct gen *gen, const struct gen_model *model)
{
    struct gen_file file;

    if (!gen_write_open(gen, model, ".amdrpc-client.c", &file)) {
        return;
    }
    fprintf(file.out, "#include \"%s.amdrpc-client.h\"\n\n", model->base);
    fprintf(file.out, "#include \"%s.amdrpc.h\"\n", model->base);
    write_shared(file.out, model);
    for (size_t i = 0; i < model->nservices; i++) {
        const struct gen_service *service = &model->services[i];

        for (size_t j = 0; j < service->nmethods; j++) {
            define_method(file.out, service, &service->methods[j]);
        }
    }
    gen_file_close(gen, &file);
}
