/* A signal to a thread that runs, to one that is in a call, and those that a fault sends. */
#include "linux.h"

static volatile int seen;
static volatile long at_fault;
static char *volatile hole = (char *)0x30000000;

static void note(int signal)
{
    seen = signal;
}

static void mend(int signal)
{
    seen = signal;
    at_fault = CALL6(mmap, hole, 4096, 3, 0x32, -1, 0);
}

/* The child runs, in user mode for the most part, until the signal has come. */
static void to_who_runs(void)
{
    int ends[2];
    char byte = 0;
    EXPECT(CALL2(pipe2, ends, 0) == 0);
    long child = linux_fork(0);
    if (child == 0) {
        (void)CALL3(write, ends[1], &byte, 1);
        while (seen == 0)
            continue;
        (void)CALL1(exit_group, seen);
    }
    EXPECT(CALL3(read, ends[0], &byte, 1) == 1);
    EXPECT(CALL2(kill, child, SIGUSR1) == 0);
    EXPECT(linux_wait(child) == SIGUSR1 << 8);
}

/* The child reads from a pipe into which nobody writes. A signal that comes before the read waits only runs the handler, so more of them
 * are sent until one has ended it, each after the child had time to come out of the handler. */
static void to_who_waits(void)
{
    int ends[2], started[2];
    char byte = 0;
    EXPECT(CALL2(pipe2, ends, 0) == 0 && CALL2(pipe2, started, 0) == 0);
    long child = linux_fork(0);
    if (child == 0) {
        (void)CALL3(write, started[1], &byte, 1);
        long got = CALL3(read, ends[0], &byte, 1);
        (void)CALL1(exit_group, got == -EINTR && seen == SIGUSR1 ? 7 : 8);
    }
    EXPECT(CALL3(read, started[0], &byte, 1) == 1);
    int status = 0;
    for (int looks = 0; CALL4(wait4, child, &status, WNOHANG, 0) == 0; looks++)
        EXPECT(looks % 100 != 0 || CALL2(kill, child, SIGUSR1) == 0);
    EXPECT(status == 7 << 8);
}

int main(int letter)
{
    (void)letter;
    linux_signal(SIGUSR1, note);
    EXPECT(CALL2(kill, CALL0(getpid), SIGUSR1) == 0 && seen == SIGUSR1);
    seen = 0;
    to_who_runs();
    to_who_waits();
    linux_signal(SIGSEGV, mend);
    *hole = 5;
    EXPECT(seen == SIGSEGV && at_fault == (long)hole && *hole == 5);
    return 0;
}
