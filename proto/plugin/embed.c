/** Writes the embedded descriptor set of a .proto file. */
#include "proto/plugin/write.h"

#include <stdlib.h>
#include <string.h>

/* The files to embed: those marked, in the request's order. */
struct embed {
    const Google__Protobuf__Compiler__CodeGeneratorRequest *request;
    char *is_needed; // one for each proto_file
};

static size_t
embed_find(const struct embed *embed, const char *name)
{
    size_t i = 0;

    while (i < embed->request->n_proto_file &&
            strcmp(embed->request->proto_file[i]->name, name) != 0) {
        i++;
    }
    return i;
}

/*
 * The request lists each file after all that it imports, so one pass from
 * the end marks everything that is reached.
 */
static void
embed_mark(struct embed *embed, const char *name)
{
    size_t last = embed_find(embed, name);

    if (last == embed->request->n_proto_file) {
        return;
    }
    embed->is_needed[last] = 1;
    for (size_t i = last + 1; i-- > 0;) {
        const Google__Protobuf__FileDescriptorProto *file =
                embed->request->proto_file[i];

        for (size_t j = 0; embed->is_needed[i] && j < file->n_dependency; j++) {
            size_t found = embed_find(embed, file->dependency[j]);

            if (found < i) {
                embed->is_needed[found] = 1;
            }
        }
    }
}

static void
write_bytes(FILE *out, const uint8_t *data, size_t len)
{
    fputs("static const uint8_t descriptor_set[] = {", out);
    for (size_t i = 0; i < len; i++) {
        fprintf(out, "%s0x%02x,", i % 12 == 0 ? "\n    " : " ", data[i]);
    }
    fputs("\n};\n", out);
}

static void
write_set(struct gen *gen, FILE *out,
        const Google__Protobuf__FileDescriptorSet *set)
{
    size_t len = google__protobuf__file_descriptor_set__get_packed_size(set);
    uint8_t *data = (uint8_t *)gen_alloc(gen, len);

    if (data != NULL) {
        (void)google__protobuf__file_descriptor_set__pack(set, data); // = len
        write_bytes(out, data, len);
    }
}

/* Places and comments are of no use at run time and would double the size. */
static void
collect_files(const struct embed *embed,
        Google__Protobuf__FileDescriptorProto *copies,
        Google__Protobuf__FileDescriptorSet *set)
{
    for (size_t i = 0; i < embed->request->n_proto_file; i++) {
        if (embed->is_needed[i]) {
            copies[set->n_file] = *embed->request->proto_file[i];
            copies[set->n_file].source_code_info = NULL;
            set->file[set->n_file] = &copies[set->n_file];
            set->n_file++;
        }
    }
}

void
gen_write_descriptor_set(
        struct gen *gen, FILE *out, const struct gen_model *model)
{
    size_t nfiles = gen->request->n_proto_file;
    struct embed embed = {gen->request, gen_alloc(gen, nfiles)};
    Google__Protobuf__FileDescriptorSet set;
    Google__Protobuf__FileDescriptorProto *copies =
            calloc(nfiles, sizeof(*copies));

    google__protobuf__file_descriptor_set__init(&set);
    set.file = calloc(nfiles, sizeof(*set.file));
    if (embed.is_needed != NULL && copies != NULL && set.file != NULL) {
        embed_mark(&embed, model->file->name);
        collect_files(&embed, copies, &set);
        write_set(gen, out, &set);
    } else {
        gen->out_of_memory = true;
    }
    free(set.file);
    free(copies);
}
