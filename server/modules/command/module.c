/** The command module: programs of the settings file as methods. */
#include <amdrpc/module.h>

#include "common/alloc.h"
#include "server/modules/command/command_service.h"

struct command_module {
    struct amdi_commands commands;
    struct amdi_command_service service;
    struct amdi_command_starter starter;
    bool has_service;
    bool has_starter;
};

/* Says what is wrong in one line, and where. */
static amdrpc_err
command_refuse(amdrpc_module_host *host, amdrpc_err err,
        const amdrpc_module_setting *setting, const struct amdi_error *error)
{
    if (err == AMDRPC_EINVAL) {
        host->set_error(host, "%s: [command \"%s\"] %s: %s", setting->where,
                setting->section, setting->name, error->text);
    }
    return err;
}

static amdrpc_err
command_read_settings(struct amdi_commands *commands, amdrpc_module_host *host)
{
    amdrpc_module_setting setting;
    struct amdi_error error = {.text = ""};
    amdrpc_err err = AMDRPC_OK;

    for (size_t i = 0; host->get_section_setting(host, i, &setting); i++) {
        err = amdi_commands_set(
                commands, setting.section, setting.name, setting.value, &error);
        if (err != AMDRPC_OK) {
            return command_refuse(host, err, &setting, &error);
        }
    }
    err = amdi_commands_finish(commands, &error);
    if (err == AMDRPC_EINVAL) {
        host->set_error(host, "%s", error.text);
    }
    return err;
}

static void
command_stop(void *state)
{
    struct command_module *module = state;

    if (module == NULL) {
        return;
    }
    if (module->has_starter) {
        amdi_command_starter_stop(&module->starter);
    }
    if (module->has_service) {
        amdi_command_service_fini(&module->service);
    }
    amdi_commands_fini(&module->commands);
    amdi_free(module);
}

static amdrpc_err
command_start(amdrpc_server *server, amdrpc_module_host *host, void **state)
{
    struct command_module *module = amdi_zalloc(sizeof(*module));
    amdrpc_err err = AMDRPC_OK;

    if (module == NULL) {
        return AMDRPC_ENOMEM;
    }
    amdi_commands_init(&module->commands);
    *state = module; // stopped in any case
    err = command_read_settings(&module->commands, host);
    if (err != AMDRPC_OK) {
        return err;
    }
    err = amdi_command_starter_start(&module->starter);
    if (err != AMDRPC_OK) {
        return err;
    }
    module->has_starter = true;
    err = amdi_command_service_init(
            &module->service, &module->commands, &module->starter);
    if (err != AMDRPC_OK) {
        return err;
    }
    module->has_service = true;
    return amdi_command_service_add(&module->service, server);
}

const amdrpc_module_desc amdrpc_module = {
        .abi = AMDRPC_MODULE_ABI,
        .name = "command",
        .start = command_start,
        .stop = command_stop,
};
