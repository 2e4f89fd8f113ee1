/* gate: clang-kernel; says: Wmissing-prototypes */
#ifdef OBEYED
int rule(void);
#endif

int rule(void)
{
    return 1;
}
