/* A thread watches itself by the CPU's debug registers, as perf_event_open has them: SIGTRAP for it, and for nobody else. */
#include "linux.h"

static volatile long watched __attribute__((aligned(8)));
static volatile long beside;
static volatile int traps, landed;
static uint32_t alive;
static uint64_t stack[512] __attribute__((aligned(16)));
static uint64_t tls_block[2];

static void note(int signal)
{
    traps += signal == SIGTRAP;
}

__attribute__((noinline)) static void landmark(void)
{
    landed++;
}

static long watch(volatile void *address, unsigned long bytes, uint32_t type)
{
    static struct linux_perf_event
        event; /* zero, without a memset() that such a program does not have */

    event.type = PERF_TYPE_BREAKPOINT;
    event.size = sizeof(event);
    event.sample_period = 1;
    event.flags = PERF_SIGTRAP | PERF_REMOVE_ON_EXEC;
    event.bp_type = type;
    event.bp_address = (unsigned long)address;
    event.bp_bytes = bytes;
    return CALL6(perf_event_open, &event, 0, -1, -1, 0, 0);
}

static void write_all(void *argument)
{
    (void)argument;
    for (int i = 0; i < 1000; i++) {
        watched = i;
        landmark();
    }
}

/* A process that is made meanwhile, and another thread: neither is watched. */
static void others_write(void)
{
    int before = traps;
    long child = linux_fork(0);
    if (child == 0) {
        write_all(NULL);
        (void)CALL1(exit_group, traps == before ? 7 : 8);
    }
    EXPECT(linux_wait(child) == 7 << 8);
    alive = 1;
    tls_block[0] = (uint64_t)tls_block;
    (void)linux_thread(CLONE_VM | CLONE_THREAD | CLONE_SETTLS | CLONE_CHILD_CLEARTID, stack + 512,
                       write_all, NULL, &alive, tls_block);
    while (__atomic_load_n(&alive, __ATOMIC_ACQUIRE) != 0)
        (void)CALL4(futex, &alive, FUTEX_WAIT, 1, 0);
    EXPECT(traps == before);
}

int main(int letter)
{
    (void)letter;
    linux_signal(SIGTRAP, note);
    long events[2] = {watch(&watched, 8, BREAKPOINT_WRITE)};
    if (!LINUX_HAS_BREAKPOINTS) {
        EXPECT(events[0] == -ENOENT);
        return 0;
    }
    EXPECT(events[0] >= 0);
    for (int i = 0; i < 10; i++) {
        beside = i;
        watched = i;
        EXPECT(traps == i + 1 && watched == i);
    }
    events[1] = watch((volatile void *)(uintptr_t)landmark, sizeof(long), BREAKPOINT_EXECUTE);
    EXPECT(events[1] >= 0);
    for (int i = 0; i < 10; i++) {
        landmark();
        EXPECT(traps == 11 + i && landed == i + 1);
    }
    others_write();
    EXPECT(watch((volatile void *)-4096l, 8, BREAKPOINT_WRITE) == -EINVAL);
    EXPECT(watch((volatile char *)&watched + 1, 8, BREAKPOINT_WRITE) == -EINVAL);
    EXPECT(CALL1(close, events[0]) == 0);
    watched = 1;
    EXPECT(traps == 20);
    landmark();
    EXPECT(traps == 21 && CALL1(close, events[1]) == 0);
    landmark();
    EXPECT(traps == 21);
    return 0;
}
