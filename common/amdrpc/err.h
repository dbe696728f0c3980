/** What went wrong in this process; the result of every call that can fail. */
#ifndef AMDRPC_ERR_H
#define AMDRPC_ERR_H

#if defined(__GNUC__)
#define AMDRPC_NODISCARD __attribute__((warn_unused_result))
#define AMDRPC_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define AMDRPC_NODISCARD
#define AMDRPC_PRINTF(fmt, args)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/**
 * An error of this process. What is sent to a peer is an amdrpc_status_code
 * (amdrpc/status.h); amdrpc_status_from_err is the only bridge.
 */
typedef enum amdrpc_err {
    AMDRPC_OK = 0,
    AMDRPC_ENOMEM,       // no memory
    AMDRPC_EINVAL,       // an argument or input that cannot be right
    AMDRPC_ELIMIT,       // a named limit was reached; nothing was done
    AMDRPC_ECANCELED,    // the call, future or object was cancelled
    AMDRPC_EAGAIN,       // not now; a callback tells when
    AMDRPC_ETIMEDOUT,    // the given time passed
    AMDRPC_ECLOSED,      // the other end or the object is closed
    AMDRPC_EEND,         // the stream has ended in good order
    AMDRPC_EPROTO,       // the peer broke the protocol
    AMDRPC_ENOTFOUND,    // the named thing does not exist
    AMDRPC_EEXIST,       // the named thing exists already
    AMDRPC_EADDRINUSE,   // the address or port is taken
    AMDRPC_EACCES,       // not permitted
    AMDRPC_EUNSUPPORTED, // known, but not possible here
    AMDRPC_ESTATE,       // not possible in the object's present state
    AMDRPC_EIO,          // the system failed at input or output
} amdrpc_err;

/**
 * Returns the error's name, "AMDRPC_ELIMIT", or "AMDRPC_E?" for a number
 * that is none.
 *
 * Thread:  any
 * @return  static
 */
const char *amdrpc_err_name(amdrpc_err err);

/**
 * Returns a sentence fragment for people, "limit reached".
 *
 * Thread:  any
 * @return  static
 */
const char *amdrpc_err_text(amdrpc_err err);

#ifdef __cplusplus
}
#endif

#endif
