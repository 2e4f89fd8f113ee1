/* poweroff [status]: ends the run; the status goes to whoever started the machine. */
#include <idl/power.h>
#include <os/start.h>
#include <os/stream.h>
#include <stdio.h>
#include <stdlib.h>
#include <tool/status.h>

int main(int argc, char **argv)
{
    char *end = "";
    unsigned long result = argc > 1 ? strtoul(argv[1], &end, 10) : 0;
    if (argc > 2 || *end || (argc > 1 && (*argv[1] < '0' || *argv[1] > '9')) || result > 255) {
        fprintf(stderr, "usage: poweroff [status, 0 to 255]\n");
        return 2;
    }
    // What was printed before shall be seen; a stream that is no terminal needs nothing.
    status_ignore(bytestream_flush(stream_out()->handle));
    status_t status = power_off(os_cap("power"), (uint32_t)result);
    fprintf(stderr, "poweroff: %s\n", status_words(status));
    return 1;
}
