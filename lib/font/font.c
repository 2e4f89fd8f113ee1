/* Glyphs by code. A glyph that is wider than its cell (Unifont draws many symbols on 16 pixels that a terminal counts as one column) is
 * pressed together: two pixels become one. */
#include <font/font.h>

#include <stddef.h>

static const struct font_run *find(uint32_t code)
{
    uint32_t low = 0, high = font_run_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct font_run *run = &font_runs[middle];
        if (code < run->first)
            high = middle;
        else if (code - run->first >= run->count)
            low = middle + 1;
        else
            return run;
    }
    return NULL;
}

static uint16_t press(uint16_t wide)
{
    uint16_t narrow = 0;
    for (uint32_t i = 0; i < FONT_WIDTH; i++)
        if ((wide >> (14 - 2 * i) & 3) != 0)
            narrow |= (uint16_t)(0x8000u >> i);
    return narrow;
}

bool font_glyph(uint32_t code, uint32_t columns, uint16_t rows[FONT_HEIGHT])
{
    const struct font_run *run = find(code);
    if (run == NULL)
        return false;
    const uint8_t *bits = font_bits + run->offset + (size_t)(code - run->first) * run->bytes;
    for (uint32_t i = 0; i < FONT_HEIGHT; i++) {
        if (run->bytes == FONT_HEIGHT)
            rows[i] = (uint16_t)(bits[i] << 8);
        else
            rows[i] = (uint16_t)(bits[2 * i] << 8 | bits[2 * i + 1]);
        if (run->bytes != FONT_HEIGHT && columns == 1)
            rows[i] = press(rows[i]);
    }
    return true;
}
