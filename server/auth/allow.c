/** Who may call a method: rules and their names. */
#include "server/auth/allow.h"

#include "common/alloc.h"

#include <string.h>

#define BLANKS " \t,"
#define WORD_KNOWN "*"
#define WORD_ANONYMOUS "anonymous"

/** The next word of *text, and moves behind it; 0 at the end. */
static size_t
text_next_word(const char **text, const char **out)
{
    size_t len;

    *text += strspn(*text, BLANKS);
    len = strcspn(*text, BLANKS);
    *out = *text;
    *text += len;
    return len;
}

static bool
word_is(const char *word, size_t len, const char *other)
{
    return strlen(other) == len && memcmp(word, other, len) == 0;
}

static bool
names_have(const char *names, const char *name)
{
    const char *word = NULL;
    size_t len;

    while ((len = text_next_word(&names, &word)) > 0) {
        if (word_is(word, len, name)) {
            return true;
        }
    }
    return false;
}

bool
amdi_allow_name_is_valid(const char *name)
{
    return name[0] != '\0' && strcmp(name, WORD_KNOWN) != 0 &&
            strcmp(name, WORD_ANONYMOUS) != 0 &&
            name[strcspn(name, BLANKS)] == '\0';
}

amdrpc_err
amdi_allow_create(const char *path, const char *names, struct amdi_allow **out)
{
    struct amdi_allow *allow = NULL;

    if (path[0] != '/' || names[strspn(names, BLANKS)] == '\0') {
        return AMDRPC_EINVAL;
    }
    allow = amdi_zalloc(sizeof(*allow));
    if (allow == NULL) {
        return AMDRPC_ENOMEM;
    }
    allow->path = amdi_strdup(path);
    allow->names = amdi_strdup(names);
    if (allow->path == NULL || allow->names == NULL) {
        amdi_allow_destroy(allow);
        return AMDRPC_ENOMEM;
    }
    allow->allows_known = names_have(names, WORD_KNOWN);
    allow->allows_anonymous = names_have(names, WORD_ANONYMOUS);
    *out = allow;
    return AMDRPC_OK;
}

void
amdi_allow_destroy(struct amdi_allow *allow)
{
    if (allow != NULL) {
        amdi_free(allow->path);
        amdi_free(allow->names);
        amdi_free(allow);
    }
}

bool
amdi_allow_has(const struct amdi_allow *allow, const char *identity)
{
    if (allow == NULL || allow->allows_anonymous) {
        return true;
    }
    // A certificate may have any name; the two words are nobody's.
    if (!amdi_allow_name_is_valid(identity)) {
        return false;
    }
    return allow->allows_known || names_have(allow->names, identity);
}

bool
amdi_allow_is_closer(const char *path, const char *other)
{
    // One method, one service, all: each contains the next, so it is longer.
    return strlen(path) > strlen(other);
}
