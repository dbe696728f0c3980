/** JSON's text: brackets, strings, numbers. */
#include "common/encoding.h"
#include "common/json/json_write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
amdi_json_put(struct json_writer *writer, const char *text, size_t len)
{
    if (amdi_json_is_good(&writer->context)) {
        amdi_json_check(
                &writer->context, amdi_buf_append(writer->out, text, len));
    }
}

void
amdi_json_put_text(struct json_writer *writer, const char *text)
{
    amdi_json_put(writer, text, strlen(text));
}

/* ---- brackets ---- */

static void
put_new_line(struct json_writer *writer)
{
    if (!writer->context.options.pretty) {
        return;
    }
    amdi_json_put_text(writer, "\n");
    for (unsigned i = 0; i < writer->indent; i++) {
        amdi_json_put_text(writer, "  ");
    }
}

/* No value ends in an opening bracket, a string for one ends in its quote. */
static bool
is_just_opened(const struct json_writer *writer)
{
    uint8_t last = amdi_buf_len(writer->out) > 0
            ? writer->out->data[writer->out->end - 1]
            : 0;

    return last == '{' || last == '[';
}

void
amdi_json_open(struct json_writer *writer, char bracket)
{
    amdi_json_put(writer, &bracket, 1);
    writer->indent++;
}

void
amdi_json_close(struct json_writer *writer, char bracket)
{
    writer->indent--;
    if (!is_just_opened(writer)) {
        put_new_line(writer);
    }
    amdi_json_put(writer, &bracket, 1);
}

void
amdi_json_next(struct json_writer *writer)
{
    if (!is_just_opened(writer)) {
        amdi_json_put_text(writer, ",");
    }
    put_new_line(writer);
}

void
amdi_json_put_key(struct json_writer *writer, const char *key)
{
    amdi_json_next(writer);
    amdi_json_put_string(writer, key, strlen(key));
    amdi_json_put_text(writer, writer->context.options.pretty ? ": " : ":");
}

/* ---- strings ---- */

static void
put_escaped(struct json_writer *writer, char c)
{
    static const char letters[] = "btnvfr"; // from 0x08 on; JSON has no \v
    char escape[8] = {'\\', c};

    if (c == '"' || c == '\\') {
        amdi_json_put(writer, escape, 2);
    } else if (c >= '\b' && c <= '\r' && c != '\v') {
        escape[1] = letters[c - '\b'];
        amdi_json_put(writer, escape, 2);
    } else {
        (void)snprintf(escape, sizeof(escape), "\\u%04x", (unsigned char)c);
        amdi_json_put(writer, escape, 6);
    }
}

void
amdi_json_put_string(struct json_writer *writer, const void *text, size_t len)
{
    const char *chars = text;
    size_t start = 0; // of what is not yet written

    if (!amdi_utf8_is_valid(text, len)) {
        amdi_json_fail(&writer->context, AMDRPC_EINVAL, "is not UTF-8");
        return;
    }
    amdi_json_put_text(writer, "\"");
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)chars[i];

        if (c < 0x20 || c == '"' || c == '\\') {
            amdi_json_put(writer, chars + start, i - start);
            put_escaped(writer, chars[i]);
            start = i + 1;
        }
    }
    amdi_json_put(writer, chars + start, len - start);
    amdi_json_put_text(writer, "\"");
}

void
amdi_json_put_base64(struct json_writer *writer, const void *data, size_t len)
{
    static const char *const padding[] = {"\"", "==\"", "=\""};
    amdrpc_err err;

    amdi_json_put_text(writer, "\"");
    err = amdi_buf_reserve(writer->out, AMDI_BASE64_BYTES(len));
    amdi_json_check(&writer->context, err);
    if (err == AMDRPC_OK) {
        writer->out->end += amdi_base64_encode(
                data, len, (char *)writer->out->data + writer->out->end);
    }
    amdi_json_put_text(writer, padding[len % 3]);
}

/* ---- numbers ---- */

/* A locale may write another sign than a point. */
static void
put_digits(struct json_writer *writer, char *digits)
{
    size_t sign = strspn(digits, "+-0123456789eE");

    if (digits[sign] != '\0') {
        digits[sign] = '.';
    }
    amdi_json_put_text(writer, digits);
}

/* Numbers that digits alone do not say; "-0" would be read as an integer. */
static bool
put_odd_number(struct json_writer *writer, double value)
{
    bool is_minus_zero = value == 0.0 && signbit(value);

    if (isnan(value)) {
        amdi_json_put_text(writer, "\"NaN\"");
    } else if (isinf(value)) {
        amdi_json_put_text(
                writer, value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
    } else if (is_minus_zero) {
        amdi_json_put_text(writer, "-0.0");
    }
    return !isfinite(value) || is_minus_zero;
}

void
amdi_json_put_double(struct json_writer *writer, double value)
{
    char digits[32];
    int precision = 15; // always survives; 17 always tells doubles apart

    if (put_odd_number(writer, value)) {
        return;
    }
    do {
        (void)snprintf(digits, sizeof(digits), "%.*g", precision, value);
    } while (precision++ < 17 && strtod(digits, NULL) != value);
    put_digits(writer, digits);
}

void
amdi_json_put_float(struct json_writer *writer, float value)
{
    char digits[32];
    int precision = 6; // always survives; 9 always tells floats apart

    if (put_odd_number(writer, (double)value)) {
        return;
    }
    do {
        (void)snprintf(
                digits, sizeof(digits), "%.*g", precision, (double)value);
    } while (precision++ < 9 && strtof(digits, NULL) != value);
    put_digits(writer, digits);
}
