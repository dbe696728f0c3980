/**
 * What the fuzz targets share. A target is one fuzz_NAME.c that defines
 * LLVMFuzzerTestOneInput: libFuzzer calls it with what it invents, replay.c
 * with the files of corpus/NAME.
 */
#ifndef TEST_FUZZ_H
#define TEST_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/** Takes one input; always returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/** Takes the first byte of an input for a choice; 0 at its end. */
uint8_t fuzz_take(const uint8_t **data, size_t *len);

/** Ends the process: what must always be so is not. */
_Noreturn void fuzz_fail(const char *file, int line, const char *what);

/** As an assertion, in every build. */
#define fuzz_check(condition)                          \
    do {                                               \
        if (!(condition)) {                            \
            fuzz_fail(__FILE__, __LINE__, #condition); \
        }                                              \
    } while (0)

#endif
