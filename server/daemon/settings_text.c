/** What people read of the settings: ranges, defaults, --help. */
#include "common/value.h"
#include "server/daemon/settings.h"

const char *
amdi_setting_get_default(const struct amdi_setting *setting)
{
    return setting->def != NULL ? setting->def : setting->def_note;
}

static void
format_choices(const struct amdi_choice *choices, char *out, size_t size)
{
    size_t len = 0;

    out[0] = '\0';
    for (; choices->name != NULL && len < size; choices++) {
        int n = snprintf(out + len, size - len, "%s%s", len > 0 ? ", " : "",
                choices->name);

        len += n > 0 ? (size_t)n : 0;
    }
}

static void
format_numbers(const struct amdi_setting *setting, enum amdi_value_unit unit,
        char out[AMDI_SETTING_TEXT_BYTES])
{
    char min[AMDI_VALUE_TEXT_BYTES];
    char max[AMDI_VALUE_TEXT_BYTES];

    amdi_value_format(unit, setting->min, min);
    amdi_value_format(unit, setting->max, max);
    (void)snprintf(out, AMDI_SETTING_TEXT_BYTES, "%s to %s", min, max);
}

void
amdi_setting_format_range(
        const struct amdi_setting *setting, char out[AMDI_SETTING_TEXT_BYTES])
{
    switch (setting->type) {
    case AMDI_SETTING_COUNT:
        format_numbers(setting, AMDI_VALUE_COUNT, out);
        return;
    case AMDI_SETTING_BYTES:
    case AMDI_SETTING_BYTES64:
        format_numbers(setting, AMDI_VALUE_BYTES, out);
        return;
    case AMDI_SETTING_DURATION:
        format_numbers(setting, AMDI_VALUE_MS, out);
        return;
    case AMDI_SETTING_CHOICE:
        format_choices(setting->choices, out, AMDI_SETTING_TEXT_BYTES);
        return;
    case AMDI_SETTING_TEXT:
    case AMDI_SETTING_TEXTS:
    case AMDI_SETTING_MODULE:
        (void)snprintf(out, AMDI_SETTING_TEXT_BYTES, "%s", setting->value_name);
        return;
    }
}

static void
setting_print_help(const struct amdi_setting *setting, FILE *file)
{
    char flag[AMDI_SETTING_TEXT_BYTES];
    char range[AMDI_SETTING_TEXT_BYTES];

    amdi_setting_format_range(setting, range);
    (void)snprintf(
            flag, sizeof(flag), "--%s %s", setting->name, setting->value_name);
    fprintf(file, "  %-31s %s%s\n", flag, setting->help,
            amdi_setting_is_repeatable(setting) ? "; repeatable" : "");
    fprintf(file, "  %-31s (%s%sdefault: %s)\n", "",
            setting->max > 0 || setting->choices != NULL ? range : "",
            setting->max > 0 || setting->choices != NULL ? "; " : "",
            amdi_setting_get_default(setting));
}

void
amdi_settings_print_help(FILE *file)
{
    fputs("Usage: amdrpcd [--NAME VALUE]...\n\n"
          "Serves the methods of its modules over gRPC.\n\n",
            file);
    for (size_t i = 0; i < AMDI_NSETTINGS; i++) {
        setting_print_help(amdi_setting_at(i), file);
    }
    fprintf(file, "  %-31s print this\n  %-31s print the version\n\n", "--help",
            "--version");
    fputs("Each setting is also read from the environment (AMDRPC_NAME: "
          "AMDRPC_LOG_LEVEL)\nand from the file (name = value; a module's own "
          "below [module]). A flag goes\nbefore the environment, that before "
          "the file.\n",
            file);
}
