/**
 * C names of protobuf things, as protobuf-c and as amdrpc form them.
 *
 * Names are ASCII by protobuf's grammar, and the rules must not follow the
 * locale, so letters are told apart by hand.
 */
#include "proto/plugin/names.h"

#include <string.h>

static bool
char_is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool
char_is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static char
char_to_lower(char c)
{
    return char_is_upper(c) ? (char)(c - 'A' + 'a') : c;
}

static char
char_to_upper(char c)
{
    return char_is_lower(c) ? (char)(c - 'a' + 'A') : c;
}

static const char *
skip_root_dot(const char *full_name)
{
    return full_name[0] == '.' ? full_name + 1 : full_name;
}

const char *
name_of_type(struct gen *gen, const char *full_name)
{
    const char *in = skip_root_dot(full_name);
    char *name = gen_alloc(gen, 2 * strlen(in));
    char *out = name;
    bool next_is_upper = true;

    if (name == NULL) {
        return "";
    }
    for (; *in != '\0'; in++) {
        if (*in == '.') {
            *out++ = '_';
            *out++ = '_';
            next_is_upper = true;
        } else if (*in == '_') {
            next_is_upper = true;
        } else {
            *out++ = next_is_upper ? char_to_upper(*in) : *in;
            next_is_upper = false;
        }
    }
    return name;
}

/* A `_` goes before each upper-case letter that starts a run of them. */
static void
write_lower(const char *in, const char *dot, char *out)
{
    bool was_upper = true;

    for (; *in != '\0'; in++) {
        if (*in == '.') {
            out = stpcpy(out, dot);
            was_upper = true;
            continue;
        }
        if (char_is_upper(*in) && !was_upper) {
            *out++ = '_';
        }
        *out++ = char_to_lower(*in);
        was_upper = char_is_upper(*in);
    }
}

const char *
name_of_functions(struct gen *gen, const char *full_name)
{
    const char *in = skip_root_dot(full_name);
    char *name = gen_alloc(gen, 2 * strlen(in));

    if (name == NULL) {
        return "";
    }
    write_lower(in, "__", name);
    return name;
}

static void
squeeze_underscores(char *name)
{
    char *out = name;

    for (const char *in = name; *in != '\0'; in++) {
        if (in[0] != '_' || in[1] != '_') {
            *out++ = *in;
        }
    }
    *out = '\0';
}

const char *
name_snake(struct gen *gen, const char *full_name)
{
    const char *in = skip_root_dot(full_name);
    char *name = gen_alloc(gen, 2 * strlen(in));

    if (name == NULL) {
        return "";
    }
    write_lower(in, "_", name);
    squeeze_underscores(name);
    return name;
}

static bool
name_is_in(const char *name, const char *const *words)
{
    for (size_t i = 0; words[i] != NULL; i++) {
        if (strcmp(name, words[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool
name_is_c_keyword(const char *name)
{
    static const char *const words[] = {"auto", "break", "case", "char",
            "const", "continue", "default", "do", "double", "else", "enum",
            "extern", "float", "for", "goto", "if", "inline", "int", "long",
            "register", "restrict", "return", "short", "signed", "sizeof",
            "static", "struct", "switch", "typedef", "union", "unsigned",
            "void", "volatile", "while", NULL};

    return name_is_in(name, words);
}

static bool
name_is_cxx_keyword(const char *name)
{
    static const char *const words[] = {"alignas", "alignof", "and", "and_eq",
            "asm", "bitand", "bitor", "bool", "catch", "class", "compl",
            "concept", "consteval", "constexpr", "constinit", "decltype",
            "delete", "explicit", "export", "false", "friend", "mutable",
            "namespace", "new", "noexcept", "not", "not_eq", "nullptr",
            "operator", "or", "or_eq", "private", "protected", "public",
            "requires", "static_assert", "template", "this", "thread_local",
            "throw", "true", "try", "typeid", "typename", "typeof", "using",
            "virtual", "wchar_t", "xor", "xor_eq", NULL};

    return name_is_in(name, words);
}

const char *
name_member(struct gen *gen, const char *name)
{
    const char *member = name_snake(gen, name);

    return name_is_cxx_keyword(member) ? gen_format(gen, "%s_", member)
                                       : member;
}

const char *
name_upper(struct gen *gen, const char *name)
{
    char *upper = gen_alloc(gen, strlen(name));

    if (upper == NULL) {
        return "";
    }
    for (size_t i = 0; name[i] != '\0'; i++) {
        bool is_word = char_is_upper(name[i]) || char_is_lower(name[i]) ||
                (name[i] >= '0' && name[i] <= '9');

        upper[i] = is_word ? char_to_upper(name[i]) : '_';
    }
    return upper;
}

const char *
name_without_proto(struct gen *gen, const char *file_name)
{
    static const char ending[] = ".proto";
    size_t len = strlen(file_name);
    size_t ending_len = sizeof(ending) - 1;

    if (len > ending_len && strcmp(file_name + len - ending_len, ending) == 0) {
        len -= ending_len;
    }
    return gen_format(gen, "%.*s", (int)len, file_name);
}
