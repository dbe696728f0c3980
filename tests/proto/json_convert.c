/**
 * Converts AllTypes messages for test_json_python.py, one for each line of
 * stdin: "r TEXT" reads JSON and prints the wire form in hex, "w HEX" writes
 * JSON, "d" prints the descriptor set in hex. What is refused prints "!" and
 * the sentence.
 */
#include "tests/proto/json_fixture.h"
#include "tests/proto/json_types.amdrpc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
print_hex(const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        printf("%02x", data[i]);
    }
    printf("\n");
}

static void
read_text(const char *text, size_t len)
{
    if (test_json_read(text, len) == AMDRPC_OK) {
        print_hex(
                amdi_buf_peek(&test_json.wire), amdi_buf_len(&test_json.wire));
    } else {
        printf("!%s\n", test_json.error.text);
    }
}

/* Turns the digits into bytes, in place. */
static void
write_hex(char *hex, size_t len)
{
    for (size_t i = 0; i + 1 < len; i += 2) {
        char digits[] = {hex[i], hex[i + 1], '\0'};

        hex[i / 2] = (char)strtoul(digits, NULL, 16);
    }
    if (test_json_write(hex, len / 2) == AMDRPC_OK) {
        printf("%.*s\n", (int)amdi_buf_len(&test_json.text),
                (const char *)amdi_buf_peek(&test_json.text));
    } else {
        printf("!%s\n", test_json.error.text);
    }
}

int
main(void)
{
    const amdrpc_service_desc *service = &amdrpc_test_v1_json_types_service;
    char *line = NULL;
    size_t size = 0;
    ssize_t len;

    if (test_json_open() != AMDRPC_OK) {
        fprintf(stderr, "json_convert: %s\n", test_json.error.text);
        return EXIT_FAILURE;
    }
    while ((len = getline(&line, &size, stdin)) > 0) {
        len -= line[len - 1] == '\n' ? 1 : 0;
        if (line[0] == 'd') {
            print_hex(service->descriptor_set, service->descriptor_set_len);
        } else if (len >= 2 && line[0] == 'r') {
            read_text(line + 2, (size_t)len - 2);
        } else if (len >= 2 && line[0] == 'w') {
            write_hex(line + 2, (size_t)len - 2);
        }
        (void)fflush(stdout); // the other end of the pipe waits for it
    }
    free(line);
    test_json_teardown();
    return EXIT_SUCCESS;
}
