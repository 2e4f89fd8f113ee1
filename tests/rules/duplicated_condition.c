/* gate: gcc-kernel; says: duplicated-cond */
int rule(int kind);

int rule(int kind)
{
    if (kind == 1)
        return 10;
#ifdef OBEYED
    else if (kind == 2)
#else
    else if (kind == 1)
#endif
        return 20;
    return 0;
}
