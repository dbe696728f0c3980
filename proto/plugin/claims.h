/** Refuses .proto files whose names would meet in C. */
#ifndef AMDGEN_CLAIMS_H
#define AMDGEN_CLAIMS_H

#include "proto/plugin/model.h"

/**
 * Checks that no two of the names generated for the file are equal; if some
 * are, the run's error names both owners.
 */
void gen_claims_check(struct gen *gen, const struct gen_model *model);

#endif
