/* reboot: ends the run and begins anew. */
#include <idl/power.h>
#include <os/start.h>
#include <os/stream.h>
#include <stdio.h>
#include <tool/status.h>

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1) {
        fprintf(stderr, "usage: reboot\n");
        return 2;
    }
    status_ignore(bytestream_flush(stream_out()->handle));
    status_t status = power_reboot(os_cap("power"));
    fprintf(stderr, "reboot: %s\n", status_words(status));
    return 1;
}
