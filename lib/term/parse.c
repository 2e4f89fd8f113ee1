/* The parser: a machine of few states over bytes, after ECMA-48 (5.2 to 5.6). Control bytes act wherever they stand (but in strings); ESC
 * begins anew, CAN and SUB break off. Characters are decoded only between control functions. Device control, operating system and the
 * other strings (5.6) are taken to their end and dropped. The 8-bit forms of C1 are not control functions here: in UTF-8 their codes
 * are two bytes, and programs use the 7-bit forms. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

enum { GROUND, ESCAPE, SEQUENCE, STRING, STRING_ESCAPE };

#define BEL 0x07
#define CAN 0x18
#define SUB 0x1a
#define ESC 0x1b
#define PARAMETER_MAX 9999u

static void begin(struct term *term, uint8_t state)
{
    term->state = state;
    term->prefix = term->intermediate = 0;
    term->too_long = false;
    term->parameter_count = 0;
    term->joined = 0;
    memset(term->parameters, 0, sizeof(term->parameters));
}

static void character(struct term *term, uint32_t code)
{
    if (code < 0x20 || code == 0x7f)
        control_byte(term, (uint8_t)code);
    else if (code < 0x80 || code > 0x9f)
        grid_put(term, code);
}

static void ground(struct term *term, uint8_t byte)
{
    uint32_t code;
    switch (utf8_take(&term->utf8, byte, &code)) {
    case UTF8_MORE:
        break;
    case UTF8_CODE:
        if (code == ESC)
            begin(term, ESCAPE);
        else
            character(term, code);
        break;
    case UTF8_BROKEN:
        grid_put(term, CODE_REPLACEMENT);
        ground(term, byte); /* once: nothing is begun now */
        break;
    case UTF8_BAD:
        grid_put(term, CODE_REPLACEMENT);
        break;
    }
}

static void escape(struct term *term, uint8_t byte)
{
    if (byte >= 0x20 && byte <= 0x2f) {
        term->intermediate = byte;
        return;
    }
    term->state = GROUND;
    if (term->intermediate != 0) {
        control_escape(term, byte);
        return;
    }
    switch (byte) {
    case '[':
        begin(term, SEQUENCE);
        break;
    case 'P': /* DCS, SOS, OSC, PM, APC */
    case 'X':
    case ']':
    case '^':
    case '_':
        begin(term, STRING);
        break;
    default:
        control_escape(term, byte);
        break;
    }
}

/* A digit of the current parameter; the first one makes it. */
static void digit(struct term *term, uint8_t byte)
{
    if (term->parameter_count == 0)
        term->parameter_count = 1;
    uint16_t *value = &term->parameters[term->parameter_count - 1];
    uint32_t grown = *value * 10u + (byte - '0');
    *value = (uint16_t)(grown > PARAMETER_MAX ? PARAMETER_MAX : grown);
}

static void separator(struct term *term, bool colon)
{
    if (term->parameter_count == 0)
        term->parameter_count = 1;
    if (term->parameter_count == TERM_PARAMETERS) {
        term->too_long = true;
        return;
    }
    if (colon)
        term->joined |= (uint16_t)(1u << term->parameter_count);
    term->parameter_count++;
}

static void sequence(struct term *term, uint8_t byte)
{
    if (byte >= '0' && byte <= '9' && !term->too_long)
        digit(term, byte);
    else if (byte == ';' || byte == ':')
        separator(term, byte == ':');
    else if (byte >= 0x3c && byte <= 0x3f)
        term->prefix = byte;
    else if (byte >= 0x20 && byte <= 0x2f)
        term->intermediate = byte;
    else if (byte >= 0x40 && byte <= 0x7e) {
        term->state = GROUND;
        control_sequence(term, byte);
    } else if (byte >= 0x80)
        term->state = GROUND;
}

static void string(struct term *term, uint8_t byte)
{
    if (byte == BEL)
        term->state = GROUND;
}

static void take(struct term *term, uint8_t byte)
{
    bool in_string = term->state == STRING || term->state == STRING_ESCAPE;
    if (term->state == GROUND) {
        ground(term, byte);
    } else if (byte == CAN || byte == SUB) {
        term->state = GROUND;
    } else if (byte == ESC) {
        begin(term, in_string ? STRING_ESCAPE : ESCAPE);
    } else if (term->state == STRING) {
        string(term, byte);
    } else if (term->state == STRING_ESCAPE) {
        /* ST is ESC \; any other escape sequence ends the string too. */
        term->state = ESCAPE;
        escape(term, byte);
    } else if (byte < 0x20) {
        control_byte(term, byte);
    } else if (byte != 0x7f) {
        (term->state == ESCAPE ? escape : sequence)(term, byte);
    }
}

void term_write(struct term *term, const void *data, size_t bytes)
{
    const uint8_t *from = data;
    grid_touch(term, term->cursor.row);
    for (size_t i = 0; i < bytes; i++)
        take(term, from[i]);
    grid_touch(term, term->cursor.row);
}

static bool screen_init(struct term *term, struct term_screen *screen)
{
    screen->cells = calloc((size_t)term->columns * term->rows, sizeof(*screen->cells));
    screen->lines = calloc(term->rows, sizeof(*screen->lines));
    for (uint32_t row = 0; screen->lines != NULL && row < term->rows; row++)
        screen->lines[row] = (uint16_t)row;
    return screen->cells != NULL && screen->lines != NULL;
}

bool term_init(struct term *term, uint32_t columns, uint32_t rows)
{
    *term = (struct term){.columns = columns, .rows = rows};
    if (columns < TERM_COLUMNS_MIN || rows == 0 || columns > TERM_SIDE_MAX || rows > TERM_SIDE_MAX)
        return false;
    term->tabs = calloc(columns, 1);
    term->dirty = calloc(rows, 1);
    if (term->tabs == NULL || term->dirty == NULL || !screen_init(term, &term->screens[0]) ||
        !screen_init(term, &term->screens[1])) {
        term_destroy(term);
        return false;
    }
    control_reset(term);
    return true;
}

void term_destroy(struct term *term)
{
    for (uint32_t i = 0; i < 2; i++) {
        free(term->screens[i].cells);
        free(term->screens[i].lines);
    }
    free(term->tabs);
    free(term->dirty);
    *term = (struct term){0};
}
