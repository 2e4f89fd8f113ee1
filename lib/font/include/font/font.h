#pragma once
/* The font: GNU Unifont, cells of 8 by 16 pixels. Its table is made by tools/mkfont from the pinned package; a program that shows text names it in
 * GENERATED (font/table.c). */
#include <stdbool.h>
#include <stdint.h>

#define FONT_WIDTH 8u
#define FONT_HEIGHT 16u

/** Glyphs of @count codes from @first on, @bytes each: 16 (8 pixels wide) or 32 (16 pixels). */
struct font_run {
    uint16_t first, count, bytes;
    uint32_t offset; /**< of the first one's bits in font_bits */
};

extern const struct font_run font_runs[];
extern const uint32_t font_run_count;
extern const uint8_t font_bits[];

/** The pixels of @code in a cell @columns (1 or 2) wide, a row each: the leftmost pixel in bit 15. False: the font has none. */
bool font_glyph(uint32_t code, uint32_t columns, uint16_t rows[FONT_HEIGHT]);
