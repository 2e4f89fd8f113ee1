/* gate: clang-kernel; says: Wshadow */
int rule(int count);

int rule(int count)
{
    int sum = 0;

    for (int i = 0; i < count; i++) {
#ifdef OBEYED
        int half = i / 2;
        sum += half;
#else
        int count = i / 2;
        sum += count;
#endif
    }
    return sum;
}
