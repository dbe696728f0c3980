/** The state of one run of protoc-gen-amdrpc: strings, files, the error. */
#ifndef AMDGEN_GEN_H
#define AMDGEN_GEN_H

#include <amdrpc/err.h>

#include "google/protobuf/compiler/plugin.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct gen_string;

/**
 * Failures are kept, not returned: after the first one everything goes on
 * with empty strings, and main answers with the error alone.
 */
struct gen {
    const Google__Protobuf__Compiler__CodeGeneratorRequest *request; // borrowed
    Google__Protobuf__Compiler__CodeGeneratorResponse response;
    struct gen_string *strings; // every string made; owned
    const char *error;          // one of the strings, or NULL
    bool out_of_memory;
};

void gen_init(struct gen *gen,
        const Google__Protobuf__Compiler__CodeGeneratorRequest *request);
void gen_fini(struct gen *gen);

/** Returns a string that lives as long as @gen; "" when there is no memory. */
const char *gen_format(struct gen *gen, const char *format, ...)
        AMDRPC_PRINTF(2, 3);

/** Returns @len bytes, NUL-terminated, zero, that live as long as @gen. */
char *gen_alloc(struct gen *gen, size_t len);

/** Keeps the first error, a sentence for the writer of the .proto file. */
void gen_fail(struct gen *gen, const char *format, ...) AMDRPC_PRINTF(2, 3);

/** Tells whether something failed before. */
bool gen_has_failed(const struct gen *gen);

/** A file being written: a stdio stream over memory. */
struct gen_file {
    const char *name;
    FILE *out; // never NULL once opened with success
    char *text;
    size_t len;
};

/** Starts a file. Returns false, and keeps the error, without memory. */
bool gen_file_open(struct gen *gen, struct gen_file *file, const char *name);

/** Ends the file and adds it to the response. */
void gen_file_close(struct gen *gen, struct gen_file *file);

#endif
