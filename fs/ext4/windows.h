/* Read-ahead between the reader and a block device.
 *
 * The reader asks for single blocks of metadata and for the whole blocks of files; both lie
 * close together on a medium that mke2fs has laid out, and a request to the driver costs far
 * more than the bytes. So short reads are served from windows: aligned pieces of the device,
 * read whole, of which the last few are kept. Long reads pass by. The medium does not change
 * while it is mounted read-only, so a window is never stale. */
#pragma once

#include <stdint.h>
#include <veridian/abi.h>

#define WINDOW_BYTES ((size_t)32 << 10)
#define WINDOWS 16u

struct window {
    uint64_t number; /* which piece of the device; WINDOW_NONE: none */
    uint64_t used;   /* when, on the clock of struct windows */
    uint8_t bytes[WINDOW_BYTES];
};

struct windows {
    void *context;
    /** Offsets and lengths are multiples of block_bytes, but at the device's end. */
    status_t (*read)(void *context, uint64_t offset, void *buffer, size_t bytes);
    uint64_t size_bytes;
    uint32_t block_bytes; /* a power of two, at most WINDOW_BYTES */
    uint64_t clock;
    struct window window[WINDOWS];
};

void windows_init(struct windows *windows);
/** Any range inside the device; outside it RANGE. The status of a failed read is passed on. */
MUST_CHECK status_t windows_read(struct windows *windows, uint64_t offset, void *buffer,
                                 size_t bytes);
