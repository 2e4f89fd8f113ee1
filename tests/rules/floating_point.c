/* gate: clang-kernel; says: (SSE|SIMD|floating).*disabled|without.*SSE */
int rule(int percent);

/* The kernel does not touch the registers that it does not save. */
int rule(int percent)
{
#ifdef OBEYED
    return percent * 3 / 2;
#else
    double scaled = percent * 1.5;
    return (int)scaled;
#endif
}
