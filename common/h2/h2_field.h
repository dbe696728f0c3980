/** RFC 9113, section 8.2.1: which header fields are well-formed. */
#ifndef AMDI_H2_FIELD_CHECK_H
#define AMDI_H2_FIELD_CHECK_H

#include "common/h2/h2.h"

/** A lower-case token, or one after ":". */
bool amdi_h2_name_is_valid(const char *name, size_t len);

/** No NUL, CR or LF, and no white space at its ends. */
bool amdi_h2_value_is_valid(const char *value, size_t len);

/** Name and value are well-formed and not HTTP/1.1's (section 8.2.2). */
bool amdi_h2_field_is_valid(const struct amdi_h2_field *field);

#endif
