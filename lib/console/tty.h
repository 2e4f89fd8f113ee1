#pragma once
/* The line discipline of a terminal: what happens to a key between the wire and a reader.
 *
 * Cooked: keys gather in a line, which is edited (erase a character, a word, all), echoed, and given to readers when it is ended: by
 * Enter, or by Ctrl-D, which on an empty line stands for the end of the stream. A read gets no more than one line, so that what follows
 * is left for the program that asks next. Ctrl-C throws away what was typed and interrupts who reads. Raw: each byte goes to readers
 * as it came. The discipline neither waits nor allocates; what is shown goes out by a function that the owner gives. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TTY_LINE_BYTES 1024u
/** A power of two, more than a line. */
#define TTY_READY_ENTRIES 4096u

enum tty_result {
    TTY_NOTHING,   /**< nothing for readers */
    TTY_READY,     /**< something can be read */
    TTY_INTERRUPT, /**< Ctrl-C */
};

struct tty {
    bool raw;
    void (*show)(void *context, const char *text, size_t bytes);
    void *context;
    uint8_t line[TTY_LINE_BYTES];
    size_t line_bytes;
    uint16_t ready[TTY_READY_ENTRIES]; /* bytes, and TTY_END marks */
    uint32_t ready_head, ready_tail;   /* run freely */
};

/** An empty, cooked terminal that shows by @show. */
void tty_init(struct tty *tty, void (*show)(void *context, const char *text, size_t bytes),
              void *context);
/** Raw or cooked; an unfinished line is given to readers when it turns raw. TTY_READY or TTY_NOTHING. */
enum tty_result tty_set_raw(struct tty *tty, bool raw);
/** There is room for what a key may cause; else tty_input() must wait for a reader. */
bool tty_has_room(const struct tty *tty);
/** Take a key; only if tty_has_room(). */
enum tty_result tty_input(struct tty *tty, uint8_t key);
/** Copy what the next read gets, at most @bytes (not 0), and leave it here: *@done; 0: the end of the stream. False: nothing is there. */
bool tty_peek(const struct tty *tty, uint8_t *buffer, size_t bytes, size_t *done);
/** Take away the @bytes that tty_peek() gave, or the first of them; 0: the end of the stream. */
void tty_consume(struct tty *tty, size_t bytes);
