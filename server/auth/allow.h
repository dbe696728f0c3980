/** Who may call a method: rules and their names. Pure. */
#ifndef AMDI_ALLOW_H
#define AMDI_ALLOW_H

#include <amdrpc/err.h>

#include <stdbool.h>

/** One rule: who may call the methods it is for. */
struct amdi_allow {
    struct amdi_allow *next; // of all rules
    char *path;              // owned
    char *names;             // owned: "alice bob"
    bool allows_known;       // "*": whoever has a name
    bool allows_anonymous;   // "anonymous": everyone
};

/**
 * Reads a rule.
 *
 * @path    "/package.Service/Method", "/package.Service/" or "/"
 * @names   names, "*" or "anonymous", between blanks; at least one
 * @out     returned owned
 * Errors:  AMDRPC_EINVAL, AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_allow_create(
        const char *path, const char *names, struct amdi_allow **out);

/** NULL is accepted. */
void amdi_allow_destroy(struct amdi_allow *allow);

/** Tells whether @identity ("" for none) may call. NULL: there is no rule. */
bool amdi_allow_has(const struct amdi_allow *allow, const char *identity);

/** Tells whether a rule for @path goes before one for @other. */
bool amdi_allow_is_closer(const char *path, const char *other);

/** Tells whether a rule takes @name for a name. */
bool amdi_allow_name_is_valid(const char *name);

#endif
