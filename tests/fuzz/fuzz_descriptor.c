/** Fuzzes descriptor sets, as a server that is asked by reflection sends. */
#include "common/alloc.h"
#include "common/descriptor/descriptor.h"
#include "tests/fuzz/fuzz.h"

#include <stdbool.h>
#include <stddef.h>

static void
find_all(const struct amdi_descriptors *descriptors,
        const struct amdi_file *file)
{
    const struct amdi_file **closure = NULL;
    size_t nfiles = 0;

    fuzz_check(amdi_file_list_closure(file, &closure, &nfiles) == AMDRPC_OK);
    fuzz_check(nfiles >= 1 && closure[0] == file);
    amdi_free(closure);
    fuzz_check(amdi_descriptors_find_file(descriptors, file->name) == file);
    for (size_t i = 0; i < file->nmessages; i++) {
        const struct amdi_message *message = &file->messages[i];

        fuzz_check(amdi_descriptors_find_message(
                           descriptors, message->full_name) == message);
        for (size_t k = 0; k < message->nfields; k++) {
            const struct amdi_field *field = &message->fields[k];

            fuzz_check(
                    amdi_message_find_field(message, field->number) == field);
        }
    }
    for (size_t i = 0; i < file->nservices; i++) {
        fuzz_check(amdi_descriptors_find_service(descriptors,
                           file->services[i].full_name) == &file->services[i]);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct amdi_descriptors *descriptors = NULL;
    struct amdi_error error = {.text = ""};
    bool is_set = (fuzz_take(&data, &len) & 1) == 0;
    amdrpc_err err = AMDRPC_OK;

    fuzz_check(amdi_descriptors_create(&descriptors) == AMDRPC_OK);
    err = is_set ? amdi_descriptors_add_set(descriptors, data, len, &error)
                 : amdi_descriptors_add_file(descriptors, data, len, &error);
    if (err == AMDRPC_OK) {
        (void)amdi_descriptors_get_missing(descriptors); // may be NULL
        err = amdi_descriptors_link(descriptors, &error);
    }
    if (err == AMDRPC_OK) {
        for (const struct amdi_file *file =
                        amdi_descriptors_get_files(descriptors);
                file != NULL; file = file->next) {
            find_all(descriptors, file);
        }
    } else {
        fuzz_check(error.text[0] != '\0' || err == AMDRPC_ENOMEM);
    }
    amdi_descriptors_destroy(descriptors);
    return 0;
}
