/** What becomes of an operation, once its execution has ended. */
#include "common/clock.h"
#include "server/operation/executor.h"
#include "server/operation/lane.h"
#include "server/operation/op_backoff.h"
#include "server/operation/run.h"

#include <openssl/rand.h>

#define US_PER_MS 1000

// A call that the dispatcher refused is not offered to it again before.
#define MIN_REFUSED_MS 500u

static struct amdi_run_verdict
verdict_finish(amdrpc_status_code code, const char *message)
{
    return (struct amdi_run_verdict){
            .kind = AMDI_VERDICT_FINISH, .code = code, .message = message};
}

static struct amdi_run_verdict
verdict_cancelled(void)
{
    return verdict_finish(
            AMDRPC_STATUS_CANCELLED, "the operation was cancelled");
}

static struct amdi_run_verdict
verdict_release(uint32_t delay_ms)
{
    return (struct amdi_run_verdict){.kind = AMDI_VERDICT_RELEASE,
            .ready_at_us =
                    amdi_clock_wall_us() + (int64_t)delay_ms * US_PER_MS};
}

static uint32_t
random_bits(void)
{
    uint32_t bits = 0;

    // Without randomness they only come at the same time.
    (void)RAND_bytes((unsigned char *)&bits, sizeof(bits));
    return bits;
}

/** Another attempt; past the deadline it ends there. */
static struct amdi_run_verdict
verdict_retry(
        const struct amdi_run *run, amdrpc_status_code code, const char *why)
{
    const amdrpc_operations_options *options = &run->lane->executor->options;
    int64_t at_us = amdi_clock_wall_us() +
            (int64_t)amdi_op_backoff_ms(run->nfailed + 1, options->backoff_ms,
                    options->max_backoff_ms, random_bits()) *
                    US_PER_MS;

    if (run->deadline_at_us != 0 && at_us > run->deadline_at_us) {
        at_us = run->deadline_at_us;
    }
    return (struct amdi_run_verdict){.kind = AMDI_VERDICT_RETRY,
            .code = code,
            .message = why,
            .ready_at_us = at_us};
}

static bool
run_may_try_again(const struct amdi_run *run)
{
    return run->max_attempts == 0 || run->nfailed + 1 < run->max_attempts;
}

/** The handler's word, unless it is one that another attempt may change. */
static struct amdi_run_verdict
judge_status(const struct amdi_run *run)
{
    struct amdi_run_verdict verdict =
            verdict_finish(run->call.code, run->call.message);

    if (run->call.code == AMDRPC_STATUS_UNAVAILABLE && run_may_try_again(run)) {
        return verdict_retry(run, run->call.code, run->call.message);
    }
    verdict.is_handlers = true;
    return verdict;
}

/** Of a run whose deadline has passed, wherever its handler is. */
static struct amdi_run_verdict
judge_late(const struct amdi_run *run)
{
    return run->reason == AMDI_REASON_CANCELLED
            ? verdict_cancelled() // and it was slow to stop
            : verdict_finish(AMDRPC_STATUS_DEADLINE_EXCEEDED,
                      "the operation's deadline has passed");
}

/** Of a run whose handler was never called. */
static struct amdi_run_verdict
judge_unstarted(const struct amdi_run *run)
{
    uint32_t delay_ms = 0;

    if (run->reason == AMDI_REASON_CANCELLED) {
        return verdict_cancelled();
    }
    if (run->call.refusal != AMDI_REFUSAL_NONE) {
        delay_ms = run->call.wait_ms > MIN_REFUSED_MS ? run->call.wait_ms
                                                      : MIN_REFUSED_MS;
    }
    return verdict_release(delay_ms);
}

struct amdi_run_verdict
amdi_run_judge(const struct amdi_run *run)
{
    if (run->reason == AMDI_REASON_DEADLINE || run->work == AMDI_RUN_OUT) {
        return judge_late(run);
    }
    if (run->is_unstarted || run->call.refusal != AMDI_REFUSAL_NONE) {
        return judge_unstarted(run);
    }
    if (run->reason == AMDI_REASON_TROUBLE) {
        return verdict_retry(
                run, AMDRPC_STATUS_UNAVAILABLE, "a message could not be kept");
    }
    if (run->reason == AMDI_REASON_NONE ||
            (run->call.code == AMDRPC_STATUS_OK && !run->is_incomplete)) {
        return judge_status(run);
    }
    // It was told to stop, and did.
    return run->reason == AMDI_REASON_DRAIN ? verdict_release(0)
                                            : verdict_cancelled();
}
