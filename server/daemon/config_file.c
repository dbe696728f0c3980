/** Settings from an INI file. */
#include "server/daemon/config.h"
#include "server/daemon/section.h"

#include <errno.h>
#include <ini.h>
#include <string.h>

struct file_state {
    struct amdi_config *config;
    const char *path;
    FILE *file;
    unsigned line; // of the text that inih saw last
    amdrpc_err err;
};

/*
 * Gives inih one line. White space in front is dropped, or inih would take
 * an indented line for more of the value above. A line that does not fit its
 * buffer is an error, or the rest would be taken for a line of its own.
 */
static char *
file_read_line(char *buffer, int size, void *stream)
{
    struct file_state *state = stream;
    size_t len;

    if (state->err != AMDRPC_OK || fgets(buffer, size, state->file) == NULL) {
        return NULL;
    }
    state->line++;
    len = strlen(buffer);
    if (len + 1 == (size_t)size && buffer[len - 1] != '\n') {
        state->err = amdi_config_fail(state->config,
                "%s:%u: the line is longer than %d characters", state->path,
                state->line, size - 2);
        return NULL;
    }
    len = strspn(buffer, " \t");
    memmove(buffer, buffer + len, strlen(buffer + len) + 1);
    return buffer;
}

static amdrpc_err
file_assign(struct file_state *state, const char *section, const char *name,
        const char *value)
{
    char where[300];
    char full_name[AMDI_SECTION_NAME_BYTES];
    int len;

    if (section[0] == '\0') {
        (void)snprintf(where, sizeof(where), "%s:%u: %s", state->path,
                state->line, name);
        if (strcmp(name, "config") == 0) {
            return amdi_config_fail(
                    state->config, "%s: a file cannot name another", where);
        }
        return amdi_config_assign(
                state->config, name, value, AMDI_SOURCE_FILE, where);
    }
    (void)snprintf(where, sizeof(where), "%s:%u", state->path, state->line);
    len = snprintf(full_name, sizeof(full_name), "%s.%s", section, name);
    if (len < 0 || (size_t)len >= sizeof(full_name)) {
        return amdi_config_fail(
                state->config, "%s: the name is too long", where);
    }
    return amdi_config_assign_module(
            state->config, full_name, value, AMDI_SOURCE_FILE, where);
}

/* What inih calls for each "name = value"; 1 to go on. */
static int
file_on_value(
        void *arg, const char *section, const char *name, const char *value)
{
    struct file_state *state = arg;

    if (state->err == AMDRPC_OK) {
        state->err = file_assign(state, section, name, value);
    }
    return state->err == AMDRPC_OK;
}

amdrpc_err
amdi_config_read_file(struct amdi_config *config, const char *path)
{
    struct file_state state = {.config = config, .path = path};
    int bad_line;
    bool failed;

    state.file = fopen(path, "re");
    if (state.file == NULL) {
        return amdi_config_fail(config, "%s: %s", path, strerror(errno));
    }
    bad_line = ini_parse_stream(file_read_line, &state, file_on_value, &state);
    failed = ferror(state.file) != 0;
    (void)fclose(state.file); // it was only read
    if (state.err != AMDRPC_OK) {
        return state.err;
    }
    if (failed) {
        return amdi_config_fail(config, "%s: cannot be read", path);
    }
    if (bad_line < 0) {
        return amdi_config_fail_memory(config);
    }
    if (bad_line > 0) {
        return amdi_config_fail(config,
                "%s:%d: neither \"name = value\" nor \"[module]\"", path,
                bad_line);
    }
    return AMDRPC_OK;
}
