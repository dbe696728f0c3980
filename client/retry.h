/**
 * Whether a failed attempt of a call is followed by another, and when (gRPC,
 * proposal A6). Pure.
 */
#ifndef AMDI_RETRY_H
#define AMDI_RETRY_H

#include <amdrpc/client.h>

#include "client/backoff.h"

#include <stdbool.h>
#include <stdint.h>

// What the protocol lets a policy have; more count as these.
#define AMDI_RETRY_MAX_ATTEMPTS 5u
#define AMDI_RETRY_MAX_TOKENS 1000u

/** A channel's: keeps retries from adding to the load of a failing server. */
struct amdi_retry_throttle {
    uint32_t max_milli;   // thousandths of a token; 0: there is no throttle
    uint32_t ratio_milli; // for each success
    uint32_t milli;       // the tokens that are left
};

/** One call's. */
struct amdi_retry {
    amdrpc_retry_options policy; // no zeros
    unsigned nattempts;          // that were made, but transparent ones
    unsigned nwaits;             // since the server last told the time
};

/** Tells whether the fields' values make sense. */
bool amdi_retry_is_valid(const amdrpc_retry_options *options);

/** Tells whether the policy allows more than one attempt. */
bool amdi_retry_is_on(const amdrpc_retry_options *options);

/** @options: valid; its zeros become the defaults. */
void amdi_retry_init(
        struct amdi_retry *retry, const amdrpc_retry_options *options);

/** Full at first. @max_tokens of 0: every retry is allowed. */
void amdi_retry_throttle_init(struct amdi_retry_throttle *throttle,
        uint32_t max_tokens, double token_ratio);

/** A call succeeded. */
void amdi_retry_on_success(struct amdi_retry_throttle *throttle);

/**
 * An attempt failed with @status.
 *
 * @pushback  the value of grpc-retry-pushback-ms; NULL: none
 * @random    any number
 * @out_ms    when true: how long to wait before the next attempt
 */
bool amdi_retry_on_failure(struct amdi_retry *retry,
        struct amdi_retry_throttle *throttle, amdrpc_status_code status,
        const char *pushback, uint32_t random, uint64_t *out_ms);

#endif
