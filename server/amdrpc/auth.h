/** Who may call what on a server. */
#ifndef AMDRPC_AUTH_H
#define AMDRPC_AUTH_H

#include <amdrpc/err.h>
#include <amdrpc/server.h>

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Takes bearer tokens from a file of lines "TOKEN NAME", to which only its
 * owner has access. A call with "authorization: Bearer TOKEN" is then made by
 * that name; one with a token that is not listed fails with UNAUTHENTICATED.
 * A token goes before the name in a client's certificate.
 *
 * Thread:   setup
 * @path     copied
 * @reason   written on failure: what is wrong with the file; NULL: not asked
 * @size     of @reason; AMDRPC_REASON_BYTES hold every sentence
 * Errors:   AMDRPC_EACCES, AMDRPC_EINVAL, AMDRPC_EIO, AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_server_set_token_file(
        amdrpc_server *server, const char *path, char *reason, size_t size);

/**
 * Lets only some call some methods. A method without a rule is open to
 * everyone; of several rules the one that is closest to the method counts.
 * Others get UNAUTHENTICATED when they have no name, else PERMISSION_DENIED.
 *
 * Thread:   setup, once the services have been added
 * @path     "/package.Service/Method", "/package.Service/", or "/" for all
 * @names    copied: names between blanks; "*" is everyone who has a name,
 *           "anonymous" everyone
 * Errors:   AMDRPC_ENOTFOUND  no such method was added
 *           AMDRPC_EEXIST     there is a rule for that path
 *           AMDRPC_EINVAL     no path, or no names
 *           AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdrpc_server_allow(
        amdrpc_server *server, const char *path, const char *names);

/**
 * Reads certificates, keys and tokens again, for connections and calls that
 * begin from now on. What cannot be read stays as it was, and is logged.
 *
 * Thread:  any, one at a time
 * @return  how many files, or pairs of them, could not be read
 */
size_t amdrpc_server_reload(amdrpc_server *server);

#ifdef __cplusplus
}
#endif

#endif
