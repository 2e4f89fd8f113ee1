/* A file mapping: faults that a pager serves, and `read` into a mapping of the same file. */
#include "linux.h"

int main(int letter)
{
    (void)letter;
    long file = CALL4(openat, -100, "file", 0, 0);
    EXPECT(file >= 0);
    char *mapped = (char *)CALL6(mmap, 0, 16384, 3, 1, file, 0);
    EXPECT((long)mapped > 0);
    EXPECT(mapped[5] == 35 && mapped[4096 + 5] == 35 && mapped[8191] == (char)(4095 * 7));
    EXPECT(CALL3(read, file, mapped + 8192, 4096) == 4096); /* absent: to be fetched first */
    EXPECT(mapped[8192 + 9] == 63);
    EXPECT(CALL3(write, 1, mapped + 12288, 2) == 2); /* absent: the copy finds nothing */
    return 0;
}
