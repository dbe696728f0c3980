/** A program's arguments as the settings write them. Pure. */
#include "server/modules/command/command_words.h"

#include <ctype.h>
#include <string.h>

enum quote {
    QUOTE_NONE,
    QUOTE_SINGLE,
    QUOTE_DOUBLE,
};

/* Where the reading of a line stands. */
struct splitter {
    struct amdi_command_words *words;
    struct amdi_arena *arena;
    struct amdi_error *error;
    const char *at; // the next character
    enum quote quote;
    struct amdi_command_word *word;    // being read; NULL between words
    struct amdi_command_piece *newest; // of word
    char *text;                        // room for any literal of the line
    size_t text_len;                   // the literal that is being read
};

bool
amdi_command_name_is_valid(const char *name)
{
    size_t len = strlen(name);

    if (len == 0 || len >= AMDI_COMMAND_NAME_BYTES ||
            isdigit((unsigned char)name[0])) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)name[i]) && name[i] != '_') {
            return false;
        }
    }
    return true;
}

/* ---- what words are made of ---- */

/* Begins a word, if none is being read. */
static amdrpc_err
splitter_need_word(struct splitter *self)
{
    struct amdi_command_word *word = NULL;

    if (self->word != NULL) {
        return AMDRPC_OK;
    }
    word = amdi_arena_alloc(self->arena, sizeof(*word));
    if (word == NULL) {
        return amdi_error_nomem(self->error);
    }
    *word = (struct amdi_command_word){0};
    self->word = word;
    self->newest = NULL;
    return AMDRPC_OK;
}

static amdrpc_err
splitter_add_piece(struct splitter *self, struct amdi_command_piece piece)
{
    struct amdi_command_piece *copy =
            amdi_arena_alloc(self->arena, sizeof(*copy));

    if (copy == NULL) {
        return amdi_error_nomem(self->error);
    }
    *copy = piece;
    if (self->newest == NULL) {
        self->word->pieces = copy;
    } else {
        self->newest->next = copy;
    }
    self->newest = copy;
    return AMDRPC_OK;
}

/* Ends the literal that is being read, if there is one. */
static amdrpc_err
splitter_end_text(struct splitter *self)
{
    struct amdi_command_piece piece = {0};

    if (self->text_len == 0) {
        return AMDRPC_OK;
    }
    piece.text = amdi_arena_strndup(self->arena, self->text, self->text_len);
    self->text_len = 0;
    return piece.text == NULL ? amdi_error_nomem(self->error)
                              : splitter_add_piece(self, piece);
}

static amdrpc_err
splitter_end_word(struct splitter *self)
{
    amdrpc_err err = AMDRPC_OK;

    if (self->word == NULL) {
        return AMDRPC_OK;
    }
    err = splitter_end_text(self);
    if (err != AMDRPC_OK) {
        return err;
    }
    if (self->words->last == NULL) {
        self->words->first = self->word;
    } else {
        self->words->last->next = self->word;
    }
    self->words->last = self->word;
    self->words->count++;
    self->word = NULL;
    return AMDRPC_OK;
}

/* ---- characters ---- */

static amdrpc_err
splitter_take_text(struct splitter *self, char c)
{
    amdrpc_err err = splitter_need_word(self);

    if (err == AMDRPC_OK) {
        self->text[self->text_len++] = c;
    }
    return err;
}

/* "{name}" or "{name:text}"; self->at is behind the brace. */
static amdrpc_err
splitter_take_place(struct splitter *self)
{
    size_t len = strcspn(self->at, "}");
    size_t name_len = strcspn(self->at, ":}");
    struct amdi_command_piece piece = {0};
    amdrpc_err err = splitter_need_word(self);

    if (err == AMDRPC_OK) {
        err = splitter_end_text(self);
    }
    if (err != AMDRPC_OK) {
        return err;
    }
    if (self->at[len] == '\0') {
        return amdi_error_set(self->error, AMDRPC_EINVAL,
                "{%s: the \"}\" is missing", self->at);
    }
    piece.parameter = amdi_arena_strndup(self->arena, self->at, name_len);
    if (name_len < len) {
        piece.fallback = amdi_arena_strndup(
                self->arena, self->at + name_len + 1, len - name_len - 1);
    }
    if (piece.parameter == NULL || (name_len < len && piece.fallback == NULL)) {
        return amdi_error_nomem(self->error);
    }
    if (!amdi_command_name_is_valid(piece.parameter)) {
        return amdi_error_set(self->error, AMDRPC_EINVAL,
                "{%s}: a parameter's name has letters, digits and \"_\"",
                piece.parameter);
    }
    self->at += len + 1;
    return splitter_add_piece(self, piece);
}

/* Also an empty word, '', begins with its quote. */
static amdrpc_err
splitter_set_quote(struct splitter *self, enum quote quote)
{
    self->quote = quote;
    return splitter_need_word(self);
}

/* Behind a backslash. */
static amdrpc_err
splitter_take_escaped(struct splitter *self)
{
    if (*self->at == '\0') {
        return amdi_error_set(self->error, AMDRPC_EINVAL,
                "nothing stands behind the last \"\\\"");
    }
    if (self->quote == QUOTE_DOUBLE && strchr("\"\\{", *self->at) == NULL) {
        return splitter_take_text(self, '\\');
    }
    return splitter_take_text(self, *self->at++);
}

static amdrpc_err
splitter_step_single(struct splitter *self, char c)
{
    return c == '\'' ? splitter_set_quote(self, QUOTE_NONE)
                     : splitter_take_text(self, c);
}

static amdrpc_err
splitter_step_double(struct splitter *self, char c)
{
    switch (c) {
    case '"':
        return splitter_set_quote(self, QUOTE_NONE);
    case '\\':
        return splitter_take_escaped(self);
    case '{':
        return splitter_take_place(self);
    default:
        return splitter_take_text(self, c);
    }
}

static amdrpc_err
splitter_step_plain(struct splitter *self, char c)
{
    switch (c) {
    case ' ':
    case '\t':
        return splitter_end_word(self);
    case '\'':
        return splitter_set_quote(self, QUOTE_SINGLE);
    default:
        break;
    }
    return c == '"' ? splitter_set_quote(self, QUOTE_DOUBLE)
                    : splitter_step_double(self, c);
}

static amdrpc_err
splitter_step(struct splitter *self)
{
    char c = *self->at++;

    switch (self->quote) {
    case QUOTE_NONE:
        return splitter_step_plain(self, c);
    case QUOTE_SINGLE:
        return splitter_step_single(self, c);
    case QUOTE_DOUBLE:
        return splitter_step_double(self, c);
    }
    return AMDRPC_EINVAL;
}

amdrpc_err
amdi_command_words_add(struct amdi_command_words *words,
        struct amdi_arena *arena, const char *line, struct amdi_error *error)
{
    struct splitter self = {
            .words = words, .arena = arena, .error = error, .at = line};
    amdrpc_err err = AMDRPC_OK;

    self.text = amdi_arena_alloc(arena, strlen(line) + 1);
    if (self.text == NULL) {
        return amdi_error_nomem(error);
    }
    while (err == AMDRPC_OK && *self.at != '\0') {
        err = splitter_step(&self);
    }
    if (err != AMDRPC_OK) {
        return err;
    }
    if (self.quote != QUOTE_NONE) {
        return amdi_error_set(error, AMDRPC_EINVAL, "a %s quote is not closed",
                self.quote == QUOTE_SINGLE ? "single" : "double");
    }
    return splitter_end_word(&self);
}
