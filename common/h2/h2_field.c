/** RFC 9113, section 8.2.1: which header fields are well-formed. */
#include "common/h2/h2_field.h"

#include <string.h>

// tchar of RFC 9110, section 5.6.2, without upper case.
static const uint8_t name_chars[256] = {
        ['!'] = 1,
        ['#'] = 1,
        ['$'] = 1,
        ['%'] = 1,
        ['&'] = 1,
        ['\''] = 1,
        ['*'] = 1,
        ['+'] = 1,
        ['-'] = 1,
        ['.'] = 1,
        ['^'] = 1,
        ['_'] = 1,
        ['`'] = 1,
        ['|'] = 1,
        ['~'] = 1,
        ['0'] = 1,
        ['1'] = 1,
        ['2'] = 1,
        ['3'] = 1,
        ['4'] = 1,
        ['5'] = 1,
        ['6'] = 1,
        ['7'] = 1,
        ['8'] = 1,
        ['9'] = 1,
        ['a'] = 1,
        ['b'] = 1,
        ['c'] = 1,
        ['d'] = 1,
        ['e'] = 1,
        ['f'] = 1,
        ['g'] = 1,
        ['h'] = 1,
        ['i'] = 1,
        ['j'] = 1,
        ['k'] = 1,
        ['l'] = 1,
        ['m'] = 1,
        ['n'] = 1,
        ['o'] = 1,
        ['p'] = 1,
        ['q'] = 1,
        ['r'] = 1,
        ['s'] = 1,
        ['t'] = 1,
        ['u'] = 1,
        ['v'] = 1,
        ['w'] = 1,
        ['x'] = 1,
        ['y'] = 1,
        ['z'] = 1,
};

bool
amdi_h2_name_is_valid(const char *name, size_t len)
{
    size_t i = len > 0 && name[0] == ':' ? 1 : 0;

    if (i == len) {
        return false;
    }
    for (; i < len; i++) {
        if (!name_chars[(uint8_t)name[i]]) {
            return false;
        }
    }
    return true;
}

bool
amdi_h2_value_is_valid(const char *value, size_t len)
{
    if (len == 0) {
        return true;
    }
    if (value[0] == ' ' || value[0] == '\t' || value[len - 1] == ' ' ||
            value[len - 1] == '\t') {
        return false;
    }
    return memchr(value, '\0', len) == NULL &&
            memchr(value, '\r', len) == NULL &&
            memchr(value, '\n', len) == NULL;
}

/** Fields that only make sense on HTTP/1.1 connections (section 8.2.2). */
static bool
name_is_connection_specific(const char *name, size_t len)
{
    static const char *const names[] = {"connection", "keep-alive",
            "proxy-connection", "transfer-encoding", "upgrade"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0) {
            return true;
        }
    }
    return false;
}

bool
amdi_h2_field_is_valid(const struct amdi_h2_field *field)
{
    return amdi_h2_name_is_valid(field->name, field->name_len) &&
            amdi_h2_value_is_valid(field->value, field->value_len) &&
            !name_is_connection_specific(field->name, field->name_len);
}
