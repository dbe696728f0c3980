/** What a server serves, by reflection: version 1, or v1alpha of older ones. */
#include "client/cli/session.h"
#include "client/program/program.h"
#include "common/alloc.h"

#include <grpc/reflection/v1/reflection.amdrpc.h>
#include <grpc/reflection/v1alpha/reflection.amdrpc.h>
#include <stdlib.h>
#include <string.h>

// Asking takes no time; a server that does not answer in this time never will.
#define DISCOVER_TIMEOUT_MS 10000

// The names that protobuf-c gives to the parts of a request and a response.
#define REQUEST(name) \
    GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##name
#define RESPONSE(name) \
    GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##name

typedef Grpc__Reflection__V1__ServerReflectionRequest reflection_request;
typedef Grpc__Reflection__V1__ServerReflectionResponse reflection_response;

/** One stream of questions and answers. */
struct reflection {
    struct amdi_session *session;
    amdrpc_method_desc method;
    amdrpc_client_call *call;
    bool is_alpha;
};

static void
reflection_init(struct reflection *reflection, struct amdi_session *session)
{
    *reflection = (struct reflection){
            .session = session,
            .method =
                    grpc_reflection_v1_server_reflection_service.methods
                            [GRPC_REFLECTION_V1_SERVER_REFLECTION_SERVER_REFLECTION_INFO],
    };
}

static void
reflection_fini(struct reflection *reflection)
{
    amdi_session_end_call(reflection->session, reflection->call);
    reflection->call = NULL;
}

// The stream ended, though we asked.
static int
reflection_fail(struct reflection *reflection)
{
    struct amdi_session *session = reflection->session;
    const amdrpc_client_call *call = reflection->call;
    amdrpc_status_code status = amdrpc_client_call_get_status(call);
    const char *message = amdrpc_client_call_get_status_message(call);
    int signal = amdi_interrupt_get_signal(&session->interrupt);

    if (signal != 0) {
        return AMDI_EXIT_SIGNAL + signal;
    }
    if (status == AMDRPC_STATUS_UNIMPLEMENTED) {
        amdi_program_error("%s has no reflection service", session->target);
    } else {
        amdi_program_error("cannot ask %s what it serves: %s%s%s",
                session->target, amdrpc_status_name(status),
                message[0] == '\0' ? "" : ": ", message);
    }
    return AMDI_EXIT_CONNECT;
}

static int
reflection_open(struct reflection *reflection)
{
    struct amdi_session *session = reflection->session;
    uint64_t timeout_ms = DISCOVER_TIMEOUT_MS;

    if (session->timeout_ms != 0 && session->timeout_ms < timeout_ms) {
        timeout_ms = session->timeout_ms;
    }
    return amdi_session_start_call(session, &reflection->method, timeout_ms,
            /*metadata=*/NULL, &reflection->call);
}

// The messages of both versions are the same; the path is not.
static void
reflection_fall_back(struct reflection *reflection)
{
    reflection_fini(reflection);
    reflection->is_alpha = true;
    reflection->method.path =
            grpc_reflection_v1alpha_server_reflection_service
                    .methods[GRPC_REFLECTION_V1ALPHA_SERVER_REFLECTION_SERVER_REFLECTION_INFO]
                    .path;
}

/** @out  borrowed until the next question */
static int
reflection_ask(struct reflection *reflection, const reflection_request *request,
        const reflection_response **out)
{
    for (;;) {
        const ProtobufCMessage *msg = NULL;
        amdrpc_err err;

        if (reflection->call == NULL) {
            int exit_status = reflection_open(reflection);

            if (exit_status != AMDI_EXIT_OK) {
                return exit_status;
            }
        }
        err = amdrpc_client_call_send(reflection->call, &request->base);
        if (err == AMDRPC_OK || err == AMDRPC_ECLOSED) {
            err = amdrpc_client_call_recv(reflection->call, -1, &msg);
        }
        if (err == AMDRPC_OK) {
            *out = (const reflection_response *)msg;
            return AMDI_EXIT_OK;
        }
        if (err != AMDRPC_EEND) {
            return amdi_session_fail(err, "reflection");
        }
        if (reflection->is_alpha ||
                amdrpc_client_call_get_status(reflection->call) !=
                        AMDRPC_STATUS_UNIMPLEMENTED) {
            return reflection_fail(reflection);
        }
        reflection_fall_back(reflection);
    }
}

// An answer that is not what was asked for: an error, or nonsense.
static int
response_fail(const struct reflection *reflection,
        const reflection_response *response, const char *what)
{
    if (response->message_response_case == RESPONSE(ERROR_RESPONSE)) {
        amdi_program_error("%s does not know %s: %s",
                reflection->session->target, what,
                response->error_response->error_message);
        return AMDI_EXIT_UNKNOWN;
    }
    amdi_program_error("%s gave a strange answer about %s",
            reflection->session->target, what);
    return AMDI_EXIT_CONNECT;
}

/** Asks for files and takes them all; @what is the symbol or file meant. */
static int
reflection_add_files(struct reflection *reflection,
        const reflection_request *request, const char *what)
{
    struct amdi_session *session = reflection->session;
    const reflection_response *response = NULL;
    int exit_status = reflection_ask(reflection, request, &response);

    if (exit_status != AMDI_EXIT_OK) {
        return exit_status;
    }
    if (response->message_response_case != RESPONSE(FILE_DESCRIPTOR_RESPONSE)) {
        return response_fail(reflection, response, what);
    }
    for (size_t i = 0;
            i < response->file_descriptor_response->n_file_descriptor_proto;
            i++) {
        const ProtobufCBinaryData *file =
                &response->file_descriptor_response->file_descriptor_proto[i];
        struct amdi_error error;

        if (amdi_descriptors_add_file(session->descriptors, file->data,
                    file->len, &error) != AMDRPC_OK) {
            amdi_program_error("what %s tells about %s: %s", session->target,
                    what, error.text);
            return AMDI_EXIT_CONNECT;
        }
    }
    return AMDI_EXIT_OK;
}

// Servers may leave imports to be asked for.
static int
reflection_add_imports(struct reflection *reflection)
{
    const struct amdi_descriptors *descriptors =
            reflection->session->descriptors;
    const char *missing;

    while ((missing = amdi_descriptors_get_missing(descriptors)) != NULL) {
        reflection_request request =
                GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__INIT;
        int exit_status;

        request.message_request_case = REQUEST(FILE_BY_FILENAME);
        request.file_by_filename = (char *)missing;
        exit_status = reflection_add_files(reflection, &request, missing);
        if (exit_status != AMDI_EXIT_OK) {
            return exit_status;
        }
        if (amdi_descriptors_find_file(descriptors, missing) == NULL) {
            amdi_program_error("%s does not give %s, which it imports",
                    reflection->session->target, missing);
            return AMDI_EXIT_CONNECT;
        }
    }
    return AMDI_EXIT_OK;
}

int
amdi_session_discover(struct amdi_session *session, const char *symbol)
{
    reflection_request request =
            GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__INIT;
    struct reflection reflection;
    struct amdi_error error;
    int exit_status;

    request.message_request_case = REQUEST(FILE_CONTAINING_SYMBOL);
    request.file_containing_symbol = (char *)symbol;
    reflection_init(&reflection, session);
    exit_status = reflection_add_files(&reflection, &request, symbol);
    if (exit_status == AMDI_EXIT_OK) {
        exit_status = reflection_add_imports(&reflection);
    }
    reflection_fini(&reflection);
    if (exit_status == AMDI_EXIT_OK &&
            amdi_descriptors_link(session->descriptors, &error) != AMDRPC_OK) {
        amdi_program_error("what %s tells about %s: %s", session->target,
                symbol, error.text);
        return AMDI_EXIT_CONNECT;
    }
    return exit_status;
}

static int
name_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static amdrpc_err
names_copy(const Grpc__Reflection__V1__ListServiceResponse *list,
        struct amdi_names *out)
{
    *out = (struct amdi_names){
            .items = amdi_calloc(list->n_service + 1, sizeof(char *))};
    if (out->items == NULL) {
        return AMDRPC_ENOMEM;
    }
    for (size_t i = 0; i < list->n_service; i++) {
        out->items[i] = amdi_strdup(list->service[i]->name);
        if (out->items[i] == NULL) {
            amdi_names_fini(out);
            return AMDRPC_ENOMEM;
        }
        out->count++;
    }
    qsort(out->items, out->count, sizeof(char *), name_compare);
    return AMDRPC_OK;
}

int
amdi_session_list(struct amdi_session *session, struct amdi_names *out)
{
    reflection_request request =
            GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__INIT;
    const reflection_response *response = NULL;
    struct reflection reflection;
    int exit_status;

    request.message_request_case = REQUEST(LIST_SERVICES);
    request.list_services = (char *)"*";
    reflection_init(&reflection, session);
    exit_status = reflection_ask(&reflection, &request, &response);
    if (exit_status == AMDI_EXIT_OK) {
        if (response->message_response_case !=
                RESPONSE(LIST_SERVICES_RESPONSE)) {
            exit_status = response_fail(&reflection, response, "its services");
        } else if (names_copy(response->list_services_response, out) !=
                AMDRPC_OK) {
            exit_status = amdi_session_fail(AMDRPC_ENOMEM, "services");
        }
    }
    reflection_fini(&reflection);
    return exit_status;
}

void
amdi_names_fini(struct amdi_names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        amdi_free(names->items[i]);
    }
    amdi_free(names->items);
    *names = (struct amdi_names){.count = 0};
}
