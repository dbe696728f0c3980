/** Stores in SQLite: in a directory, or in memory. */
#ifndef AMDI_SQLITE_STORE_H
#define AMDI_SQLITE_STORE_H

#include "server/store/store.h"

/** As amdi_store_open. @dir: NULL: in memory. @options: none of them zero. */
AMDRPC_NODISCARD amdrpc_err amdi_sqlite_store_open(const char *dir,
        const struct amdi_store_options *options, struct amdi_store **out,
        struct amdi_error *error);

#endif
