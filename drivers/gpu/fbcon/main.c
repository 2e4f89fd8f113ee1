/* fbcon: what the console prints, on a screen.
 *
 * The console (whoever provides it: a serial port) keeps the last stretch of all that it printed, and this driver is its client: it asks for
 * what comes after the place up to which it has read, waits in that call, feeds the terminal (lib/term), paints what changed, and asks again.
 * So the console never waits for the display, nor knows that there is one: a display that is slow, hangs or dies only asks later. And no
 * state is kept for it anywhere: the grid follows from the bytes, so a new life reads the stretch from its start and has the screen back,
 * and what was printed before the driver first ran is shown too. What can be lost is what was set longer ago than the stretch reaches
 * (a colour, the alternate screen, a scroll region) until a program sets it anew. When the console dies, its next life begins a new
 * stretch, which goes on below what is on the screen.
 *
 * Several bytes are painted at once: whatever was printed while the last update was painted. */
#include "fbcon.h"

#include <idl/bytestream.h>
#include <os/clock.h>
#include <os/log.h>
#include <os/start.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_NS (10 * NS_PER_MS)
#define PIECE_BYTES 16384u

static struct term term;
static struct painter painter;

/* Show what the console printed after *@position. */
static status_t follow(uint64_t *position)
{
    static uint8_t piece[PIECE_BYTES];
    uint64_t next = 0, done = 0;
    status_t status =
        bytestream_follow(os_cap("console"), *position, piece, sizeof(piece), &next, &done);
    if (!status_is_ok(status))
        return status;
    if (done > sizeof(piece))
        return STATUS_CORRUPT;
    term_write(&term, piece, done);
    painter_update(&painter);
    *position = next;
    return STATUS_OK;
}

static status_t start(void)
{
    static struct driver_device device;
    struct surface surface = {0};
    status_t status = driver_open(&device);
    if (status_is_ok(status))
        status = strcmp(device.info->match, "platform:framebuffer") == 0
                     ? firmware_start(&device, &surface)
                     : bochs_start(&device, &surface);
    if (!status_is_ok(status))
        return status;
    if (!painter_init(&painter, &surface, &term))
        return STATUS_NO_MEMORY;
    os_log("fbcon: %s, %u by %u pixels, %u by %u characters", device.info->match, surface.width,
           surface.height, term.columns, term.rows);
    return STATUS_OK;
}

int main(void)
{
    uint64_t position = 0;
    status_t status = start();
    if (!status_is_ok(status)) {
        os_log("fbcon: the display cannot be started: %s", status_name(status));
        return EXIT_FAILURE;
    }
    for (;;) {
        status = follow(&position);
        if (status_is_ok(status))
            continue;
        if (status == STATUS_UNSUPPORTED) {
            os_log("fbcon: the console keeps nothing that could be shown");
            return EXIT_FAILURE;
        }
        position = 0; /* another console, with a stretch of its own */
        clock_sleep(RETRY_NS);
    }
}
