/* What compiled code calls by itself. Built so that no loop is taken for the function that it is in. */
#include "loader.h"

void *memcpy(void *to, const void *from, size_t bytes)
{
    uint8_t *out = to;
    const uint8_t *in = from;

    for (size_t i = 0; i < bytes; i++)
        out[i] = in[i];
    return to;
}

void *memset(void *to, int value, size_t bytes)
{
    uint8_t *out = to;

    for (size_t i = 0; i < bytes; i++)
        out[i] = (uint8_t)value;
    return to;
}

int memcmp(const void *a, const void *b, size_t bytes)
{
    const uint8_t *x = a, *y = b;

    for (size_t i = 0; i < bytes; i++)
        if (x[i] != y[i])
            return x[i] - y[i];
    return 0;
}
