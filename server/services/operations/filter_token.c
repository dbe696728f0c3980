/** The words of a filter, and what is told about wrong ones. */
#include "server/services/operations/filter_token.h"

#include "server/services/operations/filter.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// Of what stands in a sentence about an error.
#define QUOTE_BYTES 40

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

bool
amdi_op_parser_fail(struct amdi_op_parser *parser, const char *format, ...)
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
parser_fail_memory(struct amdi_op_parser *parser)
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
parser_read_word(struct amdi_op_parser *parser)
{
    const char *begin = parser->text + parser->at;
    size_t len = 0;

    while (char_is_word(begin[len])) {
        len++;
    }
    parser->at += len;
    parser->token.kind = AMDI_OP_TOKEN_WORD;
    parser->token.text = amdi_arena_strndup(parser->arena, begin, len);
    if (parser->token.text == NULL) {
        (void)parser_fail_memory(parser);
    }
}

/** Reads "a\"b"; a backslash stands before what is meant as it is. */
static void
parser_read_quoted(struct amdi_op_parser *parser)
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
            parser->token.kind = AMDI_OP_TOKEN_BAD; // the end of the text
            parser->token.at = (size_t)(in - parser->text);
            (void)amdi_op_parser_fail(parser, "the closing quote %c", quote);
            return;
        }
        out[len++] = *in;
    }
    out[len] = '\0';
    parser->at = (size_t)(in - parser->text) + 1;
    parser->token.kind = AMDI_OP_TOKEN_QUOTED;
    parser->token.text = out;
}

static void
parser_read_sign(struct amdi_op_parser *parser)
{
    static const struct {
        const char *text;
        enum amdi_op_token_kind kind;
    } signs[] = {
            {"!=", AMDI_OP_TOKEN_NE},
            {"<=", AMDI_OP_TOKEN_LE},
            {">=", AMDI_OP_TOKEN_GE},
            {"=", AMDI_OP_TOKEN_EQ},
            {"<", AMDI_OP_TOKEN_LT},
            {">", AMDI_OP_TOKEN_GT},
            {"(", AMDI_OP_TOKEN_OPEN},
            {")", AMDI_OP_TOKEN_CLOSE},
    };

    parser->token.kind = AMDI_OP_TOKEN_BAD;
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        size_t len = strlen(signs[i].text);

        if (strncmp(parser->text + parser->at, signs[i].text, len) == 0) {
            parser->token.kind = signs[i].kind;
            parser->at += len;
            return;
        }
    }
}

void
amdi_op_parser_next(struct amdi_op_parser *parser)
{
    char c;

    parser->at += strspn(parser->text + parser->at, " \t\r\n");
    parser->token =
            (struct amdi_op_token){.kind = AMDI_OP_TOKEN_END, .at = parser->at};
    c = parser->text[parser->at];
    if (c == '"' || c == '\'') {
        parser_read_quoted(parser);
    } else if (char_is_word(c)) {
        parser_read_word(parser);
    } else if (c != '\0') {
        parser_read_sign(parser);
    }
}
