/* Painting. `shown` remembers for each place the cell that was painted there, cursor and all, so an update compares and paints what differs:
 * a key costs a cell, and a screen that scrolled costs the cells that really look different. */
#include "paint.h"

#include <font/font.h>
#include <stdlib.h>
#include <string.h>

#define CODE_REPLACEMENT 0xfffdu
#define CODE_NO_IDEOGRAPH 0x3013u /* the geta mark, which printers put where they had no type */
#define UNDERLINE_ROW 14u
#define STRIKE_ROW 8u
#define COLOUR_FG 0xc8c8c8u
#define COLOUR_BG 0x000000u

/* --- colours ---------------------------------------------------------------------------------------------- */

/* The palette of xterm (its blue a little lighter): 16 named colours, a cube of 6 by 6 by 6, 24 greys. */
static uint32_t indexed(uint32_t index)
{
    static const uint32_t named[16] = {0x000000, 0xcd0000, 0x00cd00, 0xcdcd00, 0x3c50ee, 0xcd00cd,
                                       0x00cdcd, 0xe5e5e5, 0x7f7f7f, 0xff0000, 0x00ff00, 0xffff00,
                                       0x5c5cff, 0xff00ff, 0x00ffff, 0xffffff};
    static const uint32_t level[6] = {0, 95, 135, 175, 215, 255};
    if (index < 16)
        return named[index];
    if (index >= 232)
        return (8 + 10 * (index - 232)) * 0x010101u;
    index -= 16;
    return level[index / 36] << 16 | level[index / 6 % 6] << 8 | level[index % 6];
}

static uint32_t resolve(uint32_t colour, uint32_t otherwise)
{
    if ((colour & TERM_DIRECT) != 0)
        return colour & 0xffffffu;
    return (colour & TERM_INDEXED) != 0 ? indexed(colour & 0xff) : otherwise;
}

static void cell_colours(const struct term_cell *cell, uint32_t *fg, uint32_t *bg)
{
    uint32_t front = cell->fg;
    if ((cell->attributes & TERM_BOLD) != 0 && front == TERM_DEFAULT)
        front = TERM_INDEXED | 15;
    else if ((cell->attributes & TERM_BOLD) != 0 && front < (TERM_INDEXED | 8))
        front += 8;
    *fg = resolve(front, COLOUR_FG);
    *bg = resolve(cell->bg, COLOUR_BG);
    if ((cell->attributes & TERM_DIM) != 0)
        *fg = *fg >> 1 & 0x7f7f7fu;
    if ((cell->attributes & TERM_REVERSE) != 0) {
        uint32_t kept = *fg;
        *fg = *bg;
        *bg = kept;
    }
    if ((cell->attributes & TERM_HIDDEN) != 0)
        *fg = *bg;
}

static uint32_t pixel(const struct surface *surface, uint32_t colour)
{
    return (colour >> 16 & 0xff) << surface->red_shift |
           (colour >> 8 & 0xff) << surface->green_shift | (colour & 0xff) << surface->blue_shift;
}

/* --- a cell ----------------------------------------------------------------------------------------------- */

static void glyph_of(const struct term_cell *cell, uint32_t columns, uint16_t rows[FONT_HEIGHT])
{
    uint16_t mark[FONT_HEIGHT];
    if (cell->code != 0 && !font_glyph(cell->code, columns, rows))
        (void)font_glyph(columns == 2 ? CODE_NO_IDEOGRAPH : CODE_REPLACEMENT, columns, rows);
    for (uint32_t i = 0; i < TERM_MARKS && cell->marks[i] != 0; i++)
        if (font_glyph(cell->marks[i], columns, mark))
            for (uint32_t row = 0; row < FONT_HEIGHT; row++)
                rows[row] |= mark[row];
    if ((cell->attributes & TERM_UNDERLINE) != 0)
        rows[UNDERLINE_ROW] = 0xffff;
    if ((cell->attributes & TERM_STRUCK) != 0)
        rows[STRIKE_ROW] = 0xffff;
}

static void paint_cell(const struct surface *surface, uint32_t row, uint32_t column,
                       const struct term_cell *cell)
{
    uint32_t columns = (cell->attributes & TERM_WIDE) != 0 ? 2 : 1, fg, bg;
    uint16_t rows[FONT_HEIGHT] = {0};
    glyph_of(cell, columns, rows);
    cell_colours(cell, &fg, &bg);
    fg = pixel(surface, fg);
    bg = pixel(surface, bg);
    volatile uint32_t *at =
        surface->pixels + (size_t)row * FONT_HEIGHT * surface->stride + (size_t)column * FONT_WIDTH;
    for (uint32_t y = 0; y < FONT_HEIGHT; y++, at += surface->stride)
        for (uint32_t x = 0; x < columns * FONT_WIDTH; x++)
            at[x] = ((uint32_t)rows[y] << x & 0x8000u) != 0 ? fg : bg;
}

/* --- the screen ------------------------------------------------------------------------------------------- */

/* How the cell at @row and @column is to look: the cursor and reverse video are part of it. */
static struct term_cell wanted_at(const struct term *term, uint32_t row, uint32_t column)
{
    struct term_cell cell = term_row(term, row)[column];
    uint32_t at = term->cursor.column;
    bool cursor = term->cursor_visible && row == term->cursor.row &&
                  (column == at || (column + 1 == at && (cell.attributes & TERM_WIDE) != 0));
    if (cursor != term->reversed)
        cell.attributes ^= TERM_REVERSE;
    return cell;
}

/* The right half of a wide character is painted with the left one. */
static void update_row(struct painter *painter, uint32_t row)
{
    const struct term *term = painter->term;
    struct term_cell *shown = painter->shown + (size_t)row * term->columns;
    for (uint32_t column = 0; column < term->columns; column++) {
        struct term_cell cell = wanted_at(term, row, column);
        bool same = memcmp(&cell, &shown[column], sizeof(cell)) == 0;
        if (!same && (cell.attributes & TERM_WIDE_END) == 0)
            paint_cell(&painter->surface, row, column, &cell);
        shown[column] = cell;
    }
}

/* The cursor's row, the old and the new one, is always among those that may look different. */
void painter_update(struct painter *painter)
{
    for (uint32_t row = 0; row < painter->term->rows; row++) {
        if (!painter->term->dirty[row])
            continue;
        update_row(painter, row);
        term_clean(painter->term, row);
    }
}

static void blacken(const struct surface *surface)
{
    uint32_t black = pixel(surface, COLOUR_BG);
    for (uint32_t y = 0; y < surface->height; y++)
        for (uint32_t x = 0; x < surface->width; x++)
            surface->pixels[(size_t)y * surface->stride + x] = black;
}

bool painter_init(struct painter *painter, const struct surface *surface, struct term *term)
{
    *painter = (struct painter){.surface = *surface, .term = term};
    if (!term_init(term, surface->width / FONT_WIDTH, surface->height / FONT_HEIGHT))
        return false;
    painter->shown = calloc((size_t)term->columns * term->rows, sizeof(*painter->shown));
    if (painter->shown == NULL)
        return false;
    blacken(surface);
    return true;
}
