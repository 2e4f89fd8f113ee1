/* Editing a line at the terminal.
 *
 * The terminal is in raw mode while a line is edited, and in its own mode otherwise. It is read byte by byte, so that what is typed
 * ahead goes to whoever reads next. A console that died comes back without the mode: then the mode is set and the line drawn again.
 * Keys: arrows, Home, End, Delete, Backspace, Tab, and Ctrl with A B C D E F K L N P T U W. */
#include "shell.h"

#include <os/clock.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_NS (10 * NS_PER_MS)
#define HISTORY_MAX 500u
#define CTRL(letter) ((letter) & 31)
#define KEY_ESCAPE 27
#define KEY_DELETE 127
#define LINE_BYTES_MAX 65536u

void complete(struct shell *shell, const char *line, size_t cursor, struct text *insert,
              struct strings *choices);

/** A line in the making. */
struct line {
    struct editor *editor;
    struct stream *stream;
    const char *prompt;
    struct text text;
    size_t cursor;  /* a byte of text, not inside a character */
    size_t entry;   /* of the history that is shown; history.count: the new line */
    char *kept;     /* the new line while others are shown */
    size_t columns; /* of the terminal; 0: not known */
    bool done;
    enum edit_result result;
};

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

static size_t width(const char *text, size_t bytes)
{
    size_t columns = 0;
    for (size_t i = 0; i < bytes; i++) {
        columns += !is_continuation(text[i]);
    }
    return columns;
}

static void put(struct line *line, const char *data, size_t bytes)
{
    status_ignore(stream_write(line->stream, data, bytes));
}

static void put_string(struct line *line, const char *string)
{
    put(line, string, strlen(string));
}

/** Draw all of the line, or, if the terminal is too narrow, the part around the cursor. */
static void draw(struct line *line)
{
    struct text out = {.data = NULL};
    const char *text = text_get(&line->text);
    size_t prompt = width(line->prompt, strlen(line->prompt)), start = 0, end = line->text.used;
    if (line->columns > prompt + 8) {
        size_t room = line->columns - prompt - 1;
        while (width(text + start, line->cursor - start) > room) {
            start++;
        }
        while (is_continuation(text[start])) {
            start++;
        }
        while (width(text + start, end - start) > room) {
            end--;
        }
    }
    text_format(&out, "\r%s", line->prompt);
    text_add(&out, text + start, end - start);
    text_string(&out, "\x1b[K");
    size_t back = width(text + line->cursor, end > line->cursor ? end - line->cursor : 0);
    if (back > 0) {
        text_format(&out, "\x1b[%zuD", back);
    }
    put(line, text_get(&out), out.used);
    text_free(&out);
}

static void raw_mode(struct line *line)
{
    struct stream_info info = {.columns = 0};
    status_ignore(stream_set_mode(line->stream, STREAM_MODE_RAW));
    if (status_is_ok(stream_describe(line->stream, &info))) {
        line->columns = info.columns;
    }
}

/** The next byte; false: the end. */
static bool next_byte(struct line *line, char *c)
{
    for (;;) {
        uint64_t done = 0;
        status_t status = bytestream_read(line->stream->handle, c, 1, &done);
        if (status == STATUS_PEER_DIED || status == STATUS_STALE) {
            clock_sleep(RETRY_NS);
            raw_mode(line);
            draw(line);
        } else if (status == STATUS_NO_MEMORY) {
            clock_sleep(RETRY_NS); // the console has no room just now
        } else if (status == STATUS_INTERRUPTED) {
            *c = CTRL('C');
            return true;
        } else {
            return status_is_ok(status) && done == 1;
        }
    }
}

/* --- changes ---------------------------------------------------------------------------------------------- */

static void insert(struct line *line, const char *data, size_t bytes)
{
    size_t behind = line->text.used - line->cursor;
    if (line->text.used + bytes > LINE_BYTES_MAX) {
        return;
    }
    text_add(&line->text, data, bytes);
    if (line->text.failed) {
        return;
    }
    memmove(line->text.data + line->cursor + bytes, line->text.data + line->cursor, behind);
    memcpy(line->text.data + line->cursor, data, bytes);
    line->cursor += bytes;
    bool fits = line->columns == 0 || width(line->prompt, strlen(line->prompt)) +
                                              width(line->text.data, line->text.used) <
                                          line->columns;
    if (behind == 0 && fits) {
        put(line, data, bytes);
    } else {
        draw(line);
    }
}

/** Take away [@from, @to). */
static void cut(struct line *line, size_t from, size_t to)
{
    if (from < to && line->text.data) {
        memmove(line->text.data + from, line->text.data + to, line->text.used - to + 1);
        line->text.used -= to - from;
        line->cursor = from;
    }
    draw(line);
}

static size_t before(const struct line *line)
{
    size_t at = line->cursor;
    while (at > 0 && is_continuation(line->text.data[--at])) {
    }
    return at;
}

static size_t behind(const struct line *line)
{
    size_t at = line->cursor + (line->cursor < line->text.used);
    while (at < line->text.used && is_continuation(line->text.data[at])) {
        at++;
    }
    return at;
}

static size_t word_start(const struct line *line)
{
    size_t at = line->cursor;
    while (at > 0 && line->text.data[at - 1] == ' ') {
        at--;
    }
    while (at > 0 && line->text.data[at - 1] != ' ') {
        at--;
    }
    return at;
}

static void replace(struct line *line, const char *text)
{
    text_clear(&line->text);
    text_string(&line->text, text);
    line->cursor = line->text.used;
    draw(line);
}

static void show_entry(struct line *line, size_t entry)
{
    struct strings *history = &line->editor->history;
    if (entry > history->count || entry == line->entry) {
        return;
    }
    if (line->entry == history->count) {
        free(line->kept);
        line->kept = strdup(text_get(&line->text));
    }
    line->entry = entry;
    replace(line, entry < history->count ? history->items[entry] : line->kept ? line->kept : "");
}

static void move(struct line *line, size_t to)
{
    line->cursor = to;
    draw(line);
}

static void show_choices(struct line *line, const struct strings *choices)
{
    put_string(line, "\n");
    for (size_t i = 0; i < choices->count; i++) {
        put_string(line, choices->items[i]);
        put_string(line, i + 1 < choices->count ? "  " : "\n");
    }
    draw(line);
}

static void complete_here(struct line *line)
{
    struct text text = {.data = NULL};
    struct strings choices = {.items = NULL};
    complete(line->editor->shell, text_get(&line->text), line->cursor, &text, &choices);
    if (text.used > 0) {
        insert(line, text.data, text.used);
    } else if (choices.count > 1) {
        show_choices(line, &choices);
    }
    text_free(&text);
    strings_free(&choices);
}

/* --- keys ------------------------------------------------------------------------------------------------- */

static void finish(struct line *line, enum edit_result result)
{
    line->result = result;
    line->done = true;
}

/** The rest of a key that begins with Escape: "[A", "OA", "[3~" and so on; "[1;5C" is "[C" with Ctrl held down. */
static void escape_key(struct line *line)
{
    char kind, c;
    int number = 0;
    bool first = true;
    if (!next_byte(line, &kind) || (kind != '[' && kind != 'O') || !next_byte(line, &c)) {
        return;
    }
    // ECMA-48, 5.4: parameters are of '0' to '?', and ';' stands between them.
    while (c >= '0' && c <= '?') {
        first = first && c <= '9';
        number = first ? (number * 10 + (c - '0')) % 1000 : number;
        if (!next_byte(line, &c)) {
            return;
        }
    }
    if (c == 'A') {
        show_entry(line, line->entry - (line->entry > 0));
    } else if (c == 'B') {
        show_entry(line, line->entry + 1);
    } else if (c == 'C') {
        move(line, behind(line));
    } else if (c == 'D') {
        move(line, before(line));
    } else if (c == 'H' || (c == '~' && (number == 1 || number == 7))) {
        move(line, 0);
    } else if (c == 'F' || (c == '~' && (number == 4 || number == 8))) {
        move(line, line->text.used);
    } else if (c == '~' && number == 3) {
        cut(line, line->cursor, behind(line));
    }
}

static void control_key(struct line *line, char c)
{
    switch (c) {
    case '\r':
    case '\n':
        finish(line, EDIT_LINE);
        break;
    case CTRL('A'):
        move(line, 0);
        break;
    case CTRL('B'):
        move(line, before(line));
        break;
    case CTRL('C'):
        put_string(line, "^C");
        finish(line, EDIT_INTERRUPTED);
        break;
    case CTRL('D'):
        if (line->text.used == 0) {
            finish(line, EDIT_END);
        } else {
            cut(line, line->cursor, behind(line));
        }
        break;
    case CTRL('E'):
        move(line, line->text.used);
        break;
    case CTRL('F'):
        move(line, behind(line));
        break;
    case CTRL('H'):
    case KEY_DELETE:
        cut(line, before(line), line->cursor);
        break;
    case CTRL('I'):
        complete_here(line);
        break;
    case CTRL('K'):
        cut(line, line->cursor, line->text.used);
        break;
    case CTRL('L'):
        put_string(line, "\x1b[H\x1b[J");
        draw(line);
        break;
    case CTRL('N'):
        show_entry(line, line->entry + 1);
        break;
    case CTRL('P'):
        show_entry(line, line->entry - (line->entry > 0));
        break;
    case CTRL('U'):
        cut(line, 0, line->cursor);
        break;
    case CTRL('W'):
        cut(line, word_start(line), line->cursor);
        break;
    case KEY_ESCAPE:
        escape_key(line);
        break;
    default:
        break;
    }
}

static void remember(struct editor *editor, const char *text)
{
    struct strings *history = &editor->history;
    if (text[strspn(text, " \t")] == '\0' ||
        (history->count > 0 && strcmp(history->items[history->count - 1], text) == 0)) {
        return;
    }
    if (history->count == HISTORY_MAX) {
        free(history->items[0]);
        history->count--;
        memmove(history->items, history->items + 1, history->count * sizeof(*history->items));
    }
    strings_add(history, text);
}

enum edit_result edit_line(struct editor *editor, const char *prompt, char **result)
{
    struct line line = {.editor = editor,
                        .stream = &editor->shell->ports[0]->stream,
                        .prompt = prompt,
                        .entry = editor->history.count};
    char c;
    raw_mode(&line);
    draw(&line);
    while (!line.done) {
        if (!next_byte(&line, &c)) {
            finish(&line, line.text.used > 0 ? EDIT_LINE : EDIT_END);
        } else if ((unsigned char)c < ' ' || c == KEY_DELETE) {
            control_key(&line, c);
        } else {
            insert(&line, &c, 1);
        }
    }
    put_string(&line, "\n");
    status_ignore(stream_set_mode(line.stream, 0));
    free(line.kept);
    if (line.result == EDIT_LINE) {
        remember(editor, text_get(&line.text));
    }
    *result = text_take(&line.text);
    return *result ? line.result : EDIT_END;
}
