/* The screen that the firmware set up and left on (UEFI 2.10, 12.9): lines of 32-bit pixels, of which nothing can be asked and nothing set. What
 * devmgr hands on was the firmware's word, so it is checked against the window. */
#include "fbcon.h"

#define PIXEL_BYTES 4u

status_t firmware_start(const struct driver_device *device, struct surface *surface)
{
    const struct device_screen *screen = &device->info->screen;
    uint64_t bytes = (uint64_t)screen->stride_bytes * screen->height;
    bool bgrx = screen->format == FRAMEBUFFER_FORMAT_BGRX;
    if ((!bgrx && screen->format != FRAMEBUFFER_FORMAT_RGBX) ||
        screen->stride_bytes % PIXEL_BYTES != 0 ||
        screen->stride_bytes / PIXEL_BYTES < screen->width)
        return STATUS_UNSUPPORTED;
    *surface = (struct surface){.pixels = driver_registers(device, 0, 0, bytes),
                                .width = screen->width,
                                .height = screen->height,
                                .stride = screen->stride_bytes / PIXEL_BYTES,
                                .red_shift = bgrx ? 16 : 0,
                                .green_shift = 8,
                                .blue_shift = bgrx ? 0 : 16};
    bool aligned = (uintptr_t)surface->pixels % PIXEL_BYTES == 0;
    return surface->pixels != NULL && aligned ? STATUS_OK : STATUS_UNSUPPORTED;
}
