/* Numbers that the kernel answers, numbers that the personality does not know, memory read and written, registers kept. */
#include "linux.h"

static char page[4096] __attribute__((aligned(4096)));

static void numbers(void)
{
    long pid = CALL0(getpid);
    EXPECT(pid > 0 && CALL0(getppid) == 1 && CALL0(gettid) == pid);
    EXPECT(linux_call(500, 0, 0, 0, 0, 0, 0) == -ENOSYS);
    EXPECT(linux_call(5000, 0, 0, 0, 0, 0, 0) == -ENOSYS);
    EXPECT(linux_call(-1, 0, 0, 0, 0, 0, 0) == -ENOSYS);
}

static void memory(void)
{
    EXPECT(CALL3(write, 1, "hello from Linux", 16) == 16);
    long file = CALL4(openat, -100, "file", 0, 0);
    EXPECT(file >= 0);
    EXPECT(CALL3(read, file, page, 4096) == 4096); /* from a Memory; the page was never touched */
    for (int i = 0; i < 4096; i++)
        EXPECT(page[i] == (char)(i * 7));
    EXPECT(CALL3(read, file, 0x10, 16) == -EFAULT);
    int ends[2];
    char small[8];
    EXPECT(CALL2(pipe2, ends, 0) == 0);
    EXPECT(CALL3(write, ends[1], "abcdefg", 8) == 8);
    EXPECT(CALL3(read, ends[0], small, 8) == 8 && small[0] == 'a' && small[6] == 'g');
    EXPECT(CALL3(write, 1, 0x10, 16) == -EFAULT);
}

int main(int letter)
{
    (void)letter;
    numbers();
    memory();
    return 0;
}
