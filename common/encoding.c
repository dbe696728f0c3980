/** Percent-encoding, base64 and a check of UTF-8. */
#include "common/encoding.h"

#include <string.h>

/** Returns the value of a hexadecimal digit, or -1. */
static int
hex_value(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    if (digit >= 'A' && digit <= 'F') {
        return digit - 'A' + 10;
    }
    if (digit >= 'a' && digit <= 'f') {
        return digit - 'a' + 10;
    }
    return -1;
}

// Which bytes stay: PROTOCOL-HTTP2, "Status-Message".
size_t
amdi_percent_encode(const char *text, size_t len, char *out)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t pos = 0;

    for (size_t i = 0; i < len; i++) {
        uint8_t byte = (uint8_t)text[i];

        if (byte >= 0x20 && byte <= 0x7e && byte != '%') {
            out[pos++] = text[i];
            continue;
        }
        out[pos++] = '%';
        out[pos++] = digits[byte >> 4];
        out[pos++] = digits[byte & 15];
    }
    out[pos] = '\0';
    return pos;
}

size_t
amdi_percent_decode(const char *text, size_t len, char *out)
{
    size_t pos = 0;

    for (size_t i = 0; i < len; i++) {
        int high = -1;
        int low = -1;

        if (text[i] == '%' && len - i > 2) {
            high = hex_value(text[i + 1]);
            low = hex_value(text[i + 2]);
        }
        if (high < 0 || low < 0) {
            out[pos++] = text[i];
            continue;
        }
        out[pos++] = (char)(uint8_t)(high << 4 | low);
        i += 2;
    }
    return pos;
}

static const char base64_digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t
amdi_base64_encode(const void *data, size_t len, char *out)
{
    const uint8_t *bytes = data;
    uint32_t bits = 0;
    unsigned nbits = 0; // of `bits`, not yet written
    size_t pos = 0;

    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | bytes[i];
        nbits += 8;
        while (nbits >= 6) {
            nbits -= 6;
            out[pos++] = base64_digits[bits >> nbits & 63];
        }
    }
    if (nbits > 0) {
        out[pos++] = base64_digits[bits << (6 - nbits) & 63];
    }
    out[pos] = '\0';
    return pos;
}

/** Returns the value of a base64 digit, or -1. */
static int
base64_value(char digit)
{
    if (digit >= 'A' && digit <= 'Z') {
        return digit - 'A';
    }
    if (digit >= 'a' && digit <= 'z') {
        return digit - 'a' + 26;
    }
    if (digit >= '0' && digit <= '9') {
        return digit - '0' + 52;
    }
    if (digit == '+') {
        return 62;
    }
    return digit == '/' ? 63 : -1;
}

/** Returns the length without padding; padding fills up four digits. */
static size_t
base64_trim(const char *text, size_t len)
{
    size_t npad = 0;

    if (len == 0 || len % 4 != 0) {
        return len;
    }
    while (npad < 2 && text[len - 1 - npad] == '=') {
        npad++;
    }
    return len - npad;
}

// What the last digit has beyond the last byte is not looked at: some encoders
// leave rubbish there, and the other gRPC libraries take it.
amdrpc_err
amdi_base64_decode(const char *text, size_t len, uint8_t *out, size_t *out_len)
{
    size_t ndigits = base64_trim(text, len);
    uint32_t bits = 0;
    unsigned nbits = 0; // of `bits`, not yet written
    size_t pos = 0;

    if (ndigits % 4 == 1) {
        return AMDRPC_EINVAL;
    }
    for (size_t i = 0; i < ndigits; i++) {
        int value = base64_value(text[i]);

        if (value < 0) {
            return AMDRPC_EINVAL;
        }
        bits = bits << 6 | (uint32_t)value;
        nbits += 6;
        if (nbits >= 8) {
            nbits -= 8;
            out[pos++] = (uint8_t)(bits >> nbits);
        }
    }
    *out_len = pos;
    return AMDRPC_OK;
}

/** Skips whole words of ASCII; returns how many bytes. */
static size_t
utf8_skip_ascii(const uint8_t *bytes, size_t len)
{
    size_t pos = 0;

    while (len - pos >= sizeof(uint64_t)) {
        uint64_t word;

        memcpy(&word, bytes + pos, sizeof(word));
        if ((word & UINT64_C(0x8080808080808080)) != 0) {
            break;
        }
        pos += sizeof(word);
    }
    return pos;
}

/**
 * Returns the length of the character at @bytes, or 0 when there is none
 * (Unicode, table 3-7: only the second byte has ranges of its own).
 */
static size_t
utf8_char_len(const uint8_t *bytes, size_t len)
{
    uint8_t first = bytes[0];
    uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    size_t need = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

    if (first < 0x80) {
        return 1;
    }
    if (first < 0xc2 || first > 0xf4 || need > len || bytes[1] < low ||
            bytes[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < need; i++) {
        if ((bytes[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return need;
}

bool
amdi_utf8_is_valid(const void *data, size_t len)
{
    const uint8_t *bytes = data;
    size_t pos = 0;

    while (pos < len) {
        size_t char_len;

        pos += utf8_skip_ascii(bytes + pos, len - pos);
        if (pos == len) {
            break;
        }
        char_len = utf8_char_len(bytes + pos, len - pos);
        if (char_len == 0) {
            return false;
        }
        pos += char_len;
    }
    return true;
}
