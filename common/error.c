/** A sentence about what went wrong, beside an amdrpc_err. */
#include "common/error.h"

#include <stdarg.h>
#include <stdio.h>

amdrpc_err
amdi_error_set(
        struct amdi_error *error, amdrpc_err err, const char *format, ...)
{
    va_list args;

    if (error == NULL) {
        return err;
    }
    va_start(args, format);
    (void)vsnprintf(error->text, sizeof(error->text), format, args); // cut
    va_end(args);
    return err;
}

amdrpc_err
amdi_error_nomem(struct amdi_error *error)
{
    return amdi_error_set(error, AMDRPC_ENOMEM, "out of memory");
}

amdrpc_err
amdi_error_tell(const struct amdi_error *error, amdrpc_err err, char *reason,
        size_t size)
{
    if (err != AMDRPC_OK && reason != NULL) {
        (void)snprintf(reason, size, "%s", error->text); // cut when too long
    }
    return err;
}
