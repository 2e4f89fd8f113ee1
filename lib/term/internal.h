#pragma once
/* The terminal's parts: the parser (parse.c) finds control functions, control.c and sgr.c carry them out on the grid (grid.c). */
#include <term/term.h>

#define CODE_REPLACEMENT 0xfffdu

/* grid.c: the cells. Rows and columns are inside the screen; counts may be anything. */
void grid_clear(struct term *term);
/** Blank the cells [@from, @to) of @row in the pen's background. */
void grid_erase(struct term *term, uint32_t row, uint32_t from, uint32_t to);
/** Move the lines from @top to the region's bottom @count up or down; blank ones come in. */
void grid_scroll_up(struct term *term, uint32_t top, uint32_t count);
void grid_scroll_down(struct term *term, uint32_t top, uint32_t count);
/** Make room for @count cells at the cursor, or close up as many. */
void grid_insert(struct term *term, uint32_t count);
void grid_delete(struct term *term, uint32_t count);
/** Show the character @code at the cursor. */
void grid_put(struct term *term, uint32_t code);
/** The alternate screen or the main one. */
void grid_select(struct term *term, uint32_t screen);
void grid_touch(struct term *term, uint32_t row);
void grid_touch_all(struct term *term);

/* control.c: control functions, complete. */
void control_reset(struct term *term);
/** A byte from 0 to 1f or 7f. */
void control_byte(struct term *term, uint8_t byte);
/** ESC, the intermediate in @term, @final. */
void control_escape(struct term *term, uint8_t final);
/** CSI, what the parser has gathered in @term, @final. */
void control_sequence(struct term *term, uint8_t final);
/** To the next line, scrolling at the region's bottom. */
void control_index(struct term *term);
/** Parameter @index, or @otherwise where it is missing or 0. */
uint32_t parameter(const struct term *term, uint32_t index, uint32_t otherwise);

/* sgr.c */
void sgr(struct term *term);
