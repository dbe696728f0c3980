/** What the filter of a list of operations says, as in AIP-160. */
#include "server/services/operations/filter.h"

#include "common/json/json_time.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// Parentheses in each other; the parser follows them with its stack.
#define MAX_DEPTH 16u

// Of what stands in a sentence about an error.
#define QUOTE_BYTES 40

#define ALL_STATES                                        \
    ((unsigned)AMDI_FILTER_QUEUED | AMDI_FILTER_RUNNING | \
            AMDI_FILTER_SUCCEEDED | AMDI_FILTER_FAILED |  \
            AMDI_FILTER_CANCELLED)
#define DONE_STATES                                         \
    ((unsigned)AMDI_FILTER_SUCCEEDED | AMDI_FILTER_FAILED | \
            AMDI_FILTER_CANCELLED)

enum token_kind {
    TOKEN_END,
    TOKEN_WORD,   // also AND, OR, names
    TOKEN_QUOTED, // never a keyword
    TOKEN_EQ,
    TOKEN_NE,
    TOKEN_LT,
    TOKEN_LE,
    TOKEN_GT,
    TOKEN_GE,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_BAD,
};

struct token {
    enum token_kind kind;
    size_t at;        // where it begins
    const char *text; // of words and quoted ones; NUL-terminated, in the arena
};

struct parser {
    const char *text;
    size_t at; // behind the token
    struct token token;
    struct amdi_arena *arena;
    unsigned depth;
    amdrpc_err err;
    char *why;
};

/** What lets pass: the intersection of all its parts. */
struct set {
    unsigned states;
    const char *method; // NULL: any
    int64_t from_us;
    int64_t to_us; // exclusive
};

static const struct set everything = {
        .states = ALL_STATES, .from_us = INT64_MIN, .to_us = INT64_MAX};

/* ---- what went wrong ---- */

/** How much of a text can be quoted: it stands in a sentence, in UTF-8. */
static int
quote_len(const char *text)
{
    int len = 0;

    while (len < QUOTE_BYTES && text[len] >= ' ' && text[len] <= '~') {
        len++;
    }
    return len;
}

/** Tells what was expected instead of the token; false for the caller. */
static bool AMDRPC_PRINTF(2, 3)
        parser_fail(struct parser *parser, const char *format, ...)
{
    char expected[AMDI_OP_FILTER_WHY_BYTES];
    const char *found = parser->text + parser->token.at;
    va_list args;

    if (parser->err != AMDRPC_OK) {
        return false; // the first one counts
    }
    parser->err = AMDRPC_EINVAL;
    va_start(args, format);
    (void)vsnprintf(expected, sizeof(expected), format, args);
    va_end(args);
    (void)snprintf(parser->why, AMDI_OP_FILTER_WHY_BYTES,
            *found == '\0' ? "column %zu: %s expected at the end%.*s"
                           : "column %zu: %s expected, not %.*s",
            parser->token.at + 1, expected, quote_len(found), found);
    return false;
}

static bool
parser_fail_memory(struct parser *parser)
{
    parser->err = AMDRPC_ENOMEM;
    return false;
}

/* ---- tokens ---- */

static bool
char_is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
            (c >= '0' && c <= '9') ||
            (c != '\0' && strchr("_-./:+", c) != NULL);
}

static void
parser_read_word(struct parser *parser)
{
    const char *begin = parser->text + parser->at;
    size_t len = 0;

    while (char_is_word(begin[len])) {
        len++;
    }
    parser->at += len;
    parser->token.kind = TOKEN_WORD;
    parser->token.text = amdi_arena_strndup(parser->arena, begin, len);
    if (parser->token.text == NULL) {
        (void)parser_fail_memory(parser);
    }
}

/** Reads "a\"b"; a backslash stands before what is meant as it is. */
static void
parser_read_quoted(struct parser *parser)
{
    const char *in = parser->text + parser->at;
    char quote = *in++;
    char *out = amdi_arena_strndup(parser->arena, in, strlen(in));
    size_t len = 0;

    if (out == NULL) {
        (void)parser_fail_memory(parser);
        return;
    }
    for (; *in != quote; in++) {
        if (*in == '\\' && in[1] != '\0') {
            in++;
        }
        if (*in == '\0') {
            parser->token.kind = TOKEN_BAD; // the end of the text
            parser->token.at = (size_t)(in - parser->text);
            (void)parser_fail(parser, "the closing quote %c", quote);
            return;
        }
        out[len++] = *in;
    }
    out[len] = '\0';
    parser->at = (size_t)(in - parser->text) + 1;
    parser->token.kind = TOKEN_QUOTED;
    parser->token.text = out;
}

static void
parser_read_sign(struct parser *parser)
{
    static const struct {
        const char *text;
        enum token_kind kind;
    } signs[] = {
            {"!=", TOKEN_NE},
            {"<=", TOKEN_LE},
            {">=", TOKEN_GE},
            {"=", TOKEN_EQ},
            {"<", TOKEN_LT},
            {">", TOKEN_GT},
            {"(", TOKEN_OPEN},
            {")", TOKEN_CLOSE},
    };

    parser->token.kind = TOKEN_BAD;
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        size_t len = strlen(signs[i].text);

        if (strncmp(parser->text + parser->at, signs[i].text, len) == 0) {
            parser->token.kind = signs[i].kind;
            parser->at += len;
            return;
        }
    }
}

/** Goes on to the next token. */
static void
parser_next(struct parser *parser)
{
    char c;

    parser->at += strspn(parser->text + parser->at, " \t\r\n");
    parser->token = (struct token){.kind = TOKEN_END, .at = parser->at};
    c = parser->text[parser->at];
    if (c == '"' || c == '\'') {
        parser_read_quoted(parser);
    } else if (char_is_word(c)) {
        parser_read_word(parser);
    } else if (c != '\0') {
        parser_read_sign(parser);
    }
}

static bool
parser_is_word(const struct parser *parser, const char *word)
{
    return parser->err == AMDRPC_OK && parser->token.kind == TOKEN_WORD &&
            strcmp(parser->token.text, word) == 0;
}

/** Takes a keyword, if it is there. */
static bool
parser_take_word(struct parser *parser, const char *word)
{
    if (!parser_is_word(parser, word)) {
        return false;
    }
    parser_next(parser);
    return true;
}

/** Tells whether a value is there: a word, or quoted. */
static bool
parser_has_value(const struct parser *parser)
{
    return parser->err == AMDRPC_OK &&
            (parser->token.kind == TOKEN_WORD ||
                    parser->token.kind == TOKEN_QUOTED);
}

/* ---- sets ---- */

static bool
set_has_only_states(const struct set *set)
{
    return set->method == NULL && set->from_us == INT64_MIN &&
            set->to_us == INT64_MAX;
}

static void
set_intersect(struct set *set, const struct set *other)
{
    set->states &= other->states;
    if (set->method == NULL) {
        set->method = other->method;
    } else if (other->method != NULL &&
            strcmp(set->method, other->method) != 0) {
        set->states = 0; // nothing has two methods
    }
    if (other->from_us > set->from_us) {
        set->from_us = other->from_us;
    }
    if (other->to_us < set->to_us) {
        set->to_us = other->to_us;
    }
}

/* ---- restrictions ---- */

static bool
parser_read_equality(struct parser *parser, bool *out_is_not)
{
    if (parser->token.kind != TOKEN_EQ && parser->token.kind != TOKEN_NE) {
        return parser_fail(parser, "= or !=");
    }
    *out_is_not = parser->token.kind == TOKEN_NE;
    parser_next(parser);
    return parser->err == AMDRPC_OK;
}

struct word_states {
    const char *word;
    unsigned states;
};

/** Reads "= WORD" or "!= WORD", where each word stands for states. */
static bool
parser_read_states(struct parser *parser, const struct word_states *words,
        size_t nwords, const char *expected, struct set *out)
{
    bool is_not = false;

    if (!parser_read_equality(parser, &is_not)) {
        return false;
    }
    for (size_t i = 0; parser_has_value(parser) && i < nwords; i++) {
        if (strcmp(parser->token.text, words[i].word) == 0) {
            out->states =
                    is_not ? ALL_STATES & ~words[i].states : words[i].states;
            parser_next(parser);
            return parser->err == AMDRPC_OK;
        }
    }
    return parser_fail(parser, "%s", expected);
}

static bool
parser_read_state(struct parser *parser, struct set *out)
{
    static const struct word_states words[] = {
            {"QUEUED", AMDI_FILTER_QUEUED},
            {"RUNNING", AMDI_FILTER_RUNNING},
            {"SUCCEEDED", AMDI_FILTER_SUCCEEDED},
            {"FAILED", AMDI_FILTER_FAILED},
            {"CANCELLED", AMDI_FILTER_CANCELLED},
    };

    return parser_read_states(parser, words, sizeof(words) / sizeof(words[0]),
            "QUEUED, RUNNING, SUCCEEDED, FAILED or CANCELLED", out);
}

static bool
parser_read_done(struct parser *parser, struct set *out)
{
    static const struct word_states words[] = {
            {"true", DONE_STATES},
            {"false", ALL_STATES & ~DONE_STATES},
    };

    return parser_read_states(parser, words, sizeof(words) / sizeof(words[0]),
            "true or false", out);
}

static bool
parser_read_method(struct parser *parser, struct set *out)
{
    if (parser->token.kind != TOKEN_EQ) {
        return parser_fail(parser, "=");
    }
    parser_next(parser);
    if (!parser_has_value(parser) || parser->token.text[0] != '/') {
        return parser_fail(parser, "\"/package.Service/Method\"");
    }
    out->method = parser->token.text;
    parser_next(parser);
    return parser->err == AMDRPC_OK;
}

/** Sets the bound that a comparison with a time means; times are whole us. */
static void
set_compare_time(
        struct set *set, enum token_kind op, int64_t seconds, int32_t nanos)
{
    int64_t us = seconds * 1000000 + nanos / 1000;
    int64_t next_us = us + 1;
    int64_t not_before_us = nanos % 1000 == 0 ? us : next_us;

    if (op == TOKEN_GT) {
        set->from_us = next_us;
    } else if (op == TOKEN_GE) {
        set->from_us = not_before_us;
    } else if (op == TOKEN_LT) {
        set->to_us = not_before_us;
    } else {
        set->to_us = next_us;
    }
}

static bool
parser_read_time(struct parser *parser, struct set *out)
{
    enum token_kind op = parser->token.kind;
    int64_t seconds = 0;
    int32_t nanos = 0;

    if (op != TOKEN_LT && op != TOKEN_LE && op != TOKEN_GT && op != TOKEN_GE) {
        return parser_fail(parser, "<, <=, > or >=");
    }
    parser_next(parser);
    if (!parser_has_value(parser) ||
            !amdi_json_parse_timestamp(parser->token.text, &seconds, &nanos)) {
        return parser_fail(parser, "a time like \"2026-01-31T12:00:00Z\"");
    }
    set_compare_time(out, op, seconds, nanos);
    parser_next(parser);
    return parser->err == AMDRPC_OK;
}

static bool
parser_read_restriction(struct parser *parser, struct set *out)
{
    *out = everything;
    if (parser_take_word(parser, "state")) {
        return parser_read_state(parser, out);
    }
    if (parser_take_word(parser, "done")) {
        return parser_read_done(parser, out);
    }
    if (parser_take_word(parser, "method")) {
        return parser_read_method(parser, out);
    }
    if (parser_take_word(parser, "create_time")) {
        return parser_read_time(parser, out);
    }
    return parser_fail(parser, "state, done, method, create_time or (");
}

/* ---- what they are joined by ---- */

static bool parser_read_conjunction(struct parser *parser, struct set *out);

static bool
parser_read_term(struct parser *parser, struct set *out)
{
    bool is_ok;

    if (parser->err != AMDRPC_OK || parser->token.kind != TOKEN_OPEN) {
        return parser_read_restriction(parser, out);
    }
    if (parser->depth == MAX_DEPTH) {
        return parser_fail(
                parser, "no more than %u parentheses in each other", MAX_DEPTH);
    }
    parser->depth++;
    parser_next(parser);
    is_ok = parser_read_conjunction(parser, out);
    parser->depth--;
    if (is_ok && parser->token.kind != TOKEN_CLOSE) {
        return parser_fail(parser, "AND, OR or )");
    }
    parser_next(parser);
    return is_ok && parser->err == AMDRPC_OK;
}

static bool
parser_read_disjunction(struct parser *parser, struct set *out)
{
    if (!parser_read_term(parser, out)) {
        return false;
    }
    while (parser_is_word(parser, "OR")) {
        struct set other;

        if (!set_has_only_states(out)) {
            return parser_fail(parser, "AND (OR stands between states only)");
        }
        parser_next(parser);
        if (!parser_read_term(parser, &other)) {
            return false;
        }
        if (!set_has_only_states(&other)) {
            return parser_fail(parser,
                    "state before this (OR stands between states only)");
        }
        out->states |= other.states;
    }
    return true;
}

static bool
parser_read_conjunction(struct parser *parser, struct set *out)
{
    if (!parser_read_disjunction(parser, out)) {
        return false;
    }
    while (parser_take_word(parser, "AND")) {
        struct set other;

        if (!parser_read_disjunction(parser, &other)) {
            return false;
        }
        set_intersect(out, &other);
    }
    return parser->err == AMDRPC_OK;
}

/* ---- the whole ---- */

static void
filter_set(struct amdi_op_filter *filter, const struct set *set)
{
    *filter = (struct amdi_op_filter){
            .is_nothing = set->states == 0 || set->to_us <= 0 ||
                    set->from_us >= set->to_us,
            .store.states = set->states == ALL_STATES ? 0 : set->states,
    };
    if (set->method != NULL) {
        filter->store.method =
                (struct amdi_bytes){set->method, strlen(set->method)};
    }
    if (set->from_us > 0) {
        filter->store.created_from_us = set->from_us;
    }
    if (set->to_us != INT64_MAX) {
        filter->store.created_to_us = set->to_us;
    }
}

amdrpc_err
amdi_op_filter_parse(const char *text, struct amdi_arena *arena,
        struct amdi_op_filter *out, char out_why[AMDI_OP_FILTER_WHY_BYTES])
{
    struct parser parser = {.text = text, .arena = arena, .why = out_why};
    struct set set = everything;

    if (strlen(text) > AMDI_OP_FILTER_MAX_BYTES) {
        (void)snprintf(out_why, AMDI_OP_FILTER_WHY_BYTES,
                "it is longer than %u bytes", AMDI_OP_FILTER_MAX_BYTES);
        return AMDRPC_EINVAL;
    }
    parser_next(&parser);
    if (parser.err == AMDRPC_OK && parser.token.kind != TOKEN_END &&
            parser_read_conjunction(&parser, &set) &&
            parser.token.kind != TOKEN_END) {
        (void)parser_fail(&parser, "AND, OR or the end");
    }
    if (parser.err == AMDRPC_OK) {
        filter_set(out, &set);
    }
    return parser.err;
}
