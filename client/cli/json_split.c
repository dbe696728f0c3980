/** Cuts a text into the JSON values that follow each other in it.  (pure) */
#include "client/cli/json_split.h"

#include <string.h>

void
amdi_json_split_init(struct amdi_json_split *split)
{
    *split = (struct amdi_json_split){.seen = 0};
    amdi_buf_init(&split->text);
}

void
amdi_json_split_fini(struct amdi_json_split *split)
{
    amdi_buf_fini(&split->text);
}

static bool
char_is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// Drops the value that was handed out, and the space before the next one.
static void
split_drop(struct amdi_json_split *split)
{
    const char *text = (const char *)amdi_buf_peek(&split->text);
    size_t len = amdi_buf_len(&split->text);
    bool between = split->depth == 0 && !split->in_string && !split->in_word;

    if (!between) {
        return;
    }
    while (split->seen < len && char_is_space(text[split->seen])) {
        split->seen++;
    }
    amdi_buf_consume(&split->text, split->seen);
    split->seen = 0;
}

amdrpc_err
amdi_json_split_push(
        struct amdi_json_split *split, const void *data, size_t len)
{
    split_drop(split);
    if (len > AMDI_JSON_SPLIT_BYTES_MAX - amdi_buf_len(&split->text)) {
        return AMDRPC_ELIMIT;
    }
    return amdi_buf_append(&split->text, data, len);
}

// Inside a string. Returns whether a string at the top ended with this byte.
static bool
split_step_string(struct amdi_json_split *split, char c)
{
    if (split->after_backslash) {
        split->after_backslash = false;
    } else if (c == '\\') {
        split->after_backslash = true;
    } else if (c == '"') {
        split->in_string = false;
        return split->depth == 0;
    }
    return false;
}

// Outside of strings. Returns whether a value at the top ended with this byte.
static bool
split_step(struct amdi_json_split *split, char c)
{
    switch (c) {
    case '"':
        split->in_string = true;
        return false;
    case '{':
    case '[':
        split->depth++;
        return false;
    case '}':
    case ']':
        // One too many is a value of its own, which no parser takes.
        if (split->depth > 0) {
            split->depth--;
        }
        return split->depth == 0;
    default:
        split->in_word = split->depth == 0;
        return false;
    }
}

static bool
char_ends_word(char c)
{
    return char_is_space(c) || strchr("\"{}[]", c) != NULL;
}

// Looks at the bytes not seen yet. Returns whether `seen` is a value's end.
static bool
split_scan(struct amdi_json_split *split)
{
    const char *text = (const char *)amdi_buf_peek(&split->text);
    size_t len = amdi_buf_len(&split->text);

    while (split->seen < len) {
        char c = text[split->seen];
        bool ended;

        if (split->in_word && char_ends_word(c)) {
            split->in_word = false;
            return true;
        }
        split->seen++;
        if (split->in_word) {
            continue;
        }
        ended = split->in_string ? split_step_string(split, c)
                                 : split_step(split, c);
        if (ended) {
            return true;
        }
    }
    return false;
}

bool
amdi_json_split_next(struct amdi_json_split *split, bool at_end,
        const char **out, size_t *out_len)
{
    split_drop(split);
    if (amdi_buf_len(&split->text) == 0) {
        return false;
    }
    if (!split_scan(split)) {
        if (!at_end) {
            return false;
        }
        split->depth = 0;
        split->in_string = false;
        split->in_word = false;
    }
    *out = (const char *)amdi_buf_peek(&split->text);
    *out_len = split->seen;
    return true;
}
