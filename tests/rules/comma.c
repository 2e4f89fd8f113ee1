/* gate: clang-kernel; says: Wcomma */
int rule(int a, int b);

int rule(int a, int b)
{
#ifdef OBEYED
    a += b;
    return a;
#else
    return a += b, a;
#endif
}
