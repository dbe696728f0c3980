/**
 * Bearer tokens and the names they stand for.
 *
 * Kept are not the tokens but their HMACs under a random key. So a lookup may
 * search and compare as it likes: its time depends on values that nobody
 * outside can compute.
 */
#include "server/auth/tokens.h"

#include "common/alloc.h"
#include "common/tls/secret.h"
#include "server/auth/allow.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define DIGEST_BYTES 32u

// Whoever writes the file makes these grow.
#define MAX_TOKENS 100000u
#define MAX_LINE_BYTES 4096u

#define BLANKS " \t\r\n"

struct token {
    uint8_t digest[DIGEST_BYTES];
    char *name; // owned
};

struct amdi_tokens {
    uint8_t key[DIGEST_BYTES];
    struct token *items; // owned; in the order of their digests
    size_t count;
    size_t size;
};

/** Where reading stands. */
struct reader {
    struct amdi_tokens *tokens;
    const char *path;
    unsigned line;
    struct amdi_error *error;
};

static bool
token_digest(const struct amdi_tokens *tokens, const char *token, size_t len,
        uint8_t out[DIGEST_BYTES])
{
    return HMAC(EVP_sha256(), tokens->key, sizeof(tokens->key),
                   (const unsigned char *)token, len, out, NULL) != NULL;
}

static int
token_compare(const void *a, const void *b)
{
    return memcmp(((const struct token *)a)->digest,
            ((const struct token *)b)->digest, DIGEST_BYTES);
}

/* ---- reading ---- */

static amdrpc_err
reader_fail(const struct reader *reader, const char *what)
{
    return amdi_error_set(reader->error, AMDRPC_EINVAL, "%s:%u: %s",
            reader->path, reader->line, what);
}

static amdrpc_err
tokens_reserve(struct amdi_tokens *tokens)
{
    size_t size = tokens->size == 0 ? 16 : 2 * tokens->size;
    struct token *items = NULL;

    if (tokens->count < tokens->size) {
        return AMDRPC_OK;
    }
    items = amdi_realloc(tokens->items, size * sizeof(*items));
    if (items == NULL) {
        return AMDRPC_ENOMEM;
    }
    tokens->items = items;
    tokens->size = size;
    return AMDRPC_OK;
}

static amdrpc_err
reader_add(struct reader *reader, const char *token, const char *name)
{
    struct amdi_tokens *tokens = reader->tokens;
    struct token item = {.name = NULL};

    if (tokens->count == MAX_TOKENS) {
        return reader_fail(reader, "too many tokens");
    }
    if (tokens_reserve(tokens) != AMDRPC_OK) {
        return amdi_error_nomem(reader->error);
    }
    item.name = amdi_strdup(name);
    if (item.name == NULL ||
            !token_digest(tokens, token, strlen(token), item.digest)) {
        amdi_free(item.name);
        return amdi_error_nomem(reader->error);
    }
    tokens->items[tokens->count++] = item;
    return AMDRPC_OK;
}

static amdrpc_err
reader_take_line(struct reader *reader, char *line)
{
    char *rest = NULL;
    const char *token = strtok_r(line, BLANKS, &rest);
    const char *name = NULL;

    if (token == NULL || token[0] == '#') {
        return AMDRPC_OK;
    }
    name = strtok_r(NULL, BLANKS, &rest);
    if (name == NULL || strtok_r(NULL, BLANKS, &rest) != NULL) {
        return reader_fail(reader, "not a token and a name");
    }
    if (!amdi_allow_name_is_valid(name)) {
        return reader_fail(reader, "the name means something else in rules");
    }
    return reader_add(reader, token, name);
}

static amdrpc_err
reader_take_lines(struct reader *reader, FILE *file)
{
    char line[MAX_LINE_BYTES];
    amdrpc_err err = AMDRPC_OK;

    while (err == AMDRPC_OK && fgets(line, sizeof(line), file) != NULL) {
        reader->line++;
        err = strlen(line) + 1 == sizeof(line)
                ? reader_fail(reader, "the line is too long")
                : reader_take_line(reader, line);
    }
    OPENSSL_cleanse(line, sizeof(line));
    if (err == AMDRPC_OK && ferror(file) != 0) {
        return amdi_error_set(
                reader->error, AMDRPC_EIO, "%s: cannot be read", reader->path);
    }
    return err;
}

/** Sorts them; two lines with one token would make it a matter of chance. */
static amdrpc_err
reader_finish(struct reader *reader)
{
    struct amdi_tokens *tokens = reader->tokens;

    if (tokens->count > 0) {
        qsort(tokens->items, tokens->count, sizeof(*tokens->items),
                token_compare);
    }
    for (size_t i = 1; i < tokens->count; i++) {
        if (token_compare(&tokens->items[i - 1], &tokens->items[i]) == 0) {
            return amdi_error_set(reader->error, AMDRPC_EINVAL,
                    "%s: a token of \"%s\" stands there twice", reader->path,
                    tokens->items[i].name);
        }
    }
    return AMDRPC_OK;
}

static amdrpc_err
reader_read(struct reader *reader)
{
    FILE *file = NULL;
    amdrpc_err err = amdi_secret_open(reader->path, &file, reader->error);

    if (err != AMDRPC_OK) {
        return err;
    }
    err = reader_take_lines(reader, file);
    (void)fclose(file); // it was only read
    return err == AMDRPC_OK ? reader_finish(reader) : err;
}

amdrpc_err
amdi_tokens_read(
        const char *path, struct amdi_tokens **out, struct amdi_error *error)
{
    struct amdi_tokens *tokens = amdi_zalloc(sizeof(*tokens));
    struct reader reader = {.tokens = tokens, .path = path, .error = error};
    amdrpc_err err;

    if (tokens == NULL) {
        return amdi_error_nomem(error);
    }
    err = RAND_bytes(tokens->key, sizeof(tokens->key)) == 1
            ? reader_read(&reader)
            : amdi_error_set(error, AMDRPC_EIO, "no random numbers");
    if (err != AMDRPC_OK) {
        amdi_tokens_destroy(tokens);
        return err;
    }
    *out = tokens;
    return AMDRPC_OK;
}

void
amdi_tokens_destroy(struct amdi_tokens *tokens)
{
    if (tokens == NULL) {
        return;
    }
    for (size_t i = 0; i < tokens->count; i++) {
        amdi_free(tokens->items[i].name);
    }
    amdi_free(tokens->items);
    OPENSSL_cleanse(tokens->key, sizeof(tokens->key));
    amdi_free(tokens);
}

/* ---- looking up ---- */

const char *
amdi_tokens_find(
        const struct amdi_tokens *tokens, const char *token, size_t len)
{
    struct token wanted = {.name = NULL};
    const struct token *found = NULL;

    if (tokens->count == 0 ||
            !token_digest(tokens, token, len, wanted.digest)) {
        return NULL;
    }
    found = bsearch(&wanted, tokens->items, tokens->count,
            sizeof(*tokens->items), token_compare);
    return found == NULL ? NULL : found->name;
}
