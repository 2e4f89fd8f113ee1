#include "windows.h"

#include <string.h>

#define WINDOW_NONE UINT64_MAX

void windows_init(struct windows *windows)
{
    windows->clock = 0;
    for (size_t i = 0; i < WINDOWS; i++) {
        windows->window[i].number = WINDOW_NONE;
        windows->window[i].used = 0;
    }
}

static struct window *window_find(struct windows *windows, uint64_t number)
{
    for (size_t i = 0; i < WINDOWS; i++)
        if (windows->window[i].number == number)
            return &windows->window[i];
    return NULL;
}

static struct window *window_oldest(struct windows *windows)
{
    struct window *oldest = &windows->window[0];
    for (size_t i = 1; i < WINDOWS; i++)
        if (windows->window[i].used < oldest->used)
            oldest = &windows->window[i];
    return oldest;
}

static status_t window_get(struct windows *windows, uint64_t number, struct window **out)
{
    struct window *window = window_find(windows, number);
    if (window == NULL) {
        uint64_t offset = number * WINDOW_BYTES;
        uint64_t rest = windows->size_bytes - offset;
        window = window_oldest(windows);
        window->number = WINDOW_NONE;
        status_t s = windows->read(windows->context, offset, window->bytes,
                                   rest < WINDOW_BYTES ? (size_t)rest : WINDOW_BYTES);
        if (s != STATUS_OK)
            return s;
        window->number = number;
    }
    window->used = ++windows->clock;
    *out = window;
    return STATUS_OK;
}

/* Whole windows and more go straight to the device, if it can take them as they are. */
static size_t direct_bytes(const struct windows *windows, uint64_t offset, size_t bytes)
{
    if (bytes < WINDOW_BYTES || offset % windows->block_bytes != 0)
        return 0;
    return bytes & ~(size_t)(windows->block_bytes - 1);
}

status_t windows_read(struct windows *windows, uint64_t offset, void *buffer, size_t bytes)
{
    uint8_t *out = buffer;
    if (offset > windows->size_bytes || bytes > windows->size_bytes - offset)
        return STATUS_RANGE;
    while (bytes != 0) {
        size_t part = direct_bytes(windows, offset, bytes);
        if (part != 0) {
            status_t s = windows->read(windows->context, offset, out, part);
            if (s != STATUS_OK)
                return s;
        } else {
            struct window *window;
            size_t skip = (size_t)(offset % WINDOW_BYTES);
            status_t s = window_get(windows, offset / WINDOW_BYTES, &window);
            if (s != STATUS_OK)
                return s;
            part = bytes < WINDOW_BYTES - skip ? bytes : WINDOW_BYTES - skip;
            memcpy(out, window->bytes + skip, part);
        }
        offset += part;
        out += part;
        bytes -= part;
    }
    return STATUS_OK;
}
