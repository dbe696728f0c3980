/** The response messages of a call: from the wire to JSON text on stdout. */
#include "client/cli/answer.h"

#include "client/program/program.h"

#include <stdio.h>
#include <unistd.h>

void
amdi_answer_init(struct amdi_answer *answer, const struct amdi_codec *codec,
        bool shows_progress)
{
    *answer = (struct amdi_answer){
            .codec = codec, .shows_progress = shows_progress};
    amdi_progress_view_init(&answer->view, stderr, isatty(STDERR_FILENO) == 1);
    amdi_buf_init(&answer->text);
}

void
amdi_answer_fini(struct amdi_answer *answer)
{
    amdi_progress_view_clear(&answer->view);
    amdi_buf_fini(&answer->text);
}

// Whether the message was progress and nothing else, and is dealt with.
static bool
answer_is_progress(struct amdi_answer *answer)
{
    struct amdi_progress progress;
    bool is_all = false;

    if (!answer->shows_progress ||
            !amdi_progress_from_json((const char *)amdi_buf_peek(&answer->text),
                    amdi_buf_len(&answer->text), &progress, &is_all)) {
        return false;
    }
    answer->tells_progress = true;
    amdi_progress_view_show(&answer->view, &progress);
    return is_all;
}

void
amdi_answer_show_progress(
        struct amdi_answer *answer, const struct amdi_progress *progress)
{
    if (answer->shows_progress && !answer->tells_progress) {
        amdi_progress_view_show(&answer->view, progress);
    }
}

static int
answer_write(struct amdi_answer *answer, const void *data, size_t len)
{
    amdi_progress_view_clear(&answer->view);
    (void)fwrite(data, 1, len, stdout);
    if (!amdi_codec_is_raw(answer->codec)) {
        (void)putchar('\n');
    }
    // Whoever waits for a message shall see it when it is there.
    return amdi_program_flush() ? AMDI_EXIT_OK : AMDI_EXIT_FAILED;
}

int
amdi_answer_print(struct amdi_answer *answer, const void *data, size_t len)
{
    struct amdi_error error;

    if (amdi_codec_is_raw(answer->codec)) {
        return answer_write(answer, data, len);
    }
    amdi_buf_clear(&answer->text);
    if (amdi_codec_decode(answer->codec, data, len, &answer->text, &error) !=
            AMDRPC_OK) {
        amdi_program_error("the answer cannot be read: %s", error.text);
        return AMDI_EXIT_FAILED;
    }
    if (answer_is_progress(answer)) {
        return AMDI_EXIT_OK;
    }
    return answer_write(
            answer, amdi_buf_peek(&answer->text), amdi_buf_len(&answer->text));
}
