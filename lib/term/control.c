/* Control functions, each by its name in ECMA-48 (8.3) or in DEC's manuals, with xterm's behaviour where those leave a choice: erased cells
 * take the pen's background, the cursor stays at the last column until the next character comes (cursor.wrap). */
#include "internal.h"

#include <string.h>

#define TAB_COLUMNS 8u

uint32_t parameter(const struct term *term, uint32_t index, uint32_t otherwise)
{
    bool given = index < term->parameter_count && term->parameters[index] != 0;
    return given ? term->parameters[index] : otherwise;
}

static uint32_t count(const struct term *term)
{
    return parameter(term, 0, 1);
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* --- the cursor ------------------------------------------------------------------------------------------- */

static void move(struct term *term, uint32_t row, uint32_t column)
{
    grid_touch(term, term->cursor.row);
    term->cursor.row = smaller(row, term->rows - 1);
    term->cursor.column = smaller(column, term->columns - 1);
    term->cursor.wrap = false;
    grid_touch(term, term->cursor.row);
}

/* To a place as programs count it: from the region's top in origin mode. */
static void move_from_origin(struct term *term, uint32_t row, uint32_t column)
{
    if (term->cursor.origin)
        move(term, smaller(term->top + row, term->bottom), column);
    else
        move(term, row, column);
}

static void up(struct term *term)
{
    uint32_t row = term->cursor.row, limit = row >= term->top ? term->top : 0;
    move(term, row - smaller(count(term), row - limit), term->cursor.column);
}

static void down(struct term *term)
{
    uint32_t row = term->cursor.row, limit = row <= term->bottom ? term->bottom : term->rows - 1;
    move(term, row + smaller(count(term), limit - row), term->cursor.column);
}

static void right(struct term *term)
{
    move(term, term->cursor.row, term->cursor.column + count(term));
}

static void left(struct term *term)
{
    move(term, term->cursor.row, term->cursor.column - smaller(count(term), term->cursor.column));
}

static void next_line(struct term *term)
{
    down(term);
    move(term, term->cursor.row, 0);
}

static void previous_line(struct term *term)
{
    up(term);
    move(term, term->cursor.row, 0);
}

static void to_column(struct term *term)
{
    move(term, term->cursor.row, count(term) - 1);
}

static void to_row(struct term *term)
{
    move_from_origin(term, count(term) - 1, term->cursor.column);
}

static void to_place(struct term *term)
{
    move_from_origin(term, parameter(term, 0, 1) - 1, parameter(term, 1, 1) - 1);
}

void control_index(struct term *term)
{
    term->cursor.wrap = false;
    if (term->cursor.row == term->bottom)
        grid_scroll_up(term, term->top, 1);
    else
        move(term, term->cursor.row + 1, term->cursor.column);
}

static void reverse_index(struct term *term)
{
    term->cursor.wrap = false;
    if (term->cursor.row == term->top)
        grid_scroll_down(term, term->top, 1);
    else if (term->cursor.row > 0)
        move(term, term->cursor.row - 1, term->cursor.column);
}

static void save(struct term *term)
{
    term->screens[term->active].saved = term->cursor;
}

static void restore(struct term *term)
{
    grid_touch(term, term->cursor.row);
    term->cursor = term->screens[term->active].saved;
    grid_touch(term, term->cursor.row);
}

/* --- tabs ------------------------------------------------------------------------------------------------- */

static void forward(struct term *term, uint32_t stops)
{
    uint32_t column = term->cursor.column;
    for (; stops > 0 && column < term->columns - 1; stops--)
        do
            column++;
        while (column < term->columns - 1 && !term->tabs[column]);
    move(term, term->cursor.row, column);
}

static void tab_forward(struct term *term)
{
    forward(term, count(term));
}

static void tab_back(struct term *term)
{
    uint32_t column = term->cursor.column;
    for (uint32_t stops = count(term); stops > 0 && column > 0; stops--)
        do
            column--;
        while (column > 0 && !term->tabs[column]);
    move(term, term->cursor.row, column);
}

static void tab_clear(struct term *term)
{
    if (parameter(term, 0, 0) == 0)
        term->tabs[term->cursor.column] = false;
    else if (parameter(term, 0, 0) == 3)
        memset(term->tabs, false, term->columns);
}

/* --- erasing, inserting, deleting ------------------------------------------------------------------------- */

static void erase_rows(struct term *term, uint32_t from, uint32_t to)
{
    for (uint32_t row = from; row < to; row++)
        grid_erase(term, row, 0, term->columns);
}

static void erase_in_line(struct term *term)
{
    uint32_t what = parameter(term, 0, 0), column = term->cursor.column;
    if (what <= 2)
        grid_erase(term, term->cursor.row, what == 0 ? column : 0,
                   what == 1 ? column + 1 : term->columns);
}

static void erase_in_display(struct term *term)
{
    uint32_t what = parameter(term, 0, 0);
    if (what > 2)
        return; /* 3: lines that have scrolled away; none are kept */
    erase_in_line(term);
    if (what != 0)
        erase_rows(term, 0, term->cursor.row);
    if (what != 1)
        erase_rows(term, term->cursor.row + 1, term->rows);
}

static void erase_characters(struct term *term)
{
    uint32_t column = term->cursor.column;
    grid_erase(term, term->cursor.row, column, smaller(column + count(term), term->columns));
}

static bool in_region(const struct term *term)
{
    return term->cursor.row >= term->top && term->cursor.row <= term->bottom;
}

static void insert_lines(struct term *term)
{
    if (!in_region(term))
        return;
    grid_scroll_down(term, term->cursor.row, count(term));
    move(term, term->cursor.row, 0);
}

static void delete_lines(struct term *term)
{
    if (!in_region(term))
        return;
    grid_scroll_up(term, term->cursor.row, count(term));
    move(term, term->cursor.row, 0);
}

static void insert_characters(struct term *term)
{
    grid_insert(term, count(term));
}

static void delete_characters(struct term *term)
{
    grid_delete(term, count(term));
}

static void scroll_up(struct term *term)
{
    grid_scroll_up(term, term->top, count(term));
}

static void scroll_down(struct term *term)
{
    grid_scroll_down(term, term->top, count(term));
}

static void repeat(struct term *term)
{
    uint32_t times = count(term);
    for (uint32_t i = 0; i < times && term->last != 0; i++)
        grid_put(term, term->last);
}

/* --- modes ------------------------------------------------------------------------------------------------ */

static void set_region(struct term *term)
{
    uint32_t top = parameter(term, 0, 1) - 1,
             bottom = smaller(parameter(term, 1, term->rows), term->rows) - 1;
    if (top >= bottom)
        return;
    term->top = top;
    term->bottom = bottom;
    move_from_origin(term, 0, 0);
}

/* Private modes 47, 1047, 1048 and 1049 of xterm. */
static void alternate_mode(struct term *term, uint32_t mode, bool on)
{
    if (on && mode == 1049 && term->active == 0)
        save(term);
    if (!on && mode == 1047 && term->active == 1)
        grid_clear(term);
    grid_select(term, on);
    if (on && mode == 1049)
        grid_clear(term);
    if (!on && mode == 1049)
        restore(term);
}

static void private_mode(struct term *term, uint32_t mode, bool on)
{
    switch (mode) {
    case 5:
        term->reversed = on;
        grid_touch_all(term);
        break;
    case 6:
        term->cursor.origin = on;
        move_from_origin(term, 0, 0);
        break;
    case 7:
        term->autowrap = on;
        term->cursor.wrap = false;
        break;
    case 25:
        term->cursor_visible = on;
        break;
    case 47:
    case 1047:
    case 1049:
        alternate_mode(term, mode, on);
        break;
    case 1048:
        (on ? save : restore)(term);
        break;
    default:
        break;
    }
}

static void set_modes(struct term *term, bool on)
{
    for (uint32_t i = 0; i < term->parameter_count; i++) {
        if (term->prefix == '?')
            private_mode(term, term->parameters[i], on);
        else if (term->parameters[i] == 4)
            term->insert = on;
        else if (term->parameters[i] == 20)
            term->newline = on;
    }
}

static void soft_reset(struct term *term)
{
    grid_touch(term, term->cursor.row);
    term->cursor = (struct term_cursor){.row = term->cursor.row, .column = term->cursor.column};
    term->screens[term->active].saved = (struct term_cursor){0};
    term->top = 0;
    term->bottom = term->rows - 1;
    term->insert = term->newline = false;
    term->autowrap = term->cursor_visible = true;
}

void control_reset(struct term *term)
{
    soft_reset(term);
    term->cursor.row = term->cursor.column = 0;
    term->screens[0].saved = term->screens[1].saved = (struct term_cursor){0};
    term->active = 0;
    term->reversed = false;
    term->last = 0;
    for (uint32_t i = 0; i < term->columns; i++)
        term->tabs[i] = i % TAB_COLUMNS == 0;
    grid_touch_all(term);
}

/* DECALN: a screen full of E. */
static void alignment(struct term *term)
{
    soft_reset(term);
    for (uint32_t row = 0; row < term->rows; row++) {
        move(term, row, 0);
        for (uint32_t i = 0; i < term->columns; i++)
            grid_put(term, 'E');
    }
    move(term, 0, 0);
}

/* --- by their bytes --------------------------------------------------------------------------------------- */

void control_byte(struct term *term, uint8_t byte)
{
    switch (byte) {
    case '\b':
        move(term, term->cursor.row, term->cursor.column - (term->cursor.column > 0));
        break;
    case '\t':
        forward(term, 1);
        break;
    case '\n':
    case '\v':
    case '\f':
        control_index(term);
        if (term->newline)
            move(term, term->cursor.row, 0);
        break;
    case '\r':
        move(term, term->cursor.row, 0);
        break;
    case 0x0e:
    case 0x0f:
        term->cursor.shift = byte == 0x0e;
        break;
    default:
        break;
    }
}

static void select_set(struct term *term, uint8_t final)
{
    if (term->intermediate == '(' || term->intermediate == ')')
        term->cursor.graphics[term->intermediate == ')'] = final == '0';
    else if (term->intermediate == '#' && final == '8')
        alignment(term);
}

void control_escape(struct term *term, uint8_t final)
{
    if (term->intermediate != 0) {
        select_set(term, final);
        return;
    }
    switch (final) {
    case '7':
        save(term);
        break;
    case '8':
        restore(term);
        break;
    case 'D':
        control_index(term);
        break;
    case 'E':
        control_index(term);
        move(term, term->cursor.row, 0);
        break;
    case 'H':
        term->tabs[term->cursor.column] = true;
        break;
    case 'M':
        reverse_index(term);
        break;
    case 'c':
        control_reset(term);
        grid_clear(term);
        break;
    default:
        break;
    }
}

#define FINAL_FIRST 0x40u

/* By the final byte, from 04/00 on. */
static void (*const functions[])(struct term *) = {
    ['@' - FINAL_FIRST] = insert_characters,
    ['A' - FINAL_FIRST] = up,
    ['B' - FINAL_FIRST] = down,
    ['C' - FINAL_FIRST] = right,
    ['D' - FINAL_FIRST] = left,
    ['E' - FINAL_FIRST] = next_line,
    ['F' - FINAL_FIRST] = previous_line,
    ['G' - FINAL_FIRST] = to_column,
    ['H' - FINAL_FIRST] = to_place,
    ['I' - FINAL_FIRST] = tab_forward,
    ['J' - FINAL_FIRST] = erase_in_display,
    ['K' - FINAL_FIRST] = erase_in_line,
    ['L' - FINAL_FIRST] = insert_lines,
    ['M' - FINAL_FIRST] = delete_lines,
    ['P' - FINAL_FIRST] = delete_characters,
    ['S' - FINAL_FIRST] = scroll_up,
    ['T' - FINAL_FIRST] = scroll_down,
    ['X' - FINAL_FIRST] = erase_characters,
    ['Z' - FINAL_FIRST] = tab_back,
    ['`' - FINAL_FIRST] = to_column,
    ['a' - FINAL_FIRST] = right,
    ['b' - FINAL_FIRST] = repeat,
    ['d' - FINAL_FIRST] = to_row,
    ['e' - FINAL_FIRST] = down,
    ['f' - FINAL_FIRST] = to_place,
    ['g' - FINAL_FIRST] = tab_clear,
    ['m' - FINAL_FIRST] = sgr,
    ['r' - FINAL_FIRST] = set_region,
    ['s' - FINAL_FIRST] = save,
    ['u' - FINAL_FIRST] = restore,
};

void control_sequence(struct term *term, uint8_t final)
{
    uint32_t index = final - FINAL_FIRST;
    bool plain = term->prefix == 0 && term->intermediate == 0;
    if (term->intermediate == 0 && (plain || term->prefix == '?') && (final == 'h' || final == 'l'))
        set_modes(term, final == 'h');
    else if (term->prefix == 0 && term->intermediate == '!' && final == 'p')
        soft_reset(term);
    else if (plain && index < sizeof(functions) / sizeof(functions[0]) && functions[index] != NULL)
        functions[index](term);
}
