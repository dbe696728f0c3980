/** Gives a fuzz target the files of its corpus: replay FOLDER. */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Seeds are small; what is longer would be a mistake.
#define MAX_INPUT_BYTES ((size_t)1 << 20)

/** Reads a whole file into memory of exactly its size; NULL on failure. */
static uint8_t *
replay_read(const char *path, size_t *out_len)
{
    uint8_t *all = malloc(MAX_INPUT_BYTES);
    FILE *file = fopen(path, "rb");
    uint8_t *exact = NULL;

    if (all != NULL && file != NULL) {
        *out_len = fread(all, 1, MAX_INPUT_BYTES, file);
        exact = malloc(*out_len > 0 ? *out_len : 1);
        if (exact != NULL) {
            memcpy(exact, all, *out_len);
        }
    }
    if (file != NULL) {
        (void)fclose(file); // only read from
    }
    free(all);
    return exact;
}

static int
replay_file(const char *path)
{
    size_t len = 0;
    uint8_t *data = replay_read(path, &len);

    if (data == NULL) {
        perror(path);
        return EXIT_FAILURE;
    }
    (void)LLVMFuzzerTestOneInput(data, len); // always 0
    free(data);
    return EXIT_SUCCESS;
}

static int
replay_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry = NULL;
    int nfiles = 0;
    int status = EXIT_SUCCESS;

    if (dir == NULL) {
        perror(folder);
        return EXIT_FAILURE;
    }
    while (status == EXIT_SUCCESS && (entry = readdir(dir)) != NULL) {
        char path[4096];

        if (entry->d_name[0] != '.') {
            (void)snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
            status = replay_file(path);
            nfiles++;
        }
    }
    (void)closedir(dir); // only read from
    printf("%d inputs\n", nfiles);
    return nfiles > 0 ? status : EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
    if (argc != 2) {
        (void)fputs("usage: fuzz_NAME FOLDER\n", stderr);
        return EXIT_FAILURE;
    }
    return replay_folder(argv[1]);
}
