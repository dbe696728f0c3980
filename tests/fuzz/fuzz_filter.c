/** Fuzzes filters of lists of operations. */
#include "common/arena.h"
#include "server/services/operations/filter.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct amdi_arena arena;
    struct amdi_op_filter filter;
    char why[AMDI_OP_FILTER_WHY_BYTES];
    char *text = NULL;
    amdrpc_err err;

    amdi_arena_init(&arena, /*max_bytes=*/0);
    text = amdi_arena_strndup(&arena, (const char *)data, len);
    fuzz_check(text != NULL);
    memset(why, 0, sizeof(why));
    err = amdi_op_filter_parse(text, &arena, &filter, why);
    if (err == AMDRPC_OK) {
        fuzz_check(filter.store.created_from_us >= 0);
        fuzz_check(filter.is_nothing || filter.store.created_to_us >= 0);
        fuzz_check(filter.store.states < 32);
    } else {
        fuzz_check(err == AMDRPC_EINVAL);
        fuzz_check(why[0] != '\0' && memchr(why, '\0', sizeof(why)) != NULL);
    }
    amdi_arena_fini(&arena);
    return 0;
}
