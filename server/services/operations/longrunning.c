/** google.longrunning.Operations: get, cancel and delete. */
#include "google/longrunning/operations.amdrpc-server.h"
#include "google/protobuf/empty.pb-c.h"
#include "server/services/operations/refuse.h"
#include "server/services/operations/services.h"

/** A call that looks at its operation first, and then asks for something. */
struct question {
    struct amdi_op_services *services;
    amdrpc_call *call;
    const char *name; // of the request
    uint64_t id;
    // Asks the store for what the call is about, once the operation is seen
    // to be the caller's; NULL: to see it was all.
    enum amdi_store_result (*ask)(struct amdi_store *store,
            struct amdi_loop *loop, uint64_t id, amdi_op_fn fn, void *arg);
};

static void
call_reply_empty(amdrpc_call *call)
{
    Google__Protobuf__Empty empty = GOOGLE__PROTOBUF__EMPTY__INIT;

    amdrpc_call_reply(call, &empty.base);
}

static void
question_on_answer(
        void *arg, enum amdi_store_result result, const struct amdi_op *op)
{
    struct question *question = arg;

    (void)op;
    // To cancel what has ended already is no error: it will not go on.
    if (result == AMDI_STORE_OK || result == AMDI_STORE_DONE) {
        call_reply_empty(question->call);
    } else {
        amdi_op_refuse_result(question->call, result, question->name);
    }
}

static void
question_on_seen(
        void *arg, enum amdi_store_result result, const struct amdi_op *op)
{
    struct question *question = arg;
    amdrpc_call *call = question->call;

    if (result == AMDI_STORE_OK && !amdi_op_is_own(call, op)) {
        result = AMDI_STORE_NOTFOUND;
    }
    if (result == AMDI_STORE_OK && question->ask == NULL) {
        amdi_op_reply(question->services, call, op);
        return;
    }
    if (result == AMDI_STORE_OK) {
        result = question->ask(question->services->store,
                amdi_op_call_loop(call), question->id, question_on_answer,
                question);
    }
    if (result != AMDI_STORE_OK) {
        amdi_op_refuse_result(call, result, question->name);
    }
}

static void
question_start(struct question *asked)
{
    amdrpc_call *call = asked->call;
    struct question *question = NULL;
    enum amdi_store_result result = AMDI_STORE_NOMEM;

    if (!amdi_op_name_read(call, asked->name, &asked->id)) {
        return;
    }
    question = amdrpc_call_alloc(call, sizeof(*question));
    if (question != NULL) {
        *question = *asked;
        result = amdi_store_get(question->services->store,
                amdi_op_call_loop(call), question->id, question_on_seen,
                question);
    }
    if (result != AMDI_STORE_OK) {
        amdi_op_refuse_result(call, result, asked->name);
        return;
    }
    amdrpc_call_defer(call);
}

void
amdi_op_on_get(amdrpc_call *call,
        const Google__Longrunning__GetOperationRequest *request,
        void *user_data)
{
    question_start(&(struct question){
            .services = user_data, .call = call, .name = request->name});
}

void
amdi_op_on_cancel(amdrpc_call *call,
        const Google__Longrunning__CancelOperationRequest *request,
        void *user_data)
{
    question_start(&(struct question){.services = user_data,
            .call = call,
            .name = request->name,
            .ask = amdi_store_cancel});
}

void
amdi_op_on_delete(amdrpc_call *call,
        const Google__Longrunning__DeleteOperationRequest *request,
        void *user_data)
{
    question_start(&(struct question){.services = user_data,
            .call = call,
            .name = request->name,
            .ask = amdi_store_remove});
}
