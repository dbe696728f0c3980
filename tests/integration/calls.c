/** The handlers of the tests' service: each does what its request says. */
#include "tests/integration/calls.h"

#include "tests/proto/calls.amdrpc-server.h"

#include <string.h>

// How often a handler that blocks looks whether its call has ended.
#define LOOK_MS 5u

static void
call_end(amdrpc_call *call, amdrpc_status_code code, const char *text)
{
    amdrpc_call_finish(call, code, text);
    test_calls_count(TEST_NFINISHED);
}

static void
call_reply(amdrpc_call *call, const char *text, uint32_t count)
{
    test_response response = AMDRPC__TEST_CALLS__V1__RESPONSE__INIT;

    response.text = (char *)(uintptr_t)text;
    response.count = count;
    amdrpc_call_reply(call, &response.base);
    test_calls_count(TEST_NFINISHED);
}

static void
call_on_cancel(amdrpc_call *call, void *arg)
{
    (void)call;
    (void)arg;
    test_calls_count(TEST_NCANCELS);
}

/* ---- Unary ---- */

static void
call_on_later(amdrpc_call *call, void *arg)
{
    (void)arg;
    call_reply(call, amdrpc_call_is_cancelled(call) ? "cancelled" : "later", 0);
}

static void
call_hold(amdrpc_call *call)
{
    static const amdrpc_call_events events = {.on_cancel = call_on_cancel};

    amdrpc_call_defer(call);
    amdrpc_call_set_events(call, &events, NULL);
    test_calls_hold(call);
}

static void
call_block(amdrpc_call *call, const char *text)
{
    while (!test_calls_wait(LOOK_MS)) {
        if (!amdrpc_call_checkpoint(call, 0, 0)) {
            test_calls_count(TEST_NCANCELS);
            call_end(call, AMDRPC_STATUS_CANCELLED, NULL);
            return;
        }
    }
    call_reply(call, text, 0);
}

/** Gives "x-" metadata back, at the beginning and at the end. */
static void
call_return_metadata(amdrpc_call *call)
{
    const amdrpc_metadata *metadata = amdrpc_call_get_metadata(call);
    amdrpc_err err = AMDRPC_OK;

    for (size_t i = 0; i < amdrpc_metadata_count(metadata); i++) {
        const amdrpc_metadata_field *field = amdrpc_metadata_at(metadata, i);

        if (err == AMDRPC_OK && strncmp(field->name, "x-", 2) == 0) {
            err = amdrpc_call_add_initial_metadata(
                    call, field->name, field->value, field->value_len);
        }
        if (err == AMDRPC_OK && strncmp(field->name, "x-", 2) == 0) {
            err = amdrpc_call_add_trailing_metadata(
                    call, field->name, field->value, field->value_len);
        }
    }
    if (err != AMDRPC_OK) {
        call_end(call, AMDRPC_STATUS_INTERNAL, amdrpc_err_text(err));
        return;
    }
    call_reply(call, amdrpc_call_get_peer(call), 0);
}

static void
unary(amdrpc_call *call, const test_request *request, void *user_data)
{
    (void)user_data;
    test_calls_count(TEST_NSTARTED);
    switch ((int)request->how) {
    case TEST_HOW(REPLY):
        call_reply(call, request->text, request->count);
        break;
    case TEST_HOW(FAIL):
        call_end(call, (amdrpc_status_code)request->code, request->text);
        break;
    case TEST_HOW(HOLD):
        call_hold(call);
        break;
    case TEST_HOW(LATER):
        amdrpc_call_defer(call);
        amdrpc_call_after(call, request->count, call_on_later, NULL);
        break;
    case TEST_HOW(BLOCK):
        call_block(call, request->text);
        break;
    case TEST_HOW(METADATA):
        call_return_metadata(call);
        break;
    default: // FORGET
        break;
    }
}

/* ---- Download ---- */

struct download {
    uint32_t count;
    uint32_t done;
    uint32_t size;
    uint8_t *payload; // in the call's memory
};

/** Sends until all is sent or there is no room. */
static amdrpc_err
download_send(amdrpc_call *call, struct download *download)
{
    test_response response = AMDRPC__TEST_CALLS__V1__RESPONSE__INIT;
    amdrpc_err err = AMDRPC_OK;

    response.payload.data = download->payload;
    response.payload.len = download->size;
    while (download->done < download->count) {
        response.count = download->done;
        err = amdrpc_call_send(call, &response.base);
        if (err != AMDRPC_OK) {
            return err;
        }
        download->done++;
        test_calls_count(TEST_NSENT);
    }
    return AMDRPC_OK;
}

static void
download_go_on(amdrpc_call *call, void *arg)
{
    amdrpc_err err = download_send(call, arg);

    if (err == AMDRPC_EAGAIN) {
        return;
    }
    if (err == AMDRPC_ECANCELED) {
        test_calls_count(TEST_NCANCELS);
    }
    call_end(call, amdrpc_status_from_err(err), NULL);
}

/** Downloads that wait for room hear of the end by on_cancel. */
static void
download_on_cancel(amdrpc_call *call, void *arg)
{
    (void)arg;
    test_calls_count(TEST_NCANCELS);
    call_end(call, AMDRPC_STATUS_CANCELLED, NULL);
}

static void
download(amdrpc_call *call, const test_request *request, void *user_data)
{
    static const amdrpc_call_events events = {
            .on_writable = download_go_on, .on_cancel = download_on_cancel};
    struct download *self = amdrpc_call_alloc(call, sizeof(*self));
    amdrpc_err err = AMDRPC_OK;

    (void)user_data;
    test_calls_count(TEST_NSTARTED);
    *self = (struct download){.count = request->count, .size = request->size};
    self->payload = amdrpc_call_alloc(call, request->size);
    memset(self->payload, 'p', request->size);
    err = download_send(call, self);
    if (err == AMDRPC_EAGAIN) {
        amdrpc_call_defer(call);
        amdrpc_call_set_events(call, &events, self);
        return;
    }
    if (err == AMDRPC_ECANCELED) {
        test_calls_count(TEST_NCANCELS);
    }
    if (request->how == TEST_HOW(HOLD)) {
        call_hold(call);
        return;
    }
    call_end(call, amdrpc_status_from_err(err), request->text);
}

/* ---- Upload and Chat: the next messages, from a worker or by events ---- */

struct reader {
    amdrpc_err (*on_message)(
            struct reader *self, amdrpc_call *call, const test_request *msg);
    uint32_t nmessages;
    uint32_t nbytes;
};

static amdrpc_err
upload_on_message(
        struct reader *self, amdrpc_call *call, const test_request *msg)
{
    (void)call;
    self->nmessages++;
    self->nbytes += (uint32_t)strlen(msg->text);
    if (msg->how == TEST_HOW(BLOCK)) {
        while (!test_calls_wait(LOOK_MS) && !amdrpc_call_is_cancelled(call)) {
        }
    }
    return AMDRPC_OK;
}

static amdrpc_err
chat_on_message(struct reader *self, amdrpc_call *call, const test_request *msg)
{
    test_response response = AMDRPC__TEST_CALLS__V1__RESPONSE__INIT;

    response.text = msg->text;
    response.count = self->nmessages++;
    return amdrpc_call_send(call, &response.base);
}

/** Reads what there is; AMDRPC_EAGAIN: more may come. */
static amdrpc_err
reader_run(struct reader *self, amdrpc_call *call)
{
    for (;;) {
        const ProtobufCMessage *msg = NULL;
        amdrpc_err err = amdrpc_call_recv(call, &msg);

        if (err != AMDRPC_OK) {
            return err;
        }
        test_calls_count(TEST_NTAKEN);
        err = self->on_message(self, call, (const test_request *)msg);
        if (err != AMDRPC_OK) {
            return err;
        }
    }
}

static void
reader_end(struct reader *self, amdrpc_call *call, amdrpc_err err)
{
    if (err != AMDRPC_EEND) {
        if (err == AMDRPC_ECANCELED) {
            test_calls_count(TEST_NCANCELS);
        }
        call_end(call,
                err == AMDRPC_EINVAL ? AMDRPC_STATUS_INTERNAL
                                     : amdrpc_status_from_err(err),
                "the stream could not be read");
    } else if (self->on_message == upload_on_message) {
        call_reply(call, "uploaded", self->nmessages);
    } else {
        call_end(call, AMDRPC_STATUS_OK, NULL);
    }
}

static void
reader_on_readable(amdrpc_call *call, void *arg)
{
    amdrpc_err err = reader_run(arg, call);

    if (err != AMDRPC_EAGAIN) {
        reader_end(arg, call, err);
    }
}

static void
reader_on_cancel(amdrpc_call *call, void *arg)
{
    reader_end(arg, call, AMDRPC_ECANCELED);
}

static void
reader_start(amdrpc_call *call, const struct reader *like)
{
    static const amdrpc_call_events events = {
            .on_readable = reader_on_readable, .on_cancel = reader_on_cancel};
    struct reader *self = amdrpc_call_alloc(call, sizeof(*self));
    amdrpc_err err = AMDRPC_OK;

    test_calls_count(TEST_NSTARTED);
    *self = *like;
    err = reader_run(self, call);
    if (err == AMDRPC_EAGAIN) {
        amdrpc_call_defer(call);
        amdrpc_call_set_events(call, &events, self);
        return;
    }
    reader_end(self, call, err);
}

static void
upload(amdrpc_call *call, void *user_data)
{
    const struct reader like = {.on_message = upload_on_message};

    (void)user_data;
    reader_start(call, &like);
}

static void
chat(amdrpc_call *call, void *user_data)
{
    const struct reader like = {.on_message = chat_on_message};

    (void)user_data;
    reader_start(call, &like);
}

amdrpc_err
test_calls_register(amdrpc_server *server)
{
    static const amdrpc_test_calls_v1_calls_handlers handlers = {
            .unary = unary,
            .download = download,
            .upload = upload,
            .chat = chat,
    };

    return amdrpc_test_calls_v1_calls_register(server, &handlers, NULL);
}
