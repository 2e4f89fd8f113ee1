/* gate: gcc-kernel; says: logical-op */
int rule(int kind);

int rule(int kind)
{
#ifdef OBEYED
    return kind == 1 || kind == 2;
#else
    return kind == 1 || kind == 1;
#endif
}
