/* gate: clang-kernel; says: Wmissing-variable-declarations */
#ifdef OBEYED
extern int rule;
#endif

int rule = 1;
