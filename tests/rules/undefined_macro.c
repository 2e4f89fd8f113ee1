/* gate: clang-kernel; says: Wundef */
#ifdef OBEYED
#define RULE 1
#endif

#if RULE
extern int rule;
#endif

extern int rule_end;
