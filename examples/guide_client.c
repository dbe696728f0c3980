/** The client of docs/guide.md. */
#include "guide.amdrpc-client.h"

#include <inttypes.h>
#include <stdio.h>

static void
print_status(const char *what, const amdrpc_future *future)
{
    printf("%s: %s\n", what,
            amdrpc_status_name(amdrpc_future_get_status(future)));
}

/* ---- wait for the answer ---- */

static void
divide(amdrpc_channel *channel, int32_t divisor)
{
    const amdrpc_call_options options = {.timeout_ms = 5000};
    Guide__DivideRequest request = GUIDE__DIVIDE_REQUEST__INIT;
    amdrpc_future *answer = NULL;

    request.dividend = 7;
    request.divisor = divisor;
    if (guide_work_divide(channel, &request, &options, &answer) ==
            AMDRPC_STATUS_OK) {
        printf("7 / %" PRId32 " is %g\n", divisor,
                guide_work_divide_result(answer)->quotient);
    } else {
        printf("%s\n", amdrpc_future_get_status_message(answer));
    }
    amdrpc_future_unref(answer);
}

/* ---- do other things meanwhile ---- */

static amdrpc_err
ask_and_wait(amdrpc_channel *channel)
{
    Guide__AskRequest ask = GUIDE__ASK_REQUEST__INIT;
    Guide__RemindRequest remind = GUIDE__REMIND_REQUEST__INIT;
    amdrpc_future *answers[2] = {NULL, NULL};
    amdrpc_err err = guide_work_ask_future(channel, &ask, NULL, &answers[0]);

    remind.delay_ms = 10;
    remind.text = "tea";
    if (err == AMDRPC_OK) {
        err = guide_work_remind_future(channel, &remind, NULL, &answers[1]);
    }
    if (err == AMDRPC_OK) {
        err = amdrpc_future_wait_all(answers, 2, /*timeout_ms=*/5000);
    }
    if (err == AMDRPC_OK) {
        print_status("ask", answers[0]);
        print_status("remind", answers[1]);
    }
    amdrpc_future_unref(answers[0]);
    amdrpc_future_unref(answers[1]);
    return err;
}

/* ---- come back later ---- */

/** Submits an operation and forgets all but its name. */
static amdrpc_err
submit(amdrpc_channel *channel, char *out_name, size_t size)
{
    const amdrpc_operation_options options = {.no_wait = true};
    Guide__DivideRequest request = GUIDE__DIVIDE_REQUEST__INIT;
    amdrpc_future *kept = NULL;

    request.dividend = 9;
    request.divisor = 4;
    amdrpc_err err =
            guide_work_divide_submit(channel, &request, &options, &kept);
    if (err == AMDRPC_OK) {
        err = amdrpc_future_wait(kept, /*timeout_ms=*/-1);
    }
    const char *name = amdrpc_future_get_operation_name(kept);
    (void)snprintf(out_name, size, "%s", name == NULL ? "" : name);
    amdrpc_future_unref(kept);
    return err;
}

/** In another process, say, and after the server was started again. */
static amdrpc_err
come_back(amdrpc_channel *channel, const char *name)
{
    amdrpc_future *answer = NULL;
    amdrpc_err err =
            guide_work_divide_future_from_name(channel, name, NULL, &answer);

    if (err == AMDRPC_OK) {
        err = amdrpc_future_wait(answer, /*timeout_ms=*/-1);
    }
    if (err == AMDRPC_OK &&
            amdrpc_future_get_status(answer) == AMDRPC_STATUS_OK) {
        printf("9 / 4 was %g\n", guide_work_divide_result(answer)->quotient);
    }
    amdrpc_future_unref(answer);
    return err;
}

/** Reads what a method with many messages sent, and what it sends. */
static amdrpc_err
watch(amdrpc_channel *channel, const char *name)
{
    amdrpc_watch *watch = NULL;
    const amdrpc_watch_event *event = NULL;
    amdrpc_err err = amdrpc_watch_open(
            channel, NULL, name, /*after_seq=*/0, NULL, &watch);

    while (err == AMDRPC_OK) {
        err = amdrpc_watch_next(watch, /*timeout_ms=*/-1, &event);
        if (err == AMDRPC_OK && event->kind == AMDRPC_WATCH_END) {
            printf("watch: %s\n", amdrpc_status_name(event->status));
        }
    }
    amdrpc_watch_close(watch);
    return err == AMDRPC_EEND ? AMDRPC_OK : err;
}

static amdrpc_err
do_it_later(amdrpc_channel *channel)
{
    char name[128];
    amdrpc_err err = submit(channel, name, sizeof(name));

    if (err == AMDRPC_OK) {
        err = come_back(channel, name);
    }
    return err == AMDRPC_OK ? watch(channel, name) : err;
}

/* ---- think better of it ---- */

static amdrpc_err
cancel(amdrpc_channel *channel)
{
    Guide__RemindRequest remind = GUIDE__REMIND_REQUEST__INIT;
    amdrpc_future *answer = NULL;
    amdrpc_err err = AMDRPC_OK;

    remind.delay_ms = 3600 * 1000;
    remind.text = "too late";
    err = guide_work_remind_future(channel, &remind, NULL, &answer);
    if (err == AMDRPC_OK) {
        amdrpc_future_cancel(answer); // on the server, too
        err = amdrpc_future_wait(answer, /*timeout_ms=*/-1);
    }
    if (err == AMDRPC_OK) {
        print_status("cancel", answer);
    }
    amdrpc_future_unref(answer);
    return err;
}

/* ---- read a stream ---- */

static amdrpc_err
count_primes(amdrpc_channel *channel)
{
    Guide__CountPrimesRequest request = GUIDE__COUNT_PRIMES_REQUEST__INIT;
    const Guide__CountPrimesReply *reply = NULL;
    amdrpc_client_call *call = NULL;
    amdrpc_err err = AMDRPC_OK;

    request.limit = 3000;
    err = guide_work_count_primes_start(channel, &request, NULL, &call);
    if (err != AMDRPC_OK) {
        return err;
    }
    while ((err = guide_work_count_primes_client_recv(
                    call, /*timeout_ms=*/-1, &reply)) == AMDRPC_OK) {
        printf("%" PRIu32 " primes up to %" PRIu32 "\n", reply->primes,
                reply->up_to);
    }
    printf("count: %s\n",
            amdrpc_status_name(amdrpc_client_call_get_status(call)));
    amdrpc_client_call_unref(call);
    return err == AMDRPC_EEND ? AMDRPC_OK : err;
}

/* ---- write a stream ---- */

static amdrpc_err
send_numbers(amdrpc_client_call *call)
{
    Guide__Number number = GUIDE__NUMBER__INIT;
    amdrpc_err err = AMDRPC_OK;

    for (uint32_t i = 1; i <= 100 && err == AMDRPC_OK; i++) {
        number.number = i;
        err = guide_work_add_client_send(call, &number);
    }
    amdrpc_client_call_close_send(call);
    return err;
}

static amdrpc_err
add(amdrpc_channel *channel)
{
    amdrpc_client_call *call = NULL;
    amdrpc_future *answer = NULL;
    amdrpc_err err = guide_work_add_start(channel, NULL, &call);

    if (err != AMDRPC_OK) {
        return err;
    }
    err = send_numbers(call);
    if (err == AMDRPC_OK) {
        err = amdrpc_client_call_get_future(call, &answer);
    }
    if (err == AMDRPC_OK) {
        err = amdrpc_future_wait(answer, /*timeout_ms=*/-1);
    }
    if (err == AMDRPC_OK &&
            amdrpc_future_get_status(answer) == AMDRPC_STATUS_OK) {
        printf("the sum is %" PRIu64 "\n", guide_work_add_result(answer)->sum);
    }
    amdrpc_future_unref(answer);
    amdrpc_client_call_unref(call);
    return err;
}

int
main(int argc, char **argv)
{
    amdrpc_channel *channel = NULL;
    amdrpc_err err = amdrpc_channel_create(
            argc == 2 ? argv[1] : "127.0.0.1:50051", NULL, &channel);

    if (err == AMDRPC_OK) {
        divide(channel, 2);
        divide(channel, 0);
        err = ask_and_wait(channel);
    }
    if (err == AMDRPC_OK) {
        err = cancel(channel);
    }
    if (err == AMDRPC_OK) {
        err = count_primes(channel);
    }
    if (err == AMDRPC_OK) {
        err = add(channel);
    }
    if (err == AMDRPC_OK) {
        err = do_it_later(channel);
    }
    amdrpc_channel_unref(channel);
    if (err != AMDRPC_OK) {
        fprintf(stderr, "guide_client: %s\n", amdrpc_err_text(err));
    }
    return err == AMDRPC_OK ? 0 : 1;
}
