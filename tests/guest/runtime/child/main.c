/* A program that does what its first argument says. */
#include <os/clock.h>
#include <os/start.h>
#include <os/stream.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <veridian/syscalls.h>

/** stdin to stdout, through stdio. */
static int copy(void)
{
    int character;
    while ((character = getchar()) != EOF) {
        if (putchar(character) == EOF) {
            return 3;
        }
    }
    return fflush(stdout) == 0 ? 0 : 3;
}

/** @count lines to stdout. */
static int lines(long count)
{
    for (long i = 0; i < count; i++) {
        if (printf("line %ld of many, so that a pipe fills up\n", i) < 0) {
            return 4;
        }
    }
    return fflush(stdout) == 0 ? 0 : 4;
}

static int fault(void)
{
    volatile int *nowhere = (volatile int *)8;
    return *nowhere;
}

/** What was given is what was announced. */
static int check(int argc, char **argv)
{
    const char *colour = getenv("COLOUR");
    handle_t handle;
    uint32_t type = 0, rights;
    uint64_t badge, id;
    if (argc != 4 || strcmp(argv[2], "two words") != 0 || strcmp(argv[3], "") != 0 || !colour ||
        strcmp(colour, "red") != 0) {
        return 10;
    }
    if (os_cap("missing") != HANDLE_NONE || os_cap("note") == HANDLE_NONE ||
        sys_cap_info(os_cap("note"), &type, &rights, &badge, &id) != STATUS_OK ||
        type != OBJECT_NOTIFICATION) {
        return 11;
    }
    for (size_t i = 0; os_cap_at(i, &handle); i++) {
        if (sys_cap_info(handle, &type, &rights, &badge, &id) != STATUS_OK) {
            return 12;
        }
    }
    // Its address space is its own: what is sealed and what is code cannot be written.
    return sys_aspace_protect(os_self.aspace, (uint64_t)(uintptr_t)&check & ~(PAGE_SIZE - 1),
                              PAGE_SIZE, MAP_READ | MAP_WRITE) == STATUS_OK
               ? 13
               : 42;
}

int main(int argc, char **argv)
{
    const char *role = argc > 1 ? argv[1] : "";
    if (strcmp(role, "copy") == 0) {
        return copy();
    }
    if (strcmp(role, "lines") == 0) {
        return lines(strtol(argv[2], NULL, 10));
    }
    if (strcmp(role, "fault") == 0) {
        return fault();
    }
    if (strcmp(role, "abort") == 0) {
        abort();
    }
    if (strcmp(role, "check") == 0) {
        return check(argc, argv);
    }
    while (strcmp(role, "wait") == 0) {
        clock_sleep(NS_PER_S);
    }
    return 7;
}
