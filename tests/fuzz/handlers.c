/** Methods of all four kinds that answer on the loop. */
#include "tests/fuzz/handlers.h"

#include "tests/fuzz/fuzz.h"
#include "tests/proto/json_types.amdrpc-server.h"
#include "tests/proto/odd.amdrpc-server.h"

#include <stddef.h>

#define WATCH_MESSAGES 100

/* ---- one message each way ---- */

static void
on_echo(amdrpc_call *call, const Amdrpc__Test__V1__AllTypes *request,
        void *user_data)
{
    (void)user_data;
    amdrpc_test_v1_json_types_echo_reply(call, request);
}

static void
class_on_time(amdrpc_call *call, void *arg)
{
    Google__Protobuf__Duration response = GOOGLE__PROTOBUF__DURATION__INIT;

    (void)arg;
    amdrpc_test_odd_v1_http_svc_class__reply(call, &response);
}

/** Waits until the client is gone. */
static void
on_class(amdrpc_call *call, const Google__Protobuf__Empty *request,
        void *user_data)
{
    (void)request;
    (void)user_data;
    amdrpc_call_defer(call);
    amdrpc_call_after(call, /*delay_ms=*/60000, class_on_time, NULL);
}

/* ---- many messages in ---- */

/** Finishes @call unless it is to be waited for. */
static void
end_of_messages(amdrpc_call *call, amdrpc_err err)
{
    static const Google__Protobuf__Empty response =
            GOOGLE__PROTOBUF__EMPTY__INIT;

    if (err == AMDRPC_EEND) {
        amdrpc_test_odd_v1_http_svc_upload_reply(call, &response);
    } else if (err != AMDRPC_EAGAIN) {
        amdrpc_call_finish(call, amdrpc_status_from_err(err), NULL);
    }
}

static void
upload_read(amdrpc_call *call, void *arg)
{
    const Amdrpc__TestOdd__V1X__LowerCase *message = NULL;
    amdrpc_err err = AMDRPC_OK;

    (void)arg;
    while (err == AMDRPC_OK) {
        err = amdrpc_test_odd_v1_http_svc_upload_recv(call, &message);
    }
    end_of_messages(call, err);
}

static void
finish_cancelled(amdrpc_call *call, void *arg)
{
    (void)arg;
    amdrpc_call_finish(call, AMDRPC_STATUS_CANCELLED, NULL);
}

static void
on_upload(amdrpc_call *call, void *user_data)
{
    static const amdrpc_call_events events = {
            .on_readable = upload_read, .on_cancel = finish_cancelled};

    (void)user_data;
    amdrpc_call_defer(call);
    amdrpc_call_set_events(call, &events, NULL);
}

/* ---- many messages out ---- */

static void
on_watch(amdrpc_call *call, const Google__Protobuf__Empty *request,
        void *user_data)
{
    static const Amdrpc__TestOdd__V1X__HTTPServer2x__InnerMsg__Deep9a response =
            AMDRPC__TEST_ODD__V1_X__HTTPSERVER2X__INNER_MSG__DEEP9A__INIT;
    amdrpc_err err = AMDRPC_OK;

    (void)request;
    (void)user_data;
    for (int i = 0; i < WATCH_MESSAGES && err == AMDRPC_OK; i++) {
        err = amdrpc_test_odd_v1_http_svc_watch_send(call, &response);
    }
    amdrpc_call_finish(call, amdrpc_status_from_err(err), NULL);
}

/* ---- both at once ---- */

static void
chat_go_on(amdrpc_call *call, void *arg)
{
    const Amdrpc__TestOdd__V1__Note *note = NULL;
    amdrpc_err err = AMDRPC_OK;

    (void)arg;
    while (err == AMDRPC_OK) {
        err = amdrpc_test_odd_v1_http_svc_chat_recv(call, &note);
        if (err == AMDRPC_OK) {
            // A note that does not fit now is lost; the chat goes on.
            err = amdrpc_test_odd_v1_http_svc_chat_send(call, note);
        }
    }
    if (err == AMDRPC_EEND) {
        amdrpc_call_finish(call, AMDRPC_STATUS_OK, NULL);
    } else {
        end_of_messages(call, err);
    }
}

static void
on_chat(amdrpc_call *call, void *user_data)
{
    static const amdrpc_call_events events = {.on_readable = chat_go_on,
            .on_writable = chat_go_on,
            .on_cancel = finish_cancelled};

    (void)user_data;
    amdrpc_call_defer(call);
    amdrpc_call_set_events(call, &events, NULL);
}

void
fuzz_add_handlers(amdrpc_server *server)
{
    static const amdrpc_test_v1_json_types_handlers types = {.echo = on_echo};
    static const amdrpc_test_odd_v1_http_svc_handlers odd = {
            .class_ = on_class,
            .upload = on_upload,
            .watch = on_watch,
            .chat = on_chat,
    };
    static const amdrpc_policy on_loop = {.dispatch = AMDRPC_DISPATCH_INLINE};

    fuzz_check(amdrpc_test_v1_json_types_register(server, &types, NULL) ==
            AMDRPC_OK);
    fuzz_check(amdrpc_test_odd_v1_http_svc_register(server, &odd, NULL) ==
            AMDRPC_OK);
    fuzz_check(amdrpc_server_set_policy(server, "/amdrpc.test.v1.JsonTypes/",
                       &on_loop) == AMDRPC_OK);
    fuzz_check(amdrpc_server_set_policy(server, "/amdrpc.testOdd.v1.HTTP_Svc/",
                       &on_loop) == AMDRPC_OK);
}
