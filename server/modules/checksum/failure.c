/** Why a file or directory could not be read. */
#include "server/modules/checksum/failure.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

struct amdi_failure
amdi_failure_from_errno(int error)
{
    static const struct {
        int error;
        amdrpc_status_code code;
        const char *reason; // NULL: the system's words
    } known[] = {
            {E2BIG, AMDRPC_STATUS_RESOURCE_EXHAUSTED,
                    "the directory has too many entries"},
            {EACCES, AMDRPC_STATUS_PERMISSION_DENIED, NULL},
            {EISDIR, AMDRPC_STATUS_FAILED_PRECONDITION, NULL},
            {ELOOP, AMDRPC_STATUS_PERMISSION_DENIED,
                    "symbolic links are not followed"},
            {EMFILE, AMDRPC_STATUS_RESOURCE_EXHAUSTED, NULL},
            {ENAMETOOLONG, AMDRPC_STATUS_INVALID_ARGUMENT, NULL},
            {ENFILE, AMDRPC_STATUS_RESOURCE_EXHAUSTED, NULL},
            {ENOENT, AMDRPC_STATUS_NOT_FOUND, NULL},
            {ENOMEM, AMDRPC_STATUS_RESOURCE_EXHAUSTED, NULL},
            {ENOTDIR, AMDRPC_STATUS_NOT_FOUND, NULL},
            {EPERM, AMDRPC_STATUS_PERMISSION_DENIED, NULL},
    };
    const char *text = strerrordesc_np(error);
    struct amdi_failure failure = {.code = AMDRPC_STATUS_INTERNAL,
            .reason = text != NULL ? text : "unknown error"};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (known[i].error == error) {
            failure.code = known[i].code;
            failure.reason =
                    known[i].reason != NULL ? known[i].reason : failure.reason;
        }
    }
    return failure;
}
