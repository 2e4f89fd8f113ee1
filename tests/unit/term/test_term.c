/* Control functions, one by one: bytes in, a screen out. What is expected is what xterm shows. */
#include "term_test.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

struct term term;
static uint64_t seed = 88172645463325252u;

uint32_t random_next(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 32);
}

void term_begin(uint32_t columns, uint32_t rows)
{
    term_destroy(&term);
    CHECK(term_init(&term, columns, rows));
}

void term_feed(const char *text)
{
    term_write(&term, text, strlen(text));
}

static char *put_code(char *out, uint32_t code)
{
    if (code < 0x80) {
        *out++ = (char)code;
    } else if (code < 0x800) {
        *out++ = (char)(0xc0 | code >> 6);
        *out++ = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *out++ = (char)(0xe0 | code >> 12);
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
        *out++ = (char)(0x80 | (code & 0x3f));
    } else {
        *out++ = (char)(0xf0 | code >> 18);
        *out++ = (char)(0x80 | (code >> 12 & 0x3f));
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
        *out++ = (char)(0x80 | (code & 0x3f));
    }
    return out;
}

static char *put_row(char *out, const struct term_cell *cells)
{
    char *end = out;
    for (uint32_t i = 0; i < term.columns; i++) {
        if ((cells[i].attributes & TERM_WIDE_END) != 0)
            continue;
        out = put_code(out, cells[i].code == 0 ? ' ' : cells[i].code);
        for (uint32_t mark = 0; mark < TERM_MARKS && cells[i].marks[mark] != 0; mark++)
            out = put_code(out, cells[i].marks[mark]);
        end = cells[i].code == 0 && cells[i].marks[0] == 0 ? end : out;
    }
    return end;
}

const char *term_text(void)
{
    static char text[1 << 20];
    char *out = text, *end = text;
    for (uint32_t row = 0; row < term.rows; row++) {
        char *begin = out;
        out = put_row(out, term_row(&term, row));
        end = out == begin ? end : out;
        *out++ = '\n';
    }
    *end = '\0';
    return text;
}

int term_shows(const char *text)
{
    const char *shown = term_text();
    if (strcmp(shown, text) == 0 && term_is_sound())
        return 1;
    printf("# shown:\n# %s\n# wanted:\n# %s\n", shown, text);
    return 0;
}

int term_cursor_is(uint32_t row, uint32_t column)
{
    return term.cursor.row == row && term.cursor.column == column;
}

int term_is_sound(void)
{
    int good = term.cursor.row < term.rows && term.cursor.column < term.columns &&
               term.top <= term.bottom && term.bottom < term.rows && term.active < 2;
    for (uint32_t row = 0; good && row < term.rows; row++) {
        const struct term_cell *cells = term_row(&term, row);
        for (uint32_t i = 0; i < term.columns; i++) {
            int wide = (cells[i].attributes & TERM_WIDE) != 0;
            int after = i + 1 < term.columns && (cells[i + 1].attributes & TERM_WIDE_END) != 0;
            good = good && wide == after && cells[i].code <= 0x10ffff && cells[i].reserved == 0;
        }
        good = good && (cells[0].attributes & TERM_WIDE_END) == 0;
    }
    return good;
}

/* --- UTF-8 ------------------------------------------------------------------------------------------------ */

static void test_utf8_shows_characters_of_every_length(void)
{
    term_begin(20, 2);
    term_feed("a\xc2\xb5\xd0\x96\xe2\x94\x8c\xef\xbf\xbf\xf0\x9d\x84\x9e");
    CHECK(term_shows("a\xc2\xb5\xd0\x96\xe2\x94\x8c\xef\xbf\xbf\xf0\x9d\x84\x9e"));
}

/* Unicode 15.0, tables 3-8 to 3-11: one U+FFFD for each maximal subpart. */
static void test_utf8_replaces_what_is_malformed(void)
{
    static const struct {
        const char *bytes, *shown;
    } cases[] = {
        {"\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41", "????????A"}, /* not shortest forms */
        {"\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41", "????????A"}, /* surrogates */
        {"\xf4\x91\x92\x93\xff\x41\x80\xbf\x42", "?????A??B"}, /* others */
        {"\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", "????A"},     /* truncated */
        {"\xe2\x94\nx", "?\n x"},                              /* cut by a control character */
        {"\xe2\x1b[Cx", "? x"},                                /* and by a sequence */
        {"\xf5\xfe\x80z", "???z"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char wanted[64], *out = wanted;
        for (const char *at = cases[i].shown; *at != '\0'; at++)
            out = put_code(out, *at == '?' ? 0xfffd : (uint8_t)*at);
        *out = '\0';
        term_begin(20, 2);
        term_feed(cases[i].bytes);
        CHECK(term_shows(wanted));
    }
}

static void test_utf8_wide_characters(void)
{
    term_begin(5, 3);
    term_feed("ab\xe3\x81\x82"
              "c\xe3\x81\x84"); /* a wide one does not fit into the last column */
    CHECK(term_shows("ab\xe3\x81\x82"
                     "c\n\xe3\x81\x84"));
    term_feed("\x1b[1;4HX"); /* over the right half */
    CHECK(term_shows("ab Xc\n\xe3\x81\x84"));
    term_feed("\x1b[2;1HY");
    CHECK(term_shows("ab Xc\nY"));
    term_feed(
        "\x1b[2;1H\xe3\x81\x82\xe3\x81\x84\x1b[2;2H\x1b[P"); /* delete from the middle of one */
    CHECK(term_shows("ab Xc\n \xe3\x81\x84"));
    term_feed("\x1b[2;1H\xe3\x81\x82\xe3\x81\x84\x1b[2;1H\x1b[2@"); /* pushed half out */
    CHECK(term_shows("ab Xc\n  \xe3\x81\x82"));
    term_feed("\x1b[2;4H\x1b[1K");
    CHECK(term_shows("ab Xc"));
}

static void test_utf8_combining_marks(void)
{
    term_begin(4, 2);
    term_feed("\xcc\x81"
              "e\xcc\x81\xcc\xa3\xcc\x82x"); /* none before the first; no more than two */
    CHECK(term_shows("e\xcc\x81\xcc\xa3x"));
    term_feed("yz\xcc\x81"); /* at the last column, the cursor still on it */
    CHECK(term_shows("e\xcc\x81\xcc\xa3xyz\xcc\x81"));
    term_feed("\r\n\xe3\x81\x8b\xe3\x82\x99");
    CHECK(term_shows("e\xcc\x81\xcc\xa3xyz\xcc\x81\n\xe3\x81\x8b\xe3\x82\x99"));
}

/* --- movement --------------------------------------------------------------------------------------------- */

static void test_term_wraps_and_scrolls(void)
{
    term_begin(4, 3);
    term_feed("abcd");
    CHECK(term_cursor_is(0, 3) && term.cursor.wrap);
    term_feed("\r\nx");
    CHECK(term_shows("abcd\nx"));
    term_feed("\x1b[2J\x1b[Habcdefghijklm");
    CHECK(term_shows("efgh\nijkl\nm") && term_cursor_is(2, 1));
    term_feed(
        "\x1b[?7l\x1b[Hqwertz"); /* without wrapping the last column is written again and again */
    CHECK(term_shows("qwez\nijkl\nm"));
}

static void test_term_moves_the_cursor(void)
{
    term_begin(10, 6);
    term_feed("\x1b[3;4H");
    CHECK(term_cursor_is(2, 3));
    term_feed("\x1b[A\x1b[2C\x1b[3B\x1b[4D");
    CHECK(term_cursor_is(4, 1));
    term_feed("\x1b[99A\x1b[99C");
    CHECK(term_cursor_is(0, 9));
    term_feed("\x1b[2E");
    CHECK(term_cursor_is(2, 0));
    term_feed("\x1b[5G\x1b[F");
    CHECK(term_cursor_is(1, 0));
    term_feed("\x1b[4d\x1b[7`\x1b[a\x1b[e");
    CHECK(term_cursor_is(4, 7));
    term_feed("\b\b\x1b"
              "7\x1b[H\x1b"
              "8");
    CHECK(term_cursor_is(4, 5));
    term_feed("\x1b[s\x1b[99;99f\x1b[u");
    CHECK(term_cursor_is(4, 5));
    term_feed("\x1b[0;0H\x1bM\x1bM\x1b"
              "D\x1b"
              "E");
    CHECK(term_cursor_is(2, 0));
}

static void test_term_tabs(void)
{
    term_begin(40, 2);
    term_feed("a\tb\tc\x1b[2Zd\x1b[2Ie");
    CHECK(term_shows("a       d       c       e"));
    term_feed("\r\x1b[3g\x1b[5G\x1bH\r\tx\ty");
    CHECK(term_cursor_is(0, 39) && term_row(&term, 0)[4].code == 'x');
    term_feed("\r\t\x1b[g\r\tz");
    CHECK(term_row(&term, 0)[39].code == 'z');
}

/* --- erasing, inserting, deleting, scrolling --------------------------------------------------------------- */

static const char three[] = "\x1b[H\x1b[2Jabcd\r\nefgh\r\nijkl\x1b[2;3H";

static void check_after(const char *sequence, const char *shown)
{
    term_feed(three);
    term_feed(sequence);
    CHECK(term_shows(shown));
}

static void test_term_erases(void)
{
    term_begin(4, 3);
    check_after("\x1b[K", "abcd\nef\nijkl");
    check_after("\x1b[1K", "abcd\n   h\nijkl");
    check_after("\x1b[2K", "abcd\n\nijkl");
    check_after("\x1b[J", "abcd\nef");
    check_after("\x1b[1J", "\n   h\nijkl");
    check_after("\x1b[2J", "");
    check_after("\x1b[3J", "abcd\nefgh\nijkl");
    check_after("\x1b[7K\x1b[7J", "abcd\nefgh\nijkl");
    check_after("\x1b[X", "abcd\nef h\nijkl");
    check_after("\x1b[99X", "abcd\nef\nijkl");
    check_after("\x1b[44m\x1b[K\x1b[m", "abcd\nef\nijkl");
    CHECK(term_row(&term, 1)[3].bg == (TERM_INDEXED | 4));
}

static void test_term_inserts_and_deletes(void)
{
    term_begin(4, 3);
    check_after("\x1b[@", "abcd\nef g\nijkl");
    check_after("\x1b[9@", "abcd\nef\nijkl");
    check_after("\x1b[P", "abcd\nefh\nijkl");
    check_after("\x1b[9P", "abcd\nef\nijkl");
    check_after("\x1b[L", "abcd\n\nefgh");
    check_after("\x1b[M", "abcd\nijkl");
    check_after("\x1b[9L", "abcd");
    check_after("\x1b[4hX\x1b[4l", "abcd\nefXg\nijkl");
    check_after("\x1b[S", "efgh\nijkl");
    check_after("\x1b[2T", "\n\nabcd");
    check_after("Z\x1b[b", "abcd\nefZZ\nijkl");
}

static void test_term_scroll_region(void)
{
    term_begin(4, 5);
    term_feed("a\r\nb\r\nc\r\nd\r\ne\x1b[2;4r");
    CHECK(term_cursor_is(0, 0));
    term_feed("\x1b[4;1H\n");
    CHECK(term_shows("a\nc\nd\n\ne"));
    term_feed("\x1b[2;1H\x1bM\x1bM");
    CHECK(term_shows("a\n\n\nc\ne"));
    term_feed("\x1b[5;1H\n\n"); /* below the region nothing scrolls */
    CHECK(term_shows("a\n\n\nc\ne") && term_cursor_is(4, 0));
    term_feed("\x1b[L\x1b[M"); /* nor are lines inserted there */
    CHECK(term_shows("a\n\n\nc\ne"));
    term_feed("\x1b[?6h\x1b[1;1HO\x1b[99;2HU");
    CHECK(term_shows("a\nO\n\ncU\ne"));
    term_feed("\x1b[?6l\x1b[4;4r\x1b[9;2r\x1b[r");
    CHECK(term.top == 0 && term.bottom == 4);
}

static void test_term_alternate_screen(void)
{
    term_begin(4, 2);
    term_feed("ab\x1b[?1049h");
    CHECK(term_shows("") && term_cursor_is(0, 2));
    term_feed("\x1b[Hxyz\x1b[?1049l!");
    CHECK(term_shows("ab!"));
    term_feed("\x1b[?47h");
    CHECK(term_shows("xyz"));
    term_feed("\x1b[?1047l\x1b[?47h");
    CHECK(term_shows(""));
    term_feed("\x1b"
              "c");
    CHECK(term_shows("") && term.active == 0);
}

/* --- the rest --------------------------------------------------------------------------------------------- */

static int pen_is(uint32_t fg, uint32_t bg, uint32_t attributes)
{
    return term.cursor.fg == fg && term.cursor.bg == bg && term.cursor.attributes == attributes;
}

static void test_sgr_sets_the_pen(void)
{
    term_begin(4, 2);
    term_feed("\x1b[1;3;4;31;42m");
    CHECK(pen_is(TERM_INDEXED | 1, TERM_INDEXED | 2, TERM_BOLD | TERM_ITALIC | TERM_UNDERLINE));
    term_feed("\x1b[22;24;39;49m");
    CHECK(pen_is(TERM_DEFAULT, TERM_DEFAULT, TERM_ITALIC));
    term_feed("\x1b[0;2;5;7;8;9;97;100m");
    CHECK(pen_is(TERM_INDEXED | 15, TERM_INDEXED | 8,
                 TERM_DIM | TERM_BLINK | TERM_REVERSE | TERM_HIDDEN | TERM_STRUCK));
    term_feed("\x1b[22;25;27;28;29m");
    CHECK(pen_is(TERM_INDEXED | 15, TERM_INDEXED | 8, 0));
    term_feed("\x1b[38;5;208;48;2;1;2;3;1m");
    CHECK(pen_is(TERM_INDEXED | 208, TERM_DIRECT | 0x010203, TERM_BOLD));
    term_feed("\x1b[38:2::10:20:30;48:5:9m");
    CHECK(pen_is(TERM_DIRECT | 0x0a141e, TERM_INDEXED | 9, TERM_BOLD));
    term_feed("\x1b[38:2:10:20:31m");
    CHECK(pen_is(TERM_DIRECT | 0x0a141f, TERM_INDEXED | 9, TERM_BOLD));
    term_feed("\x1b[m\x1b[4:3m\x1b[58;5;7;3m");
    CHECK(pen_is(TERM_DEFAULT, TERM_DEFAULT, TERM_UNDERLINE | TERM_ITALIC));
    term_feed("\x1b[4:0;38m\x1b[38;5m\x1b[48;2m");
    CHECK(term.cursor.attributes == TERM_ITALIC);
}

static void test_term_line_drawing(void)
{
    term_begin(8, 2);
    term_feed("\x1b(0lqk\x1b(Bq\x1b)0\x0eq\x0fq");
    CHECK(term_shows("\xe2\x94\x8c\xe2\x94\x80\xe2\x94\x90q\xe2\x94\x80q"));
}

static void test_term_takes_what_it_does_not_know(void)
{
    term_begin(20, 2);
    term_feed("a\x1b]0;title\x07"
              "b\x1b]2;t\x1b\\c\x1bPq#0\x1b\\d\x1b_x\x1b\\e");
    term_feed("\x1b[?2004h\x1b[>c\x1b[6n\x1b[1 q\x1b=\x1b>\x1b%G\x1b[?25$p\x1b[<1ZF");
    CHECK(term_shows("abcdeF"));
    term_feed(
        "\x1b[12\x18g\x1b[3\x1b[Ch\x1b[1;\rH"); /* broken off; begun anew; a control byte inside */
    CHECK(term_cursor_is(0, 0) && term_shows("abcdeFg h"));
    term_feed("\x1b[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17;18;19;20;99999999999mx");
    CHECK(term_shows("xbcdeFg h"));
}

static void test_term_modes_and_reset(void)
{
    term_begin(4, 2);
    term_feed("\x1b[?25l\x1b[?5h\x1b[20ha\nb");
    CHECK(!term.cursor_visible && term.reversed && term_shows("a\nb"));
    term_feed("\x1b[!p");
    CHECK(term.cursor_visible && term.autowrap && !term.newline && term_shows("a\nb"));
    term_feed("\x1b#8");
    CHECK(term_shows("EEEE\nEEEE") && term_cursor_is(0, 0));
    term_feed("\x1b"
              "c");
    CHECK(term_shows("") && !term.reversed);
}

static void test_term_refuses_impossible_sizes(void)
{
    struct term other;
    CHECK(!term_init(&other, 1, 1) && !term_init(&other, 2, 0));
    CHECK(!term_init(&other, TERM_SIDE_MAX + 1, 2) && !term_init(&other, 2, TERM_SIDE_MAX + 1));
    term_begin(2, 1);
    term_feed("abc\xe3\x81\x82\x1b[2;1r\x1b[S\x1b[T\x1b[L\x1b[M\x1b[?1049hx\n\n");
    CHECK(term_is_sound());
}

int main(void)
{
    static const struct test tests[] = {
        TEST(test_utf8_shows_characters_of_every_length),
        TEST(test_utf8_replaces_what_is_malformed),
        TEST(test_utf8_wide_characters),
        TEST(test_utf8_combining_marks),
        TEST(test_term_wraps_and_scrolls),
        TEST(test_term_moves_the_cursor),
        TEST(test_term_tabs),
        TEST(test_term_erases),
        TEST(test_term_inserts_and_deletes),
        TEST(test_term_scroll_region),
        TEST(test_term_alternate_screen),
        TEST(test_sgr_sets_the_pen),
        TEST(test_term_line_drawing),
        TEST(test_term_takes_what_it_does_not_know),
        TEST(test_term_modes_and_reset),
        TEST(test_term_refuses_impossible_sizes),
        TEST(test_term_agrees_with_a_model),
        TEST(test_term_survives_random_bytes),
        TEST(test_term_does_not_care_how_bytes_are_cut),
        TEST(test_font_has_what_a_console_shows),
        TEST(test_font_presses_wide_glyphs_into_one_column),
        TEST(test_paint_shows_glyphs_and_colours),
        TEST(test_paint_marks_and_wide_characters),
        TEST(test_paint_cursor),
        TEST(test_paint_only_what_changed),
        TEST(test_paint_ends_as_painting_anew),
        {0},
    };
    /* The host's wcwidth() knows characters only in such a locale; the system's has no other. */
    if (setlocale(LC_CTYPE, "C.UTF-8") == NULL) {
        printf("Bail out! no locale C.UTF-8\n");
        return 1;
    }
    int failed = run_tests(tests);
    term_destroy(&term);
    return failed;
}
