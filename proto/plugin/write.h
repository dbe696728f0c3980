/** The writers of generated files: one function for each kind of file. */
#ifndef AMDGEN_WRITE_H
#define AMDGEN_WRITE_H

#include "proto/plugin/model.h"

/** foo.amdrpc.h and foo.amdrpc.c: what the services are. */
void gen_write_service_header(struct gen *gen, const struct gen_model *model);
void gen_write_service_source(struct gen *gen, const struct gen_model *model);

/** foo.amdrpc-server.h and foo.amdrpc-server.c: typed handlers. */
void gen_write_server_header(struct gen *gen, const struct gen_model *model);
void gen_write_server_source(struct gen *gen, const struct gen_model *model);

/** foo.amdrpc-client.h and foo.amdrpc-client.c: typed calls. */
void gen_write_client_header(struct gen *gen, const struct gen_model *model);
void gen_write_client_source(struct gen *gen, const struct gen_model *model);

/** Writes the C array `descriptor_set`: the file after all that it imports. */
void gen_write_descriptor_set(
        struct gen *gen, FILE *out, const struct gen_model *model);

/* ---- what every file has ---- */

/** Opens "<base><ending>" and writes its first lines. */
bool gen_write_open(struct gen *gen, const struct gen_model *model,
        const char *ending, struct gen_file *file);

/** Opens a header and writes guard, includes and `extern "C"`. */
bool gen_write_open_header(struct gen *gen, const struct gen_model *model,
        const char *ending, const char *include, struct gen_file *file);

/** Writes a header's last lines and closes it. */
void gen_write_close_header(struct gen *gen, struct gen_file *file);

#endif
