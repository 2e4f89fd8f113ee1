#pragma once
/* From cells to pixels. */
#include <term/term.h>

/** A linear framebuffer of 32-bit pixels; the shifts say where each colour's 8 bits are. */
struct surface {
    volatile uint32_t *pixels;
    uint32_t width, height;
    uint32_t stride; /**< pixels from one row to the next */
    uint32_t red_shift, green_shift, blue_shift;
};

/** A terminal on a surface: as many cells as fit whole. */
struct painter {
    struct surface surface;
    struct term *term;
    struct term_cell *shown; /* what the surface shows, row by row */
};

/** Show @term, which fills @surface, from now on; the surface is black at first. False: no memory, or a surface too small for a terminal. */
bool painter_init(struct painter *painter, const struct surface *surface, struct term *term);
/** Bring the surface up to date: only cells that changed are painted. */
void painter_update(struct painter *painter);
