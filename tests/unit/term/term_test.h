#pragma once
/* A terminal under test, and its screen as text: rows joined by newlines, blanks at the ends of rows and empty rows at the end left out. */

#include <check.h>
#include <term/term.h>

extern struct term term;

void term_begin(uint32_t columns, uint32_t rows);
void term_feed(const char *text);
const char *term_text(void);
/** The screen is @text; else it is printed. */
int term_shows(const char *text);
int term_cursor_is(uint32_t row, uint32_t column);
/** What must hold of any terminal, whatever it was fed. */
int term_is_sound(void);
uint32_t random_next(void);

/* The other files' tests. */
void test_term_agrees_with_a_model(void);
void test_term_survives_random_bytes(void);
void test_term_does_not_care_how_bytes_are_cut(void);
void test_font_has_what_a_console_shows(void);
void test_font_presses_wide_glyphs_into_one_column(void);
void test_paint_shows_glyphs_and_colours(void);
void test_paint_marks_and_wide_characters(void);
void test_paint_cursor(void);
void test_paint_only_what_changed(void);
void test_paint_ends_as_painting_anew(void);
