/** Files that the command line names. */
#ifndef AMDI_FILE_H
#define AMDI_FILE_H

#include "common/buf.h"

/**
 * Appends what is in a file, "-" being standard input.
 *
 * @max_bytes  a larger file is an error
 * @return     an exit status (enum amdi_exit); its reason is printed
 */
int amdi_file_read(const char *path, size_t max_bytes, struct amdi_buf *out);

#endif
