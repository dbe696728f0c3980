/** How far a call is: a bar on a terminal, now and then a line elsewhere. */
#include "client/cli/progress.h"

#include <amdrpc/err.h>

#include "common/clock.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

// Ten bars a second are smooth; a log wants a line every few seconds.
#define BAR_INTERVAL_MS 100
#define LINE_INTERVAL_MS 2000

// A step of so many percent is worth a line at any time.
#define LINE_STEP_PERCENT 25

#define BAR_COLUMNS 24
#define DEFAULT_COLUMNS 80

// proto3 JSON writes 64-bit numbers as text.
static bool
json_get_number(const json_t *object, const char *camel_name,
        const char *proto_name, uint64_t *out)
{
    const json_t *value = json_object_get(object, camel_name);

    if (value == NULL) {
        value = json_object_get(object, proto_name);
    }
    if (json_is_integer(value) && json_integer_value(value) >= 0) {
        *out = (uint64_t)json_integer_value(value);
        return true;
    }
    if (json_is_string(value)) {
        *out = strtoull(json_string_value(value), NULL, 10);
        return true;
    }
    return false;
}

static bool
progress_read(const json_t *object, struct amdi_progress *out)
{
    static const char *const path_names[] = {
            "path", "currentPath", "current_path", "message"};
    bool found = false;

    *out = (struct amdi_progress){.bytes_done = 0};
    found |= json_get_number(object, "done", "done", &out->bytes_done);
    found |= json_get_number(object, "total", "total", &out->bytes_total);
    found |= json_get_number(
            object, "bytesDone", "bytes_done", &out->bytes_done);
    found |= json_get_number(
            object, "bytesTotal", "bytes_total", &out->bytes_total);
    found |= json_get_number(
            object, "filesDone", "files_done", &out->files_done);
    found |= json_get_number(
            object, "filesTotal", "files_total", &out->files_total);
    for (size_t i = 0; i < sizeof(path_names) / sizeof(path_names[0]); i++) {
        const char *path =
                json_string_value(json_object_get(object, path_names[i]));

        if (path != NULL && out->path[0] == '\0') {
            (void)snprintf(out->path, sizeof(out->path), "%s", path);
        }
    }
    return found;
}

bool
amdi_progress_from_json(const char *json, size_t len, struct amdi_progress *out,
        bool *out_is_all)
{
    json_t *root;
    bool found;

    // Most messages carry none: spare them the parser.
    if (memmem(json, len, "\"progress\"", 10) == NULL) {
        return false;
    }
    root = json_loadb(json, len, JSON_DECODE_ANY, NULL);
    found = progress_read(json_object_get(root, "progress"), out);
    *out_is_all = json_object_size(root) == 1;
    json_decref(root);
    return found;
}

static void
bytes_format(uint64_t bytes, char *out, size_t size)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double value = (double)bytes;
    size_t unit = 0;

    while (value >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        value /= 1024;
        unit++;
    }
    (void)snprintf(
            out, size, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

static void
amount_format(const struct amdi_progress *progress, uint64_t amount, char *out,
        size_t size)
{
    if (progress->is_count) {
        (void)snprintf(out, size, "%" PRIu64, amount);
    } else {
        bytes_format(amount, out, size);
    }
}

// Bytes tell best how far it is; files do where the bytes are not known. From
// 0 to 1; -1 when nothing tells.
static double
progress_part(const struct amdi_progress *progress)
{
    uint64_t done = progress->bytes_done;
    uint64_t total = progress->bytes_total;

    if (total == 0) {
        done = progress->files_done;
        total = progress->files_total;
    }
    if (total == 0) {
        return -1;
    }
    return done >= total ? 1 : (double)done / (double)total;
}

static int
progress_percent(const struct amdi_progress *progress)
{
    double part = progress_part(progress);

    return part < 0 ? -1 : (int)(part * 100);
}

// A line under construction: appends until it is full.
struct line {
    char *text;
    size_t len;
};

AMDRPC_PRINTF(2, 3)
static void
line_add(struct line *line, const char *fmt, ...)
{
    size_t room = AMDI_PROGRESS_LINE_BYTES - line->len;
    va_list args;
    int len;

    va_start(args, fmt);
    len = vsnprintf(line->text + line->len, room, fmt, args);
    va_end(args);
    if (len > 0) {
        line->len += (size_t)len < room ? (size_t)len : room - 1;
    }
}

static void
line_add_bar(struct line *line, int percent)
{
    int filled = percent * BAR_COLUMNS / 100;

    line_add(line, " [");
    for (int i = 0; i < BAR_COLUMNS; i++) {
        line_add(line, "%c", i < filled ? '=' : i == filled ? '>' : ' ');
    }
    line_add(line, "]");
}

static void
line_add_counts(struct line *line, const struct amdi_progress *progress)
{
    char done[32];
    char total[32];

    amount_format(progress, progress->bytes_done, done, sizeof(done));
    amount_format(progress, progress->bytes_total, total, sizeof(total));
    line_add(line, " %s", done);
    if (progress->bytes_total > 0) {
        line_add(line, " of %s", total);
    }
    if (progress->files_total > 0) {
        line_add(line, ", %" PRIu64 " of %" PRIu64 " files",
                progress->files_done, progress->files_total);
    } else if (progress->files_done > 0) {
        line_add(line, ", %" PRIu64 " file%s", progress->files_done,
                progress->files_done == 1 ? "" : "s");
    }
}

// The name comes from the server: it must not move the cursor about.
static void
line_add_path(struct line *line, const char *path)
{
    line_add(line, ", ");
    for (; *path != '\0'; path++) {
        unsigned char c = (unsigned char)*path;

        line_add(line, "%c", c < 0x20 || c == 0x7f ? '?' : c);
    }
}

// Cuts to so many columns, counting a UTF-8 sequence as one of them.
static void
line_cut(struct line *line, size_t width)
{
    size_t columns = 0;

    for (size_t i = 0; i < line->len; i++) {
        if (((unsigned char)line->text[i] & 0xc0) == 0x80) {
            continue;
        }
        if (columns++ == width) {
            line->text[i] = '\0';
            line->len = i;
            return;
        }
    }
}

void
amdi_progress_format(
        const struct amdi_progress *progress, size_t width, char *out)
{
    struct line line = {.text = out};
    int percent = progress_percent(progress);

    out[0] = '\0';
    if (percent >= 0) {
        line_add(&line, "%3d %%", percent);
        if (width > 0) {
            line_add_bar(&line, percent);
        }
    }
    line_add_counts(&line, progress);
    if (progress->path[0] != '\0') {
        line_add_path(&line, progress->path);
    }
    if (width > 0) {
        line_cut(&line, width);
    }
}

void
amdi_progress_view_init(
        struct amdi_progress_view *view, FILE *file, bool is_terminal)
{
    *view = (struct amdi_progress_view){
            .file = file, .is_terminal = is_terminal};
}

static size_t
terminal_columns(FILE *file)
{
    struct winsize size;

    if (ioctl(fileno(file), TIOCGWINSZ, &size) != 0 || size.ws_col < 2) {
        return DEFAULT_COLUMNS;
    }
    return size.ws_col;
}

// Whether it is time to show something again.
static bool
view_is_due(struct amdi_progress_view *view, int percent, uint64_t now_ms)
{
    uint64_t since_ms = now_ms - view->last_at_ms;

    if (view->last_at_ms == 0) {
        return true;
    }
    if (view->is_terminal) {
        return since_ms >= BAR_INTERVAL_MS;
    }
    return since_ms >= LINE_INTERVAL_MS ||
            (percent >= 0 &&
                    (unsigned)percent >=
                            view->last_percent + LINE_STEP_PERCENT);
}

// After a restart work may begin again at an earlier point.
static bool
view_would_go_back(
        struct amdi_progress_view *view, const struct amdi_progress *progress)
{
    double part = progress_part(progress);

    if (!view->never_goes_back || part >= view->furthest) {
        view->furthest = part > view->furthest ? part : view->furthest;
        return false;
    }
    return true;
}

void
amdi_progress_view_show(
        struct amdi_progress_view *view, const struct amdi_progress *progress)
{
    char line[AMDI_PROGRESS_LINE_BYTES];
    uint64_t now_ms = amdi_clock_now_ms();
    int percent = progress_percent(progress);

    if (view_would_go_back(view, progress) ||
            !view_is_due(view, percent, now_ms)) {
        return;
    }
    view->last_at_ms = now_ms;
    view->last_percent = percent > 0 ? (unsigned)percent : 0;
    if (view->is_terminal) {
        // The last column stays free: some terminals wrap when it is filled.
        amdi_progress_format(progress, terminal_columns(view->file) - 1, line);
        (void)fprintf(view->file, "\r%s\033[K", line);
        view->is_shown = true;
    } else {
        amdi_progress_format(progress, /*width=*/0, line);
        (void)fprintf(view->file, "progress: %s\n", line + strspn(line, " "));
    }
    (void)fflush(view->file);
}

void
amdi_progress_view_clear(struct amdi_progress_view *view)
{
    if (view->is_shown) {
        (void)fputs("\r\033[K", view->file);
        (void)fflush(view->file);
        view->is_shown = false;
    }
}
