/**
 * What the filter of a list of operations says, as in AIP-160. Pure.
 *
 *     filter      = [ conjunction ]
 *     conjunction = disjunction { "AND" disjunction }
 *     disjunction = term { "OR" term }
 *     term        = "(" conjunction ")" | restriction
 *     restriction = "state"       ( "=" | "!=" ) STATE
 *                 | "done"        ( "=" | "!=" ) ( "true" | "false" )
 *                 | "method"      "=" PATH
 *                 | "create_time" ( "<" | "<=" | ">" | ">=" ) TIME
 *
 * OR binds closer than AND, as AIP-160 has it, and stands between states only.
 * Values may be quoted.
 */
#ifndef AMDI_OPERATIONS_FILTER_H
#define AMDI_OPERATIONS_FILTER_H

#include <amdrpc/err.h>

#include "common/arena.h"
#include "server/store/store.h"

/** A client writes it; 16 restrictions fit well. */
#define AMDI_OP_FILTER_MAX_BYTES 2048u

#define AMDI_OP_FILTER_WHY_BYTES 192u

struct amdi_op_filter {
    struct amdi_store_filter store; // its method is in the arena
    bool is_nothing;                // no operation can match
};

/**
 * Reads a filter; an empty one lets all pass.
 *
 * @out_why  on failure, what was expected in which column
 * Errors:   AMDRPC_EINVAL
 *           AMDRPC_ENOMEM
 */
AMDRPC_NODISCARD amdrpc_err amdi_op_filter_parse(const char *text,
        struct amdi_arena *arena, struct amdi_op_filter *out,
        char out_why[AMDI_OP_FILTER_WHY_BYTES]);

#endif
