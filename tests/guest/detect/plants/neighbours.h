#pragma once
/* What goes beyond an object whose neighbour is in use too: the bytes there are somebody's. */
#include <kmem.h>

#include "plant.h"

#define NEIGHBOURS 50u

/* Takes objects of @bytes, and writes one byte too many to each that has another at most @apart bytes behind its end. */
static inline status_t write_beyond(size_t bytes, size_t apart)
{
    volatile char *objects[NEIGHBOURS];
    uint32_t count = 0;
    while (count < NEIGHBOURS && (objects[count] = kmem_alloc(NULL, bytes)) != NULL)
        count++;
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t other = 0; other < count; other++)
            if (objects[other] > objects[i] && objects[other] <= objects[i] + bytes + apart)
                objects[i][bytes] = 1;
    for (uint32_t i = 0; i < count; i++)
        kmem_free(NULL, (char *)(uintptr_t)objects[i], bytes);
    return count == NEIGHBOURS ? STATUS_OK : STATUS_NO_MEMORY;
}
