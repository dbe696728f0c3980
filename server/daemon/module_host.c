/** The modules a daemon has loaded. */
#include "server/daemon/module_host.h"

#include <amdrpc/module.h>

#include "common/alloc.h"
#include "common/log.h"
#include "server/daemon/section.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

struct amdi_module {
    struct amdi_module *next;
    void *handle;                    // owned; of dlopen
    const amdrpc_module_desc *entry; // inside of handle
    void *state;                     // the module's own
};

/* What a module sees of us while it starts; outlives it. */
struct module_host {
    amdrpc_module_host host; // first
    struct amdi_config *config;
    const char *name;            // the module's
    struct amdi_section section; // of the setting got last
    char error[400];             // what the module said; "" when nothing
};

/* ---- the host's functions ---- */

static const char *
host_get_setting(const amdrpc_module_host *host, const char *name, size_t index)
{
    const struct module_host *self = (const struct module_host *)host;
    char full_name[128];

    // A name that does not fit could not be set either.
    (void)snprintf(full_name, sizeof(full_name), "%s.%s", self->name, name);
    return amdi_config_get_module_setting(self->config, full_name, index);
}

static bool
host_get_section_setting(
        amdrpc_module_host *host, size_t index, amdrpc_module_setting *out)
{
    struct module_host *self = (struct module_host *)host;
    struct amdi_module_settings *settings = &self->config->module_settings;

    for (size_t i = 0; i < settings->count; i++) {
        struct amdi_module_setting *setting = &settings->items[i];

        if (amdi_section_parse(setting->name, self->name, &self->section) &&
                index-- == 0) {
            setting->is_read = true;
            *out = (amdrpc_module_setting){.section = self->section.title,
                    .name = self->section.key,
                    .value = setting->value,
                    .where = setting->where};
            return true;
        }
    }
    return false;
}

static void host_set_error(amdrpc_module_host *host, const char *format, ...)
        AMDRPC_PRINTF(2, 3);

static void
host_set_error(amdrpc_module_host *host, const char *format, ...)
{
    struct module_host *self = (struct module_host *)host;
    va_list args;

    va_start(args, format);
    (void)vsnprintf(self->error, sizeof(self->error), format, args);
    va_end(args);
}

/* ---- where modules are ---- */

/* The folder "modules" beside the program, as the build leaves it. */
static void
own_module_dir(char out[PATH_MAX])
{
    ssize_t len = readlink("/proc/self/exe", out, PATH_MAX - 1);
    char *slash;

    out[len > 0 ? len : 0] = '\0';
    slash = strrchr(out, '/');
    if (slash == NULL ||
            (size_t)(slash - out) + sizeof("/modules") > PATH_MAX) {
        out[0] = '\0';
        return;
    }
    memcpy(slash, "/modules", sizeof("/modules"));
}

/* Writes DIR/NAME.so; returns whether it is there. */
static bool
module_find_in(
        const char *dir, size_t dir_len, const char *name, char out[PATH_MAX])
{
    int len = snprintf(out, PATH_MAX, "%.*s/%s.so", (int)dir_len, dir, name);

    return dir_len > 0 && len > 0 && len < PATH_MAX && access(out, F_OK) == 0;
}

static bool
module_find(const char *path, const char *name, char out[PATH_MAX])
{
    while (*path != '\0') {
        size_t len = strcspn(path, ":");

        if (module_find_in(path, len, name, out)) {
            return true;
        }
        path += len + (path[len] == ':');
    }
    return false;
}

/* Turns a name or a path into a path. */
static amdrpc_err
module_resolve(struct amdi_config *config, const char *name, char out[PATH_MAX])
{
    char own[PATH_MAX];
    char both[2 * PATH_MAX];
    const char *path = config->module_path;

    if (strchr(name, '/') != NULL) {
        (void)snprintf(out, PATH_MAX, "%s", name); // too long: not found
        return AMDRPC_OK;
    }
    if (path == NULL) {
        own_module_dir(own);
        (void)snprintf(both, sizeof(both), "%s:%s", own, AMDI_MODULE_DIR);
        path = both;
    }
    if (!module_find(path, name, out)) {
        (void)amdi_config_fail(config, "module \"%s\": there is no %s.so in %s",
                name, name, path);
        return AMDRPC_ENOTFOUND;
    }
    return AMDRPC_OK;
}

/* ---- loading ---- */

static amdrpc_err
module_open(struct amdi_config *config, const char *name,
        struct amdi_module *module)
{
    char path[PATH_MAX];
    amdrpc_err err = module_resolve(config, name, path);

    if (err != AMDRPC_OK) {
        return err;
    }
    module->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (module->handle == NULL) {
        return amdi_config_fail(config, "module \"%s\": %s", name, dlerror());
    }
    module->entry = dlsym(module->handle, "amdrpc_module");
    if (module->entry == NULL) {
        return amdi_config_fail(config,
                "module \"%s\": %s has no symbol amdrpc_module", name, path);
    }
    if (module->entry->abi != AMDRPC_MODULE_ABI) {
        return amdi_config_fail(config,
                "module \"%s\": %s is made for module ABI %u, and this "
                "amdrpcd has %u",
                name, path, module->entry->abi, AMDRPC_MODULE_ABI);
    }
    return AMDRPC_OK;
}

static amdrpc_err
module_start(struct amdi_config *config, const char *name,
        struct amdi_module *module, amdrpc_server *server)
{
    struct module_host host = {
            .host = {.get_setting = host_get_setting,
                    .set_error = host_set_error,
                    .get_section_setting = host_get_section_setting},
            .config = config,
            .name = module->entry->name,
    };
    amdrpc_err err = module->entry->start(server, &host.host, &module->state);
    const struct amdi_module_setting *unread;

    if (err != AMDRPC_OK) {
        (void)amdi_config_fail(config, "module \"%s\": %s", name,
                host.error[0] != '\0' ? host.error : amdrpc_err_text(err));
        return err;
    }
    unread = amdi_config_find_unread(config, module->entry->name);
    if (unread != NULL) {
        return amdi_config_fail(config,
                "%s: module \"%s\" has no setting \"%s\"", unread->where, name,
                unread->name + strlen(module->entry->name) + 1);
    }
    amdi_log_info("", "module-loaded", "name=%s", module->entry->name);
    return AMDRPC_OK;
}

static amdrpc_err
modules_load_one(struct amdi_modules *modules, struct amdi_config *config,
        const char *name, amdrpc_server *server)
{
    struct amdi_module *module = amdi_zalloc(sizeof(*module));
    amdrpc_err err;

    if (module == NULL) {
        return amdi_config_fail_memory(config);
    }
    err = module_open(config, name, module);
    if (err != AMDRPC_OK) {
        if (module->handle != NULL) {
            (void)dlclose(module->handle); // nothing of it is in use
        }
        amdi_free(module);
        return err;
    }
    // From here on its services may be on the server, so that it stays until
    // the server is gone, even if its start fails.
    module->next = modules->newest;
    modules->newest = module;
    return module_start(config, name, module, server);
}

/* Settings of a module that is not there are probably a mistake. */
static void
warn_of_unused_settings(const struct amdi_config *config)
{
    for (size_t i = 0; i < config->module_settings.count; i++) {
        const struct amdi_module_setting *setting =
                &config->module_settings.items[i];

        if (!setting->is_read && !amdi_config_is_rule(setting)) {
            amdi_log_warn("", "module-setting-unused",
                    "where=%s setting=%s reason=module-not-loaded",
                    setting->where, setting->name);
        }
    }
}

amdrpc_err
amdi_modules_load(struct amdi_modules *modules, struct amdi_config *config,
        amdrpc_server *server)
{
    for (size_t i = 0; i < config->modules.count; i++) {
        amdrpc_err err = modules_load_one(
                modules, config, config->modules.items[i], server);

        if (err != AMDRPC_OK) {
            return err;
        }
    }
    warn_of_unused_settings(config);
    return AMDRPC_OK;
}

void
amdi_modules_unload(struct amdi_modules *modules)
{
    while (modules->newest != NULL) {
        struct amdi_module *module = modules->newest;

        modules->newest = module->next;
        if (module->entry->stop != NULL) {
            module->entry->stop(module->state);
        }
        (void)dlclose(module->handle); // nothing of it is in use any more
        amdi_free(module);
    }
}
