/** Cuts a text into the JSON values that follow each other in it.  (pure) */
#ifndef AMDI_JSON_SPLIT_H
#define AMDI_JSON_SPLIT_H

#include <amdrpc/err.h>

#include "common/buf.h"

#include <stdbool.h>
#include <stddef.h>

// One value and what was read behind it. Whoever writes our input can make it
// grow; the JSON parser refuses values of half this size with a better reason.
#define AMDI_JSON_SPLIT_BYTES_MAX (8u * 1024 * 1024)

/**
 * Finds where values end, and checks nothing else: that is left to the JSON
 * parser. Values may have white space, or nothing, between them.
 */
struct amdi_json_split {
    struct amdi_buf text; // what was pushed and not yet taken
    size_t seen;          // bytes of text that were looked at
    size_t depth;         // of open brackets
    bool in_string;
    bool after_backslash;
    bool in_word; // a number, true, false, null at the top
};

void amdi_json_split_init(struct amdi_json_split *split);
void amdi_json_split_fini(struct amdi_json_split *split);

/** Errors: AMDRPC_ENOMEM, AMDRPC_ELIMIT (AMDI_JSON_SPLIT_BYTES_MAX). */
AMDRPC_NODISCARD amdrpc_err amdi_json_split_push(
        struct amdi_json_split *split, const void *data, size_t len);

/**
 * Takes the next value out.
 *
 * @at_end  no more will be pushed: what is left is a value, however broken
 * @out     borrowed until the next call of any of these
 * @return  false when there is none (yet)
 */
bool amdi_json_split_next(struct amdi_json_split *split, bool at_end,
        const char **out, size_t *out_len);

#endif
