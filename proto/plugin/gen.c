/** The state of one run of protoc-gen-amdrpc: strings, files, the error. */
#include "proto/plugin/gen.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct gen_string {
    struct gen_string *next;
    char text[];
};

void
gen_init(struct gen *gen,
        const Google__Protobuf__Compiler__CodeGeneratorRequest *request)
{
    memset(gen, 0, sizeof(*gen));
    gen->request = request;
    google__protobuf__compiler__code_generator_response__init(&gen->response);
}

void
gen_fini(struct gen *gen)
{
    for (size_t i = 0; i < gen->response.n_file; i++) {
        free(gen->response.file[i]->content);
        free(gen->response.file[i]);
    }
    free(gen->response.file);
    while (gen->strings != NULL) {
        struct gen_string *string = gen->strings;

        gen->strings = string->next;
        free(string);
    }
}

char *
gen_alloc(struct gen *gen, size_t len)
{
    struct gen_string *string = calloc(1, sizeof(*string) + len + 1);

    if (string == NULL) {
        gen->out_of_memory = true;
        return NULL;
    }
    string->next = gen->strings;
    gen->strings = string;
    return string->text;
}

static const char *gen_vformat(
        struct gen *gen, const char *format, va_list args) AMDRPC_PRINTF(2, 0);

static const char *
gen_vformat(struct gen *gen, const char *format, va_list args)
{
    va_list again;
    char *text = NULL;
    int len;

    va_copy(again, args);
    len = vsnprintf(NULL, 0, format, args);
    if (len >= 0) {
        text = gen_alloc(gen, (size_t)len);
    }
    if (text != NULL) {
        (void)vsnprintf(text, (size_t)len + 1, format, again); // just measured
    }
    va_end(again);
    return text != NULL ? text : "";
}

const char *
gen_format(struct gen *gen, const char *format, ...)
{
    const char *text;
    va_list args;

    va_start(args, format);
    text = gen_vformat(gen, format, args);
    va_end(args);
    return text;
}

void
gen_fail(struct gen *gen, const char *format, ...)
{
    va_list args;

    if (gen->error != NULL) {
        return;
    }
    va_start(args, format);
    gen->error = gen_vformat(gen, format, args);
    va_end(args);
}

bool
gen_has_failed(const struct gen *gen)
{
    return gen->error != NULL || gen->out_of_memory;
}

bool
gen_file_open(struct gen *gen, struct gen_file *file, const char *name)
{
    memset(file, 0, sizeof(*file));
    file->name = name;
    file->out = open_memstream(&file->text, &file->len);
    if (file->out == NULL) {
        gen->out_of_memory = true;
    }
    return file->out != NULL;
}

static bool
gen_add_file(struct gen *gen, const char *name, char *text)
{
    Google__Protobuf__Compiler__CodeGeneratorResponse *response =
            &gen->response;
    Google__Protobuf__Compiler__CodeGeneratorResponse__File *entry =
            malloc(sizeof(*entry));
    void *files = realloc(
            response->file, (response->n_file + 1) * sizeof(*response->file));

    if (files != NULL) {
        response->file = files;
    }
    if (entry == NULL || files == NULL) {
        free(entry);
        return false;
    }
    google__protobuf__compiler__code_generator_response__file__init(entry);
    entry->name = (char *)name; // protobuf-c has no const; it is only read
    entry->content = text;
    response->file[response->n_file++] = entry;
    return true;
}

void
gen_file_close(struct gen *gen, struct gen_file *file)
{
    bool written = ferror(file->out) == 0;

    written = fclose(file->out) == 0 && written;
    if (!written || !gen_add_file(gen, file->name, file->text)) {
        gen->out_of_memory = true; // a stream over memory fails for no other
        free(file->text);
    }
}
