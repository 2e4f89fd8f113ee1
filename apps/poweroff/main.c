/* poweroff [status]: ends the run; the status goes to whoever started the machine. */
#include <idl/power.h>
#include <os/start.h>
#include <os/stream.h>
#include <stdio.h>
#include <stdlib.h>
#include <tool/status.h>

int main(int argc, char **argv)
{
    unsigned long result = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
    // What was printed before shall be seen; a stream that is no terminal needs nothing.
    status_ignore(bytestream_flush(stream_out()->handle));
    status_t status = power_off(os_cap("power"), (uint32_t)(result & 255));
    fprintf(stderr, "poweroff: %s\n", status_words(status));
    return 1;
}
