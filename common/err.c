/** The names of errors. */
#include <amdrpc/err.h>

#include <stddef.h>

static const struct err_entry {
    const char *name;
    const char *text;
} err_table[] = {
        [AMDRPC_OK] = {"AMDRPC_OK", "success"},
        [AMDRPC_ENOMEM] = {"AMDRPC_ENOMEM", "out of memory"},
        [AMDRPC_EINVAL] = {"AMDRPC_EINVAL", "invalid argument"},
        [AMDRPC_ELIMIT] = {"AMDRPC_ELIMIT", "limit reached"},
        [AMDRPC_ECANCELED] = {"AMDRPC_ECANCELED", "cancelled"},
        [AMDRPC_EAGAIN] = {"AMDRPC_EAGAIN", "not possible just now"},
        [AMDRPC_ETIMEDOUT] = {"AMDRPC_ETIMEDOUT", "timed out"},
        [AMDRPC_ECLOSED] = {"AMDRPC_ECLOSED", "closed"},
        [AMDRPC_EEND] = {"AMDRPC_EEND", "end of stream"},
        [AMDRPC_EPROTO] = {"AMDRPC_EPROTO", "protocol violation"},
        [AMDRPC_ENOTFOUND] = {"AMDRPC_ENOTFOUND", "not found"},
        [AMDRPC_EEXIST] = {"AMDRPC_EEXIST", "exists already"},
        [AMDRPC_EADDRINUSE] = {"AMDRPC_EADDRINUSE", "address already in use"},
        [AMDRPC_EACCES] = {"AMDRPC_EACCES", "permission denied"},
        [AMDRPC_EUNSUPPORTED] = {"AMDRPC_EUNSUPPORTED", "not supported"},
        [AMDRPC_ESTATE] = {"AMDRPC_ESTATE", "not possible in this state"},
        [AMDRPC_EIO] = {"AMDRPC_EIO", "input or output failed"},
};

static const struct err_entry err_unknown = {"AMDRPC_E?", "unknown error"};

static const struct err_entry *
err_find(amdrpc_err err)
{
    size_t index = (size_t)err; // a negative number becomes too large

    if (index >= sizeof(err_table) / sizeof(err_table[0])) {
        return &err_unknown;
    }
    return &err_table[index];
}

const char *
amdrpc_err_name(amdrpc_err err)
{
    return err_find(err)->name;
}

const char *
amdrpc_err_text(amdrpc_err err)
{
    return err_find(err)->text;
}
