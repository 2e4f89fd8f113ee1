/* log: prints the system's log; -f: and what comes; with words: adds a line. */
#include <idl/log.h>
#include <os/clock.h>
#include <os/start.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tool/status.h>

#define PIECE_BYTES 8192u
#define LOOK_NS (200 * NS_PER_MS)

static int add(int argc, char **argv)
{
    char line[LOG_LINE_BYTES + 1];
    size_t used = 0;
    for (int i = 1; i < argc; i++) {
        int bytes = snprintf(line + used, sizeof(line) - used, "%s%s", i > 1 ? " " : "", argv[i]);
        used += bytes > 0 ? (size_t)bytes : 0;
        if (used >= sizeof(line)) {
            break;
        }
    }
    status_t status = log_write(os_cap("log"), line);
    if (!status_is_ok(status)) {
        fprintf(stderr, "log: %s\n", status_words(status));
    }
    return !status_is_ok(status);
}

int main(int argc, char **argv)
{
    uint64_t position = 0, done = 0;
    bool follow = argc == 2 && strcmp(argv[1], "-f") == 0;
    char *piece = malloc(PIECE_BYTES);
    if (argc > 1 && !follow) {
        return add(argc, argv);
    }
    for (;;) {
        status_t status =
            piece ? log_read(os_cap("log"), position, piece, PIECE_BYTES, &position, &done)
                  : STATUS_NO_MEMORY;
        bool away = status == STATUS_PEER_DIED || status == STATUS_STALE;
        if (!status_is_ok(status) && !away) {
            fprintf(stderr, "log: %s\n", status_words(status));
            return 1;
        }
        if (away) {
            // Another logd begins to count anew.
            position = 0;
            clock_sleep(LOOK_NS);
        } else if (done > 0 && fwrite(piece, 1, done, stdout) != done) {
            return 1;
        } else if (done == 0 && !follow) {
            return fflush(stdout) != 0;
        } else if (done == 0) {
            fflush(stdout);
            clock_sleep(LOOK_NS);
        }
    }
}
