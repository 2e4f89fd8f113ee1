/* gate: tidy; says: clang-analyzer-core.NullDereference */
int rule(const int *value);

int rule(const int *value)
{
#ifdef OBEYED
    if (value == 0)
        return 0;
    return *value;
#else
    if (value == 0)
        return *value;
    return 0;
#endif
}
