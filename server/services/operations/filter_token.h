/** The words of a filter, and what is told about wrong ones. Pure. */
#ifndef AMDI_OPERATIONS_FILTER_TOKEN_H
#define AMDI_OPERATIONS_FILTER_TOKEN_H

#include <amdrpc/err.h>

#include "common/arena.h"

#include <stdbool.h>
#include <stddef.h>

enum amdi_op_token_kind {
    AMDI_OP_TOKEN_END,
    AMDI_OP_TOKEN_WORD,   // also AND, OR, names
    AMDI_OP_TOKEN_QUOTED, // never a keyword
    AMDI_OP_TOKEN_EQ,
    AMDI_OP_TOKEN_NE,
    AMDI_OP_TOKEN_LT,
    AMDI_OP_TOKEN_LE,
    AMDI_OP_TOKEN_GT,
    AMDI_OP_TOKEN_GE,
    AMDI_OP_TOKEN_OPEN,
    AMDI_OP_TOKEN_CLOSE,
    AMDI_OP_TOKEN_BAD,
};

struct amdi_op_token {
    enum amdi_op_token_kind kind;
    size_t at;        // where it begins
    const char *text; // of words and quoted ones; NUL-terminated, in the arena
};

struct amdi_op_parser {
    const char *text;
    size_t at; // behind the token
    struct amdi_op_token token;
    struct amdi_arena *arena;
    unsigned depth;
    amdrpc_err err;
    char *why;
};

/**
 * Tells what was expected instead of the token; the first time counts. Returns
 * false, for the caller to return.
 */
bool amdi_op_parser_fail(struct amdi_op_parser *parser, const char *format, ...)
        AMDRPC_PRINTF(2, 3);

/** Goes on to the next token; after a failure it means nothing. */
void amdi_op_parser_next(struct amdi_op_parser *parser);

#endif
