/** Assertions about our own mistakes; never about what a peer can cause. */
#ifndef AMDI_ASSERTION_H
#define AMDI_ASSERTION_H

#include <assert.h>

// Gone in release builds (b_ndebug=if-release), so the condition must have no
// effect of its own. What it speaks of still counts as used.
#ifdef NDEBUG
#define amdi_assert(condition) ((void)(0 && (condition)))
#else
#define amdi_assert(condition) assert(condition)
#endif

#endif
