/** The ends of calls that cannot be served, with details for programs. */
#include "server/services/operations/refuse.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TEXT_BYTES 512u

// The store catches up within milliseconds; of what waits, something has to
// end.
#define BUSY_RETRY_MS 100u
#define FULL_RETRY_MS 1000u

void
amdi_op_refuse(amdrpc_call *call, const struct amdi_details *details)
{
    static const char standard[] = "google.longrunning.Operations";
    struct amdi_details own = *details;

    own.domain = strncmp(amdrpc_call_get_method(call) + 1, standard,
                         sizeof(standard) - 1) == 0
            ? standard
            : "amdrpc.v1.Operations";
    amdi_details_add(&own, call);
    amdrpc_call_finish(call, own.code, own.message);
}

void
amdi_op_refuse_argument(
        amdrpc_call *call, const char *reason, const char *format, ...)
{
    char text[TEXT_BYTES];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    amdi_op_refuse(call,
            &(struct amdi_details){
                    .code = AMDRPC_STATUS_INVALID_ARGUMENT,
                    .message = text,
                    .reason = reason,
            });
}

void
amdi_op_refuse_memory(amdrpc_call *call)
{
    amdi_op_refuse_result(call, AMDI_STORE_NOMEM, "");
}

void
amdi_op_refuse_drain(amdrpc_call *call)
{
    amdi_op_refuse(call,
            &(struct amdi_details){
                    .code = AMDRPC_STATUS_UNAVAILABLE,
                    .message = "the server is shutting down; the operation is "
                               "not affected",
                    .reason = "SERVER_STOPPING",
            });
}

void
amdi_op_refuse_gone(amdrpc_call *call, uint64_t after_seq, uint64_t first_seq)
{
    char text[TEXT_BYTES];
    char first[24];
    const char *const facts[] = {"first_seq", first, NULL};

    (void)snprintf(first, sizeof(first), "%" PRIu64, first_seq);
    (void)snprintf(text, sizeof(text),
            "the events after %" PRIu64
            " are not kept any more: the first one kept is %s",
            after_seq, first);
    amdi_op_refuse(call,
            &(struct amdi_details){
                    .code = AMDRPC_STATUS_OUT_OF_RANGE,
                    .message = text,
                    .reason = "EVENTS_GONE",
                    .facts = facts,
            });
}

/** What a result means for the caller. */
struct meaning {
    amdrpc_status_code code;
    const char *reason;
    const char *text; // NULL: the store's own
};

static const struct meaning meanings[] = {
        [AMDI_STORE_CONFLICT] = {AMDRPC_STATUS_INVALID_ARGUMENT,
                "REQUEST_ID_REUSED",
                "request_id: it was used with another request"},
        [AMDI_STORE_NOTFOUND] = {AMDRPC_STATUS_NOT_FOUND, "OPERATION_UNKNOWN",
                "there is no such operation"},
        [AMDI_STORE_UNFINISHED] = {AMDRPC_STATUS_FAILED_PRECONDITION,
                "OPERATION_UNFINISHED",
                "the operation has not ended; cancel it, and delete it then"},
        [AMDI_STORE_GONE] = {AMDRPC_STATUS_OUT_OF_RANGE, "EVENTS_GONE", NULL},
        [AMDI_STORE_INVALID] = {AMDRPC_STATUS_INVALID_ARGUMENT,
                "ARGUMENT_INVALID",
                "the store does not take this: it is too large, or not "
                "possible"},
        [AMDI_STORE_BUSY] = {AMDRPC_STATUS_RESOURCE_EXHAUSTED, "STORE_BUSY",
                NULL},
        [AMDI_STORE_FULL] = {AMDRPC_STATUS_RESOURCE_EXHAUSTED, "STORE_FULL",
                "as many operations are kept as may be: try again later"},
        [AMDI_STORE_NOMEM] = {AMDRPC_STATUS_RESOURCE_EXHAUSTED, "NO_MEMORY",
                NULL},
        [AMDI_STORE_UNKNOWN] = {AMDRPC_STATUS_UNAVAILABLE, "OUTCOME_UNKNOWN",
                "the store failed, and may or may not have done it: ask again "
                "with the same request id"},
        [AMDI_STORE_DOWN] = {AMDRPC_STATUS_UNAVAILABLE, "STORE_DOWN",
                "the store of operations cannot write"},
        [AMDI_STORE_CORRUPT] = {AMDRPC_STATUS_UNAVAILABLE, "STORE_CORRUPT",
                "the file of the store of operations is damaged"},
};

/** Those that are no errors here are a mistake of ours. */
static struct meaning
result_meaning(enum amdi_store_result result)
{
    if ((size_t)result < sizeof(meanings) / sizeof(meanings[0]) &&
            meanings[result].reason != NULL) {
        return meanings[result];
    }
    return (struct meaning){
            AMDRPC_STATUS_INTERNAL, "SERVER_FAILED", "an unexpected result"};
}

/** When it is worth trying again; 0: that is not known. */
static uint32_t
result_retry_ms(enum amdi_store_result result)
{
    if (result == AMDI_STORE_BUSY) {
        return BUSY_RETRY_MS;
    }
    return result == AMDI_STORE_FULL ? FULL_RETRY_MS : 0;
}

void
amdi_op_refuse_result(
        amdrpc_call *call, enum amdi_store_result result, const char *name)
{
    struct meaning meaning = result_meaning(result);
    char text[TEXT_BYTES];

    (void)snprintf(text, sizeof(text), "%s%s%s", name,
            name[0] == '\0' ? "" : ": ",
            meaning.text != NULL ? meaning.text
                                 : amdi_store_result_text(result));
    amdi_op_refuse(call,
            &(struct amdi_details){
                    .code = meaning.code,
                    .message = text,
                    .reason = meaning.reason,
                    .has_retry = result_retry_ms(result) != 0,
                    .retry_ms = result_retry_ms(result),
            });
}
