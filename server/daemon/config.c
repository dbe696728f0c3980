/** The daemon's settings as they were given: flags, environment, file. */
#include "server/daemon/config.h"

#include "common/alloc.h"
#include "common/value.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ---- errors ---- */

amdrpc_err
amdi_config_fail(struct amdi_config *config, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    // A message too long for one line is cut.
    (void)vsnprintf(config->error, sizeof(config->error), format, args);
    va_end(args);
    return AMDRPC_EINVAL;
}

amdrpc_err
amdi_config_fail_memory(struct amdi_config *config)
{
    (void)amdi_config_fail(config, "out of memory");
    return AMDRPC_ENOMEM;
}

/* ---- life ---- */

void
amdi_config_init(struct amdi_config *config)
{
    memset(config, 0, sizeof(*config));
}

static void
texts_clear(struct amdi_texts *texts)
{
    for (size_t i = 0; i < texts->count; i++) {
        amdi_free(texts->items[i]);
    }
    amdi_free(texts->items);
    memset(texts, 0, sizeof(*texts));
}

static void
module_setting_fini(struct amdi_module_setting *setting)
{
    amdi_free(setting->name);
    amdi_free(setting->value);
    amdi_free(setting->where);
}

static void *
config_field(struct amdi_config *config, const struct amdi_setting *setting)
{
    return (char *)config + setting->offset;
}

static void
field_fini(struct amdi_config *config, const struct amdi_setting *setting)
{
    void *field = config_field(config, setting);

    if (setting->type == AMDI_SETTING_TEXT) {
        amdi_free(*(char **)field);
    } else if (setting->type == AMDI_SETTING_TEXTS) {
        texts_clear(field);
    }
}

void
amdi_config_fini(struct amdi_config *config)
{
    for (size_t i = 0; i < config->module_settings.count; i++) {
        module_setting_fini(&config->module_settings.items[i]);
    }
    amdi_free(config->module_settings.items);
    for (size_t i = 0; i < AMDI_NSETTINGS; i++) {
        field_fini(config, amdi_setting_at(i));
    }
    amdi_config_init(config);
}

/* ---- values ---- */

static bool
texts_add(struct amdi_texts *texts, const char *text)
{
    char *copy = amdi_strdup(text);
    char **items = amdi_realloc(
            texts->items, (texts->count + 1) * sizeof(*texts->items));

    if (items != NULL) {
        texts->items = items;
    }
    if (items == NULL || copy == NULL) {
        amdi_free(copy);
        return false;
    }
    texts->items[texts->count++] = copy;
    return true;
}

static bool
text_replace(char **text, const char *value)
{
    char *copy = amdi_strdup(value);

    if (copy == NULL) {
        return false;
    }
    amdi_free(*text);
    *text = copy;
    return true;
}

static bool
choice_find(const struct amdi_choice *choices, const char *name, uint64_t *out)
{
    for (; choices->name != NULL; choices++) {
        if (strcmp(choices->name, name) == 0) {
            *out = choices->value;
            return true;
        }
    }
    return false;
}

/* Reads a number or a choice; true for the texts, which may be anything. */
static bool
value_read(const struct amdi_setting *setting, const char *value, uint64_t *out)
{
    enum amdi_value_unit unit = AMDI_VALUE_COUNT;

    switch (setting->type) {
    case AMDI_SETTING_TEXT:
    case AMDI_SETTING_TEXTS:
    case AMDI_SETTING_MODULE:
        return true;
    case AMDI_SETTING_CHOICE:
        return choice_find(setting->choices, value, out);
    case AMDI_SETTING_COUNT:
        break;
    case AMDI_SETTING_BYTES:
    case AMDI_SETTING_BYTES64:
        unit = AMDI_VALUE_BYTES;
        break;
    case AMDI_SETTING_DURATION:
        unit = AMDI_VALUE_MS;
        break;
    }
    return amdi_value_parse(unit, value, out) && *out >= setting->min &&
            *out <= setting->max;
}

static const char *
type_get_noun(enum amdi_setting_type type)
{
    switch (type) {
    case AMDI_SETTING_BYTES:
    case AMDI_SETTING_BYTES64:
        return "a size (65536, 64k, 4m)";
    case AMDI_SETTING_DURATION:
        return "a time (500ms, 30s, 5m)";
    case AMDI_SETTING_CHOICE:
        return "one of";
    case AMDI_SETTING_COUNT:
    case AMDI_SETTING_TEXT:
    case AMDI_SETTING_TEXTS:
    case AMDI_SETTING_MODULE:
        return "a number";
    }
    return "";
}

static amdrpc_err
config_refuse(struct amdi_config *config, const struct amdi_setting *setting,
        const char *value, const char *where)
{
    char range[AMDI_SETTING_TEXT_BYTES];

    amdi_setting_format_range(setting, range);
    return amdi_config_fail(config, "%s: \"%s\" is not %s%s%s", where, value,
            type_get_noun(setting->type),
            setting->type == AMDI_SETTING_CHOICE ? ": " : " from ", range);
}

/* What a row alone knows to be wrong with a text. */
static amdrpc_err
config_check(struct amdi_config *config, const struct amdi_setting *setting,
        const char *value, const char *where)
{
    struct amdi_error error = {.text = ""};
    amdrpc_err err =
            setting->check == NULL ? AMDRPC_OK : setting->check(value, &error);

    if (err == AMDRPC_ENOMEM) {
        return amdi_config_fail_memory(config);
    }
    return err == AMDRPC_OK ? AMDRPC_OK
                            : amdi_config_fail(config, "%s: %s, in \"%s\"",
                                      where, error.text, value);
}

/* ---- module settings ---- */

static bool
module_name_is_valid(const char *name)
{
    const char *dot = strchr(name, '.');

    return dot != NULL && dot != name && dot[1] != '\0';
}

/* Who has set that name before; a lesser source is not heard any more. */
static enum amdi_config_source
module_setting_get_source(
        const struct amdi_module_settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->count; i++) {
        if (strcmp(settings->items[i].name, name) == 0) {
            return settings->items[i].source;
        }
    }
    return AMDI_SOURCE_DEFAULT;
}

amdrpc_err
amdi_config_assign_module(struct amdi_config *config, const char *name,
        const char *value, enum amdi_config_source source, const char *where)
{
    struct amdi_module_settings *settings = &config->module_settings;
    struct amdi_module_setting setting = {.source = source};
    struct amdi_module_setting *items;

    if (!module_name_is_valid(name)) {
        return amdi_config_fail(
                config, "%s: \"%s\" is not MODULE.KEY", where, name);
    }
    if (module_setting_get_source(settings, name) > source) {
        return AMDRPC_OK;
    }
    items = amdi_realloc(
            settings->items, (settings->count + 1) * sizeof(*settings->items));
    if (items == NULL) {
        return amdi_config_fail_memory(config);
    }
    settings->items = items;
    setting.name = amdi_strdup(name);
    setting.value = amdi_strdup(value);
    setting.where = amdi_strdup(where);
    if (setting.name == NULL || setting.value == NULL ||
            setting.where == NULL) {
        module_setting_fini(&setting);
        return amdi_config_fail_memory(config);
    }
    settings->items[settings->count++] = setting;
    return AMDRPC_OK;
}

/* "checksum.root=DIR" */
static amdrpc_err
config_assign_module_pair(struct amdi_config *config, const char *pair,
        enum amdi_config_source source, const char *where)
{
    const char *equals = strchr(pair, '=');
    amdrpc_err err;
    char *name;

    if (equals == NULL) {
        return amdi_config_fail(
                config, "%s: \"%s\" is not MODULE.KEY=VALUE", where, pair);
    }
    name = amdi_strndup(pair, (size_t)(equals - pair));
    if (name == NULL) {
        return amdi_config_fail_memory(config);
    }
    err = amdi_config_assign_module(config, name, equals + 1, source, where);
    amdi_free(name);
    return err;
}

const char *
amdi_config_get_module_setting(
        struct amdi_config *config, const char *name, size_t index)
{
    struct amdi_module_settings *settings = &config->module_settings;
    const char *value = NULL;

    for (size_t i = 0; i < settings->count; i++) {
        if (strcmp(settings->items[i].name, name) != 0) {
            continue;
        }
        settings->items[i].is_read = true;
        if (index-- == 0) {
            value = settings->items[i].value;
        }
    }
    return value;
}

const struct amdi_module_setting *
amdi_config_find_unread(const struct amdi_config *config, const char *module)
{
    size_t len = strlen(module);

    for (size_t i = 0; i < config->module_settings.count; i++) {
        const struct amdi_module_setting *setting =
                &config->module_settings.items[i];

        if (!setting->is_read && strncmp(setting->name, module, len) == 0 &&
                (setting->name[len] == '.' ||
                        strncmp(setting->name + len, " \"", 2) == 0)) {
            return setting;
        }
    }
    return NULL;
}

bool
amdi_config_is_rule(const struct amdi_module_setting *setting)
{
    return strncmp(setting->name, AMDI_ALLOW_PREFIX,
                   strlen(AMDI_ALLOW_PREFIX)) == 0;
}

/* ---- assignment ---- */

static amdrpc_err
config_store(struct amdi_config *config, const struct amdi_setting *setting,
        const char *value, uint64_t number)
{
    void *field = config_field(config, setting);
    bool stored = true;

    if (setting->type == AMDI_SETTING_TEXT) {
        stored = text_replace((char **)field, value);
    } else if (setting->type == AMDI_SETTING_TEXTS) {
        stored = texts_add((struct amdi_texts *)field, value);
    } else if (setting->type == AMDI_SETTING_BYTES64) {
        *(uint64_t *)field = number;
    } else {
        *(uint32_t *)field = (uint32_t)number; // the rows' max are below 2^32
    }
    return stored ? AMDRPC_OK : amdi_config_fail_memory(config);
}

amdrpc_err
amdi_config_assign(struct amdi_config *config, const char *name,
        const char *value, enum amdi_config_source source, const char *where)
{
    size_t index;
    const struct amdi_setting *setting = amdi_setting_find(name, &index);
    uint64_t number = 0;
    amdrpc_err err = AMDRPC_OK;

    if (setting == NULL) {
        return amdi_config_fail(config, "%s: there is no such setting", where);
    }
    if (setting->type == AMDI_SETTING_MODULE) {
        return config_assign_module_pair(config, value, source, where);
    }
    if (!value_read(setting, value, &number)) {
        return config_refuse(config, setting, value, where);
    }
    if (value[0] == '\0') {
        return amdi_config_fail(config, "%s: the value is empty", where);
    }
    err = config_check(config, setting, value, where);
    if (err != AMDRPC_OK) {
        return err;
    }
    if (config->sources[index] > source) {
        return AMDRPC_OK;
    }
    config->sources[index] = source;
    return config_store(config, setting, value, number);
}

/* ---- flags ---- */

/*
 * Takes "--name VALUE" or "--name=VALUE"; *args is moved behind it.
 */
static amdrpc_err
config_read_flag(struct amdi_config *config, char *const **args)
{
    const char *arg = *(*args)++;
    char name[64];
    size_t len = strcspn(arg, "=");
    const char *value = arg[len] == '=' ? arg + len + 1 : **args;
    size_t index;

    if (strncmp(arg, "--", 2) != 0) {
        return amdi_config_fail(
                config, "%s: not a flag; see amdrpcd --help", arg);
    }
    // A name too long to fit is none of the table's.
    (void)snprintf(name, sizeof(name), "%.*s", (int)len, arg);
    if (amdi_setting_find(name + 2, &index) == NULL) {
        return amdi_config_fail(
                config, "%s: no such flag; see amdrpcd --help", name);
    }
    if (value == NULL) {
        return amdi_config_fail(config, "%s: needs a value", name);
    }
    if (arg[len] != '=') {
        (*args)++;
    }
    return amdi_config_assign(config, name + 2, value, AMDI_SOURCE_FLAG, name);
}

static amdrpc_err
config_read_flags(struct amdi_config *config, char *const *args)
{
    while (*args != NULL && config->request == AMDI_CONFIG_RUN) {
        if (strcmp(*args, "--help") == 0 || strcmp(*args, "-h") == 0) {
            config->request = AMDI_CONFIG_HELP;
        } else if (strcmp(*args, "--version") == 0) {
            config->request = AMDI_CONFIG_VERSION;
        } else {
            amdrpc_err err = config_read_flag(config, &args);

            if (err != AMDRPC_OK) {
                return err;
            }
        }
    }
    return AMDRPC_OK;
}

/* ---- environment ---- */

static void
variable_name(const char *setting, char *out, size_t size)
{
    size_t len = (size_t)snprintf(out, size, "AMDRPC_%s", setting);

    for (size_t i = 0; i < len && i < size - 1; i++) {
        out[i] = out[i] == '-' ? '_' : (char)toupper((unsigned char)out[i]);
    }
}

/* The values of a repeatable setting stand in one variable, between commas. */
static amdrpc_err
config_read_values(struct amdi_config *config,
        const struct amdi_setting *setting, const char *values,
        const char *variable)
{
    char *copy = amdi_strdup(values);
    char *rest = copy;
    amdrpc_err err = AMDRPC_OK;

    if (copy == NULL) {
        return amdi_config_fail_memory(config);
    }
    for (char *value = strsep(&rest, ","); value != NULL && err == AMDRPC_OK;
            value = strsep(&rest, ",")) {
        err = amdi_config_assign(config, setting->name, value,
                AMDI_SOURCE_ENVIRONMENT, variable);
    }
    amdi_free(copy);
    return err;
}

static amdrpc_err
config_read_variable(
        struct amdi_config *config, const struct amdi_setting *setting)
{
    char variable[64];
    const char *value;

    variable_name(setting->name, variable, sizeof(variable));
    value = getenv(variable);
    if (value == NULL || value[0] == '\0') {
        return AMDRPC_OK; // empty is how compose files say "not set"
    }
    if (amdi_setting_is_repeatable(setting)) {
        return config_read_values(config, setting, value, variable);
    }
    return amdi_config_assign(
            config, setting->name, value, AMDI_SOURCE_ENVIRONMENT, variable);
}

static amdrpc_err
config_read_environment(struct amdi_config *config)
{
    for (size_t i = 0; i < AMDI_NSETTINGS; i++) {
        amdrpc_err err = config_read_variable(config, amdi_setting_at(i));

        if (err != AMDRPC_OK) {
            return err;
        }
    }
    return AMDRPC_OK;
}

/* ---- all together ---- */

static amdrpc_err
config_set_defaults(struct amdi_config *config)
{
    for (size_t i = 0; i < AMDI_NSETTINGS; i++) {
        const struct amdi_setting *setting = amdi_setting_at(i);
        amdrpc_err err;

        if (setting->def == NULL || config->sources[i] != AMDI_SOURCE_DEFAULT) {
            continue;
        }
        err = amdi_config_assign(config, setting->name, setting->def,
                AMDI_SOURCE_DEFAULT, setting->name);
        if (err != AMDRPC_OK) {
            return err;
        }
    }
    return AMDRPC_OK;
}

amdrpc_err
amdi_config_load(struct amdi_config *config, char *const *args)
{
    amdrpc_err err = config_read_flags(config, args);

    if (err != AMDRPC_OK || config->request != AMDI_CONFIG_RUN) {
        return err;
    }
    err = config_read_environment(config);
    if (err == AMDRPC_OK && config->config_file != NULL) {
        err = amdi_config_read_file(config, config->config_file);
    }
    if (err == AMDRPC_OK) {
        err = config_set_defaults(config);
    }
    return err;
}
