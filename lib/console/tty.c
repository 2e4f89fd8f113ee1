/* See tty.h. The ready ring is never overrun: tty_has_room() asks for the whole line and its end before each key. */
#include "tty.h"

#include <string.h>

#define TTY_END 0x100u
#define KEY_INTERRUPT 0x03u /* Ctrl-C */
#define KEY_END 0x04u       /* Ctrl-D */
#define KEY_BACKSPACE 0x08u
#define KEY_KILL 0x15u /* Ctrl-U */
#define KEY_WORD 0x17u /* Ctrl-W */
#define KEY_DELETE 0x7fu

_Static_assert((TTY_READY_ENTRIES & (TTY_READY_ENTRIES - 1)) == 0, "a power of two");
_Static_assert(TTY_READY_ENTRIES > TTY_LINE_BYTES + 2, "a line and its end fit");

void tty_init(struct tty *tty, void (*show)(void *context, const char *text, size_t bytes),
              void *context)
{
    memset(tty, 0, sizeof(*tty));
    tty->show = show;
    tty->context = context;
}

static void show(struct tty *tty, const char *text)
{
    tty->show(tty->context, text, strlen(text));
}

/* --- what readers may have -------------------------------------------------------------------------------- */

static void ready_put(struct tty *tty, uint16_t entry)
{
    tty->ready[tty->ready_head++ % TTY_READY_ENTRIES] = entry;
}

static uint16_t ready_at(const struct tty *tty, uint32_t index)
{
    return tty->ready[index % TTY_READY_ENTRIES];
}

static enum tty_result line_commit(struct tty *tty)
{
    for (size_t i = 0; i < tty->line_bytes; i++)
        ready_put(tty, tty->line[i]);
    tty->line_bytes = 0;
    return tty->ready_head != tty->ready_tail ? TTY_READY : TTY_NOTHING;
}

bool tty_has_room(const struct tty *tty)
{
    return TTY_READY_ENTRIES - (tty->ready_head - tty->ready_tail) >= tty->line_bytes + 2;
}

bool tty_peek(const struct tty *tty, uint8_t *buffer, size_t bytes, size_t *done)
{
    *done = 0;
    for (uint32_t at = tty->ready_tail; at != tty->ready_head && *done < bytes; at++) {
        uint16_t entry = ready_at(tty, at);
        if (entry == TTY_END)
            break;
        buffer[(*done)++] = (uint8_t)entry;
        if (entry == '\n' && !tty->raw)
            break;
    }
    return tty->ready_head != tty->ready_tail;
}

void tty_consume(struct tty *tty, size_t bytes)
{
    tty->ready_tail += bytes == 0 ? 1 : (uint32_t)bytes;
}

enum tty_result tty_set_raw(struct tty *tty, bool raw)
{
    tty->raw = raw;
    return raw ? line_commit(tty) : TTY_NOTHING;
}

/* --- editing ---------------------------------------------------------------------------------------------- */

static bool is_control(uint8_t byte)
{
    return (byte < ' ' && byte != '\t') || byte == KEY_DELETE;
}

/* UTF-8: a byte that does not begin a character. */
static bool is_continuation(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

/* A tab is shown as one blank: then erasing needs no columns. */
static void show_key(struct tty *tty, uint8_t key)
{
    const char control[] = {'^', (char)(key ^ 0x40), '\0'};
    const char plain[] = {(char)(key == '\t' ? ' ' : key), '\0'};
    show(tty, is_control(key) ? control : plain);
}

static void erase(struct tty *tty)
{
    if (tty->line_bytes == 0)
        return;
    uint8_t byte;
    do {
        byte = tty->line[--tty->line_bytes];
    } while (is_continuation(byte) && tty->line_bytes > 0);
    show(tty, is_control(byte) ? "\b\b  \b\b" : "\b \b");
}

static bool last_is_blank(const struct tty *tty)
{
    uint8_t last = tty->line[tty->line_bytes - 1];
    return last == ' ' || last == '\t';
}

static void erase_word(struct tty *tty)
{
    while (tty->line_bytes > 0 && last_is_blank(tty))
        erase(tty);
    while (tty->line_bytes > 0 && !last_is_blank(tty))
        erase(tty);
}

static void erase_line(struct tty *tty)
{
    while (tty->line_bytes > 0)
        erase(tty);
}

/* One place is kept for the newline. */
static void insert(struct tty *tty, uint8_t key)
{
    if (tty->line_bytes >= TTY_LINE_BYTES - 1) {
        show(tty, "\a");
        return;
    }
    tty->line[tty->line_bytes++] = key;
    show_key(tty, key);
}

static enum tty_result end_line(struct tty *tty)
{
    tty->line[tty->line_bytes++] = '\n';
    show(tty, "\n");
    return line_commit(tty);
}

static enum tty_result end_stream(struct tty *tty)
{
    if (tty->line_bytes == 0)
        ready_put(tty, TTY_END);
    return line_commit(tty);
}

static enum tty_result interrupt(struct tty *tty)
{
    tty->line_bytes = 0;
    tty->ready_tail = tty->ready_head;
    show(tty, "^C\n");
    return TTY_INTERRUPT;
}

enum tty_result tty_input(struct tty *tty, uint8_t key)
{
    if (tty->raw) {
        ready_put(tty, key);
        return TTY_READY;
    }
    switch (key) {
    case '\r':
    case '\n':
        return end_line(tty);
    case KEY_END:
        return end_stream(tty);
    case KEY_INTERRUPT:
        return interrupt(tty);
    case KEY_BACKSPACE:
    case KEY_DELETE:
        erase(tty);
        break;
    case KEY_WORD:
        erase_word(tty);
        break;
    case KEY_KILL:
        erase_line(tty);
        break;
    default:
        insert(tty, key);
        break;
    }
    return TTY_NOTHING;
}
