/* libFuzzer target of the shell's line editor: the input is keys, on terminals of several widths, with a history from line to line, and a console that
 * dies between two keys. What is on the screen is always what drawing all of it again gives (Ctrl-L), and where the line fits the screen shows
 * what the editor returns. */
#include "target.h"

#include <os/clock.h>
#include <shell.h>
#include <term/term.h>

#define KEYS_MAX 120u
#define CTRL_L 12
#define COLUMNS 512u    /* of a terminal that does not say how many it has */
#define COLUMNS_MIN 11u /* the editor has no narrower window on its line */
#define ROWS 8u
#define PROMPT "$ "

/* By bytes of which none is a key. */
static const char *const sequences[] = {"\x1b[A", "\x1b[B",    "\x1b[C",    "\x1b[D",  "\x1b[H",
                                        "\x1b[F", "\x1b[3~",   "\x1b[1~",   "\x1b[4~", "\x1bOA",
                                        "\x1bOD", "\x1b[1;5C", "\x1b[?25z", "\x1bx",   "\u00e4",
                                        "\u00e9", "\x1b[200~", "\u03a9"};
#define SEQUENCES (sizeof(sequences) / sizeof(sequences[0]))

static struct term term;
static const uint8_t *keys;
static size_t left, columns;
static const char *pending; /* the rest of a key */
static bool raw;            /* keys come in pieces, so nobody presses Ctrl-L in between */
static bool redraws;        /* it has been pressed */
static struct term_cell before[COLUMNS];
static uint32_t column_before;

/* ── What the editor stands on ───────────────────────────────────────────────────────────────────────────────────── */

status_t stream_write(struct stream *stream, const void *buffer, size_t bytes)
{
    (void)stream;
    const char *data = buffer;
    for (size_t i = 0; i < bytes; i++) { /* as the console does */
        if (data[i] == '\n')
            term_write(&term, "\r", 1);
        term_write(&term, &data[i], 1);
    }
    return STATUS_OK;
}

status_t stream_set_mode(struct stream *stream, uint32_t mode)
{
    (void)stream;
    (void)mode;
    return STATUS_OK;
}

status_t stream_describe(struct stream *stream, struct stream_info *info)
{
    (void)stream;
    info->columns = (uint32_t)columns;
    return STATUS_OK;
}

void clock_sleep(uint64_t ns)
{
    (void)ns;
}

void complete(struct shell *shell, const char *line, size_t cursor, struct text *insert,
              struct strings *choices);
void complete(struct shell *shell, const char *line, size_t cursor, struct text *insert,
              struct strings *choices)
{
    (void)shell;
    HOLDS(cursor <= strlen(line));
    if (cursor % 3 == 0)
        text_string(insert, "xy");
    for (size_t i = 0; i < cursor % 4; i++)
        strings_add(choices, "choice");
}

static void look(void)
{
    const struct term_cell *row = term_row(&term, term.cursor.row);
    if (redraws) {
        HOLDS(term.cursor.column == column_before && !term.cursor.wrap);
        HOLDS(memcmp(before, row, term.columns * sizeof(*row)) == 0);
    }
    memcpy(before, row, term.columns * sizeof(*row));
    column_before = term.cursor.column;
}

status_t bytestream_read(handle_t server, void *buffer, size_t buffer_bytes, uint64_t *done)
{
    (void)server;
    char *key = buffer;
    HOLDS(buffer_bytes == 1);
    *done = 1;
    if (*pending == '\0' && !raw) {
        look();
        redraws = !redraws;
        *key = CTRL_L;
        if (redraws)
            return STATUS_OK;
    }
    if (*pending != '\0') {
        *key = *pending++;
        return STATUS_OK;
    }
    *done = left > 0;
    if (left == 0)
        return STATUS_OK;
    left--;
    *key = (char)*keys++;
    if (!raw && (*key == 27 || *key == CTRL_L || (uint8_t)*key >= 128)) {
        if ((uint8_t)*key == 255)
            return STATUS_PEER_DIED;
        pending = sequences[(uint8_t)*key % SEQUENCES];
        *key = *pending++;
    }
    return STATUS_OK;
}

/* ── The editor ──────────────────────────────────────────────────────────────────────────────────────────────────── */

/* The row shows the prompt and @line, which has characters of one and of two bytes. */
static void check_shown(uint32_t row, const char *line)
{
    const struct term_cell *cell = term_row(&term, row);
    HOLDS(cell[0].code == '$' && (cell[1].code == ' ' || cell[1].code == 0));
    for (cell += 2; *line != '\0'; cell++) {
        uint32_t code = (uint8_t)*line++;
        if (code >= 0xc0)
            code = (code & 31) << 6 | ((uint8_t)*line++ & 63);
        HOLDS(cell->code == code || (code == ' ' && cell->code == 0));
    }
    HOLDS(cell->code == 0 || cell->code == ' ');
}

static size_t characters(const char *line)
{
    size_t count = 0;
    for (; *line != '\0'; line++)
        count += ((uint8_t)*line & 0xc0) != 0x80;
    return count;
}

static void check_line(enum edit_result result, const char *line, const struct strings *history)
{
    HOLDS(left > 0 || line != NULL);
    if (line == NULL)
        return;
    for (const char *c = line; *c != '\0'; c++)
        HOLDS((uint8_t)*c >= ' ' && *c != 127);
    if (result != EDIT_LINE)
        return;
    HOLDS(line[strspn(line, " \t")] == '\0' ||
          (history->count > 0 && strcmp(history->items[history->count - 1], line) == 0));
    HOLDS(term.cursor.row > 0 && term.cursor.column == 0);
    if (!raw && characters(line) + strlen(PROMPT) < (columns == 0 ? COLUMNS : columns))
        check_shown(term.cursor.row - 1, line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct port port = {.stream = {.handle = 1}};
    struct shell shell = {.ports = {&port, &port, &port}};
    struct editor editor = {.shell = &shell};
    if (size < 2)
        return 0;
    raw = data[0] >= 192;
    columns = data[0] % 4 == 0 ? 0 : COLUMNS_MIN + data[1] % 90;
    keys = data + 2;
    left = size - 2 < KEYS_MAX ? size - 2 : KEYS_MAX;
    pending = "";
    redraws = false;
    HOLDS(term_init(&term, columns == 0 ? COLUMNS : (uint32_t)columns, ROWS));
    while (left > 0) {
        char *line = NULL;
        enum edit_result result = edit_line(&editor, PROMPT, &line);
        check_line(result, line, &editor.history);
        free(line);
    }
    strings_free(&editor.history);
    term_destroy(&term);
    return 0;
}
