/* The terminal against a model that is as plain as can be (an array of characters, moved one by one), and against random bytes. */
#include "term_test.h"

#include <stdlib.h>
#include <string.h>

#define COLUMNS 13u
#define ROWS 7u

static struct {
    char cells[ROWS][COLUMNS];
    uint32_t row, column, top, bottom;
    int wrap;
} model;

static void model_reset(void)
{
    memset(&model, 0, sizeof(model));
    memset(model.cells, ' ', sizeof(model.cells));
    model.bottom = ROWS - 1;
}

static void model_scroll(uint32_t top, uint32_t count, int up)
{
    for (; count > 0; count--) {
        uint32_t height = model.bottom - top;
        if (up)
            memmove(model.cells[top], model.cells[top + 1], (size_t)height * COLUMNS);
        else
            memmove(model.cells[top + 1], model.cells[top], (size_t)height * COLUMNS);
        memset(model.cells[up ? model.bottom : top], ' ', COLUMNS);
    }
}

static void model_line_feed(void)
{
    model.wrap = 0;
    if (model.row == model.bottom)
        model_scroll(model.top, 1, 1);
    else if (model.row < ROWS - 1)
        model.row++;
}

static void model_put(char character)
{
    if (model.wrap) {
        model.column = 0;
        model_line_feed();
    }
    model.cells[model.row][model.column] = character;
    model.wrap = model.column == COLUMNS - 1;
    model.column += !model.wrap;
}

static void model_place(uint32_t row, uint32_t column)
{
    model.row = row < ROWS ? row : ROWS - 1;
    model.column = column < COLUMNS ? column : COLUMNS - 1;
    model.wrap = 0;
}

static void model_erase(uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        model.cells[i / COLUMNS][i % COLUMNS] = ' ';
}

static void model_shift(uint32_t count, int insert)
{
    char *row = model.cells[model.row];
    for (; count > 0; count--) {
        size_t rest = COLUMNS - 1 - model.column;
        if (insert)
            memmove(row + model.column + 1, row + model.column, rest);
        else
            memmove(row + model.column, row + model.column + 1, rest);
        row[insert ? model.column : COLUMNS - 1] = ' ';
    }
}

static void model_lines(uint32_t count, int up)
{
    if (model.row < model.top || model.row > model.bottom)
        return;
    model_scroll(model.row, count, up);
    model_place(model.row, 0);
}

static void model_region(uint32_t top, uint32_t bottom)
{
    bottom = bottom < ROWS ? bottom : ROWS;
    if (top >= bottom)
        return;
    model.top = top - 1;
    model.bottom = bottom - 1;
    model_place(0, 0);
}

/* One random step, of both. */
static void step(void)
{
    uint32_t n = 1 + random_next() % 9, m = 1 + random_next() % 15;
    uint32_t here = model.row * COLUMNS + model.column, line = model.row * COLUMNS;
    char text[32] = {0};
    switch (random_next() % 20) {
    case 0:
        snprintf(text, sizeof(text), "\x1b[%u;%uH", n, m);
        model_place(n - 1, m - 1);
        break;
    case 1:
        snprintf(text, sizeof(text), "\x1b[J");
        model_erase(here, ROWS * COLUMNS);
        break;
    case 2:
        snprintf(text, sizeof(text), "\x1b[1J");
        model_erase(0, here + 1);
        break;
    case 3:
        snprintf(text, sizeof(text), "\x1b[K");
        model_erase(here, line + COLUMNS);
        break;
    case 4:
        snprintf(text, sizeof(text), "\x1b[%uX", n);
        model_erase(here, here + n < line + COLUMNS ? here + n : line + COLUMNS);
        break;
    case 5:
        snprintf(text, sizeof(text), "\x1b[%u@", n);
        model_shift(n, 1);
        break;
    case 6:
        snprintf(text, sizeof(text), "\x1b[%uP", n);
        model_shift(n, 0);
        break;
    case 7:
        snprintf(text, sizeof(text), "\x1b[%uL", n);
        model_lines(n, 0);
        break;
    case 8:
        snprintf(text, sizeof(text), "\x1b[%uM", n);
        model_lines(n, 1);
        break;
    case 9:
        snprintf(text, sizeof(text), "\x1b[%uS", n);
        model_scroll(model.top, n, 1);
        break;
    case 10:
        snprintf(text, sizeof(text), "\x1b[%uT", n);
        model_scroll(model.top, n, 0);
        break;
    case 11:
        snprintf(text, sizeof(text), "\x1b[%u;%ur", n, m);
        model_region(n, m);
        break;
    case 12:
        snprintf(text, sizeof(text), "\n");
        model_line_feed();
        break;
    case 13:
        snprintf(text, sizeof(text), "\r");
        model_place(model.row, 0);
        break;
    default:
        text[0] = (char)('!' + random_next() % 90);
        model_put(text[0]);
    }
    term_feed(text);
}

static int agrees(void)
{
    int good = term.cursor.row == model.row && term.cursor.column == model.column &&
               term.cursor.wrap == (model.wrap != 0);
    for (uint32_t row = 0; row < ROWS; row++)
        for (uint32_t i = 0; i < COLUMNS; i++) {
            uint32_t code = term_row(&term, row)[i].code;
            good = good && (code == 0 ? ' ' : code) == (uint8_t)model.cells[row][i];
        }
    return good;
}

void test_term_agrees_with_a_model(void)
{
    for (uint32_t round = 0; round < 200; round++) {
        term_begin(COLUMNS, ROWS);
        model_reset();
        uint32_t steps = 0;
        while (steps < 500 && agrees()) {
            step();
            steps++;
        }
        CHECK(agrees());
    }
}

/* Bytes, among them pieces that make control functions and characters of all widths. */
static void fill_random(uint8_t *data, size_t bytes)
{
    static const char *const pieces[] = {
        "\x1b[",       "\x1b",      "\xe3\x81\x82", "\xe4\xb8\xad", "\xcc\x81",   "a",
        "\n",          "\r",        "\t",           "\b",           ";",          ":",
        "?",           "\x1b[@",    "\x1b[P",       "\x1b[2P",      "\x1b[X",     "\x1b[1K",
        "\x1b[4h",     "\x1b[4l",   "\x1b[L",       "\x1b[M",       "\x1b[S",     "\x1b[2T",
        "\x1b[3G",     "\x1b[2;5r", "\x1b[?6h",     "\x1b[?7l",     "\x1b[?7h",   "\x1b[?1049h",
        "\x1b[?1049l", "\x1b[D",    "\x1b[C",       "\x1b[A",       "\x1b[38;2;", "m",
        "\x1b]",       "\x1b\\",    "\x1b(0",       "\x1b[9b"};
    memset(data, 0, bytes);
    for (size_t i = 0; i < bytes;) {
        const char *piece = pieces[random_next() % (sizeof(pieces) / sizeof(pieces[0]))];
        size_t length = strlen(piece);
        if (random_next() % 8 == 0 || length > bytes - i) {
            data[i++] = (uint8_t)random_next();
            continue;
        }
        memcpy(data + i, piece, length);
        i += length;
    }
}

void test_term_survives_random_bytes(void)
{
    static uint8_t data[4096];
    for (uint32_t round = 0; round < 300; round++) {
        term_begin(2 + random_next() % 40, 1 + random_next() % 12);
        fill_random(data, sizeof(data));
        term_write(&term, data, sizeof(data));
        CHECK(term_is_sound());
    }
}

void test_term_does_not_care_how_bytes_are_cut(void)
{
    static uint8_t data[2048];
    for (uint32_t round = 0; round < 50; round++) {
        fill_random(data, sizeof(data));
        term_begin(30, 8);
        term_write(&term, data, sizeof(data));
        char *whole = strdup(term_text());
        struct term_cursor cursor = term.cursor;
        term_begin(30, 8);
        for (size_t i = 0; i < sizeof(data);) {
            size_t piece = 1 + random_next() % 7;
            piece = piece < sizeof(data) - i ? piece : sizeof(data) - i;
            term_write(&term, data + i, piece);
            i += piece;
        }
        CHECK(strcmp(whole, term_text()) == 0 && cursor.row == term.cursor.row &&
              cursor.column == term.cursor.column);
        free(whole);
    }
}
