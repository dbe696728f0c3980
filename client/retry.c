/** Decides about another attempt of a call. */
#include "client/retry.h"

#include <stddef.h>

#define DEFAULT_FIRST_MS 100u
#define DEFAULT_MAX_MS 5000u
#define DEFAULT_MULTIPLIER 2.0
#define DEFAULT_STATUSES (1u << AMDRPC_STATUS_UNAVAILABLE)
#define DEFAULT_TOKEN_RATIO 0.1

#define MILLI 1000u

// All codes but OK, which cannot fail.
#define ALL_STATUSES \
    ((2u << AMDRPC_STATUS_UNAUTHENTICATED) - 1u - (1u << AMDRPC_STATUS_OK))

bool
amdi_retry_is_valid(const amdrpc_retry_options *options)
{
    double multiplier = options->backoff_multiplier;

    // Also false for what is no number.
    return (multiplier == 0.0 || (multiplier >= 1.0 && multiplier <= 1e6)) &&
            (options->retryable_statuses & ~ALL_STATUSES) == 0;
}

bool
amdi_retry_is_on(const amdrpc_retry_options *options)
{
    return options->max_attempts > 1;
}

void
amdi_retry_init(struct amdi_retry *retry, const amdrpc_retry_options *options)
{
    amdrpc_retry_options *policy = &retry->policy;

    *retry = (struct amdi_retry){.policy = *options};
    if (policy->max_attempts > AMDI_RETRY_MAX_ATTEMPTS) {
        policy->max_attempts = AMDI_RETRY_MAX_ATTEMPTS;
    }
    if (policy->initial_backoff_ms == 0) {
        policy->initial_backoff_ms = DEFAULT_FIRST_MS;
    }
    if (policy->max_backoff_ms == 0) {
        policy->max_backoff_ms = DEFAULT_MAX_MS;
    }
    if (policy->backoff_multiplier == 0.0) {
        policy->backoff_multiplier = DEFAULT_MULTIPLIER;
    }
    if (policy->retryable_statuses == 0) {
        policy->retryable_statuses = DEFAULT_STATUSES;
    }
}

/* ---- the throttle ---- */

void
amdi_retry_throttle_init(struct amdi_retry_throttle *throttle,
        uint32_t max_tokens, double token_ratio)
{
    double ratio = token_ratio == 0.0 ? DEFAULT_TOKEN_RATIO : token_ratio;

    throttle->max_milli = max_tokens * MILLI;
    // More than all of the tokens at once is no more.
    throttle->ratio_milli = ratio >= AMDI_RETRY_MAX_TOKENS
            ? AMDI_RETRY_MAX_TOKENS * MILLI
            : (uint32_t)(ratio * MILLI);
    throttle->milli = throttle->max_milli;
}

void
amdi_retry_on_success(struct amdi_retry_throttle *throttle)
{
    uint32_t room = throttle->max_milli - throttle->milli;

    throttle->milli +=
            throttle->ratio_milli < room ? throttle->ratio_milli : room;
}

/** Takes a token; true: more than half of them are left. */
static bool
throttle_take(struct amdi_retry_throttle *throttle)
{
    throttle->milli -= throttle->milli < MILLI ? throttle->milli : MILLI;
    return throttle->max_milli == 0 ||
            throttle->milli > throttle->max_milli / 2;
}

/* ---- pushback ---- */

/** Reads a signed 32-bit number; false: it is negative, or no such number. */
static bool
pushback_read(const char *text, uint64_t *out_ms)
{
    uint64_t ms = 0;
    size_t i = 0;

    for (; text[i] >= '0' && text[i] <= '9' && ms <= INT32_MAX; i++) {
        ms = ms * 10 + (uint64_t)(text[i] - '0');
    }
    if (i == 0 || text[i] != '\0' || ms > INT32_MAX) {
        return false;
    }
    *out_ms = ms;
    return true;
}

/* ---- the decision ---- */

static uint64_t
retry_next_wait_ms(struct amdi_retry *retry, uint32_t random)
{
    const struct amdi_backoff backoff = {
            .first_ms = retry->policy.initial_backoff_ms,
            .max_ms = retry->policy.max_backoff_ms,
            .multiplier = retry->policy.backoff_multiplier,
    };

    return amdi_backoff_after_ms(&backoff, ++retry->nwaits, random);
}

bool
amdi_retry_on_failure(struct amdi_retry *retry,
        struct amdi_retry_throttle *throttle, amdrpc_status_code status,
        const char *pushback, uint32_t random, uint64_t *out_ms)
{
    uint64_t told_ms = 0;
    bool may_retry = (retry->policy.retryable_statuses >> status & 1u) != 0;
    bool is_told = pushback != NULL && pushback_read(pushback, &told_ms);
    bool is_forbidden = pushback != NULL && !is_told;

    // The server's word not to try again counts as its failure, whatever the
    // status (A6, "Throttling Retry Attempts and Hedged RPCs").
    if ((may_retry || is_forbidden) && !throttle_take(throttle)) {
        may_retry = false;
    }
    retry->nattempts++;
    if (!may_retry || is_forbidden ||
            retry->nattempts >= retry->policy.max_attempts) {
        return false;
    }
    if (is_told) {
        retry->nwaits = 0;
    }
    *out_ms = is_told ? told_ms : retry_next_wait_ms(retry, random);
    return true;
}
