/* gate: hardening; says: trap */
#include <stdio.h>
#include <stdlib.h>

/* Built for the host with the flags that harden the system: `traps WHAT` must die of a trap, `traps` must not. */
static int table[4] = {1, 2, 3, 4};

int main(int count, char **arguments)
{
    int what = count > 1 ? atoi(arguments[1]) : 0;
    volatile int index = what == 1 ? 4 : 3;
    volatile int big = what == 2 ? 0x7fffffff : 1;

    printf("%d %d\n", table[index], big + 1);
    return 0;
}
