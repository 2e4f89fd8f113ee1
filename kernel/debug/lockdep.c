/* Lock order at run time, in debug builds: the compiler checks classes along direct calls, this checks what goes through function
 * pointers. Each CPU records the ranks it holds; since classes are taken in rank order only, the record is a sorted stack, though
 * locks may be given back in any order. */
#include <arch_cpu.h>
#include <spinlock.h>

#ifdef CONFIG_DEBUG
static const char *const rank_names[] = {
#define X(name) #name,
    LOCK_CLASSES(X)
#undef X
};

void lockdep_acquire(const struct spinlock *lock, enum lock_rank rank)
{
    struct cpu *cpu = arch_cpu_local();

    (void)lock;
    ASSERT(cpu->held_count < ARRAY_SIZE(cpu->held_ranks));
    if (cpu->held_count != 0 && cpu->held_ranks[cpu->held_count - 1] >= rank)
        panic("lock order: %s taken under %s", rank_names[rank],
              rank_names[cpu->held_ranks[cpu->held_count - 1]]);
    cpu->held_ranks[cpu->held_count++] = (uint8_t)rank;
}

void lockdep_release(const struct spinlock *lock, enum lock_rank rank)
{
    struct cpu *cpu = arch_cpu_local();
    uint32_t i = cpu->held_count;

    (void)lock;
    while (i != 0 && cpu->held_ranks[i - 1] != rank)
        i--;
    if (i == 0)
        panic("lock order: %s given back but not held", rank_names[rank]);
    for (; i < cpu->held_count; i++)
        cpu->held_ranks[i - 1] = cpu->held_ranks[i];
    cpu->held_count--;
}
#endif
