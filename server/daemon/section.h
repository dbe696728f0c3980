/** Names of settings that stand in a section with a title: `pool
 * "slow".workers`. */
#ifndef AMDI_SECTION_H
#define AMDI_SECTION_H

#include <stdbool.h>

// The name of a setting, with its section; a method's path may be part of it.
#define AMDI_SECTION_NAME_BYTES 320u

struct amdi_section {
    char title[AMDI_SECTION_NAME_BYTES]; // "slow"
    const char *key;                     // "workers"; borrowed
};

/** Takes a setting's name apart; false when its section is not of that kind. */
bool amdi_section_parse(
        const char *name, const char *kind, struct amdi_section *out);

#endif
