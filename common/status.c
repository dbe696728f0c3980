/** The names of statuses, and the status that an error becomes. */
#include <amdrpc/status.h>

#include <stddef.h>

const char *
amdrpc_status_name(amdrpc_status_code code)
{
    static const char *const names[] = {
            [AMDRPC_STATUS_OK] = "OK",
            [AMDRPC_STATUS_CANCELLED] = "CANCELLED",
            [AMDRPC_STATUS_UNKNOWN] = "UNKNOWN",
            [AMDRPC_STATUS_INVALID_ARGUMENT] = "INVALID_ARGUMENT",
            [AMDRPC_STATUS_DEADLINE_EXCEEDED] = "DEADLINE_EXCEEDED",
            [AMDRPC_STATUS_NOT_FOUND] = "NOT_FOUND",
            [AMDRPC_STATUS_ALREADY_EXISTS] = "ALREADY_EXISTS",
            [AMDRPC_STATUS_PERMISSION_DENIED] = "PERMISSION_DENIED",
            [AMDRPC_STATUS_RESOURCE_EXHAUSTED] = "RESOURCE_EXHAUSTED",
            [AMDRPC_STATUS_FAILED_PRECONDITION] = "FAILED_PRECONDITION",
            [AMDRPC_STATUS_ABORTED] = "ABORTED",
            [AMDRPC_STATUS_OUT_OF_RANGE] = "OUT_OF_RANGE",
            [AMDRPC_STATUS_UNIMPLEMENTED] = "UNIMPLEMENTED",
            [AMDRPC_STATUS_INTERNAL] = "INTERNAL",
            [AMDRPC_STATUS_UNAVAILABLE] = "UNAVAILABLE",
            [AMDRPC_STATUS_DATA_LOSS] = "DATA_LOSS",
            [AMDRPC_STATUS_UNAUTHENTICATED] = "UNAUTHENTICATED",
    };
    size_t index = (size_t)code; // a negative number becomes too large

    if (index >= sizeof(names) / sizeof(names[0])) {
        return names[AMDRPC_STATUS_UNKNOWN];
    }
    return names[index];
}

// AMDRPC_EAGAIN, EEND and ESTATE are answers between our own functions; when
// one of them ends a call, we made a mistake, and INTERNAL says so.
amdrpc_status_code
amdrpc_status_from_err(amdrpc_err err)
{
    static const unsigned char codes[] = {
            [AMDRPC_OK] = AMDRPC_STATUS_OK,
            [AMDRPC_ENOMEM] = AMDRPC_STATUS_RESOURCE_EXHAUSTED,
            [AMDRPC_EINVAL] = AMDRPC_STATUS_INVALID_ARGUMENT,
            [AMDRPC_ELIMIT] = AMDRPC_STATUS_RESOURCE_EXHAUSTED,
            [AMDRPC_ECANCELED] = AMDRPC_STATUS_CANCELLED,
            [AMDRPC_EAGAIN] = AMDRPC_STATUS_INTERNAL,
            [AMDRPC_ETIMEDOUT] = AMDRPC_STATUS_DEADLINE_EXCEEDED,
            [AMDRPC_ECLOSED] = AMDRPC_STATUS_UNAVAILABLE,
            [AMDRPC_EEND] = AMDRPC_STATUS_INTERNAL,
            [AMDRPC_EPROTO] = AMDRPC_STATUS_INTERNAL,
            [AMDRPC_ENOTFOUND] = AMDRPC_STATUS_NOT_FOUND,
            [AMDRPC_EEXIST] = AMDRPC_STATUS_ALREADY_EXISTS,
            [AMDRPC_EADDRINUSE] = AMDRPC_STATUS_UNAVAILABLE,
            [AMDRPC_EACCES] = AMDRPC_STATUS_PERMISSION_DENIED,
            [AMDRPC_EUNSUPPORTED] = AMDRPC_STATUS_UNIMPLEMENTED,
            [AMDRPC_ESTATE] = AMDRPC_STATUS_INTERNAL,
            [AMDRPC_EIO] = AMDRPC_STATUS_UNAVAILABLE,
    };
    size_t index = (size_t)err; // a negative number becomes too large

    if (index >= sizeof(codes) / sizeof(codes[0])) {
        return AMDRPC_STATUS_UNKNOWN;
    }
    return (amdrpc_status_code)codes[index];
}
