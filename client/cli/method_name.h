/** A method as people write it.  (pure) */
#ifndef AMDI_METHOD_NAME_H
#define AMDI_METHOD_NAME_H

#include <amdrpc/err.h>

#define AMDI_METHOD_NAME_BYTES 256

/** "package.Service" and "Method". */
struct amdi_method_name {
    char service[AMDI_METHOD_NAME_BYTES];
    char method[AMDI_METHOD_NAME_BYTES];
};

/**
 * Reads "/package.Service/Method", "package.Service/Method" or
 * "package.Service.Method".
 *
 * Errors:  AMDRPC_EINVAL  none of these, or longer than there is room for
 */
AMDRPC_NODISCARD amdrpc_err amdi_method_name_parse(
        const char *text, struct amdi_method_name *out);

#endif
