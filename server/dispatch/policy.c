/** What a method's policy may say, and what it means where it says nothing. */
#include "server/dispatch/policy.h"

#include "common/metadata.h"

#include <stdio.h>
#include <string.h>

// A handler that is not long is expected to be done by then.
#define DEFAULT_WATCHDOG_MS 60000u

static bool
text_fits(const char *text)
{
    return text == NULL ||
            (text[0] != '\0' && strlen(text) < AMDI_POLICY_NAME_BYTES);
}

static bool
fair_key_is_valid(const amdrpc_policy *policy)
{
    if (policy->fair_by != AMDRPC_FAIR_BY_METADATA) {
        return policy->fair_key == NULL;
    }
    return policy->fair_key != NULL && text_fits(policy->fair_key) &&
            amdi_metadata_is_valid(policy->fair_key, "", 0);
}

bool
amdi_policy_is_valid(const amdrpc_policy *policy)
{
    // Enumerations may be unsigned; what is negative is then very large.
    return (unsigned)policy->dispatch <= AMDRPC_DISPATCH_SYNC &&
            (unsigned)policy->priority <= AMDRPC_PRIORITY_LOW &&
            (unsigned)policy->fair_by <= AMDRPC_FAIR_BY_METADATA &&
            fair_key_is_valid(policy) && text_fits(policy->pool);
}

static uint32_t
value_or(uint32_t value, uint32_t fallback)
{
    return value != 0 ? value : fallback;
}

static const char *
text_keep(char *room, const char *text)
{
    if (text == NULL) {
        return NULL;
    }
    // It fits, as amdi_policy_is_valid has seen.
    memmove(room, text, strlen(text) + 1);
    return room;
}

static void
policy_fill_choices(amdrpc_policy *into, const amdrpc_policy *defaults)
{
    if (into->dispatch == AMDRPC_DISPATCH_DEFAULT) {
        into->dispatch = defaults->dispatch;
    }
    if (into->priority == AMDRPC_PRIORITY_DEFAULT) {
        into->priority = defaults->priority;
    }
    if (into->fair_by == AMDRPC_FAIR_BY_DEFAULT) {
        into->fair_by = AMDRPC_FAIR_BY_PEER;
    }
}

void
amdi_policy_fill(amdrpc_policy *into, struct amdi_policy_texts *texts,
        const amdrpc_policy *policy, const amdrpc_policy *defaults)
{
    *into = *policy;
    policy_fill_choices(into, defaults);
    into->max_running = value_or(into->max_running, defaults->max_running);
    into->max_queued = value_or(into->max_queued, defaults->max_queued);
    into->default_deadline_ms =
            value_or(into->default_deadline_ms, defaults->default_deadline_ms);
    if (into->watchdog_ms == 0) {
        into->watchdog_ms =
                into->is_long ? AMDRPC_WATCHDOG_NEVER : DEFAULT_WATCHDOG_MS;
    }
    into->pool = text_keep(texts->pool,
            policy->pool == NULL ? AMDI_DEFAULT_POOL : policy->pool);
    into->fair_key = text_keep(texts->fair_key, policy->fair_key);
}

/* ---- for people ---- */

const char *
amdi_dispatch_text(amdrpc_dispatch dispatch)
{
    switch (dispatch) {
    case AMDRPC_DISPATCH_DEFAULT:
    case AMDRPC_DISPATCH_POOL:
        return "pool";
    case AMDRPC_DISPATCH_INLINE:
        return "inline";
    case AMDRPC_DISPATCH_SYNC:
        return "sync";
    }
    return "?";
}

const char *
amdi_priority_text(amdrpc_priority priority)
{
    switch (priority) {
    case AMDRPC_PRIORITY_HIGH:
        return "high";
    case AMDRPC_PRIORITY_DEFAULT:
    case AMDRPC_PRIORITY_NORMAL:
        return "normal";
    case AMDRPC_PRIORITY_LOW:
        return "low";
    }
    return "?";
}

void
amdi_policy_format_fair_by(
        const amdrpc_policy *policy, char out[AMDI_FAIR_BY_BYTES])
{
    const char *text = "peer";
    const char *key = "";

    switch (policy->fair_by) {
    case AMDRPC_FAIR_BY_DEFAULT:
    case AMDRPC_FAIR_BY_PEER:
        break;
    case AMDRPC_FAIR_BY_HOST:
        text = "host";
        break;
    case AMDRPC_FAIR_BY_NAME:
        text = "name";
        break;
    case AMDRPC_FAIR_BY_METADATA:
        text = "metadata:";
        key = policy->fair_key;
        break;
    }
    (void)snprintf(out, AMDI_FAIR_BY_BYTES, "%s%s", text, key);
}
