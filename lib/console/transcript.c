/* The transcript: the last TRANSCRIPT_BYTES that went to the terminal, programs' output and echo alike. A screen of any size is made of the end of it,
 * so whoever shows the console elsewhere needs nothing else: not to have been there from the start, nor to be fast. */
#include "internal.h"

static uint8_t ring[TRANSCRIPT_BYTES];
static uint64_t total; /* bytes ever put */

void transcript_put(uint8_t byte)
{
    ring[total++ % TRANSCRIPT_BYTES] = byte;
}

/* Of what is kept, the first line whose beginning is kept too; the first byte if there is no line. */
static uint64_t first_line(void)
{
    uint64_t first = total < TRANSCRIPT_BYTES ? 0 : total - TRANSCRIPT_BYTES;
    for (uint64_t at = first; first != 0 && at < total; at++)
        if (ring[at % TRANSCRIPT_BYTES] == '\n')
            return at + 1;
    return first;
}

size_t transcript_read(uint64_t *position, uint8_t *buffer, size_t bytes)
{
    size_t done = 0;
    if (*position > total || total - *position > TRANSCRIPT_BYTES)
        *position = first_line();
    while (done < bytes && *position < total)
        buffer[done++] = ring[(*position)++ % TRANSCRIPT_BYTES];
    return done;
}
