/* SGR (ECMA-48, 8.3.117): how the next characters look. Colours beyond the first sixteen come as 38 or 48 with parameters of their own,
 * after semicolons (xterm) or colons (ISO 8613-6, 13.1.8): 5 and an index, or 2 and red, green, blue (behind colons, with a colour
 * space before them). 58, the colour of an underline, is read the same way and dropped. */
#include "internal.h"

static uint32_t value_at(const struct term *term, uint32_t index)
{
    return index < term->parameter_count ? term->parameters[index] : 0;
}

/* Parameters after @index that a colon joins to it. */
static uint32_t joined_after(const struct term *term, uint32_t index)
{
    uint32_t joined = 0;
    while (index + joined + 1 < term->parameter_count &&
           (term->joined >> (index + joined + 1) & 1) != 0)
        joined++;
    return joined;
}

static uint32_t direct(const struct term *term, uint32_t first)
{
    uint32_t colour = TERM_DIRECT;
    for (uint32_t i = 0; i < 3; i++)
        colour |= (value_at(term, first + i) & 0xff) << (16 - 8 * i);
    return colour;
}

/* The colour whose 38 or 48 stands at @index; *@used parameters follow it. */
static bool read_colour(const struct term *term, uint32_t index, uint32_t *used, uint32_t *colour)
{
    uint32_t joined = joined_after(term, index), kind = value_at(term, index + 1);
    if (kind == 5) {
        *used = joined != 0 ? joined : 2;
        *colour = TERM_INDEXED | (value_at(term, index + 2) & 0xff);
        return true;
    }
    if (kind == 2) {
        *used = joined != 0 ? joined : 4;
        *colour = direct(term, index + (joined >= 5 ? 3 : 2));
        return true;
    }
    *used = joined;
    return false;
}

static void set_attribute(struct term *term, uint32_t code)
{
    static const uint16_t on[] = {0,          TERM_BOLD,  TERM_DIM,     TERM_ITALIC, TERM_UNDERLINE,
                                  TERM_BLINK, TERM_BLINK, TERM_REVERSE, TERM_HIDDEN, TERM_STRUCK};
    static const uint16_t off[] = {TERM_BOLD | TERM_DIM, TERM_ITALIC, TERM_UNDERLINE, TERM_BLINK, 0,
                                   TERM_REVERSE,         TERM_HIDDEN, TERM_STRUCK};
    uint16_t *attributes = &term->cursor.attributes;
    if (code < 10)
        *attributes |= on[code];
    else if (code == 21) /* twice underlined */
        *attributes |= TERM_UNDERLINE;
    else if (code >= 22 && code <= 29)
        *attributes &= (uint16_t)~off[code - 22];
}

static void set_colour(struct term *term, uint32_t code)
{
    if (code >= 30 && code <= 37)
        term->cursor.fg = TERM_INDEXED | (code - 30);
    else if (code == 39)
        term->cursor.fg = TERM_DEFAULT;
    else if (code >= 40 && code <= 47)
        term->cursor.bg = TERM_INDEXED | (code - 40);
    else if (code == 49)
        term->cursor.bg = TERM_DEFAULT;
    else if (code >= 90 && code <= 97)
        term->cursor.fg = TERM_INDEXED | (code - 90 + 8);
    else if (code >= 100 && code <= 107)
        term->cursor.bg = TERM_INDEXED | (code - 100 + 8);
}

/* The parameter at @index; how many after it were its own. */
static uint32_t apply(struct term *term, uint32_t index)
{
    uint32_t code = value_at(term, index), used = joined_after(term, index), colour;
    if (code == 0) {
        term->cursor.attributes = 0;
        term->cursor.fg = term->cursor.bg = TERM_DEFAULT;
    } else if (code == 38 || code == 48 || code == 58) {
        bool good = read_colour(term, index, &used, &colour);
        if (good && code != 58)
            *(code == 38 ? &term->cursor.fg : &term->cursor.bg) = colour;
    } else if (code == 4 && used != 0 && value_at(term, index + 1) == 0) {
        term->cursor.attributes &= (uint16_t)~TERM_UNDERLINE;
    } else {
        set_attribute(term, code);
        set_colour(term, code);
    }
    return used;
}

void sgr(struct term *term)
{
    if (term->parameter_count == 0)
        (void)apply(term, 0);
    for (uint32_t i = 0; i < term->parameter_count; i++)
        i += apply(term, i);
}
