/* gate: gcc-kernel; says: array-bounds */
int rule(void);

/* What is seen only when functions are put together: that the gate's compiler does that, and not a linker later. */
static int fifth(const int *values)
{
    return values[4];
}

int rule(void)
{
#ifdef OBEYED
    int values[5] = {1, 2, 3, 4, 5};
#else
    int values[4] = {1, 2, 3, 4};
#endif
    return fifth(values);
}
