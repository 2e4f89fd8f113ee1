/* What is to be sent. Programs get all of the queue but a reserve, which is for the echo: a program that prints without end does not
 * blind who types. */
#include "internal.h"

#define OUTPUT_BYTES 16384u
#define ECHO_BYTES 1024u

static uint8_t queue[OUTPUT_BYTES];
static uint32_t head, tail; /* run freely */

static size_t space(void)
{
    return OUTPUT_BYTES - (head - tail);
}

static void put_byte(uint8_t byte)
{
    queue[head++ % OUTPUT_BYTES] = byte;
    transcript_put(byte);
}

static void put(char byte)
{
    if (byte == '\n')
        put_byte('\r');
    put_byte((uint8_t)byte);
}

/* Each byte may become two. */
size_t output_room(void)
{
    return space() <= ECHO_BYTES ? 0 : (space() - ECHO_BYTES) / 2;
}

void output_put(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        put(text[i]);
}

void output_echo(void *context, const char *text, size_t bytes)
{
    (void)context;
    if (space() / 2 >= bytes)
        output_put(text, bytes);
}

bool console_take(uint8_t *byte)
{
    if (head == tail)
        return false;
    *byte = queue[tail++ % OUTPUT_BYTES];
    return true;
}

bool console_is_silent(void)
{
    return head == tail;
}
