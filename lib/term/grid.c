/* The cells. A line is a stretch of cells; rows name lines by number, so scrolling moves numbers. A character of two columns fills two
 * cells, TERM_WIDE and TERM_WIDE_END; whoever writes over one of them blanks the other first (mend()), so halves never stand alone. */
#include "internal.h"

#include <string.h>
#include <wchar.h>

static struct term_cell *row_at(struct term *term, uint32_t row)
{
    struct term_screen *screen = &term->screens[term->active];
    return screen->cells + (size_t)screen->lines[row] * term->columns;
}

const struct term_cell *term_row(const struct term *term, uint32_t row)
{
    const struct term_screen *screen = &term->screens[term->active];
    return screen->cells + (size_t)screen->lines[row] * term->columns;
}

void term_clean(struct term *term, uint32_t row)
{
    term->dirty[row] = false;
}

void grid_touch(struct term *term, uint32_t row)
{
    term->dirty[row] = true;
}

void grid_touch_all(struct term *term)
{
    memset(term->dirty, true, term->rows);
}

/* --- erasing ---------------------------------------------------------------------------------------------- */

static struct term_cell blank(const struct term *term)
{
    return (struct term_cell){.bg = term->cursor.bg};
}

static void fill(const struct term *term, struct term_cell *cells, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        cells[i] = blank(term);
}

/* A wide character across the border before @column is split: both halves become blanks of their colours. */
static void mend(const struct term *term, struct term_cell *cells, uint32_t column)
{
    if (column == 0 || column >= term->columns || (cells[column].attributes & TERM_WIDE_END) == 0)
        return;
    for (uint32_t i = column - 1; i <= column; i++)
        cells[i] = (struct term_cell){.bg = cells[i].bg};
}

void grid_erase(struct term *term, uint32_t row, uint32_t from, uint32_t to)
{
    struct term_cell *cells = row_at(term, row);
    mend(term, cells, from);
    mend(term, cells, to);
    fill(term, cells, from, to);
    grid_touch(term, row);
}

void grid_clear(struct term *term)
{
    for (uint32_t row = 0; row < term->rows; row++)
        grid_erase(term, row, 0, term->columns);
}

/* --- moving ----------------------------------------------------------------------------------------------- */

static void reverse(uint16_t *lines, uint32_t from, uint32_t to)
{
    while (from + 1 < to) {
        uint16_t line = lines[from];
        lines[from++] = lines[--to];
        lines[to] = line;
    }
}

/* Lines [@top, @bottom] go up by @count, those at the top to the bottom. */
static void rotate(struct term *term, uint32_t top, uint32_t bottom, uint32_t count)
{
    uint16_t *lines = term->screens[term->active].lines;
    reverse(lines, top, top + count);
    reverse(lines, top + count, bottom + 1);
    reverse(lines, top, bottom + 1);
}

static void scroll(struct term *term, uint32_t top, uint32_t count, bool up)
{
    uint32_t height = term->bottom - top + 1, bottom = term->bottom;
    if (count > height)
        count = height;
    rotate(term, top, bottom, up ? count : height - count);
    for (uint32_t row = top; row <= bottom; row++)
        grid_touch(term, row);
    for (uint32_t i = 0; i < count; i++)
        grid_erase(term, up ? bottom - i : top + i, 0, term->columns);
}

void grid_scroll_up(struct term *term, uint32_t top, uint32_t count)
{
    scroll(term, top, count, true);
}

void grid_scroll_down(struct term *term, uint32_t top, uint32_t count)
{
    scroll(term, top, count, false);
}

/* The cells from the cursor to the end of its row, and how many. */
static struct term_cell *rest_of_row(struct term *term, uint32_t *left)
{
    struct term_cell *cells = row_at(term, term->cursor.row);
    mend(term, cells, term->cursor.column);
    grid_touch(term, term->cursor.row);
    *left = term->columns - term->cursor.column;
    return cells + term->cursor.column;
}

void grid_insert(struct term *term, uint32_t count)
{
    uint32_t left;
    struct term_cell *cells = rest_of_row(term, &left);
    if (count > left)
        count = left;
    mend(term, row_at(term, term->cursor.row), term->columns - count);
    memmove(cells + count, cells, (left - count) * sizeof(*cells));
    fill(term, cells, 0, count);
}

void grid_delete(struct term *term, uint32_t count)
{
    uint32_t left;
    struct term_cell *cells = rest_of_row(term, &left);
    if (count > left)
        count = left;
    mend(term, row_at(term, term->cursor.row), term->cursor.column + count);
    memmove(cells, cells + count, (left - count) * sizeof(*cells));
    fill(term, cells, left - count, left);
}

void grid_select(struct term *term, uint32_t screen)
{
    term->active = screen;
    grid_touch_all(term);
}

/* --- characters ------------------------------------------------------------------------------------------- */

/* The DEC special graphics set, from 05/15 on (VT220 Programmer Reference, table 2-4). */
static const uint16_t line_drawing[] = {0x00a0, 0x25c6, 0x2592, 0x2409, 0x240c, 0x240d, 0x240a,
                                        0x00b0, 0x00b1, 0x2424, 0x240b, 0x2518, 0x2510, 0x250c,
                                        0x2514, 0x253c, 0x23ba, 0x23bb, 0x2500, 0x23bc, 0x23bd,
                                        0x251c, 0x2524, 0x2534, 0x252c, 0x2502, 0x2264, 0x2265,
                                        0x03c0, 0x2260, 0x00a3, 0x00b7};

static uint32_t translate(const struct term *term, uint32_t code)
{
    bool drawing = term->cursor.graphics[term->cursor.shift];
    return drawing && code >= 0x5f && code <= 0x7e ? line_drawing[code - 0x5f] : code;
}

/* To the character before the cursor. */
static void add_mark(struct term *term, uint32_t code)
{
    struct term_cell *cells = row_at(term, term->cursor.row);
    uint32_t column = term->cursor.column;
    if (!term->cursor.wrap && column == 0)
        return;
    column -= term->cursor.wrap ? 0 : 1;
    column -= (cells[column].attributes & TERM_WIDE_END) != 0;
    for (uint32_t i = 0; i < TERM_MARKS && code <= UINT16_MAX; i++) {
        if (cells[column].marks[i] == 0) {
            cells[column].marks[i] = (uint16_t)code;
            break;
        }
    }
    grid_touch(term, term->cursor.row);
}

static void begin_line(struct term *term)
{
    term->cursor.column = 0;
    term->cursor.wrap = false;
    control_index(term);
}

/* See to it that @width columns are there for the next character. */
static void make_room(struct term *term, uint32_t width)
{
    bool fits = term->cursor.column + width <= term->columns;
    if (term->autowrap && (term->cursor.wrap || !fits))
        begin_line(term);
    else if (!fits)
        term->cursor.column = term->columns - width;
    if (term->insert)
        grid_insert(term, width);
}

static void put_cells(struct term *term, uint32_t code, uint32_t width)
{
    struct term_cursor *cursor = &term->cursor;
    struct term_cell *cells = row_at(term, cursor->row);
    struct term_cell cell = {.code = code == ' ' ? 0 : code,
                             .fg = cursor->fg,
                             .bg = cursor->bg,
                             .attributes = cursor->attributes};
    mend(term, cells, cursor->column);
    mend(term, cells, cursor->column + width);
    if (width == 2) {
        cells[cursor->column + 1] = cell;
        cells[cursor->column + 1].code = 0;
        cells[cursor->column + 1].attributes |= TERM_WIDE_END;
        cell.attributes |= TERM_WIDE;
    }
    cells[cursor->column] = cell;
    grid_touch(term, cursor->row);
}

void grid_put(struct term *term, uint32_t code)
{
    code = translate(term, code);
    int width = wcwidth((wchar_t)code);
    if (width == 0) {
        add_mark(term, code);
        return;
    }
    uint32_t columns = width == 2 ? 2 : 1; /* -1: not assigned */
    make_room(term, columns);
    put_cells(term, code, columns);
    term->last = code;
    term->cursor.column += columns;
    if (term->cursor.column >= term->columns) {
        term->cursor.column = term->columns - 1;
        term->cursor.wrap = term->autowrap;
    }
}
