/* Pixels: a surface in memory, looked at pixel by pixel. */
#include "paint.h"
#include "term_test.h"

#include <font/font.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS 6u
#define ROWS 3u
#define MARGIN 5u /* the surface is not a whole number of cells */
#define WIDTH (COLUMNS * FONT_WIDTH + MARGIN)
#define HEIGHT (ROWS * FONT_HEIGHT + MARGIN)
#define STRIDE (WIDTH + 3)
#define UNTOUCHED 0xdeadbeefu

#define GREY 0xc8c8c8u
#define BLACK 0x000000u

static uint32_t pixels[HEIGHT * STRIDE];
static struct painter painter;

static const struct surface surface = {.pixels = pixels,
                                       .width = WIDTH,
                                       .height = HEIGHT,
                                       .stride = STRIDE,
                                       .red_shift = 16,
                                       .green_shift = 8};

static void begin(void)
{
    free(painter.shown);
    term_destroy(&term);
    for (size_t i = 0; i < HEIGHT * STRIDE; i++)
        pixels[i] = UNTOUCHED;
    CHECK(painter_init(&painter, &surface, &term));
    CHECK(term.columns == COLUMNS && term.rows == ROWS);
}

static void show(const char *text)
{
    term_feed(text);
    painter_update(&painter);
}

/* The cell at @row and @column has the pixels of @code, @columns wide, in these colours. */
static int cell_is(uint32_t row, uint32_t column, uint32_t columns, uint32_t code, uint32_t fg,
                   uint32_t bg)
{
    uint16_t rows[FONT_HEIGHT] = {0};
    int good = code == ' ' || font_glyph(code, columns, rows);
    for (uint32_t y = 0; y < FONT_HEIGHT; y++)
        for (uint32_t x = 0; x < columns * FONT_WIDTH; x++) {
            uint32_t pixel = pixels[(row * FONT_HEIGHT + y) * STRIDE + column * FONT_WIDTH + x];
            good = good && pixel == ((rows[y] >> (15 - x) & 1) != 0 ? fg : bg);
        }
    return good;
}

void test_font_has_what_a_console_shows(void)
{
    uint16_t rows[FONT_HEIGHT];
    static const uint32_t there[] = {'!',    '~',    0xa1,   0xff,   0x17f,  0x3a9,  0x416,  0x531,
                                     0x1e9e, 0x2014, 0x20ac, 0x2192, 0x2203, 0x2550, 0x2588, 0x25cf,
                                     0x2713, 0x28ff, 0x3042, 0x30a2, 0xff21, 0xfffd, 0x301},
                          absent[] = {0, 0x1f, 0x7f, 0xad, 0x5d0, 0x4e00, 0xac00, 0xfffe, 0x1f600};
    for (size_t i = 0; i < sizeof(there) / sizeof(there[0]); i++)
        CHECK(font_glyph(there[i], 1, rows) && font_glyph(there[i], 2, rows));
    for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
        CHECK(!font_glyph(absent[i], 1, rows));
    CHECK(font_glyph('A', 1, rows) && rows[4] == 0x1800 && rows[9] == 0x7e00);
    CHECK(font_glyph(0x2500, 1, rows) && rows[7] == 0xff00 && rows[8] == 0);
}

void test_font_presses_wide_glyphs_into_one_column(void)
{
    uint16_t wide[FONT_HEIGHT], narrow[FONT_HEIGHT];
    CHECK(font_glyph(0x3042, 2, wide) && font_glyph(0x3042, 1, narrow));
    for (uint32_t row = 0; row < FONT_HEIGHT; row++)
        for (uint32_t x = 0; x < 16; x++) {
            int any = x < 8 && (wide[row] >> (14 - 2 * x) & 3) != 0;
            CHECK((narrow[row] >> (15 - x) & 1) == any);
        }
}

void test_paint_shows_glyphs_and_colours(void)
{
    begin();
    show("\x1b[?25la\x1b[31mb\x1b[1mc\x1b[0;7md\x1b[0;38;2;1;2;3;48;5;231me\r\n");
    CHECK(cell_is(0, 0, 1, 'a', GREY, BLACK) && cell_is(0, 1, 1, 'b', 0xcd0000, BLACK));
    CHECK(cell_is(0, 2, 1, 'c', 0xff0000, BLACK) && cell_is(0, 3, 1, 'd', BLACK, GREY));
    CHECK(cell_is(0, 4, 1, 'e', 0x010203, 0xffffff) && cell_is(0, 5, 1, ' ', BLACK, BLACK));
    show("\x1b[0;38;5;232mf\x1b[38;5;255mg\x1b[0;8mh\x1b[0;2mi\x1b[0;1mj");
    CHECK(cell_is(1, 0, 1, 'f', 0x080808, BLACK) && cell_is(1, 1, 1, 'g', 0xeeeeee, BLACK));
    CHECK(cell_is(1, 2, 1, ' ', BLACK, BLACK) && cell_is(1, 3, 1, 'i', 0x646464, BLACK));
    CHECK(cell_is(1, 4, 1, 'j', 0xffffff, BLACK));
    show("\x1b[m\x1b[3;1H\x1b[4m_\x1b[0;9m \x1b[m\xe2\x82\xac\x1b[?5h");
    CHECK(pixels[(2 * FONT_HEIGHT + 14) * STRIDE] == BLACK); /* reversed: the line is black */
    CHECK(pixels[(2 * FONT_HEIGHT + 8) * STRIDE + 8] == BLACK);
    CHECK(cell_is(2, 2, 1, 0x20ac, BLACK, GREY) && cell_is(2, 5, 1, ' ', GREY, GREY));
}

void test_paint_marks_and_wide_characters(void)
{
    uint16_t letter[FONT_HEIGHT], mark[FONT_HEIGHT];
    begin();
    show("\x1b[?25le\xcc\x81\xe3\x81\x82\xe4\xb8\xad\r\n\xd7\x90");
    CHECK(font_glyph('e', 1, letter) && font_glyph(0x301, 1, mark));
    for (uint32_t y = 0; y < FONT_HEIGHT; y++)
        for (uint32_t x = 0; x < FONT_WIDTH; x++)
            CHECK((pixels[y * STRIDE + x] == GREY) == ((letter[y] | mark[y]) >> (15 - x) & 1));
    CHECK(cell_is(0, 1, 2, 0x3042, GREY, BLACK));
    CHECK(cell_is(0, 3, 2, 0x3013, GREY, BLACK)); /* an ideograph that the font has not */
    CHECK(cell_is(1, 0, 1, 0xfffd, GREY, BLACK)); /* a letter that it has not */
    show("\x1b[1;3Hx");                           /* over a right half: the left one goes */
    CHECK(cell_is(0, 1, 1, ' ', GREY, BLACK) && cell_is(0, 2, 1, 'x', GREY, BLACK));
    show("\x1b[1;4Hy"); /* over a left half: the right one goes */
    CHECK(cell_is(0, 3, 1, 'y', GREY, BLACK) && cell_is(0, 4, 1, ' ', GREY, BLACK));
}

void test_paint_cursor(void)
{
    begin();
    show("ab");
    CHECK(cell_is(0, 2, 1, ' ', BLACK, GREY) && cell_is(0, 1, 1, 'b', GREY, BLACK));
    show("\b\b");
    CHECK(cell_is(0, 0, 1, 'a', BLACK, GREY) && cell_is(0, 2, 1, ' ', BLACK, BLACK));
    show("\n\xe3\x81\x82\b");
    CHECK(cell_is(1, 0, 2, 0x3042, BLACK, GREY) && cell_is(0, 0, 1, 'a', GREY, BLACK));
    show("\x1b[?25l");
    CHECK(cell_is(1, 0, 2, 0x3042, GREY, BLACK));
}

void test_paint_only_what_changed(void)
{
    begin();
    show("\x1b[?25labc\r\nabd");
    for (size_t i = 0; i < HEIGHT * STRIDE; i++)
        pixels[i] = UNTOUCHED;
    show("\r\n\x1b[2;3Hx\x1b[H");
    size_t painted = 0;
    for (size_t i = 0; i < HEIGHT * STRIDE; i++)
        painted += pixels[i] != UNTOUCHED;
    CHECK(cell_is(1, 2, 1, 'x', GREY, BLACK) && painted == FONT_WIDTH * FONT_HEIGHT);
    show("\x1b[3;1Hend\x1b[1;3H\x1b[S"); /* scrolled: "ab" is there already */
    CHECK(pixels[0] == UNTOUCHED && cell_is(0, 2, 1, 'x', GREY, BLACK));
}

/* Whatever was painted in between, the picture is the one that painting the last screen alone makes; and nothing is written outside. */
void test_paint_ends_as_painting_anew(void)
{
    static const char *const pieces[] = {"abc",     "\xe3\x81\x82", "\xcc\x81",    "\r\n",
                                         "\x1b[A",  "\x1b[2;2H",    "\x1b[L",      "\x1b[M",
                                         "\x1b[7m", "\x1b[0m",      "\x1b[45m",    "\x1b[1;3H",
                                         "\x1b[S",  "\x1b[@",       "\x1b[?5h",    "\x1b[?5l",
                                         "\x1b[P",  "\x1b[?1049h",  "\x1b[?1049l", "\x1b[K",
                                         "\b"};
    static uint32_t kept[HEIGHT * STRIDE];
    begin();
    for (uint32_t i = 0; i < 5000; i++) {
        show(pieces[random_next() % (sizeof(pieces) / sizeof(pieces[0]))]);
        if (i % 10 != 0)
            continue;
        memcpy(kept, pixels, sizeof(kept));
        memset(painter.shown, 0xff, sizeof(*painter.shown) * COLUMNS * ROWS);
        for (uint32_t row = 0; row < ROWS; row++)
            term.dirty[row] = true;
        painter_update(&painter);
        CHECK(memcmp(kept, pixels, sizeof(kept)) == 0);
    }
    for (uint32_t y = 0; y < HEIGHT; y++)
        CHECK(pixels[y * STRIDE + WIDTH] == UNTOUCHED);
    free(painter.shown);
    painter.shown = NULL;
}
