/** Names of settings that stand in a section with a title. Pure. */
#include "server/daemon/section.h"

#include <stddef.h>
#include <string.h>

bool
amdi_section_parse(const char *name, const char *kind, struct amdi_section *out)
{
    size_t len = strlen(kind);
    const char *end = strstr(name, "\".");

    if (strncmp(name, kind, len) != 0 || strncmp(name + len, " \"", 2) != 0 ||
            end == NULL || end < name + len + 2) {
        return false;
    }
    name += len + 2;
    if ((size_t)(end - name) >= sizeof(out->title)) {
        return false;
    }
    memcpy(out->title, name, (size_t)(end - name));
    out->title[end - name] = '\0';
    out->key = end + 2;
    return true;
}
