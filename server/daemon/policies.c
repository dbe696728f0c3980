/** The sections of the settings file that are about dispatch. */
#include "server/daemon/policies.h"

#include "common/alloc.h"
#include "common/value.h"
#include "server/daemon/config.h"
#include "server/daemon/section.h"

#include <stdio.h>
#include <string.h>

#define MAX_NUMBER UINT32_MAX

/* ---- one field of a policy ---- */

struct word {
    const char *text;
    unsigned value;
};

static bool
word_find(const struct word *words, const char *text, unsigned *out)
{
    for (; words->text != NULL; words++) {
        if (strcmp(words->text, text) == 0) {
            *out = words->value;
            return true;
        }
    }
    return false;
}

static bool
assign_dispatch(amdrpc_policy *policy, const char *value)
{
    static const struct word words[] = {{"pool", AMDRPC_DISPATCH_POOL},
            {"inline", AMDRPC_DISPATCH_INLINE}, {"sync", AMDRPC_DISPATCH_SYNC},
            {NULL, 0}};
    unsigned found = 0;
    bool is_known = word_find(words, value, &found);

    policy->dispatch = (amdrpc_dispatch)found;
    return is_known;
}

static bool
assign_priority(amdrpc_policy *policy, const char *value)
{
    static const struct word words[] = {{"high", AMDRPC_PRIORITY_HIGH},
            {"normal", AMDRPC_PRIORITY_NORMAL}, {"low", AMDRPC_PRIORITY_LOW},
            {NULL, 0}};
    unsigned found = 0;
    bool is_known = word_find(words, value, &found);

    policy->priority = (amdrpc_priority)found;
    return is_known;
}

static bool
assign_fair_by(amdrpc_policy *policy, const char *value)
{
    static const struct word words[] = {{"peer", AMDRPC_FAIR_BY_PEER},
            {"host", AMDRPC_FAIR_BY_HOST}, {"name", AMDRPC_FAIR_BY_NAME},
            {NULL, 0}};
    static const char metadata[] = "metadata:";
    unsigned found = AMDRPC_FAIR_BY_METADATA;
    size_t len = sizeof(metadata) - 1;

    policy->fair_key = NULL;
    if (strncmp(value, metadata, len) == 0) {
        policy->fair_key = value + len;
    } else if (!word_find(words, value, &found)) {
        return false;
    }
    policy->fair_by = (amdrpc_fair_by)found;
    return true;
}

static bool
assign_long(amdrpc_policy *policy, const char *value)
{
    policy->is_long = strcmp(value, "on") == 0;
    return policy->is_long || strcmp(value, "off") == 0;
}

static bool
assign_watchdog(amdrpc_policy *policy, const char *value)
{
    uint64_t ms = AMDRPC_WATCHDOG_NEVER;

    if (strcmp(value, "never") != 0 &&
            (!amdi_value_parse(AMDI_VALUE_MS, value, &ms) || ms == 0 ||
                    ms >= AMDRPC_WATCHDOG_NEVER)) {
        return false;
    }
    policy->watchdog_ms = (uint32_t)ms;
    return true;
}

static bool
assign_retry(amdrpc_policy *policy, const char *value)
{
    uint64_t n = 1;

    if (strcmp(value, "never") != 0 &&
            (!amdi_value_parse(AMDI_VALUE_COUNT, value, &n) || n == 0 ||
                    n > MAX_NUMBER)) {
        return false;
    }
    policy->max_attempts = (uint32_t)n;
    return true;
}

static bool
assign_pool(amdrpc_policy *policy, const char *value)
{
    policy->pool = value;
    return value[0] != '\0';
}

static bool
number_parse(enum amdi_value_unit unit, const char *value, uint32_t *out)
{
    uint64_t number = 0;

    if (!amdi_value_parse(unit, value, &number) || number == 0 ||
            number > MAX_NUMBER) {
        return false;
    }
    *out = (uint32_t)number;
    return true;
}

bool
amdi_policy_assign(amdrpc_policy *policy, const char *name, const char *value)
{
    static const struct {
        const char *name;
        bool (*assign)(amdrpc_policy *policy, const char *value);
    } fields[] = {{"dispatch", assign_dispatch}, {"priority", assign_priority},
            {"fair-by", assign_fair_by}, {"long", assign_long},
            {"watchdog", assign_watchdog}, {"retry", assign_retry},
            {"pool", assign_pool}};
    const struct {
        const char *name;
        enum amdi_value_unit unit;
        uint32_t *field;
    } numbers[] = {{"max-running", AMDI_VALUE_COUNT, &policy->max_running},
            {"max-queued", AMDI_VALUE_COUNT, &policy->max_queued},
            {"max-per-key", AMDI_VALUE_COUNT, &policy->max_per_key},
            {"default-deadline", AMDI_VALUE_MS, &policy->default_deadline_ms}};

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (strcmp(fields[i].name, name) == 0) {
            return fields[i].assign(policy, value);
        }
    }
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (strcmp(numbers[i].name, name) == 0) {
            return number_parse(numbers[i].unit, value, numbers[i].field);
        }
    }
    return false;
}

/* ---- pools and callers ---- */

static amdrpc_err
setting_fail(struct amdi_config *config,
        const struct amdi_module_setting *setting, const char *why)
{
    return amdi_config_fail(config, "%s: %s = %s: %s", setting->where,
            setting->name, setting->value, why);
}

/** A number of the same section; true also when it is not given. */
static bool
section_read_number(struct amdi_config *config, const char *title,
        const char *key, uint32_t *out)
{
    char name[AMDI_SECTION_NAME_BYTES + 64];
    const char *value = NULL;

    (void)snprintf(name, sizeof(name), "pool \"%s\".%s", title, key);
    value = amdi_config_get_module_setting(config, name, 0);
    return value == NULL || number_parse(AMDI_VALUE_COUNT, value, out);
}

static amdrpc_err
config_add_pool(struct amdi_config *config,
        const struct amdi_module_setting *setting,
        const struct amdi_section *section, amdrpc_server *server)
{
    uint32_t min = 1;
    uint32_t max = 0;
    amdrpc_err err = AMDRPC_OK;

    if (strcmp(section->key, "workers") != 0 &&
            strcmp(section->key, "max-workers") != 0) {
        return setting_fail(config, setting, "a pool has no such setting");
    }
    if (!section_read_number(config, section->title, "workers", &min) ||
            !section_read_number(config, section->title, "max-workers", &max)) {
        return setting_fail(config, setting, "not a number of workers");
    }
    if (max != 0 && max < min) {
        return setting_fail(
                config, setting, "max-workers is less than workers");
    }
    err = amdrpc_server_add_pool(
            server, section->title, min, max == 0 ? min : max);
    return err == AMDRPC_OK
            ? err
            : setting_fail(config, setting, amdrpc_err_text(err));
}

static amdrpc_err
config_set_weight(struct amdi_config *config,
        const struct amdi_module_setting *setting,
        const struct amdi_section *section, amdrpc_server *server)
{
    uint32_t weight = 0;

    if (strcmp(section->key, "weight") != 0) {
        return setting_fail(config, setting, "a caller has no such setting");
    }
    if (!number_parse(AMDI_VALUE_COUNT, setting->value, &weight) ||
            amdrpc_server_set_weight(server, section->title, weight) !=
                    AMDRPC_OK) {
        return setting_fail(config, setting, "not a number up to 1000");
    }
    return AMDRPC_OK;
}

amdrpc_err
amdi_policies_add_pools(struct amdi_config *config, amdrpc_server *server)
{
    struct amdi_module_settings *settings = &config->module_settings;
    struct amdi_section section;
    amdrpc_err err = AMDRPC_OK;

    for (size_t i = 0; i < settings->count && err == AMDRPC_OK; i++) {
        // What came with an earlier one has been read.
        if (!settings->items[i].is_read &&
                amdi_section_parse(settings->items[i].name, "pool", &section)) {
            err = config_add_pool(
                    config, &settings->items[i], &section, server);
        }
    }
    for (size_t i = 0; i < settings->count && err == AMDRPC_OK; i++) {
        if (amdi_section_parse(settings->items[i].name, "method", &section)) {
            settings->items[i].is_read = true; // by amdi_policies_apply
        } else if (amdi_section_parse(
                           settings->items[i].name, "caller", &section)) {
            settings->items[i].is_read = true;
            err = config_set_weight(
                    config, &settings->items[i], &section, server);
        }
    }
    return err;
}

/* ---- policies ---- */

static amdrpc_err
config_set_method(struct amdi_config *config,
        const struct amdi_module_setting *setting, const char *key,
        const char *path, amdrpc_server *server)
{
    amdrpc_policy policy;
    amdrpc_err err = amdrpc_server_get_policy(server, path, &policy);

    if (err != AMDRPC_OK) {
        return setting_fail(config, setting, "there is no such method");
    }
    if (!amdi_policy_assign(&policy, key, setting->value)) {
        return setting_fail(
                config, setting, "a method has no such setting, or value");
    }
    err = amdrpc_server_set_policy(server, path, &policy);
    if (err == AMDRPC_ENOTFOUND) {
        return setting_fail(config, setting, "there is no such pool");
    }
    return err == AMDRPC_OK
            ? err
            : setting_fail(config, setting, amdrpc_err_text(err));
}

/** As config_set_method, for all methods of "/package.Service/". */
static amdrpc_err
config_set_service(struct amdi_config *config,
        const struct amdi_module_setting *setting,
        const struct amdi_section *section, amdrpc_server *server)
{
    const amdrpc_service_desc *service = NULL;
    size_t len = strlen(section->title);
    size_t nfound = 0;
    amdrpc_err err = AMDRPC_OK;

    for (size_t i = 0; (service = amdrpc_server_get_service(server, i)) != NULL;
            i++) {
        for (size_t k = 0; k < service->nmethods && err == AMDRPC_OK; k++) {
            const char *path = service->methods[k].path;

            if (strncmp(path, section->title, len) == 0) {
                nfound++;
                err = config_set_method(
                        config, setting, section->key, path, server);
            }
        }
    }
    if (err == AMDRPC_OK && nfound == 0) {
        return setting_fail(config, setting, "there is no such service");
    }
    return err;
}

amdrpc_err
amdi_policies_apply(struct amdi_config *config, amdrpc_server *server)
{
    struct amdi_module_settings *settings = &config->module_settings;
    struct amdi_section section;
    amdrpc_err err = AMDRPC_OK;

    for (size_t i = 0; i < settings->count && err == AMDRPC_OK; i++) {
        size_t len = 0;

        if (!amdi_section_parse(settings->items[i].name, "method", &section)) {
            continue;
        }
        len = strlen(section.title);
        err = len > 0 && section.title[len - 1] == '/'
                ? config_set_service(
                          config, &settings->items[i], &section, server)
                : config_set_method(config, &settings->items[i], section.key,
                          section.title, server);
    }
    return err;
}
