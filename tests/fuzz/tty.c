/* libFuzzer target of the console's line discipline: keys, readers of all sizes, changes between raw and cooked. Readers get no more bytes than there
 * were keys, and the counters stay within what tty.h says. */
#include "target.h"

#include <tty.h>

static void show(void *context, const char *text, size_t bytes)
{
    size_t *shown = context;
    for (size_t i = 0; i < bytes; i++)
        *shown += (uint8_t)text[i] != 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tty tty;
    uint8_t buffer[300];
    size_t shown = 0, typed = 0, got = 0, done = 0;
    tty_init(&tty, show, &shown);
    for (size_t i = 0; i + 1 < size; i += 2) {
        size_t bytes = 1 + data[i + 1] % (sizeof(buffer) - 44);
        switch (data[i] % 8) {
        case 0:
            (void)tty_set_raw(&tty, data[i + 1] % 2 == 0);
            break;
        case 1:
            if (!tty_peek(&tty, buffer, bytes, &done))
                break;
            HOLDS(done <= bytes);
            got += done;
            tty_consume(&tty, done);
            break;
        default:
            if (tty_has_room(&tty)) {
                typed++;
                (void)tty_input(&tty, data[i + 1]);
            }
        }
        HOLDS(tty.line_bytes <= TTY_LINE_BYTES);
        HOLDS(tty.ready_head - tty.ready_tail <= TTY_READY_ENTRIES ||
              tty.ready_tail - tty.ready_head <= TTY_READY_ENTRIES);
        HOLDS(got <= typed);
    }
    return 0;
}
