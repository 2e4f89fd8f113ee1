/* gate: clang-kernel; says: Wimplicit-fallthrough */
int rule(int kind);

int rule(int kind)
{
    int cost = 0;

    switch (kind) {
    case 1:
        cost = 1;
#ifdef OBEYED
        break;
#endif
    default:
        cost += 2;
    }
    return cost;
}
