/* gate: clang-kernel; says: Wassign-enum */
enum kind { KIND_ONE = 1, KIND_TWO = 2 };

enum kind rule(void);

enum kind rule(void)
{
#ifdef OBEYED
    return KIND_TWO;
#else
    return 7;
#endif
}
