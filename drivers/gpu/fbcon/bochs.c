/* QEMU's bochs-display (PCI 1234:1111), by "QEMU Standard VGA" (docs/specs/standard-vga.rst of QEMU 7.2): BAR 0 is the framebuffer, BAR 2 has the
 * display's EDID at 0, and at 500 the registers of the Bochs VBE extensions, 16 bits each. The mode is the one that the EDID prefers (VESA
 * E-EDID A.2, 3.10), else 1024 by 768; it must fit the window. Little-endian pixels 0xXXRRGGBB. There is neither DMA nor an interrupt. */
#include "fbcon.h"

#define WINDOW_PIXELS 0u
#define WINDOW_REGISTERS 2u
#define EDID_BYTES 128u
#define EDID_TIMING 54u /* the first detailed timing descriptor */
#define DISPI_OFFSET 0x500u
#define DISPI_BYTES 22u
#define ENABLED 0x01u
#define LINEAR 0x40u
#define DEPTH 32u

enum dispi_register {
    DISPI_ID = 0,
    DISPI_WIDTH = 1,
    DISPI_HEIGHT = 2,
    DISPI_DEPTH = 3,
    DISPI_ENABLE = 4,
    DISPI_VIRTUAL_WIDTH = 6,
    DISPI_X_OFFSET = 8,
    DISPI_Y_OFFSET = 9,
};

static uint16_t dispi_read(volatile uint8_t *dispi, enum dispi_register at)
{
    return mmio_read16(dispi + 2 * at);
}

static void dispi_write(volatile uint8_t *dispi, enum dispi_register at, uint32_t value)
{
    mmio_write16(dispi + 2 * at, (uint16_t)value);
}

/* What the display prefers; left as it is where there is no EDID. */
static void read_edid(const volatile uint8_t *edid, uint32_t *width, uint32_t *height)
{
    uint8_t block[EDID_BYTES], sum = 0;
    for (uint32_t i = 0; i < EDID_BYTES; i++) {
        block[i] = mmio_read8(edid + i);
        sum = (uint8_t)(sum + block[i]);
    }
    const uint8_t *timing = block + EDID_TIMING;
    bool clocked = timing[0] != 0 || timing[1] != 0;
    if (sum != 0 || block[0] != 0 || block[1] != 0xff || !clocked)
        return;
    *width = timing[2] | (timing[4] & 0xf0u) << 4;
    *height = timing[5] | (timing[7] & 0xf0u) << 4;
}

static bool set_mode(volatile uint8_t *dispi, uint32_t width, uint32_t height)
{
    dispi_write(dispi, DISPI_ENABLE, 0);
    dispi_write(dispi, DISPI_WIDTH, width);
    dispi_write(dispi, DISPI_HEIGHT, height);
    dispi_write(dispi, DISPI_DEPTH, DEPTH);
    dispi_write(dispi, DISPI_VIRTUAL_WIDTH, width);
    dispi_write(dispi, DISPI_X_OFFSET, 0);
    dispi_write(dispi, DISPI_Y_OFFSET, 0);
    dispi_write(dispi, DISPI_ENABLE, ENABLED | LINEAR);
    return dispi_read(dispi, DISPI_WIDTH) == width && dispi_read(dispi, DISPI_HEIGHT) == height &&
           dispi_read(dispi, DISPI_DEPTH) == DEPTH;
}

status_t bochs_start(const struct driver_device *device, struct surface *surface)
{
    volatile void *edid = driver_registers(device, WINDOW_REGISTERS, 0, EDID_BYTES),
                  *dispi = driver_registers(device, WINDOW_REGISTERS, DISPI_OFFSET, DISPI_BYTES);
    uint32_t width = 1024, height = 768;
    if (edid == NULL || dispi == NULL)
        return STATUS_NOT_FOUND;
    if ((dispi_read(dispi, DISPI_ID) & 0xfff0u) != 0xb0c0u)
        return STATUS_UNSUPPORTED;
    read_edid(edid, &width, &height);
    uint64_t bytes = (uint64_t)width * height * (DEPTH / 8);
    *surface = (struct surface){.pixels = driver_registers(device, WINDOW_PIXELS, 0, bytes),
                                .width = width,
                                .height = height,
                                .stride = width,
                                .red_shift = 16,
                                .green_shift = 8};
    return surface->pixels != NULL && set_mode(dispi, width, height) ? STATUS_OK
                                                                     : STATUS_UNSUPPORTED;
}
