/* Lock order at run time, in debug builds: the compiler checks classes along direct calls, this checks what goes through function
 * pointers. Each CPU records the ranks it holds; since classes are taken in rank order only, the record is a sorted stack, though
 * locks may be given back in any order.
 *
 * A lock that is not given back, or a word that is taken for one, keeps whoever wants it for ever. Nobody holds a lock for seconds, so who
 * has waited that long for one and the same holder's turn panics; but only if it has also spun as often as takes a while, since the whole
 * machine may have been stopped. */
#include <arch.h>
#include <arch_cpu.h>
#include <spinlock.h>

#ifdef CONFIG_DEBUG
#define WAIT_NS 5000000000ull
#define WAIT_SPINS (1u << 20)

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

void lockdep_acquired(struct spinlock *lock)
{
    __atomic_store_n(&lock->holder, arch_cpu_local()->id, __ATOMIC_RELAXED);
    __atomic_fetch_add(&lock->turns, 1, __ATOMIC_RELAXED);
}

void lockdep_spin(const struct spinlock *lock, struct lock_wait *wait)
{
    const struct cpu *cpu = arch_cpu_local();
    uint32_t turns = __atomic_load_n(&lock->turns, __ATOMIC_RELAXED);

    if (wait->spins++ == 0 || wait->turns != turns)
        *wait = (struct lock_wait){.spins = 1, .since_ns = arch_time_now_ns(), .turns = turns};
    if (wait->spins % WAIT_SPINS != 0 || arch_time_now_ns() - wait->since_ns < WAIT_NS)
        return;
    panic("%s at %p is not given back by CPU %u", rank_names[cpu->held_ranks[cpu->held_count - 1]],
          (const void *)lock, __atomic_load_n(&lock->holder, __ATOMIC_RELAXED));
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
