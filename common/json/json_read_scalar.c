/** Reads numbers, strings, bytes and enums from JSON. */
#include "common/alloc.h"
#include "common/encoding.h"
#include "common/json/json_read.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* How much of a wrong value a sentence repeats. */
#define SHOWN_BYTES 60u

/* Cuts a text between two characters; only a longer one is cut. */
static size_t
shown_len(const char *text, size_t len)
{
    if (len <= SHOWN_BYTES) {
        return len;
    }
    len = SHOWN_BYTES;
    while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80) {
        len--;
    }
    return len;
}

void
amdi_json_fail_value(
        struct json_reader *reader, const json_t *json, const char *expected)
{
    char text[SHOWN_BYTES];
    const char *shown = text;
    size_t len = json_dumpb(
            json, text, sizeof(text), JSON_ENCODE_ANY | JSON_COMPACT);

    if (json_is_string(json)) {
        shown = json_string_value(json);
        len = json_string_length(json);
    } else if (len > sizeof(text)) { // what fits is not all there
        shown = json_is_array(json) ? "[...]" : "{...}";
        len = strlen(shown);
    }
    amdi_json_fail(&reader->context, AMDRPC_EINVAL, "'%.*s%s' is no %s",
            (int)shown_len(shown, len), shown, len > SHOWN_BYTES ? "..." : "",
            expected);
}

/* ---- integers ---- */

/* A whole number of 64 bits, with or without a sign. */
struct whole {
    bool is_negative;
    uint64_t bits; // two's complement when negative
};

static bool
whole_from_real(double value, struct whole *out)
{
    if (value != floor(value) || value < -0x1p63 || value >= 0x1p64) {
        return false;
    }
    out->is_negative = value < 0;
    out->bits = out->is_negative ? (uint64_t)(int64_t)value : (uint64_t)value;
    return true;
}

static bool
whole_from_digits(const char *text, struct whole *out)
{
    char *end = NULL;

    errno = 0;
    out->is_negative = text[0] == '-';
    out->bits = out->is_negative ? (uint64_t)strtoll(text, &end, 10)
                                 : strtoull(text, &end, 10);
    return errno == 0 && *end == '\0';
}

/*
 * Lets jansson read a number in quotes: it knows JSON's grammar, and no
 * locale. It would also take blanks before the number, so we look first.
 */
static json_t *
number_from_text(const char *text, size_t len)
{
    json_t *number;

    if (len == 0 || strspn(text, "+-.0123456789eE") != len) {
        return NULL;
    }
    number = json_loadb(text, len, JSON_DECODE_ANY, NULL);
    if (number != NULL && !json_is_number(number)) {
        json_decref(number);
        number = NULL;
    }
    return number;
}

static bool
whole_from_text(const char *text, size_t len, struct whole *out)
{
    const char *digits = text[0] == '-' ? text + 1 : text;
    json_t *number;
    bool is_whole;

    if (len > 0 && strlen(text) == len && digits[0] != '\0' &&
            digits[strspn(digits, "0123456789")] == '\0') {
        return whole_from_digits(text, out);
    }
    number = number_from_text(text, len);
    is_whole =
            number != NULL && whole_from_real(json_number_value(number), out);
    json_decref(number);
    return is_whole;
}

static bool
whole_from_json(const json_t *json, struct whole *out)
{
    if (json_is_integer(json)) {
        out->is_negative = json_integer_value(json) < 0;
        out->bits = (uint64_t)json_integer_value(json);
        return true;
    }
    if (json_is_real(json)) {
        return whole_from_real(json_real_value(json), out);
    }
    return json_is_string(json) &&
            whole_from_text(
                    json_string_value(json), json_string_length(json), out);
}

static bool
whole_is_signed(struct whole whole, int64_t min, int64_t max)
{
    return whole.is_negative ? (int64_t)whole.bits >= min
                             : whole.bits <= (uint64_t)max;
}

static bool
whole_is_unsigned(struct whole whole, uint64_t max)
{
    return (!whole.is_negative || whole.bits == 0) && whole.bits <= max;
}

/* Turns a number into what the wire has for the type; false out of range. */
static bool
whole_to_wire(
        struct whole whole, enum amdi_field_type type, uint64_t *out_number)
{
    *out_number = whole.bits;
    switch (type) {
    case AMDI_FIELD_SINT32:
        *out_number = (uint32_t)amdi_wire_zigzag((int64_t)whole.bits);
        return whole_is_signed(whole, INT32_MIN, INT32_MAX);
    case AMDI_FIELD_SFIXED32:
        *out_number = (uint32_t)whole.bits;
        return whole_is_signed(whole, INT32_MIN, INT32_MAX);
    case AMDI_FIELD_INT32:
    case AMDI_FIELD_ENUM:
        return whole_is_signed(whole, INT32_MIN, INT32_MAX);
    case AMDI_FIELD_SINT64:
        *out_number = amdi_wire_zigzag((int64_t)whole.bits);
        return whole_is_signed(whole, INT64_MIN, INT64_MAX);
    case AMDI_FIELD_INT64:
    case AMDI_FIELD_SFIXED64:
        return whole_is_signed(whole, INT64_MIN, INT64_MAX);
    case AMDI_FIELD_UINT32:
    case AMDI_FIELD_FIXED32:
        return whole_is_unsigned(whole, UINT32_MAX);
    case AMDI_FIELD_UINT64:
    case AMDI_FIELD_FIXED64:
        return whole_is_unsigned(whole, UINT64_MAX);
    case AMDI_FIELD_DOUBLE:
    case AMDI_FIELD_FLOAT:
    case AMDI_FIELD_BOOL:
    case AMDI_FIELD_STRING:
    case AMDI_FIELD_GROUP:
    case AMDI_FIELD_MESSAGE:
    case AMDI_FIELD_BYTES:
        break; // no integers
    }
    return false;
}

/* ---- other numbers ---- */

static bool
real_from_text(const json_t *json, double *out)
{
    const char *text = json_string_value(json);
    json_t *number;

    if (strcmp(text, "NaN") == 0) {
        *out = (double)NAN;
    } else if (strcmp(text, "Infinity") == 0) {
        *out = HUGE_VAL;
    } else if (strcmp(text, "-Infinity") == 0) {
        *out = -HUGE_VAL;
    } else {
        number = number_from_text(text, json_string_length(json));
        if (number == NULL) {
            return false;
        }
        *out = json_number_value(number);
        json_decref(number);
    }
    return true;
}

static bool
real_from_json(const json_t *json, double *out)
{
    if (json_is_string(json)) {
        return real_from_text(json, out);
    }
    *out = json_number_value(json);
    return json_is_number(json);
}

static bool
get_double(const json_t *json, struct json_scalar *out)
{
    double value;

    if (!real_from_json(json, &value)) {
        return false;
    }
    memcpy(&out->number, &value, sizeof(value));
    return true;
}

/* What rounds to a float is one; only what rounds to infinity is too large. */
static bool
get_float(const json_t *json, struct json_scalar *out)
{
    uint32_t bits;
    double value;
    float narrow;

    if (!real_from_json(json, &value)) {
        return false;
    }
    narrow = (float)value;
    if (isinf(narrow) && !isinf(value)) {
        return false;
    }
    memcpy(&bits, &narrow, sizeof(bits));
    out->number = bits;
    return true;
}

static bool
get_enum(const struct amdi_enum *type, const json_t *json,
        struct json_scalar *out)
{
    const struct amdi_enum_value *value = NULL;
    struct whole whole;

    if (json_is_null(json)) { // comes here for google.protobuf.NullValue only
        out->number = 0;
        return true;
    }
    if (json_is_string(json)) {
        value = amdi_enum_find_name(type, json_string_value(json));
    }
    if (value != NULL) {
        out->number = (uint64_t)(int64_t)value->number;
        return true;
    }
    return whole_from_json(json, &whole) &&
            whole_to_wire(whole, AMDI_FIELD_ENUM, &out->number) &&
            (!type->is_closed ||
                    amdi_enum_find_number(type, (int32_t)whole.bits) != NULL);
}

/* ---- strings ---- */

/* Takes both alphabets of base64, and the padding or not. */
static bool
get_bytes(
        struct json_reader *reader, const json_t *json, struct json_scalar *out)
{
    size_t len = json_string_length(json);
    char *text = amdi_strndup(json_string_value(json), len);
    uint8_t *data = amdi_alloc(len / 4 * 3 + 2);
    amdrpc_err err = AMDRPC_ENOMEM;

    if (text != NULL && data != NULL) {
        for (size_t i = 0; i < len; i++) {
            text[i] = text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i];
        }
        err = amdi_base64_decode(text, len, data, &out->len);
    }
    amdi_free(text);
    if (err == AMDRPC_ENOMEM) {
        amdi_json_check(&reader->context, err);
    }
    out->data = data;
    out->owned = data;
    return err == AMDRPC_OK;
}

static bool
get_string(const json_t *json, struct json_scalar *out)
{
    out->data = json_string_value(json);
    out->len = json_string_length(json);
    return json_is_string(json);
}

/* ---- all of them ---- */

static const char *
type_name(const struct amdi_field *field)
{
    static const char *const names[] = {"", "double", "float", "int64",
            "uint64", "int32", "fixed64", "fixed32", "bool", "string", "group",
            "message", "base64 text", "uint32", "enum", "sfixed32", "sfixed64",
            "sint32", "sint64"};

    return field->type == AMDI_FIELD_ENUM ? field->enum_type->full_name
                                          : names[field->type];
}

static bool
get_whole(
        enum amdi_field_type type, const json_t *json, struct json_scalar *out)
{
    struct whole whole;

    return whole_from_json(json, &whole) &&
            whole_to_wire(whole, type, &out->number);
}

static bool
get_bool(const json_t *json, struct json_scalar *out)
{
    out->number = json_is_true(json);
    return json_is_boolean(json);
}

static bool
get_any_scalar(struct json_reader *reader, const struct amdi_field *field,
        const json_t *json, struct json_scalar *out)
{
    if (field->type == AMDI_FIELD_DOUBLE) {
        return get_double(json, out);
    }
    if (field->type == AMDI_FIELD_FLOAT) {
        return get_float(json, out);
    }
    if (field->type == AMDI_FIELD_BOOL) {
        return get_bool(json, out);
    }
    if (field->type == AMDI_FIELD_STRING) {
        return get_string(json, out);
    }
    if (field->type == AMDI_FIELD_BYTES) {
        return json_is_string(json) && get_bytes(reader, json, out);
    }
    if (field->type == AMDI_FIELD_ENUM) {
        return get_enum(field->enum_type, json, out);
    }
    return get_whole(field->type, json, out);
}

bool
amdi_json_get_scalar(struct json_reader *reader, const struct amdi_field *field,
        const json_t *json, struct json_scalar *out)
{
    *out = (struct json_scalar){0};
    if (get_any_scalar(reader, field, json, out)) {
        return true;
    }
    amdi_json_fail_value(reader, json, type_name(field));
    amdi_free(out->owned);
    return false;
}

bool
amdi_json_get_key(struct json_reader *reader, const struct amdi_field *field,
        const char *key, struct json_scalar *out)
{
    bool is_true = strcmp(key, "true") == 0;
    json_t *json;
    bool is_good;

    *out = (struct json_scalar){.data = key, .len = strlen(key)};
    if (field->type == AMDI_FIELD_STRING) {
        return true;
    }
    if (field->type == AMDI_FIELD_BOOL &&
            (is_true || strcmp(key, "false") == 0)) {
        out->number = is_true;
        return true;
    }
    json = json_string(key);
    is_good = json != NULL && amdi_json_get_scalar(reader, field, json, out);
    if (json == NULL) {
        amdi_json_check(&reader->context, AMDRPC_ENOMEM);
    }
    json_decref(json); // a number: nothing refers to the text
    return is_good;
}
