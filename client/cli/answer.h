/** The response messages of a call: from the wire to JSON text on stdout. */
#ifndef AMDI_ANSWER_H
#define AMDI_ANSWER_H

#include "client/cli/codec.h"
#include "client/cli/progress.h"

#include <stdbool.h>
#include <stddef.h>

struct amdi_answer {
    const struct amdi_codec *codec; // borrowed
    bool shows_progress;            // else it is printed like all messages
    bool tells_progress;            // messages did
    struct amdi_progress_view view;
    struct amdi_buf text;
};

/** @codec  borrowed until fini */
void amdi_answer_init(struct amdi_answer *answer,
        const struct amdi_codec *codec, bool shows_progress);

void amdi_answer_fini(struct amdi_answer *answer);

/**
 * Shows progress that came beside the messages; unless these tell their own,
 * which tells more.
 */
void amdi_answer_show_progress(
        struct amdi_answer *answer, const struct amdi_progress *progress);

/**
 * Prints one message, or shows the progress it tells.
 *
 * @return  an exit status; its reason is printed
 */
int amdi_answer_print(struct amdi_answer *answer, const void *data, size_t len);

#endif
