#pragma once
/* A terminal without a screen: bytes go in, a grid of cells comes out.
 *
 * It understands UTF-8 (Unicode 15.0, 3.9) and the control functions that programs use on a terminal of the xterm family: those of
 * ECMA-48 (5th edition, 1991) and DEC private ones as "XTerm Control Sequences" describes them. What it does not understand it takes
 * whole and shows nothing of. It has no keyboard, so reports that programs ask for are not given.
 *
 * The grid depends on nothing but the bytes and the size: the same bytes give the same grid however they are cut. Widths of characters
 * are those of the C library's wcwidth(). One thread; nothing is allocated after term_init(). */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TERM_COLUMNS_MIN 2u
#define TERM_SIDE_MAX 1024u
/** Combining marks that a cell keeps. */
#define TERM_MARKS 2u
#define TERM_PARAMETERS 16u

enum term_attribute {
    TERM_BOLD = 1,
    TERM_DIM = 2,
    TERM_ITALIC = 4,
    TERM_UNDERLINE = 8,
    TERM_BLINK = 16,
    TERM_REVERSE = 32,
    TERM_HIDDEN = 64,
    TERM_STRUCK = 128,
    TERM_PEN = 255,      /**< all that SGR sets */
    TERM_WIDE = 256,     /**< the left half of a character of two columns */
    TERM_WIDE_END = 512, /**< its right half: no character of its own */
};

/** A colour: TERM_DEFAULT, TERM_INDEXED | 0 … 255 of the xterm palette, or TERM_DIRECT | 0xRRGGBB. */
#define TERM_DEFAULT 0u
#define TERM_INDEXED 0x01000000u
#define TERM_DIRECT 0x02000000u

/** An empty cell is all 0. */
struct term_cell {
    uint32_t code; /**< 0: blank */
    uint32_t fg, bg;
    uint16_t marks[TERM_MARKS]; /**< combining marks, 0: none */
    uint16_t attributes;        /**< TERM_BOLD … */
    uint16_t reserved;          /**< 0: cells can be compared as bytes */
};
_Static_assert(sizeof(struct term_cell) == 20, "no padding");

/** Where the next character goes and how it will look: what DECSC saves. */
struct term_cursor {
    uint32_t row, column;
    bool wrap; /**< the last column is written: the next character begins a line */
    bool origin;
    uint32_t fg, bg;
    uint16_t attributes;
    bool graphics[2]; /**< G0, G1 hold the DEC line drawing set */
    uint8_t shift;    /**< which of them is in use */
};

/** A decoder of UTF-8. */
struct utf8 {
    uint32_t code;
    uint8_t left;      /**< bytes to come */
    uint8_t low, high; /**< what the next one may be */
};

enum utf8_result {
    UTF8_MORE,   /**< the character goes on */
    UTF8_CODE,   /**< *@code is a character */
    UTF8_BROKEN, /**< what came before is no character; give this byte again */
    UTF8_BAD,    /**< this byte is none */
};

/** The main screen or the alternate one. Lines move by moving their numbers. */
struct term_screen {
    struct term_cell *cells;
    uint16_t *lines; /* row -> which line of cells */
    struct term_cursor saved;
};

struct term {
    uint32_t columns, rows;
    struct term_screen screens[2];
    uint32_t active;
    struct term_cursor cursor;
    uint32_t top, bottom; /* the scroll region, both inside */
    bool insert, newline, autowrap, reversed;
    bool cursor_visible;
    uint8_t *tabs;  /* a column each */
    uint8_t *dirty; /* a row each: it, or the cursor on it, may look different since term_clean() */
    uint32_t last;  /* the last character, for REP */

    /* The parser: ECMA-48, 5.4. */
    struct utf8 utf8;
    uint8_t state;
    uint8_t prefix;       /* of a control sequence: '?', '>' … or 0 */
    uint8_t intermediate; /* the last byte from 02/00 to 02/15, or 0 */
    bool too_long;
    uint32_t parameter_count;
    uint16_t parameters[TERM_PARAMETERS];
    uint16_t joined; /* bit i: a colon stands before parameter i */
};

/** A blank terminal of @columns by @rows, each at most TERM_SIDE_MAX. False: no memory, or no such size. */
bool term_init(struct term *term, uint32_t columns, uint32_t rows);
void term_destroy(struct term *term);
/** Take what a program printed. */
void term_write(struct term *term, const void *data, size_t bytes);

/** The cells of @row, from the left. */
const struct term_cell *term_row(const struct term *term, uint32_t row);
/** @row is shown as it is now. */
void term_clean(struct term *term, uint32_t row);

/** Take @byte. */
enum utf8_result utf8_take(struct utf8 *utf8, uint8_t byte, uint32_t *code);
