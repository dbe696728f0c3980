/**
 * Server reflection, grpc.reflection.v1 and v1alpha.
 *
 * The two versions are the same on the wire, so v1alpha is served with the
 * messages of v1: its service is described here anew, with its own name.
 *
 * A stream lives on its loop and holds no thread: requests are taken as they
 * become readable, and when an answer finds no room, its request is kept
 * until there is some.
 */
#include <amdrpc/reflection.h>

#include "common/alloc.h"
#include "common/descriptor/descriptor.h"
#include "grpc/reflection/v1/reflection.amdrpc-server.h"
#include "grpc/reflection/v1/reflection.amdrpc.h"
#include "grpc/reflection/v1alpha/reflection.amdrpc.h"
#include "server/services/endless.h"

#include <string.h>

typedef Grpc__Reflection__V1__ServerReflectionRequest reflection_request;
typedef Grpc__Reflection__V1__ServerReflectionResponse reflection_response;

#define REQUEST(kind) \
    GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##kind
#define RESPONSE(kind) \
    GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##kind

struct amdrpc_reflection {
    amdrpc_server *server; // borrowed
    struct amdi_descriptors *descriptors;
    struct amdi_endless sessions;
    amdrpc_service_desc alpha;
    amdrpc_method_desc alpha_method;
};

/* One ServerReflectionInfo; in its call's memory. */
struct session {
    struct amdi_endless_call item;
    struct amdrpc_reflection *reflection;
    amdrpc_call *call;
    const reflection_request *request; // not yet answered; borrowed
};

/* ---- answers; errors as amdrpc_call_send ---- */

static amdrpc_err
session_send(struct session *session, reflection_response *response)
{
    // protobuf-c has no const; the request is only packed.
    response->original_request = (reflection_request *)session->request;
    response->valid_host = session->request->host;
    return grpc_reflection_v1_server_reflection_server_reflection_info_send(
            session->call, response);
}

static amdrpc_err
session_send_error(
        struct session *session, amdrpc_status_code code, const char *message)
{
    reflection_response response =
            GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;
    Grpc__Reflection__V1__ErrorResponse error =
            GRPC__REFLECTION__V1__ERROR_RESPONSE__INIT;

    error.error_code = (int32_t)code;
    error.error_message = (char *)message; // only packed
    response.message_response_case = RESPONSE(ERROR_RESPONSE);
    response.error_response = &error;
    return session_send(session, &response);
}

static amdrpc_err
session_send_list(struct session *session, const struct amdi_file *const *files,
        size_t nfiles)
{
    reflection_response response =
            GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;
    Grpc__Reflection__V1__FileDescriptorResponse answer =
            GRPC__REFLECTION__V1__FILE_DESCRIPTOR_RESPONSE__INIT;
    ProtobufCBinaryData *bytes = amdi_calloc(nfiles, sizeof(*bytes));
    amdrpc_err err;

    if (bytes == NULL) {
        return AMDRPC_ENOMEM;
    }
    for (size_t i = 0; i < nfiles; i++) {
        bytes[i].data = (uint8_t *)files[i]->bytes; // only packed
        bytes[i].len = files[i]->len;
    }
    answer.n_file_descriptor_proto = nfiles;
    answer.file_descriptor_proto = bytes;
    response.message_response_case = RESPONSE(FILE_DESCRIPTOR_RESPONSE);
    response.file_descriptor_response = &answer;
    err = session_send(session, &response);
    amdi_free(bytes);
    return err;
}

/* Answers with a file and all that it imports; NULL: there is none. */
static amdrpc_err
session_send_file(struct session *session, const struct amdi_file *file,
        const char *not_found)
{
    const struct amdi_file **files = NULL;
    size_t nfiles = 0;
    amdrpc_err err;

    if (file == NULL) {
        return session_send_error(session, AMDRPC_STATUS_NOT_FOUND, not_found);
    }
    err = amdi_file_list_closure(file, &files, &nfiles);
    if (err == AMDRPC_OK) {
        err = session_send_list(session, files, nfiles);
    }
    amdi_free(files);
    return err;
}

/* ---- extensions ---- */

/* Writes the numbers of a message's extensions, or only counts them. */
static size_t
extensions_of(const struct amdi_descriptors *descriptors, const char *type,
        int32_t *out)
{
    size_t n = 0;

    for (const struct amdi_file *file = amdi_descriptors_get_files(descriptors);
            file != NULL; file = file->next) {
        for (size_t i = 0; i < file->nextensions; i++) {
            if (strcmp(file->extensions[i].extendee, type) != 0) {
                continue;
            }
            if (out != NULL) {
                out[n] = (int32_t)file->extensions[i].number;
            }
            n++;
        }
    }
    return n;
}

static amdrpc_err
session_send_extension_numbers(struct session *session, const char *type)
{
    const struct amdi_descriptors *descriptors =
            session->reflection->descriptors;
    reflection_response response =
            GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;
    Grpc__Reflection__V1__ExtensionNumberResponse answer =
            GRPC__REFLECTION__V1__EXTENSION_NUMBER_RESPONSE__INIT;
    size_t n = extensions_of(descriptors, type, NULL);
    amdrpc_err err;

    if (amdi_descriptors_find_message(descriptors, type) == NULL) {
        return session_send_error(session, AMDRPC_STATUS_NOT_FOUND,
                "no message has that name here");
    }
    answer.base_type_name = (char *)type; // only packed
    answer.extension_number =
            amdi_calloc(n + 1, sizeof(*answer.extension_number));
    if (answer.extension_number == NULL) {
        return AMDRPC_ENOMEM;
    }
    answer.n_extension_number =
            extensions_of(descriptors, type, answer.extension_number);
    response.message_response_case = RESPONSE(ALL_EXTENSION_NUMBERS_RESPONSE);
    response.all_extension_numbers_response = &answer;
    err = session_send(session, &response);
    amdi_free(answer.extension_number);
    return err;
}

/* ---- services ---- */

static amdrpc_err
session_send_names(struct session *session, size_t n,
        Grpc__Reflection__V1__ServiceResponse *names,
        Grpc__Reflection__V1__ServiceResponse **pointers)
{
    reflection_response response =
            GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;
    Grpc__Reflection__V1__ListServiceResponse answer =
            GRPC__REFLECTION__V1__LIST_SERVICE_RESPONSE__INIT;

    for (size_t i = 0; i < n; i++) {
        grpc__reflection__v1__service_response__init(&names[i]);
        names[i].name = (char *)amdrpc_server_get_service(
                session->reflection->server, i)
                                ->name; // only packed
        pointers[i] = &names[i];
    }
    answer.n_service = n;
    answer.service = pointers;
    response.message_response_case = RESPONSE(LIST_SERVICES_RESPONSE);
    response.list_services_response = &answer;
    return session_send(session, &response);
}

static amdrpc_err
session_send_services(struct session *session)
{
    Grpc__Reflection__V1__ServiceResponse *names;
    Grpc__Reflection__V1__ServiceResponse **pointers;
    amdrpc_err err = AMDRPC_ENOMEM;
    size_t n = 0;

    while (amdrpc_server_get_service(session->reflection->server, n) != NULL) {
        n++;
    }
    names = amdi_calloc(n, sizeof(*names));
    pointers = amdi_calloc(n, sizeof(Grpc__Reflection__V1__ServiceResponse *));
    if (names != NULL && pointers != NULL) {
        err = session_send_names(session, n, names, pointers);
    }
    amdi_free(names);
    amdi_free(pointers);
    return err;
}

/* ---- the stream ---- */

static amdrpc_err
session_answer(struct session *session)
{
    const reflection_request *request = session->request;
    const struct amdi_descriptors *descriptors =
            session->reflection->descriptors;

    switch (request->message_request_case) {
    case REQUEST(FILE_BY_FILENAME):
        return session_send_file(session,
                amdi_descriptors_find_file(
                        descriptors, request->file_by_filename),
                "no file has that name here");
    case REQUEST(FILE_CONTAINING_SYMBOL):
        return session_send_file(session,
                amdi_descriptors_find_symbol(
                        descriptors, request->file_containing_symbol),
                "nothing has that name here");
    case REQUEST(FILE_CONTAINING_EXTENSION):
        return session_send_file(session,
                amdi_descriptors_find_extension(descriptors,
                        request->file_containing_extension->containing_type,
                        (uint32_t)request->file_containing_extension
                                ->extension_number),
                "there is no such extension here");
    case REQUEST(ALL_EXTENSION_NUMBERS_OF_TYPE):
        return session_send_extension_numbers(
                session, request->all_extension_numbers_of_type);
    case REQUEST(LIST_SERVICES):
        return session_send_services(session);
    case REQUEST(_NOT_SET):
    case _GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST__CASE_IS_INT_SIZE:
        break;
    }
    return session_send_error(session, AMDRPC_STATUS_INVALID_ARGUMENT,
            "the request asks for nothing");
}

/* Takes a request unless one is waiting already, and answers it. */
static amdrpc_err
session_step(struct session *session)
{
    amdrpc_err err = AMDRPC_OK;

    if (session->request == NULL) {
        err = grpc_reflection_v1_server_reflection_server_reflection_info_recv(
                session->call, &session->request);
    }
    if (err == AMDRPC_OK) {
        err = session_answer(session);
    }
    if (err == AMDRPC_OK) {
        session->request = NULL;
    }
    return err;
}

/* AMDRPC_ECLOSED: the server drains. */
static void
session_finish(amdrpc_call *call, amdrpc_err err)
{
    amdrpc_call_finish(call, amdrpc_status_from_err(err),
            err == AMDRPC_OK                ? NULL
                    : err == AMDRPC_ECLOSED ? "the server is shutting down"
                                            : amdrpc_err_text(err));
}

/* Goes on until something has to be waited for, or the stream ends. */
static void
session_on_ready(amdrpc_call *call, void *arg)
{
    struct session *session = arg;
    amdrpc_err err;

    if (!amdi_endless_enter(&session->item)) {
        return;
    }
    do {
        err = session_step(session);
    } while (err == AMDRPC_OK);
    if (err != AMDRPC_EAGAIN) {
        amdi_endless_remove(&session->item);
        session_finish(call, err == AMDRPC_EEND ? AMDRPC_OK : err);
    } else if (!amdi_endless_leave(&session->item)) {
        session_finish(call, AMDRPC_ECLOSED);
    }
}

static void
session_on_cancel(amdrpc_call *call, void *arg)
{
    struct session *session = arg;

    if (amdi_endless_enter(&session->item)) {
        amdi_endless_remove(&session->item);
        session_finish(call, AMDRPC_ECANCELED);
    }
}

static void
session_on_drain(struct amdi_endless_call *item)
{
    struct session *session = AMDI_CONTAINER_OF(item, struct session, item);

    session_finish(session->call, AMDRPC_ECLOSED);
}

static void
reflection_on_info(amdrpc_call *call, void *user_data)
{
    static const amdrpc_call_events events = {
            .on_readable = session_on_ready,
            .on_writable = session_on_ready,
            .on_cancel = session_on_cancel,
    };
    struct amdrpc_reflection *reflection = user_data;
    struct session *session = amdrpc_call_alloc(call, sizeof(*session));

    if (session == NULL) {
        session_finish(call, AMDRPC_ENOMEM);
        return;
    }
    *session = (struct session){.reflection = reflection, .call = call};
    amdrpc_call_defer(call);
    // Events come after this turn of the loop, when the call is in its place.
    amdrpc_call_set_events(call, &events, session);
    if (!amdi_endless_add(
                &reflection->sessions, &session->item, session_on_drain)) {
        session_finish(call, AMDRPC_ECLOSED);
    }
}

/* ---- life ---- */

static const grpc_reflection_v1_server_reflection_handlers reflection_handlers =
        {
                .server_reflection_info = reflection_on_info,
};

static void
alpha_invoke(const void *handlers, amdrpc_call *call,
        const ProtobufCMessage *request, void *user_data)
{
    (void)handlers; // there is but one
    (void)request;  // read from the stream
    reflection_on_info(call, user_data);
}

static amdrpc_err
reflection_add_alpha(struct amdrpc_reflection *reflection)
{
    static const amdrpc_invoke_fn invoke[] = {alpha_invoke};
    const amdrpc_method_desc *v1 =
            &grpc_reflection_v1_server_reflection_service.methods[0];

    reflection->alpha = grpc_reflection_v1alpha_server_reflection_service;
    reflection->alpha_method = reflection->alpha.methods[0];
    reflection->alpha_method.input = v1->input;
    reflection->alpha_method.output = v1->output;
    reflection->alpha.methods = &reflection->alpha_method;
    return amdrpc_server_add_service(reflection->server, &reflection->alpha,
            invoke, &reflection_handlers, reflection);
}

static amdrpc_err
reflection_set_policy(amdrpc_server *server)
{
    static const amdrpc_policy endless = {.dispatch = AMDRPC_DISPATCH_INLINE,
            .default_deadline_ms = UINT32_MAX};
    amdrpc_err err = amdrpc_server_set_policy(
            server, "/grpc.reflection.v1.ServerReflection/", &endless);

    if (err == AMDRPC_OK) {
        err = amdrpc_server_set_policy(
                server, "/grpc.reflection.v1alpha.ServerReflection/", &endless);
    }
    return err;
}

/* Reads what every service embeds, our own included. */
static amdrpc_err
reflection_read_descriptors(struct amdrpc_reflection *reflection)
{
    struct amdi_error error;
    const amdrpc_service_desc *desc;
    amdrpc_err err = amdi_descriptors_create(&reflection->descriptors);

    for (size_t i = 0; err == AMDRPC_OK; i++) {
        desc = amdrpc_server_get_service(reflection->server, i);
        if (desc == NULL) {
            break;
        }
        err = amdi_descriptors_add_set(reflection->descriptors,
                desc->descriptor_set, desc->descriptor_set_len, &error);
    }
    if (err == AMDRPC_OK) {
        err = amdi_descriptors_link(reflection->descriptors, &error);
    }
    return err;
}

static amdrpc_err
reflection_attach(struct amdrpc_reflection *reflection)
{
    amdrpc_err err = grpc_reflection_v1_server_reflection_register(
            reflection->server, &reflection_handlers, reflection);

    if (err == AMDRPC_OK) {
        err = reflection_add_alpha(reflection);
    }
    if (err == AMDRPC_OK) {
        err = reflection_set_policy(reflection->server);
    }
    if (err == AMDRPC_OK) {
        err = reflection_read_descriptors(reflection);
    }
    if (err == AMDRPC_OK) {
        err = amdi_endless_attach(&reflection->sessions, reflection->server);
    }
    return err;
}

amdrpc_err
amdrpc_reflection_create(amdrpc_server *server, amdrpc_reflection **out)
{
    struct amdrpc_reflection *reflection = amdi_zalloc(sizeof(*reflection));
    amdrpc_err err;

    if (reflection == NULL) {
        return AMDRPC_ENOMEM;
    }
    reflection->server = server;
    amdi_endless_init(&reflection->sessions);
    err = reflection_attach(reflection);
    if (err != AMDRPC_OK) {
        amdrpc_reflection_destroy(reflection);
        return err;
    }
    *out = reflection;
    return AMDRPC_OK;
}

void
amdrpc_reflection_destroy(amdrpc_reflection *reflection)
{
    if (reflection != NULL) {
        amdi_descriptors_destroy(reflection->descriptors);
        amdi_endless_fini(&reflection->sessions);
        amdi_free(reflection);
    }
}
