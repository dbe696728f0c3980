/** A method as people write it.  (pure) */
#include "client/cli/method_name.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

static bool
part_is_name(const char *text, size_t len, bool dots)
{
    if (len == 0 || len >= AMDI_METHOD_NAME_BYTES) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (!isalnum(c) && c != '_' && !(dots && c == '.')) {
            return false;
        }
    }
    return true;
}

amdrpc_err
amdi_method_name_parse(const char *text, struct amdi_method_name *out)
{
    const char *start = text[0] == '/' ? text + 1 : text;
    const char *separator = strchr(start, '/');
    size_t service_len;

    if (separator == NULL && start == text) {
        separator = strrchr(start, '.');
    }
    if (separator == NULL) {
        return AMDRPC_EINVAL;
    }
    service_len = (size_t)(separator - start);
    if (!part_is_name(start, service_len, /*dots=*/true) ||
            !part_is_name(separator + 1, strlen(separator + 1),
                    /*dots=*/false)) {
        return AMDRPC_EINVAL;
    }
    memcpy(out->service, start, service_len);
    out->service[service_len] = '\0';
    memcpy(out->method, separator + 1, strlen(separator + 1) + 1);
    return AMDRPC_OK;
}
