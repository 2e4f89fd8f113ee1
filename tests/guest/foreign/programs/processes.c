/* fork, vfork, exec, wait, and kill with calls pending. */
#include "linux.h"

static volatile int value = 1;

static void fork_copies(void)
{
    long parent = CALL0(getpid);
    long child = linux_fork(0);
    if (child == 0) {
        int right = value == 1 && CALL0(getppid) == parent && CALL0(getpid) != parent;
        value = 2;
        (void)CALL1(exit_group, right ? value + 40 : 1);
    }
    EXPECT(child > 0 && linux_wait(child) == 42 << 8 && value == 1);
}

/* The child of a vfork shares the memory, and the parent waits for its exec. */
static void vfork_shares(void)
{
    const char *arguments[] = {"x", NULL};
    long child = linux_fork(CLONE_VM | CLONE_VFORK);
    if (child == 0) {
        value = 3;
        (void)CALL3(execve, "self", arguments, 0);
        (void)CALL1(exit_group, 1);
    }
    EXPECT(child > 0 && value == 3 && linux_wait(child) == 24 << 8);
    value = 1;
}

static void exec_replaces(void)
{
    const char *arguments[] = {"e", NULL};
    long child = linux_fork(0);
    if (child == 0) {
        value = 9;
        (void)CALL3(execve, "self", arguments, 0);
        (void)CALL1(exit_group, 1);
    }
    EXPECT(linux_wait(child) == 25 << 8);
}

static void killed_in_a_call(void)
{
    int ends[2], started[2];
    char byte = 0;
    EXPECT(CALL2(pipe2, ends, 0) == 0 && CALL2(pipe2, started, 0) == 0);
    for (int i = 0; i < 3; i++) {
        long child = linux_fork(0);
        if (child == 0) {
            (void)CALL3(write, started[1], &byte, 1);
            (void)CALL3(read, ends[0], &byte, 1);
            (void)CALL1(exit_group, 1);
        }
        EXPECT(CALL3(read, started[0], &byte, 1) == 1);
        EXPECT(CALL2(kill, child, SIGKILL) == 0);
        EXPECT(linux_wait(child) == SIGKILL);
    }
    /* One that faults with nobody to mend it. */
    long child = linux_fork(0);
    if (child == 0)
        *(volatile char *)0x30000000 = 1;
    EXPECT(linux_wait(child) == SIGSEGV);
    /* Those that are left in a call when we end. */
    for (int i = 0; i < 4; i++) {
        if (linux_fork(0) == 0)
            (void)CALL3(read, ends[0], &byte, 1);
    }
}

int main(int letter)
{
    if (letter == 'x')
        return value == 1 ? 24 : 2;
    if (letter == 'e')
        return value == 1 ? 25 : 2;
    fork_copies();
    vfork_shares();
    exec_replaces();
    killed_in_a_call();
    return 0;
}
