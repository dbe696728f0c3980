/** The newest step of an execution. */
#include "server/operation/run_progress.h"

#include "common/encoding.h"

#include <string.h>

void
amdi_run_progress_init(struct amdi_run_progress *progress)
{
    (void)pthread_mutex_init(&progress->mtx, NULL); // cannot fail on Linux
    progress->newest.note[0] = '\0';
    progress->is_new = false;
    progress->next_at_ms = 0;
}

void
amdi_run_progress_fini(struct amdi_run_progress *progress)
{
    (void)pthread_mutex_destroy(&progress->mtx);
}

/** Copies what fits; no character is cut, and what is no UTF-8 is left out. */
static void
note_copy(char out[AMDI_NOTE_BYTES], const char *note)
{
    size_t len = note == NULL ? 0 : strnlen(note, AMDI_NOTE_BYTES);

    if (len == AMDI_NOTE_BYTES) {
        len--;
        while (len > 0 && ((unsigned char)note[len] & 0xc0) == 0x80) {
            len--;
        }
    }
    if (len > 0 && !amdi_utf8_is_valid(note, len)) {
        len = 0;
    }
    if (len > 0) {
        memcpy(out, note, len);
    }
    out[len] = '\0';
}

bool
amdi_run_progress_set(struct amdi_run_progress *progress, uint64_t done,
        uint64_t total, const char *note)
{
    bool must_tell = false;

    (void)pthread_mutex_lock(&progress->mtx);
    must_tell = !progress->is_new;
    progress->is_new = true;
    progress->newest.done = done;
    progress->newest.total = total;
    note_copy(progress->newest.note, note);
    (void)pthread_mutex_unlock(&progress->mtx);
    return must_tell;
}

bool
amdi_run_progress_take(struct amdi_run_progress *progress, uint64_t now_ms,
        struct amdi_step *out)
{
    bool is_new = false;

    (void)pthread_mutex_lock(&progress->mtx);
    is_new = progress->is_new;
    if (is_new) {
        *out = progress->newest;
        progress->is_new = false;
    }
    (void)pthread_mutex_unlock(&progress->mtx);
    if (is_new) {
        progress->next_at_ms = now_ms + AMDI_PROGRESS_INTERVAL_MS;
    }
    return is_new;
}
