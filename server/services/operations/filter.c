/** What the filter of a list of operations says, as in AIP-160. */
#include "server/services/operations/filter.h"

#include "common/json/json_time.h"
#include "server/services/operations/filter_token.h"

#include <stdio.h>
#include <string.h>

// Parentheses in each other; the parser follows them with its stack.
#define MAX_DEPTH 16u

#define ALL_STATES                                        \
    ((unsigned)AMDI_FILTER_QUEUED | AMDI_FILTER_RUNNING | \
            AMDI_FILTER_SUCCEEDED | AMDI_FILTER_FAILED |  \
            AMDI_FILTER_CANCELLED)
#define DONE_STATES                                         \
    ((unsigned)AMDI_FILTER_SUCCEEDED | AMDI_FILTER_FAILED | \
            AMDI_FILTER_CANCELLED)

/** What lets pass: the intersection of all its parts. */
struct set {
    unsigned states;
    const char *method; // NULL: any
    int64_t from_us;
    int64_t to_us; // exclusive
};

static const struct set everything = {
        .states = ALL_STATES, .from_us = INT64_MIN, .to_us = INT64_MAX};

static bool
parser_is_word(const struct amdi_op_parser *parser, const char *word)
{
    return parser->err == AMDRPC_OK &&
            parser->token.kind == AMDI_OP_TOKEN_WORD &&
            strcmp(parser->token.text, word) == 0;
}

/** Takes a keyword, if it is there. */
static bool
parser_take_word(struct amdi_op_parser *parser, const char *word)
{
    if (!parser_is_word(parser, word)) {
        return false;
    }
    amdi_op_parser_next(parser);
    return true;
}

/** Tells whether a value is there: a word, or quoted. */
static bool
parser_has_value(const struct amdi_op_parser *parser)
{
    return parser->err == AMDRPC_OK &&
            (parser->token.kind == AMDI_OP_TOKEN_WORD ||
                    parser->token.kind == AMDI_OP_TOKEN_QUOTED);
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
parser_read_equality(struct amdi_op_parser *parser, bool *out_is_not)
{
    if (parser->token.kind != AMDI_OP_TOKEN_EQ &&
            parser->token.kind != AMDI_OP_TOKEN_NE) {
        return amdi_op_parser_fail(parser, "= or !=");
    }
    *out_is_not = parser->token.kind == AMDI_OP_TOKEN_NE;
    amdi_op_parser_next(parser);
    return parser->err == AMDRPC_OK;
}

struct word_states {
    const char *word;
    unsigned states;
};

/** Reads "= WORD" or "!= WORD", where each word stands for states. */
static bool
parser_read_states(struct amdi_op_parser *parser,
        const struct word_states *words, size_t nwords, const char *expected,
        struct set *out)
{
    bool is_not = false;

    if (!parser_read_equality(parser, &is_not)) {
        return false;
    }
    for (size_t i = 0; parser_has_value(parser) && i < nwords; i++) {
        if (strcmp(parser->token.text, words[i].word) == 0) {
            out->states =
                    is_not ? ALL_STATES & ~words[i].states : words[i].states;
            amdi_op_parser_next(parser);
            return parser->err == AMDRPC_OK;
        }
    }
    return amdi_op_parser_fail(parser, "%s", expected);
}

static bool
parser_read_state(struct amdi_op_parser *parser, struct set *out)
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
parser_read_done(struct amdi_op_parser *parser, struct set *out)
{
    static const struct word_states words[] = {
            {"true", DONE_STATES},
            {"false", ALL_STATES & ~DONE_STATES},
    };

    return parser_read_states(parser, words, sizeof(words) / sizeof(words[0]),
            "true or false", out);
}

static bool
parser_read_method(struct amdi_op_parser *parser, struct set *out)
{
    if (parser->token.kind != AMDI_OP_TOKEN_EQ) {
        return amdi_op_parser_fail(parser, "=");
    }
    amdi_op_parser_next(parser);
    if (!parser_has_value(parser) || parser->token.text[0] != '/') {
        return amdi_op_parser_fail(parser, "\"/package.Service/Method\"");
    }
    out->method = parser->token.text;
    amdi_op_parser_next(parser);
    return parser->err == AMDRPC_OK;
}

/** Sets the bound that a comparison with a time means; times are whole us. */
static void
set_compare_time(struct set *set, enum amdi_op_token_kind op, int64_t seconds,
        int32_t nanos)
{
    int64_t us = seconds * 1000000 + nanos / 1000;
    int64_t next_us = us + 1;
    int64_t not_before_us = nanos % 1000 == 0 ? us : next_us;

    if (op == AMDI_OP_TOKEN_GT) {
        set->from_us = next_us;
    } else if (op == AMDI_OP_TOKEN_GE) {
        set->from_us = not_before_us;
    } else if (op == AMDI_OP_TOKEN_LT) {
        set->to_us = not_before_us;
    } else {
        set->to_us = next_us;
    }
}

static bool
parser_read_time(struct amdi_op_parser *parser, struct set *out)
{
    enum amdi_op_token_kind op = parser->token.kind;
    int64_t seconds = 0;
    int32_t nanos = 0;

    if (op != AMDI_OP_TOKEN_LT && op != AMDI_OP_TOKEN_LE &&
            op != AMDI_OP_TOKEN_GT && op != AMDI_OP_TOKEN_GE) {
        return amdi_op_parser_fail(parser, "<, <=, > or >=");
    }
    amdi_op_parser_next(parser);
    if (!parser_has_value(parser) ||
            !amdi_json_parse_timestamp(parser->token.text, &seconds, &nanos)) {
        return amdi_op_parser_fail(
                parser, "a time like \"2026-01-31T12:00:00Z\"");
    }
    set_compare_time(out, op, seconds, nanos);
    amdi_op_parser_next(parser);
    return parser->err == AMDRPC_OK;
}

static bool
parser_read_restriction(struct amdi_op_parser *parser, struct set *out)
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
    return amdi_op_parser_fail(parser, "state, done, method, create_time or (");
}

/* ---- what they are joined by ---- */

static bool parser_read_conjunction(
        struct amdi_op_parser *parser, struct set *out);

static bool
parser_read_term(struct amdi_op_parser *parser, struct set *out)
{
    bool is_ok;

    if (parser->err != AMDRPC_OK || parser->token.kind != AMDI_OP_TOKEN_OPEN) {
        return parser_read_restriction(parser, out);
    }
    if (parser->depth == MAX_DEPTH) {
        return amdi_op_parser_fail(
                parser, "no more than %u parentheses in each other", MAX_DEPTH);
    }
    parser->depth++;
    amdi_op_parser_next(parser);
    is_ok = parser_read_conjunction(parser, out);
    parser->depth--;
    if (is_ok && parser->token.kind != AMDI_OP_TOKEN_CLOSE) {
        return amdi_op_parser_fail(parser, "AND, OR or )");
    }
    amdi_op_parser_next(parser);
    return is_ok && parser->err == AMDRPC_OK;
}

static bool
parser_read_disjunction(struct amdi_op_parser *parser, struct set *out)
{
    if (!parser_read_term(parser, out)) {
        return false;
    }
    while (parser_is_word(parser, "OR")) {
        struct set other;

        if (!set_has_only_states(out)) {
            return amdi_op_parser_fail(
                    parser, "AND (OR stands between states only)");
        }
        amdi_op_parser_next(parser);
        if (!parser_read_term(parser, &other)) {
            return false;
        }
        if (!set_has_only_states(&other)) {
            return amdi_op_parser_fail(parser,
                    "state before this (OR stands between states only)");
        }
        out->states |= other.states;
    }
    return true;
}

static bool
parser_read_conjunction(struct amdi_op_parser *parser, struct set *out)
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
    struct amdi_op_parser parser = {
            .text = text, .arena = arena, .why = out_why};
    struct set set = everything;

    if (strlen(text) > AMDI_OP_FILTER_MAX_BYTES) {
        (void)snprintf(out_why, AMDI_OP_FILTER_WHY_BYTES,
                "it is longer than %u bytes", AMDI_OP_FILTER_MAX_BYTES);
        return AMDRPC_EINVAL;
    }
    amdi_op_parser_next(&parser);
    if (parser.err == AMDRPC_OK && parser.token.kind != AMDI_OP_TOKEN_END &&
            parser_read_conjunction(&parser, &set) &&
            parser.token.kind != AMDI_OP_TOKEN_END) {
        (void)amdi_op_parser_fail(&parser, "AND, OR or the end");
    }
    if (parser.err == AMDRPC_OK) {
        filter_set(out, &set);
    }
    return parser.err;
}
