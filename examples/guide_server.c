/** The server of docs/guide.md. */
#include <amdrpc/log.h>
#include <amdrpc/operations.h>

#include "guide.amdrpc-server.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>

/* ---- an answer at once, or an error ---- */

static void
on_divide(
        amdrpc_call *call, const Guide__DivideRequest *request, void *user_data)
{
    Guide__DivideReply reply = GUIDE__DIVIDE_REPLY__INIT;

    (void)user_data; // none
    if (request->divisor == 0) {
        amdrpc_call_finishf(call, AMDRPC_STATUS_INVALID_ARGUMENT,
                "%" PRId32 " cannot be divided by 0", request->dividend);
        return;
    }
    reply.quotient = (double)request->dividend / request->divisor;
    guide_work_divide_reply(call, &reply);
}

/* ---- later, by a timer ---- */

static void
remind_on_time(amdrpc_call *call, void *arg)
{
    Guide__RemindReply reply = GUIDE__REMIND_REPLY__INIT;

    reply.text = arg;
    guide_work_remind_reply(call, &reply);
}

static void
on_remind(
        amdrpc_call *call, const Guide__RemindRequest *request, void *user_data)
{
    (void)user_data; // none
    amdrpc_call_defer(call);
    amdrpc_call_after(call, request->delay_ms, remind_on_time, request->text);
}

/* ---- later, from another thread ---- */

static void *
oracle_main(void *arg)
{
    amdrpc_call *call = arg;
    Guide__AskReply reply = GUIDE__ASK_REPLY__INIT;

    reply.answer = "Ask again later.";
    guide_work_ask_reply(call, &reply); // from here on there is no call
    return NULL;
}

static void
on_ask(amdrpc_call *call, const Guide__AskRequest *request, void *user_data)
{
    pthread_t oracle;

    (void)request;   // the oracle does not listen
    (void)user_data; // none
    amdrpc_call_defer(call);
    if (pthread_create(&oracle, NULL, oracle_main, call) == 0) {
        (void)pthread_detach(oracle); // it ends by itself
    } else {
        amdrpc_call_finish(
                call, AMDRPC_STATUS_UNAVAILABLE, "the oracle does not wake");
    }
}

/* ---- many messages, over a long time ---- */

static bool
is_prime(uint32_t number)
{
    for (uint32_t i = 2; i <= number / i; i++) {
        if (number % i == 0) {
            return false;
        }
    }
    return number >= 2;
}

static void
on_count_primes(amdrpc_call *call, const Guide__CountPrimesRequest *request,
        void *user_data)
{
    Guide__CountPrimesReply reply = GUIDE__COUNT_PRIMES_REPLY__INIT;
    amdrpc_err err = AMDRPC_OK;

    (void)user_data; // none
    while (reply.up_to < request->limit && err == AMDRPC_OK) {
        reply.up_to++;
        reply.primes += is_prime(reply.up_to);
        if (reply.up_to % 1000 != 0 && reply.up_to != request->limit) {
            continue;
        }
        err = guide_work_count_primes_send(call, &reply);
        if (!amdrpc_call_checkpoint(call, reply.up_to, request->limit)) {
            err = AMDRPC_ECANCELED;
        }
    }
    amdrpc_call_finish(call, amdrpc_status_from_err(err),
            err == AMDRPC_OK ? NULL : amdrpc_err_text(err));
}

/* ---- many requests, one answer ---- */

static void
on_add(amdrpc_call *call, void *user_data)
{
    Guide__Sum reply = GUIDE__SUM__INIT;
    const Guide__Number *number = NULL;
    amdrpc_err err = AMDRPC_OK;

    (void)user_data; // none
    while ((err = guide_work_add_recv(call, &number)) == AMDRPC_OK) {
        reply.sum += number->number;
    }
    if (err == AMDRPC_EEND) {
        guide_work_add_reply(call, &reply);
    } else {
        amdrpc_call_finish(
                call, amdrpc_status_from_err(err), amdrpc_err_text(err));
    }
}

/* ---- the server ---- */

static const guide_work_handlers handlers = {
        .divide = on_divide,
        .remind = on_remind,
        .ask = on_ask,
        .count_primes = on_count_primes,
        .add = on_add,
};

static amdrpc_err
add_services(amdrpc_server *server)
{
    static const amdrpc_policy on_loop = {.dispatch = AMDRPC_DISPATCH_INLINE};
    static const amdrpc_policy modest = {
            .priority = AMDRPC_PRIORITY_LOW,
            .max_running = 1,
            .max_queued = 16,
            .default_deadline_ms = 60 * 1000,
    };
    amdrpc_err err = guide_work_register(server, &handlers, NULL);

    if (err == AMDRPC_OK) {
        // In memory; with "sqlite:DIR" they survive this process.
        err = amdrpc_operations_add(server, NULL, NULL, 0);
    }
    if (err == AMDRPC_OK) {
        err = amdrpc_server_set_policy(server, "/guide.Work/Remind", &on_loop);
    }
    if (err == AMDRPC_OK) {
        err = amdrpc_server_set_policy(
                server, "/guide.Work/CountPrimes", &modest);
    }
    return err;
}

static amdrpc_err
serve(amdrpc_server *server, const char *address)
{
    uint16_t port = 0;
    amdrpc_err err = add_services(server);

    if (err == AMDRPC_OK) {
        err = amdrpc_server_listen(server, address, &port);
    }
    if (err == AMDRPC_OK) {
        err = amdrpc_server_start(server);
    }
    if (err == AMDRPC_OK) {
        printf("listening on port %u; Enter stops\n", port);
        (void)fflush(stdout);
        (void)getchar();
        err = amdrpc_server_stop(server);
    }
    return err;
}

int
main(int argc, char **argv)
{
    const amdrpc_server_options options = {.workers = 4};
    amdrpc_server *server = NULL;
    amdrpc_err err = amdrpc_server_create(&options, &server);

    amdrpc_log_set(amdrpc_log_stderr, NULL, AMDRPC_LOG_WARN);
    if (err == AMDRPC_OK) {
        err = serve(server, argc == 2 ? argv[1] : "127.0.0.1:50051");
    }
    amdrpc_server_destroy(server);
    if (err != AMDRPC_OK) {
        fprintf(stderr, "guide_server: %s\n", amdrpc_err_text(err));
    }
    return err == AMDRPC_OK ? 0 : 1;
}
